"""From the bank's rows to what effects read: the controls at every sample, at every frame, or once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from djgraph.controls.bank import ControlBank, Held
from djgraph.dsp import stft
from djgraph.dsp.curve import Timeline
from djgraph.dsp.hold import hold, hold_samples
from djgraph.dsp.operators import Handles, recomputed
from djgraph.dsp.placed import PlacedTimeline, timeline_of
from djgraph.effects import Control
from djgraph.graph.ir import EffectNode


def smoothing_samples(control: Control, sample_rate: int) -> float:
    return control.smoothing * sample_rate / 1000


SampleSpan = tuple[int, int]
"""A stretch of the clip: its first sample, and the one after its last."""


def read_control(
    control: Control,
    rows: Tensor,
    held: Held,
    timeline: Timeline,
    span: SampleSpan,
    sample_rate: int,
    hop: int,
) -> Tensor:
    """A control's values at its own rate, ``[n, …, frames]`` → ``[n, …, points]``.

    Per-sample ones on the span; per-frame ones every hop from its first sample to the one after its last.
    """
    if control.rate == "clip":
        return rows[..., :1]
    if control.rate == "frame":
        return read_at(rows, held, timeline, torch.arange(span[0], span[1] + 1, hop, device=rows.device))
    smoothing = smoothing_samples(control, sample_rate)
    return held.read(
        rows,
        lambda values: timeline.read_samples(values, *span, smoothing),
        lambda values: hold_samples(timeline, values, *span),
    )


def read_at(rows: Tensor, held: Held, timeline: Timeline, positions: Tensor) -> Tensor:
    """Rows ``[n, …, frames]`` at sample positions, ascending, those behind the clip at its end: ``[n, …, points]``."""
    inside = positions.clamp(max=timeline.samples - 1)
    return held.read(
        rows,
        lambda values: timeline.read(values, inside),
        lambda values: hold(timeline, values, inside),
    )


def read_frames(
    node: EffectNode, bank: ControlBank, rows: Tensor, timeline: Timeline, hop: int, frames: int
) -> dict[str, Tensor]:
    """What a spectral effect reads at the STFT frames ``0…frames−1``, by control id: ``[batch, frames, 1]``.

    One frame for controls of rate ``clip``. rows: ``[rows, batch, frames]`` of the bank.
    """
    centres = stft.frame_positions(timeline.samples, hop, 0, frames, rows.device)
    controls = {}
    for control in node.effect.controls:
        number = bank.row(node, control)
        row, held = rows[number : number + 1], bank.held([number])
        values = row[..., :1] if control.rate == "clip" else read_at(row, held, timeline, centres)
        controls[control.id] = values[0].unsqueeze(-1)
    return controls


@dataclass(frozen=True)
class _Reading:
    """Rows of the bank that are read in one call.

    parts: for each control its place among the reader's, and its nodes' rows among those that are read: a slice, or
    numbers where nodes share rows.
    """

    control: Control
    rows: Tensor
    held: Held
    parts: tuple[tuple[int, slice | list[int]], ...]


class ControlReader:
    """Reads the controls of stacked nodes of one time effect over a whole clip.

    Nodes whose controls read one row of the bank (tied controls, one macro, one constant) share its curve. Controls
    that are read alike are read together.
    """

    def __init__(
        self, nodes: Sequence[EffectNode], bank: ControlBank, sample_rate: int, hop: int, graph: str = ""
    ) -> None:
        self.controls = nodes[0].effect.controls
        self.sample_rate, self.hop = sample_rate, hop
        plans: list[tuple[list[int], Held, list[int] | None]] = []
        for control in self.controls:
            rows = [bank.row(node, control) for node in nodes]
            distinct = list(dict.fromkeys(rows))
            repeat = None if len(distinct) == len(rows) else [distinct.index(row) for row in rows]
            plans.append((distinct, bank.held(distinct), repeat))
        self._readings = tuple(self._together(plans, bank))
        self._nodes = len(nodes)
        self._owner = f"a mixer of graph {graph!r}"
        # All that reading depends on, so that an exported program finds a reader that does the same.
        self._handle = _READERS.add(self, repr((plans, self._nodes, self.controls, sample_rate, hop)))

    def _together(
        self, plans: Sequence[tuple[list[int], Held, list[int] | None]], bank: ControlBank
    ) -> Iterator[_Reading]:
        alike: dict[tuple[object, ...], list[int]] = defaultdict(list)
        for place, (control, (_, held, _)) in enumerate(zip(self.controls, plans)):
            alike[control.rate, control.smoothing, repr(held) if held.some else ""].append(place)
        for places in alike.values():
            rows: list[int] = []
            parts: list[tuple[int, slice | list[int]]] = []
            for place in places:
                distinct, _, repeat = plans[place]
                low = len(rows)
                rows += distinct
                whole = slice(low, len(rows))
                parts.append((place, whole if repeat is None else [low + number for number in repeat]))
            index = torch.tensor(rows, dtype=torch.int64, device="cpu")
            yield _Reading(self.controls[places[0]], index, bank.held(rows), tuple(parts))

    def __call__(self, rows: Tensor, timeline: Timeline, span: SampleSpan | None = None) -> dict[str, Tensor]:
        """By control id ``[nodes·batch, 1, points]``, on the whole clip where no span is given.

        rows: ``[rows, batch, frames]`` of the bank.
        """
        if torch.compiler.is_compiling():
            numbers = [self._handle, timeline.samples, timeline.frames]
            placed = [timeline.positions] if isinstance(timeline, PlacedTimeline) else []
            values = _read_operator([rows, *placed], numbers, self._owner) if self.controls else []
        else:
            values = self._read(rows, timeline, span or (0, timeline.samples))
        return {control.id: value for control, value in zip(self.controls, values)}

    def _read(self, rows: Tensor, timeline: Timeline, span: SampleSpan) -> list[Tensor]:
        values: dict[int, Tensor] = {}
        for reading in self._readings:
            chosen = rows[reading.rows]
            curves = read_control(
                reading.control, chosen, reading.held, timeline, span, self.sample_rate, self.hop
            )
            for place, part in reading.parts:
                values[place] = curves[part].flatten(0, 1).unsqueeze(1)
        return [values[place] for place in range(len(self.controls))]

    def like(self, rows: Tensor, samples: int) -> list[Tensor]:
        points = {"sample": samples, "frame": 1 + samples // self.hop, "clip": 1}
        batch = self._nodes * rows.shape[1]
        return [rows.new_empty(batch, 1, points[control.rate]) for control in self.controls]


_READERS = Handles()


def _read(tensors: list[Tensor], numbers: list[int]) -> list[Tensor]:
    (rows, *placed), (reader, samples, frames) = tensors, numbers
    timeline = timeline_of(samples, frames, placed[0] if placed else None)
    return _READERS[reader]._read(rows, timeline, (0, samples))


def _read_like(tensors: list[Tensor], numbers: list[int]) -> list[Tensor]:
    return _READERS[numbers[0]].like(tensors[0], numbers[1])


_read_operator = recomputed("controls", _read, _read_like)
