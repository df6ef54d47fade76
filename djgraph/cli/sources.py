"""How long a mix of sources is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from djgraph.graph.ir import Graph

LONGEST = 24 * 3600
"""Seconds of a mix."""


def check_seconds(seconds: float | None, graph: Graph) -> None:
    """A usage error for a length that is none, or that nobody asks for."""
    if seconds is None:
        return
    if not graph.sources:
        raise typer.BadParameter(f"--seconds is for graphs with sources; graph {graph.name} has none")
    if not 0 < seconds <= LONGEST:
        raise typer.BadParameter(f"--seconds is {seconds:g}; expected more than 0, up to {LONGEST}")
