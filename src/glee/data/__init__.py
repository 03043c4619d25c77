"""Training data: annotated images and clips, from files on disk to padded batches."""
