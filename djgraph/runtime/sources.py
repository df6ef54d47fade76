"""What plays inputs: source effects, which run before the plan and make the audio that its inputs take."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from djgraph.arguments import shown, whole
from djgraph.controls.bank import ControlBank
from djgraph.controls.reader import ControlReader
from djgraph.dsp import material_reach, read_material
from djgraph.dsp.curve import Timeline
from djgraph.effects import Beats, Block, Clock, Effect, Material, Parted, SourceEffect, State, Tape
from djgraph.errors import InputError, did_you_mean
from djgraph.graph.ir import EffectNode, Graph, InputNode
from djgraph.host.calls import EffectCall
from djgraph.runtime.inputs import Inputs, check_stems, shaped

FAR = 4
"""Items of a batch are read one by one where what lies between them is so many times what they read."""


class _InMemory(Material):
    """audio: ``[batch, channels, samples]``. widths: of each of its signals."""

    def __init__(self, audio: Tensor, widths: tuple[int, ...]) -> None:
        self._audio, self.widths = audio, widths
        self.batch, self.channels, self.samples = audio.shape

    def read(self, position: Tensor, rate: Tensor) -> Tensor:
        if not self.samples:
            shape = (max(self.batch, len(position)), self.channels, position.shape[-1])
            return self._audio.new_zeros(shape)
        return read_material(self._audio, position, rate)


def material_of(audio: Tensor, widths: tuple[int, ...], beats: Beats) -> Material:
    """Material in memory, as source effects play it: ``[batch, channels, samples]``, and of how many channels each of
    its signals is."""
    material = _InMemory(audio, widths)
    material.beats = beats
    return material


class _OfTrack(Material):
    """A track of which windows are read. rows: which of its channels, one for each of the material's. widths: of each
    of its signals."""

    batch = 1

    def __init__(self, track: Tape, rows: list[int], widths: tuple[int, ...], like: Tensor) -> None:
        self._track, self._rows, self._like = track, torch.tensor(rows, device="cpu"), like
        self.widths = widths
        self.samples, self.channels = track.samples, len(rows)
        self.beats = _beats(getattr(track, "grid", None))
        self.markers = getattr(track, "markers", None)

    def read(self, position: Tensor, rate: Tensor) -> Tensor:
        if not position.shape[-1]:
            return self._like.new_zeros(len(position), self.channels, 0)
        reach = material_reach(float(rate.detach().abs().max()))
        rate = rate.expand(len(position), -1)
        spans = [self._span(one.detach(), reach) for one in position]
        sounding = [span for span in spans if span[0] < span[1]] or [(0, 0)]
        begins, ends = min(a for a, _ in sounding), max(b for _, b in sounding)
        if ends - begins > FAR * sum(b - a for a, b in spans):
            items = [
                self._window(*span, position[i : i + 1], rate[i : i + 1]) for i, span in enumerate(spans)
            ]
            return torch.cat(items)
        return self._window(begins, ends, position, rate)

    def _span(self, position: Tensor, reach: int) -> tuple[int, int]:
        lowest = float(position.nan_to_num(math.inf, math.inf, math.inf).min())
        if lowest == math.inf:
            return 0, 0
        low, high = lowest, float(position.nan_to_num(-math.inf, -math.inf, -math.inf).max())
        begins = min(max(math.floor(low) - reach, 0), self.samples)
        return begins, max(begins, min(math.ceil(high) + reach + 1, self.samples))

    def _window(self, begins: int, ends: int, position: Tensor, rate: Tensor) -> Tensor:
        if ends <= begins:
            return self._like.new_zeros(len(position), self.channels, position.shape[-1])
        window = self._track.read(begins, ends - begins).to(self._like)
        return read_material(window.index_select(0, self._rows), position, rate, begins=begins)


class _Several(Material):
    """Tracks of which each item of a batch plays its own. materials: theirs."""

    def __init__(self, materials: list[_OfTrack]) -> None:
        self._materials = materials
        self.batch = len(materials)
        self.samples = max(one.samples for one in materials)
        self.channels, self.widths = materials[0].channels, materials[0].widths
        self.beats, self.markers = _together([one.beats for one in materials]), materials[0].markers

    def read(self, position: Tensor, rate: Tensor) -> Tensor:
        position, rate = (one.expand(self.batch, -1) for one in (position, rate))
        return torch.cat(
            [one.read(position[i : i + 1], rate[i : i + 1]) for i, one in enumerate(self._materials)]
        )


@dataclass(frozen=True)
class SourceInput:
    """An input that a source effect plays. nodes: those of its stems that are given, in order. heard: where it is
    played once for all items of a batch, which of its channels each hears, ``[batch, channels]``, 0 or 1."""

    name: str
    node: EffectNode
    call: EffectCall
    reader: ControlReader
    material: Any
    nodes: tuple[InputNode, ...]
    heard: Tensor | None = None

    @property
    def batch(self) -> int:
        """How many items its material has."""
        return int(self.material.batch) if self.heard is None else len(self.heard)

    def start(self, batch: int, like: Tensor) -> State:
        """The state before the first sample."""
        sound = like.new_empty(1, self.material.channels, 0)
        return self.call.source_state(batch if self.heard is None else 1, sound)

    def play(
        self, rows: Tensor, timeline: Timeline, clock: Clock | None, span: tuple[int, int], state: State
    ) -> tuple[dict[str, Tensor], State]:
        """The audio of its input nodes on a span of samples, and the state after it."""
        if self.heard is not None:
            rows = rows[:, :1]
            clock = None if clock is None else Clock(clock.tempo[:1], clock.beats[:1])
        controls, block = self._read(rows, timeline, clock, span)
        size = (rows.shape[1], self.material.channels, block.length)
        audio, state = self.call.play(self.material, controls, state, block, size)
        if self.heard is not None:
            audio = audio * self.heard.unsqueeze(-1)
        parts = audio.split([node.channels for node in self.nodes], dim=1)
        return {node.id: part for node, part in zip(self.nodes, parts)}, state

    def passed(
        self, rows: Tensor, timeline: Timeline, clock: Clock | None, span: tuple[int, int], state: State
    ) -> State:
        """The state after a span of samples of which nobody hears the sound."""
        return self.call.passed(self.material, *self._read(rows, timeline, clock, span), state)

    def _read(
        self, rows: Tensor, timeline: Timeline, clock: Clock | None, span: tuple[int, int]
    ) -> tuple[dict[str, Tensor], Block]:
        ticks = clock if self.call.module.uses_clock else None
        rate = self.call.module.environment.sample_rate
        return self.reader(rows, timeline, span), Block(span[0], span[1] - span[0], rate, ticks)

    def play_clip(
        self, rows: Tensor, timeline: Timeline, clock: Clock | None, like: Tensor
    ) -> dict[str, Tensor]:
        """The audio of its input nodes over a whole clip."""
        span = 0, timeline.samples
        return self.play(rows, timeline, clock, span, self.start(rows.shape[1], like))[0]


def likeness(graph: Graph, inputs: Inputs, params: object) -> Tensor:
    """An empty tensor of the type of what is played, where no input is plain audio: that of the first tensor among
    materials, or of params."""
    for name in graph.sources:
        value = inputs.get(name)
        value = value.track if isinstance(value, Parted) else value
        first = next(iter(value.values()), None) if isinstance(value, Mapping) else value
        if isinstance(first, Tensor) and first.is_floating_point():
            return first.new_empty(0)
    if isinstance(params, Tensor) and params.is_floating_point():
        return params.new_empty(0)
    return torch.empty(0, dtype=torch.float32, device="cpu")


def silences(graph: Graph, audio: Mapping[str, Tensor], like: Tensor, samples: int) -> dict[str, Tensor]:
    """Silence for the input nodes that nothing was given for."""
    return {
        node.id: like.new_zeros(1, node.channels, samples)
        for node in graph.nodes
        if isinstance(node, InputNode) and node.id not in audio
    }


def played(
    graph: Graph, modules: Mapping[str, Effect], bank: ControlBank, inputs: Mapping[str, Any], like: Tensor
) -> list[SourceInput]:
    """The inputs that source effects play, of those that a caller gives; the others are silent, if they may be.

    modules: by node id. like: of the audio. Raises InputError where material does not fit.
    """
    given, missing = [], []
    for name, node in graph.sources.items():
        nodes = [one for one in graph.nodes if isinstance(one, InputNode) and one.input == name]
        value = inputs.get(name)
        if value is None:
            missing += [name for one in nodes[:1] if not all(one.optional for one in nodes)]
            continue
        whole = value.track if isinstance(value, Parted) else value
        material, there = _material(name, nodes, whole, like)
        module = cast(SourceEffect, modules[node.id])
        if module.needs_beats and material.beats is None:
            raise InputError(
                f"{name} is played by {node.effect.type} in time with the clock, and its beats are not known: "
                "give a track with a grid (djgraph.decks.MemoryMaterial(…, grid=…)), or `sync: off`"
            )
        reader = ControlReader((node,), bank, graph.sample_rate, graph.transform.hop, graph.name)
        heard = _heard(name, value, there, material.batch, like) if isinstance(value, Parted) else None
        given.append(
            SourceInput(name, node, EffectCall(module, (node,)), reader, material, tuple(there), heard)
        )
    if missing:
        raise InputError(f"missing material: {', '.join(missing)}")
    return given


def samples_of(samples: Any, audio: int | None) -> int:
    """How long a mix is: as its audio inputs, if it has some. Raises InputError where neither says, or both differ."""
    if samples is None:
        if audio is None:
            raise InputError("every input is played by a source: say how long the mix is, samples=…")
        return audio
    wanted = whole(samples, "samples", 1)
    if audio is not None and wanted != audio:
        raise InputError(f"samples is {wanted}, but the audio has {audio} samples")
    return wanted


def _material(
    name: str, nodes: list[InputNode], value: Any, like: Tensor
) -> tuple[_InMemory | _OfTrack | _Several, list[InputNode]]:
    if isinstance(value, list | tuple):
        return _several(name, nodes, value, like)
    if not isinstance(value, Tensor | Mapping):
        return _of_track(name, nodes, value, like)
    check_stems(name, tuple(node.stem for node in nodes if node.stem) or None, value)
    there = [node for node in nodes if not isinstance(value, Mapping) or node.stem in value]
    if missing := [f"{name}.{node.stem}" for node in nodes if node not in there and not node.optional]:
        raise InputError(f"missing material: {', '.join(missing)}")
    parts = [shaped(node, value[node.stem] if isinstance(value, Mapping) else value) for node in there]
    if not parts:
        raise InputError(f"no material: every stem of {name} is optional, but at least one must be given")
    batch = max(len(part) for part in parts)
    for node, part in zip(there, parts):
        first = f"{name}.{there[0].stem}"
        if part.shape[-1] != parts[0].shape[-1]:
            raise InputError(
                f"{name}.{node.stem} has {part.shape[-1]} samples, but {first} has {parts[0].shape[-1]}: all stems "
                "of a track must be as long"
            )
        if len(part) not in (1, batch):
            raise InputError(f"{name}.{node.stem} has a batch of {len(part)}, but another stem has {batch}")
        if part.dtype != like.dtype or part.device != like.device:
            raise InputError(
                f"{name} is {part.dtype} on {part.device}; expected {like.dtype} on {like.device}, as the rest is"
            )
    widths = tuple(node.channels for node in there)
    return _InMemory(torch.cat([part.expand(batch, -1, -1) for part in parts], dim=1), widths), there


def _several(
    name: str, nodes: list[InputNode], tracks: Sequence[Any], like: Tensor
) -> tuple[_Several, list[InputNode]]:
    """A track for each item of a batch."""
    found = [_of_track(name, nodes, track, like) for track in tracks]
    if not found:
        raise InputError(f"input {name} is given no track; expected one for each item of the batch")
    for number, (_, there) in enumerate(found[1:], 2):
        if there != found[0][1]:
            raise InputError(
                f"input {name}: track {number} has other stems than the first; all need the same"
            )
    if len(found) > 1 and any(material.markers is not None for material, _ in found):
        raise InputError(
            f"input {name}: tracks of a batch have no warp markers of their own; give one track, whose markers are "
            "[batch, markers]"
        )
    return _Several([material for material, _ in found]), found[0][1]


def _of_track(
    name: str, nodes: list[InputNode], track: Any, like: Tensor
) -> tuple[_OfTrack, list[InputNode]]:
    widths = getattr(track, "widths", None)
    if not isinstance(widths, Mapping) or not callable(getattr(track, "read", None)):
        raise InputError(
            f"input {name} is played from material: give tensors, a track (djgraph.decks.FileMaterial), or a list of "
            f"tracks, one for each item of the batch, not {shown(track)}"
        )
    known = {str(stem).removeprefix(f"{name}."): width for stem, width in widths.items()}
    if nodes[0].stem is None:
        if len(known) != 1:
            raise InputError(f"input {name} has no stems, but the track has {', '.join(known)}")
        known = {"": next(iter(known.values()))}
    stems = [node.stem or "" for node in nodes]
    for stem in known:
        if stem not in stems:
            raise InputError(f"input {name} has no stem {stem!r}{did_you_mean(stem, stems)}")
    there, rows = [], list[int]()
    begins = {stem: sum(list(known.values())[:index]) for index, stem in enumerate(known)}
    for node, stem in zip(nodes, stems):
        if stem not in known:
            if not node.optional:
                raise InputError(f"missing material: {name}.{stem}")
            continue
        width = known[stem]
        if width not in (1, node.channels):
            raise InputError(
                f"{name}{'.' * bool(stem)}{stem} has {width} channels; expected {node.channels}, or mono"
            )
        there.append(node)
        rows += [begins[stem] + (channel if width > 1 else 0) for channel in range(node.channels)]
    return _OfTrack(track, rows, tuple(node.channels for node in there), like), there


def _heard(name: str, parted: Parted, nodes: list[InputNode], batch: int, like: Tensor) -> Tensor:
    """``[items, channels]``."""
    stems = [node.stem for node in nodes]
    for stem in dict.fromkeys(stem for item in parted.heard for stem in item):
        if stem not in stems:
            raise InputError(f"input {name} has no stem {stem!r} to hear alone")
    if batch != 1 or not parted.heard:
        raise InputError(
            f"{name}: one track is parted into what items of a batch hear; this has a batch of {batch}"
        )
    widths = torch.tensor([node.channels for node in nodes], device="cpu")
    shares = [[float(stem in item) for stem in stems] for item in parted.heard]
    rows = torch.tensor(shares, dtype=like.dtype, device="cpu").repeat_interleave(widths, 1)
    return rows.to(like.device)


def _beats(grid: Any) -> Beats | None:
    """A grid of :mod:`djgraph.analysis` as tensors."""
    if grid is None:
        return None
    beats, seconds = (
        torch.tensor(list(one), dtype=torch.float64, device="cpu") for one in (grid.beats, grid.seconds)
    )
    return Beats(beats, seconds, grid.downbeat, grid.meter)


def _together(grids: list[Beats | None]) -> Beats | None:
    """The grids of a batch as one; None where one of them is not known."""
    known = [one for one in grids if one is not None]
    if len(known) < len(grids):
        return None
    longest = max(len(one.beats) for one in known)
    lines = [[_longer(one.beats, longest), _longer(one.seconds, longest)] for one in known]
    beats, seconds = (torch.stack(one) for one in zip(*lines))
    numbers = torch.tensor(
        [[[one.downbeat], [one.meter]] for one in known], dtype=torch.float64, device="cpu"
    )
    return Beats(beats, seconds, numbers[:, 0], numbers[:, 1])


def _longer(line: Tensor, points: int) -> Tensor:
    """With so many points: it goes on as it went between the last two."""
    more = torch.arange(1, points - len(line) + 1, dtype=line.dtype, device=line.device)
    return torch.cat((line, line[-1] + more * (line[-1] - line[-2])))
