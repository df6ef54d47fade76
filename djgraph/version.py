"""The version of this package. It has its own module so that the others need not import the package for it."""

__version__ = "0.2.0"
