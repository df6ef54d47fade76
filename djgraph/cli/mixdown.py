"""The job behind ``render`` and ``demo``: run a mixer on audio, write its outputs, measure them."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

from djgraph.cli.errors import warn
from djgraph.cli.output import print_json
from djgraph.cli.progress import Steps
from djgraph.errors import AudioFileError, InputError, did_you_mean

if TYPE_CHECKING:
    from torch import Tensor

    from djgraph.graph.ir import Graph
    from djgraph.mixer import Mixer


@dataclass(frozen=True)
class Written:
    """One output that was written; levels in dB, of what is in the file."""

    output: str
    path: str
    seconds: float
    sample_rate: int
    channels: int
    peak_dbfs: float
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


def output_paths(out: Path, names: list[str], available: Mapping[str, Any]) -> dict[str, Path]:
    """Where each chosen output goes: the first to ``out``, the others beside it, as ``mix.cue.flac``.

    names: outputs of the graph, or ``all``; none stands for the main one. Raises InputError for unknown ones.
    """
    chosen = list(available) if "all" in names else list(dict.fromkeys(names)) or list(available)[:1]
    for name in chosen:
        if name not in available:
            raise InputError(
                f"the graph has no output {name!r}{did_you_mean(name, [*available, 'all'])}\n"
                f"  it has: {', '.join(available)}; the file to write is given with -o"
            )
    return {name: out if i == 0 else out.with_suffix(f".{name}{out.suffix}") for i, name in enumerate(chosen)}


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


def length(inputs: Mapping[str, Any]) -> int:
    """Samples in each signal. inputs: at least one, each ``[channels, samples]`` or such by stem."""
    stems = (value.values() if isinstance(value, Mapping) else (value,) for value in inputs.values())
    return next(int(signal.shape[-1]) for some in stems for signal in some)


def mix_down(
    mixer: Mixer,
    inputs: Mapping[str, Any],
    params: Tensor,
    paths: Mapping[str, Path],
    steps: Steps,
    *,
    normalize: Literal["together", "each"] | None = None,
    tempo: float | Tensor | None = None,
    positions: Tensor | None = None,
    started: float | None = None,
) -> Summary:
    """Mix one clip and write the outputs in ``paths``; warns of clipping on stderr.

    normalize: scale to a peak of −1 dBFS, all outputs by one factor, which keeps their balance, or each by its own.
    inputs as the mixer takes them, each ``[channels, samples]``; params ``[frames, controls]`` or with a batch
    of one, at ``positions`` or spread evenly; ``started``: when the job began (time.perf_counter), for the total.
    """
    import torch

    from djgraph import audio, simd

    batch = {
        name: {stem: x[None] for stem, x in value.items()} if isinstance(value, Mapping) else value[None]
        for name, value in inputs.items()
    }
    rate = mixer.graph.sample_rate
    check_outputs(paths, mixer.graph, length(inputs))
    steps.begin("mixing")
    compiling: list[float] = []

    def mark() -> None:
        compiling.append(time.perf_counter())

    began = time.perf_counter()
    with torch.inference_mode(), simd.compiling(mark, mark):
        mixed = mixer(batch, params, tempo=tempo, positions=positions)
    compiled = sum(end - begin for begin, end in zip(compiling[::2], compiling[1::2]))
    spent = time.perf_counter() - began - compiled
    signals = mixed if isinstance(mixed, Mapping) else {next(iter(paths)): mixed}
    gains = dict.fromkeys(paths, 1.0)
    if normalize is not None:
        common = audio.peak_gain([signals[name] for name in paths])
        gains = {n: common if normalize == "together" else audio.peak_gain([signals[n]]) for n in paths}
    files = []
    for name, path in paths.items():
        signal = signals[name][0]
        scaled = signal if gains[name] == 1 else signal * gains[name]
        steps.begin(f"writing {path.name}", signal.shape[-1])
        clipped = audio.write(path, scaled, rate, progress=steps.advance)
        peak = audio.peak_dbfs(scaled)
        if clipped:
            over = f"{clipped} samples clipped, the mix peaks at {peak:+.1f} dBFS"
            warn(f"{path}: {over}; --normalize scales it down")
        files.append(
            Written(
                output=name,
                path=str(path),
                seconds=signal.shape[-1] / rate,
                sample_rate=rate,
                channels=len(signal),
                peak_dbfs=peak,
                lufs=audio.lufs(scaled, rate),
                gain_db=20 * math.log10(gains[name]),
                clipped=clipped,
            )
        )
    return Summary(
        graph=mixer.graph.name,
        frames=params.shape[-2],
        controls=params.shape[-1],
        render_seconds=spent,
        compile_seconds=compiled,
        total_seconds=time.perf_counter() - (began if started is None else started),
        speed=files[0].seconds / spent,
        files=tuple(files),
    )


def show(summary: Summary, as_json: bool) -> None:
    """Print the summary."""
    if as_json:
        print_json(dataclasses.asdict(summary))
        return
    for file in summary.files:
        channels = {1: "mono", 2: "stereo"}.get(file.channels, f"{file.channels} channels")
        loudness = "not defined below 0.4 s" if file.lufs is None else f"{file.lufs:.1f} LUFS"
        typer.echo(f"{file.path}")
        typer.echo(f"  duration  {file.seconds:.3f} s, {channels}, {file.sample_rate} Hz")
        typer.echo(
            f"  peak      {file.peak_dbfs:.1f} dBFS" + (f", {file.clipped} clipped" if file.clipped else "")
        )
        typer.echo(f"  loudness  {loudness}")
        if file.gain_db:
            typer.echo(f"  scaled by {file.gain_db:+.1f} dB")
    once = f", after {summary.compile_seconds:.1f} s of compiling, once" if summary.compile_seconds else ""
    typer.echo(
        f"mixed in {summary.render_seconds:.2f} s, {summary.speed:.1f} × real time"
        f" ({summary.total_seconds:.1f} s with files{once})"
    )
