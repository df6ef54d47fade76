"""Streams: a mixer that is fed block by block and remembers."""
