"""Readers: one file for each format; after them, all samples look alike."""
