"""Layouts to automate: the real ones, and one with every kind of control."""

from __future__ import annotations

import pytest

import djgraph
from djgraph.effects import Control
from djgraph.graph.ir import Column
from djgraph.layout import ParameterLayout

GRAPHS = ("dj_mixer", "djtransgan", "club_console", "filter_knob")


@pytest.fixture(scope="session")
def layouts() -> dict[str, ParameterLayout]:
    """The layouts of the shipped graphs."""
    return {name: ParameterLayout.from_graph(djgraph.load(name)) for name in GRAPHS}


@pytest.fixture(scope="session")
def mixer_layout(layouts: dict[str, ParameterLayout]) -> ParameterLayout:
    return layouts["dj_mixer"]


@pytest.fixture(scope="session")
def small() -> ParameterLayout:
    """Controls in several units and ranges; one is read once per clip, one has no neutral value."""

    def column(name: str, low: float, high: float, default: float, **fields: object) -> Column:
        return Column(name, Control(low, high, default=default, id="x", **fields))  # type: ignore[arg-type]

    return ParameterLayout(
        [
            column("a.gain", 0, 1, 1, neutral=1.0),
            column("a.pan", -1, 1, 0.25, neutral=0.0),
            column("a.cutoff", 20, 20000, 20000, neutral=20000.0, scale="log", unit="Hz", aliases=("freq",)),
            column("b.gain", 0, 1, 0.5),
            column("b.size", 0, 5, 1, rate="clip"),
        ]
    )
