"""The corpus of the small model: scenes, clips and expressions made on the fly from packs."""
