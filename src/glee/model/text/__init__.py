"""Tokenizer and text encoder."""
