"""Parts of `nano_quality.py`: what a network finds in photos, composed scenes and videos."""
