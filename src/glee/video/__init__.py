"""Videos: objects followed from frame to frame, whatever asked for them."""
