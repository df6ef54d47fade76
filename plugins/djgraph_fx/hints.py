"""Hints of errors that several effects give."""

MONO = "to place a mono input, declare it `channels: stereo`: it is up-mixed there"
"""For what needs sides."""
