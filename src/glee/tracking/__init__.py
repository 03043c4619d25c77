"""Linking objects over frames; knows nothing of networks or files."""
