"""Speed and memory of a model on this machine, against what they depend on."""
