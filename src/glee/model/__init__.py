"""The network: its parts, its weights and how released checkpoints become them."""
