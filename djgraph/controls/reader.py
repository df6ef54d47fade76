"""From the bank's rows to what effects read: the controls at every sample, at every frame, or once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from djgraph.controls.bank import ControlBank, Held
from djgraph.dsp import stft
from djgraph.dsp.curve import Timeline
from djgraph.dsp.hold import hold, hold_samples
from djgraph.dsp.operators import Handles, recomputed
from djgraph.dsp.placed import PlacedTimeline, timeline_of
from djgraph.dsp.resident import resident
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
class _Wanted:
    """A control of stacked nodes: the rows of the bank that they read, each once.

    repeat: for each node its place among those rows; None where each node has a row of its own.
    """

    control: Control
    rows: list[int]
    held: Held
    repeat: list[int] | None


@dataclass(frozen=True)
class _Reading:
    """Rows of the bank that are read in one call: those of several controls, one behind the other.

    places: of the controls among all that are wanted; counts: how many rows each has.
    """

    control: Control
    rows: Tensor
    held: Held
    places: tuple[int, ...]
    counts: tuple[int, ...]


class _Readings:
    """Controls that are read at the same time; those that are read alike share a call."""

    def __init__(self, wanted: Sequence[_Wanted], bank: ControlBank, sample_rate: int, hop: int) -> None:
        self.wanted = tuple(wanted)
        self._repeats = [
            None if one.repeat is None else torch.tensor(one.repeat, dtype=torch.int64, device="cpu")
            for one in wanted
        ]
        self._sample_rate, self._hop = sample_rate, hop
        alike: dict[tuple[object, ...], list[int]] = defaultdict(list)
        for place, one in enumerate(wanted):
            key = one.control.rate, one.control.smoothing, repr(one.held) if one.held.some else ""
            alike[key].append(place)
        self._readings = tuple(self._together(places, bank) for places in alike.values())

    def _together(self, places: list[int], bank: ControlBank) -> _Reading:
        some = [self.wanted[place] for place in places]
        rows = [row for one in some for row in one.rows]
        index = torch.tensor(rows, dtype=torch.int64, device="cpu")
        counts = tuple(len(one.rows) for one in some)
        return _Reading(some[0].control, index, bank.held(rows), tuple(places), counts)

    def __call__(self, rows: Tensor, timeline: Timeline, span: SampleSpan) -> list[Tensor]:
        """``[nodes·batch, 1, points]`` for each control that is wanted; rows: ``[rows, batch, frames]``."""
        values: dict[int, Tensor] = {}
        for reading in self._readings:
            chosen = rows.index_select(0, resident(reading.rows, rows.device))
            curves = read_control(
                reading.control, chosen, reading.held, timeline, span, self._sample_rate, self._hop
            )
            for place, part in zip(reading.places, curves.split(reading.counts)):
                index = self._repeats[place]
                if index is not None:
                    part = part.index_select(0, resident(index, part.device))
                values[place] = part.flatten(0, 1).unsqueeze(1)
        return [values[place] for place in range(len(self.wanted))]


class ControlReader:
    """Reads the controls of stacked nodes of one time effect over a whole clip.

    Nodes whose controls read one row of the bank (tied controls, one macro, one constant) share its curve. Controls
    that are read alike are read together.
    """

    def __init__(
        self, nodes: Sequence[EffectNode], bank: ControlBank, sample_rate: int, hop: int, graph: str = ""
    ) -> None:
        self.controls = nodes[0].effect.controls
        self.bank, self.sample_rate, self.hop = bank, sample_rate, hop
        wanted = []
        for control in self.controls:
            rows = [bank.row(node, control) for node in nodes]
            distinct = list(dict.fromkeys(rows))
            repeat = None if len(distinct) == len(rows) else [distinct.index(row) for row in rows]
            wanted.append(_Wanted(control, distinct, bank.held(distinct), repeat))
        self._read = _Readings(wanted, bank, sample_rate, hop)
        self._nodes = len(nodes)
        self._owner = f"a mixer of graph {graph!r}"
        # All that reading depends on, so that an exported program finds a reader that does the same.
        plans = [(one.rows, one.held, one.repeat) for one in wanted]
        self._handle = _READERS.add(self, repr((plans, self._nodes, self.controls, sample_rate, hop)))

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

    def like(self, rows: Tensor, samples: int) -> list[Tensor]:
        points = {"sample": samples, "frame": 1 + samples // self.hop, "clip": 1}
        batch = self._nodes * rows.shape[1]
        return [rows.new_empty(batch, 1, points[control.rate]) for control in self.controls]


class JointReader:
    """Reads in one go what several readers of one graph want of the same samples.

    Each reader has rows of its own in what is read, also where two read the same: an effect may write to its controls.
    """

    def __init__(self, readers: Sequence[ControlReader]) -> None:
        first = readers[0]
        wanted = [one for reader in readers for one in reader._read.wanted]
        self._read = _Readings(wanted, first.bank, first.sample_rate, first.hop)
        self._controls = [reader.controls for reader in readers]

    def __call__(self, rows: Tensor, timeline: Timeline, span: SampleSpan) -> list[dict[str, Tensor]]:
        """What each of the readers gives for the span."""
        values = iter(self._read(rows, timeline, span))
        return [{control.id: next(values) for control in controls} for controls in self._controls]


_READERS = Handles()


def _read(tensors: list[Tensor], numbers: list[int]) -> list[Tensor]:
    (rows, *placed), (reader, samples, frames) = tensors, numbers
    timeline = timeline_of(samples, frames, placed[0] if placed else None)
    return _READERS[reader]._read(rows, timeline, (0, samples))


def _read_like(tensors: list[Tensor], numbers: list[int]) -> list[Tensor]:
    return _READERS[numbers[0]].like(tensors[0], numbers[1])


_read_operator = recomputed("controls", _read, _read_like)
