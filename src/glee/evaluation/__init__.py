"""Metrics of object-level benchmarks: arrays in, numbers out; no model is known here."""
