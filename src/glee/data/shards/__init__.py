"""Shards: samples packed into tar files, read by ranges from disk or object storage."""
