"""What a recipe lets one hear: how loud each stem of both tracks is in the course of a transition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from djgraph.automation import template
from djgraph.effects.roles import FADER
from djgraph.errors import DJGraphError
from djgraph.graph.ir import Graph
from djgraph.layout import ParameterLayout, measures

Array = NDArray[np.float64]
STEPS = 16
"""Parts of a transition that are looked at."""
LOW = "low"
"""The role of what cuts a bass, beside faders."""
_BEATS = 64.0
_BPM = 120.0


class Heard:
    """Gains of the stems of two decks during a recipe on a graph; each recipe and pair is looked at once."""

    def __init__(self, graph: Graph) -> None:
        self._graph, self._layout = graph, ParameterLayout.from_graph(graph)
        self._inputs = list(graph.inputs)
        self._known: dict[tuple[str, str, str, str], Gains | None] = {}

    def gains(self, recipe: str, a: str, b: str, settings: Mapping[str, Any]) -> Gains | None:
        """a, b: the inputs of the track that leaves and of the other. None where the graph cannot play the recipe."""
        key = recipe, a, b, repr(sorted(settings.items()))
        if key not in self._known:
            try:
                self._known[key] = self._find(recipe, a, b, settings)
            except DJGraphError:
                self._known[key] = None
        return self._known[key]

    def problem(self, recipe: str, a: str, b: str, settings: Mapping[str, Any]) -> str | None:
        """Why the graph cannot play a recipe; None where it can."""
        try:
            self._find(recipe, a, b, settings)
        except DJGraphError as error:
            return str(error)
        return None

    def _find(self, recipe: str, a: str, b: str, settings: Mapping[str, Any]) -> Gains:
        form = template(recipe)
        arguments = {argument.name for argument in form.arguments}
        said = {"a": a, "b": b, "start": "0beats", "length": f"{_BEATS:g}beats"}
        auto = form.fill(**settings, **{name: x for name, x in said.items() if name in arguments})
        values = auto.render(self._layout, STEPS + 1, _BEATS * 60 / _BPM, _BPM).double().numpy()
        return Gains({deck: self._of(deck, values) for deck in (a, b)})

    def _of(self, deck: str, values: Array) -> dict[str, Array]:
        """By stem the mean amplitude in each part of the time, and under :data:`LOW` those of basses."""
        number = self._inputs.index(deck)
        stems = self._graph.inputs[deck] or ()
        out = {stem: np.ones(STEPS) for stem in (*stems, "", LOW)}
        for i, column in enumerate(self._layout):
            part = column.part
            if part is None or part.track != number or part.role not in (FADER, LOW):
                continue
            plain = values[:, i]
            amplitude = np.array([measures.said(column.control, "amplitude", x) for x in plain.tolist()])
            middle = (amplitude[1:] + amplitude[:-1]) / 2
            owner = part.owner.rpartition(".")[2]
            if part.role == FADER:
                for stem in [owner] if owner in stems else out:
                    if stem != LOW:
                        out[stem] = out[stem] * middle
            elif owner in ("bass", *(() if owner in stems else (owner,))):
                out[LOW] = out[LOW] * middle
        whole = out["bass"] if "bass" in stems else out[""]
        out[LOW] = out[LOW] * whole
        return out


class Gains:
    """Amplitudes ``[STEPS]`` by deck and stem."""

    def __init__(self, by_deck: Mapping[str, Mapping[str, Array]]) -> None:
        self._by_deck = by_deck

    def of(self, deck: str, stem: str) -> Array:
        """Of a stem; of :data:`LOW` what is left of the bass; of another that the deck lacks, its whole signal."""
        known = self._by_deck[deck]
        return known[stem] if stem in known else known[""]
