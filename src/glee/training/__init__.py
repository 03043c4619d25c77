"""Training of the network: what is compared with the truth, and how it learns from that."""
