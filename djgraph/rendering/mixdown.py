"""Run a mixer on a clip, block by block, write its outputs, measure them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from djgraph.errors import AudioFileError, InputError
from djgraph.rendering.side_by_side import Behind, ahead, one_core_left
from djgraph.rendering.steps import Steps

if TYPE_CHECKING:
    from torch import Tensor

    from djgraph.audio import Levels
    from djgraph.automation import TempoMap
    from djgraph.graph.ir import Graph
    from djgraph.mixer import Mixer

    Clock = float | tuple[Tensor, Tensor]

BLOCK = 450_000
"""Samples that are read, mixed and written at a time: long enough that a reverb runs by large transforms."""


@dataclass(frozen=True)
class Written:
    """One output that was written; levels in dB, of what is in the file."""

    output: str
    path: str
    seconds: float
    sample_rate: int
    channels: int
    peak_dbfs: float
    true_peak_dbtp: float | None
    lufs: float | None
    gain_db: float
    clipped: int


@dataclass(frozen=True)
class Summary:
    """What a render did. speed is seconds of audio for each second of mixing; files are not counted, nor is the time to
    compile code for the processor, which the first mix on a machine needs (else 0)."""

    graph: str
    frames: int
    controls: int
    render_seconds: float
    compile_seconds: float
    total_seconds: float
    speed: float
    files: tuple[Written, ...]


def paths_beside(path: Path, outputs: Sequence[str]) -> dict[str, Path]:
    """Where each output goes: the first to ``path``, the others beside it, as ``mix.cue.flac``."""
    return {
        name: path if i == 0 else path.with_suffix(f".{name}{path.suffix}") for i, name in enumerate(outputs)
    }


def check_outputs(paths: Mapping[str, Path], graph: Graph, samples: int | None = None) -> None:
    """Raise AudioFileError where the files to write cannot be, or cannot hold what the graph's outputs will be: before
    the work, not after it. paths: by output; unknown outputs are left to those who look them up."""
    from djgraph.atomic import check_target
    from djgraph.audio import check_format

    for name, path in paths.items():
        point = graph.outputs.get(name)
        channels = None if point is None else graph.channels(point)
        check_format(path, graph.sample_rate, channels, samples)
        check_target(path, AudioFileError)


class BlockSource(Protocol):
    """Audio to mix, in blocks; ``samples`` in all. It may have ``material`` for the inputs that sources play."""

    samples: int

    def read(self, samples: int) -> dict[str, Any]:
        """The next block, ``[channels, samples]`` each, nested as the mixer takes it; fewer samples at the end."""


class Keeper(Protocol):
    """Keeps an unfinished mix, and gives back what an earlier run has kept of it (:class:`djgraph.sets.kept.Kept`).

    begins: samples that the stream had got then. state: of the stream; None where it begins.
    """

    begins: int

    @property
    def state(self) -> Mapping[str, Tensor] | None: ...

    def blocks(self) -> Iterator[dict[str, Tensor]]:
        """What was mixed then."""

    def add(self, block: Mapping[str, Tensor]) -> None:
        """Outputs of a block."""

    def save(self, position: int, state: Callable[[], Mapping[str, Tensor]]) -> None:
        """Where the stream stands now, behind all that was added."""


class MemorySource:
    """Audio in memory as a source: by input, and by stem where it has some, ``[channels, samples]``."""

    def __init__(self, inputs: Mapping[str, Any]) -> None:
        self._inputs, self._position = inputs, 0
        self.samples = _length(inputs)

    def read(self, samples: int) -> dict[str, Any]:
        span = slice(self._position, self._position + samples)
        self._position += samples
        return {
            name: {stem: x[:, span] for stem, x in value.items()}
            if isinstance(value, Mapping)
            else value[:, span]
            for name, value in self._inputs.items()
        }


@dataclass(frozen=True)
class Score:
    """What the controls do: params ``[frames, controls]``, the sample of each frame, and the tempo, where there is one:
    a number, ``[1, frames]`` for the same frames, or frames of its own and the sample of each."""

    params: Tensor
    positions: Tensor
    tempo: Clock | Tensor | None = None


def spread(params: Tensor, samples: int, tempo: Clock | None = None) -> Score:
    """Frames at even distances over a clip, each on the nearest sample; of several on one sample the last counts."""
    import torch

    count = len(params)
    places = torch.arange(count, device="cpu", dtype=torch.float64) * (
        max(samples - 1, 1) / max(count - 1, 1)
    )
    positions = places.round().to(torch.int64)
    last = torch.cat((positions.diff() > 0, torch.tensor([True], device="cpu")))
    return Score(params[last], positions[last], tempo)


def clock_of(tempo: float | TempoMap | None, samples: int, sample_rate: int) -> Clock | None:
    """A tempo as streams take it."""
    from djgraph.automation import TempoMap, tempo_frames

    if isinstance(tempo, TempoMap):
        return tempo.points[0][1] if tempo.steady else tempo_frames(tempo, samples, sample_rate)
    return tempo


def mix_down(
    mixer: Mixer,
    source: BlockSource,
    score: Score,
    paths: Mapping[str, Path],
    steps: Steps,
    *,
    normalize: Literal["together", "each"] | None = None,
    started: float | None = None,
    keeper: Keeper | None = None,
) -> Summary:
    """Mix a clip block by block and write the outputs in ``paths``.

    Memory does not grow with the clip's length. normalize: scale to a peak of −1 dBFS, all outputs by one factor, which
    keeps their balance, or each by its own. ``started``: when the job began (time.perf_counter), for the total. keeper:
    keeps what is mixed for a later run; the source stands where the one before it stopped.
    """
    from djgraph import audio

    graph, began = mixer.graph, time.perf_counter()
    check_outputs(paths, graph, source.samples)
    times = _Times()
    with audio.open_outputs(
        paths,
        graph.sample_rate,
        {name: graph.channels(graph.outputs[name]) for name in paths},
        samples=source.samples,
        normalize=normalize,
        true_peak=True,
    ) as outputs:
        steps.begin("mixing", source.samples)
        with one_core_left(), Behind(outputs.write) as write:
            for block in _mixed(mixer, source, score, list(paths), times, steps, keeper):
                write(block)
        if normalize is not None:
            steps.begin("scaling", source.samples * len(paths))
        levels = outputs.finish(steps.advance if normalize is not None else None)
    files = tuple(_written(name, path, levels[name]) for name, path in paths.items())
    spent = times.mixing - times.compiling
    return Summary(
        graph=graph.name,
        frames=len(score.params),
        controls=score.params.shape[-1],
        render_seconds=spent,
        compile_seconds=times.compiling,
        total_seconds=time.perf_counter() - (began if started is None else started),
        speed=files[0].seconds / spent,
        files=files,
    )


@dataclass
class _Times:
    """Seconds spent in the mixer, and those of them that went into compiling code for the processor."""

    mixing: float = 0.0
    compiling: float = 0.0


def stream_tempo(mixer: Mixer, score: Score) -> Any:
    """The tempo as a mixer's stream takes it; None for a mixer that follows no clock. Raises InputError for one that
    does where there is none."""
    import torch

    if not mixer.compiled.uses_clock:
        return None
    if score.tempo is None:
        raise InputError(
            f"graph {mixer.graph.name} has effects that follow a clock: give its tempo, --tempo BPM, or an "
            "automation with a tempo"
        )
    return (score.tempo, score.positions) if isinstance(score.tempo, torch.Tensor) else score.tempo


def _mixed(
    mixer: Mixer,
    source: BlockSource,
    score: Score,
    names: Sequence[str],
    times: _Times,
    steps: Steps,
    keeper: Keeper | None,
) -> Iterator[dict[str, Tensor]]:
    """The outputs in blocks ``[channels, samples]``, without the stream's latency."""
    import torch

    from djgraph import simd

    tempo = stream_tempo(mixer, score)
    material = getattr(source, "material", None)
    before = None if keeper is None else keeper.state
    stream = mixer.stream(score=(score.params, score.positions), tempo=tempo, state=before, material=material)
    if keeper is not None:
        yield from keeper.blocks()
        steps.advance(keeper.begins)
    begun: list[float] = []

    def compiled() -> None:
        times.compiling += time.perf_counter() - begun.pop()

    def run(block: Mapping[str, Any] | None, count: int = 0) -> dict[str, Tensor]:
        start = time.perf_counter()
        with torch.inference_mode(), simd.compiling(lambda: begun.append(time.perf_counter()), compiled):
            mixed = stream.finish() if block is None else stream(_batched(block), samples=count)
        times.mixing += time.perf_counter() - start
        signals = mixed if isinstance(mixed, Mapping) else {names[0]: mixed}
        return {name: signals[name][0] for name in names}

    # Samples of silence that are still to come first.
    early = max(stream.latency - stream.position, 0)
    left = source.samples - stream.position
    with ahead(lambda: source.read(BLOCK)) as read:
        while count := _length(block) if (block := read()) else min(BLOCK, left):
            mixed = {name: signal[:, min(early, count) :] for name, signal in run(block, count).items()}
            if keeper is not None:
                keeper.add(mixed)
                keeper.save(stream.position, stream.state)
            yield mixed
            early = max(early - count, 0)
            left -= count
            steps.advance(count)
    yield {name: signal[:, early:] for name, signal in run(None).items()}


def _written(name: str, path: Path, level: Levels) -> Written:
    """What is said of a file."""
    return Written(
        output=name,
        path=str(path),
        seconds=level.samples / level.sample_rate,
        sample_rate=level.sample_rate,
        channels=level.channels,
        peak_dbfs=level.peak_dbfs,
        true_peak_dbtp=level.true_peak_dbtp,
        lufs=level.lufs,
        gain_db=20 * math.log10(level.gain),
        clipped=level.clipped,
    )


def _batched(block: Mapping[str, Any]) -> dict[str, Any]:
    """The same as a batch of one."""
    return {
        name: {stem: x[None] for stem, x in value.items()} if isinstance(value, Mapping) else value[None]
        for name, value in block.items()
    }


def _length(inputs: Mapping[str, Any]) -> int:
    """Samples in each signal."""
    for value in inputs.values():
        for signal in value.values() if isinstance(value, Mapping) else (value,):
            return int(signal.shape[-1])
    return 0
