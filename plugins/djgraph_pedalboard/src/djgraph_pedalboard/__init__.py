"""Pedalboard's effects as effects of djgraph: ``pedalboard_reverb``, ``pedalboard_compressor``, …."""

from __future__ import annotations

from djgraph.effects import Effect
from djgraph.plugins import hookimpl
from djgraph_pedalboard.builtin import BUILT_IN

EFFECTS: tuple[type[Effect], ...] = BUILT_IN

__all__ = ["EFFECTS", "djgraph_effects"]


@hookimpl
def djgraph_effects() -> list[type[Effect]]:
    """The effects; graph files call them by their ``type``."""
    return list(EFFECTS)
