"""What moves in a set besides faders, for pictures: one course for all controls of a deck that move alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from djgraph.daw.lanes import needed
from djgraph.effects.roles import FADER
from djgraph.graph.ir import Column
from djgraph.layout import ParameterLayout
from djgraph.layout.names import parted
from djgraph.sets.plan import SetPlan

Array = NDArray[np.float64]

NEAR = 0.003
"""Of a control's travel, by which a course may differ from what is played."""
STILL = 1e-6
"""Of a control's travel: what differs by less is the same."""


@dataclass(frozen=True)
class Course:
    """What controls of one kind do. deck: the input that they work on; nothing where it is several. kind: ``eq_low``,
    say. name: one of the controls. rest: where they rest. ways: stretches in which they are elsewhere: beats, and
    positions, ``[points]`` each. Positions are 0 … 1 on the controls' scale."""

    deck: str
    kind: str
    name: str
    rest: float
    ways: tuple[tuple[Array, Array], ...]


def moving(plan: SetPlan) -> list[Course]:
    """Every course that is not a fader's, once, in the order of columns."""
    layout = ParameterLayout.from_graph(plan.graph)
    frames = plan.automation.render_exact(layout, plan.samples, plan.sample_rate, plan.tempo)
    params = frames.params.double()
    beats = plan.tempo.beats(frames.positions.double().numpy() / plan.sample_rate)
    moves = [i for i in range(len(layout)) if float(params[:, i].max() - params[:, i].min()) > 0]
    positions = layout.to_unit(params).numpy()
    rests = layout.to_unit(layout.neutral.double()[None])[0].tolist()
    inputs = list(plan.graph.inputs)
    found: dict[tuple[str, str, bytes], Course] = {}
    for i in moves:
        column = layout.columns[i]
        ways = _ways(beats, positions[:, i], rests[i])
        if column.role == FADER or not ways:
            continue
        kind = parted(column)[1]
        deck = _deck(column, inputs)
        key = (deck, kind, np.round(positions[:, i], 4).tobytes())
        found.setdefault(key, Course(deck, kind, column.name, rests[i], ways))
    return list(found.values())


def _deck(column: Column, inputs: list[str]) -> str:
    """The input that a control works on alone, by the graph or by its name."""
    if column.part is not None and column.part.track is not None:
        return inputs[column.part.track]
    head = column.name.partition(".")[0]
    return head if head in inputs else ""


def _ways(beats: Array, values: Array, rest: float) -> tuple[tuple[Array, Array], ...]:
    away = np.abs(values - rest) > STILL
    edges = np.flatnonzero(np.diff(np.concatenate([[False], away, [False]]).astype(np.int8)))
    ways = []
    for begins, ends in edges.reshape(-1, 2).tolist():
        # From the last frame at rest, where a straight way begins, to the first one after.
        xs, ys = (array[max(begins - 1, 0) : ends + 1] for array in (beats, values))
        kept = needed(xs, ys, NEAR)
        ways.append((xs[kept], ys[kept]))
    return tuple(ways)
