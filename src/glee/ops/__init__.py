"""Pure tensor functions on boxes, masks and points: no parameters, no state."""
