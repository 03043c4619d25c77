"""Image encoders: pixels in, a feature pyramid out."""
