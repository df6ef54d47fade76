"""Builds effects and calls their code."""
