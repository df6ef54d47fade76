"""Runs plans: the executor, what a caller hands in and gets back, and the reference interpreter."""
