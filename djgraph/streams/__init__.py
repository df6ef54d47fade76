"""Mixing block by block."""
