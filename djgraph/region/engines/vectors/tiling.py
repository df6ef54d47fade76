"""How the vector units get a region: stretches of a clip."""

STRETCH_NUMBERS = 1 << 23
"""Samples of all signals that a stretch has at most: their faders' curves take half of that for stereo (16 MB)."""
