"""What can go wrong in a benchmark."""

from __future__ import annotations

from djgraph.errors import DJGraphError


class BenchmarkError(DJGraphError):
    """The command cannot do what it was asked."""


class Unavailable(BenchmarkError):
    """A case needs something that is not there: a peer that is not installed, a GPU. It is reported, not run."""
