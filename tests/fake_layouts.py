"""Layouts for tests, built from columns by hand and by Hypothesis; no graph and no plugin takes part."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from djgraph.effects import Control
from djgraph.graph.ir import Column
from djgraph.layout import ParameterLayout

STEMS = ("drums", "bass", "vocals", "other")


def column(name: str, low: float = 0.0, high: float = 1.0, **fields: Any) -> Column:
    """A column whose control is 0…1, linear, with its default in the middle unless told otherwise."""
    fields = {"default": (low + high) / 2, "id": name.rpartition(".")[2]} | fields
    return Column(name, Control(low, high, **fields))


def seed_layout() -> ParameterLayout:
    """The 54 columns of the default mixer, written down from DESIGN §7 without any graph."""
    columns = []
    for track in ("track_a", "track_b"):
        for stem in STEMS:
            columns.append(column(f"{track}.{stem}.gain", default=1.0, neutral=1.0))
            columns += [
                column(f"{track}.{stem}.eq_{band}", 0, 2, neutral=1.0) for band in ("low", "mid", "high")
            ]
            columns.append(column(f"{track}.{stem}.lpf", default=1.0, neutral=1.0))
            columns.append(column(f"{track}.{stem}.hpf", default=0.0, neutral=0.0))
        for name in ("reverb_send", "delay_send", "delay_feedback"):
            columns.append(column(f"{track}.{name}", default=0.0, neutral=0.0))
    return ParameterLayout(columns)


def mixed_layout() -> ParameterLayout:
    """One control of every kind of scale, with steps and choices."""
    return ParameterLayout(
        [
            column("deck.eq", 0, 2, neutral=1.0),
            column("deck.pan", -1, 1, neutral=0.0, default=0.25),
            column("deck.cutoff", 20, 20000, scale="log", unit="Hz", default=20000.0, neutral=20000.0),
            column("deck.level", scale="db", default=0.0, neutral=0.0),
            column("deck.trim", 0.5, 4, scale="db", default=1.0, neutral=1.0),
            column("deck.drive", 1, 9, scale="power", exponent=2.0, default=1.0, neutral=1.0),
            column("deck.size", 0, 5, scale="power", exponent=0.5, default=0.0),
            column("deck.bits", 2, 16, step=1.0, default=16.0, neutral=16.0),
            column(
                "deck.beats",
                0.25,
                4,
                scale="log",
                unit="beats",
                choices=(0.25, 0.5, 1.0, 2.0, 4.0),
                default=1.0,
            ),
        ]
    )


@st.composite
def controls(draw: st.DrawFn) -> Control:
    """Any control that makes sense; ranges neither tiny beside their offset nor astronomically wide."""
    scale = draw(st.sampled_from(["linear", "log", "db", "power"]))
    if scale == "log":
        low = draw(st.floats(1e-3, 1e3))
        high = low * draw(st.floats(1.01, 1e5))
    else:
        low = draw(st.floats(-1e3, 1e3))
        high = low + draw(st.floats(max(1e-2, abs(low) * 1e-2), 1e4))
    inside = st.floats(low, high)
    return Control(
        low,
        high,
        id="x",
        scale=scale,
        exponent=draw(st.floats(0.2, 6.0)),
        default=draw(inside),
        neutral=draw(st.none() | inside),
        unit=draw(st.sampled_from(["ratio", "dB", "Hz", "ms"])),
        label=draw(st.text(max_size=8)),
        description=draw(st.text(max_size=20)),
        rate=draw(st.sampled_from(["frame", "clip", "sample"])),
        step=draw(st.none() | st.floats((high - low) / 50, high - low)),
        choices=tuple(draw(st.lists(inside, max_size=4))),
    )


@st.composite
def layouts(draw: st.DrawFn, max_size: int = 6) -> ParameterLayout:
    """Layouts with names of one to three parts."""
    part = st.sampled_from(["a", "b", "track_a", "drums", "gain", "eq_low"])
    names = draw(
        st.lists(st.lists(part, min_size=1, max_size=3).map(".".join), unique=True, max_size=max_size)
    )
    kinds = st.sampled_from(["control", "macro", "send"])
    return ParameterLayout(
        [
            Column(name, draw(controls()), draw(kinds), "fake", (("node", "x"),) * draw(st.integers(0, 2)))
            for name in names
        ]
    )
