"""The job behind ``render`` and ``demo``: run a mixer on audio, write its outputs, measure them."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from djgraph.cli.errors import warn
from djgraph.cli.output import print_json
from djgraph.cli.progress import Steps
from djgraph.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from torch import Tensor

    from djgraph.runtime import Mixer

FRAMES_PER_SECOND = 50
"""Control frames that a transition is written with: cue points are met to within 20 ms."""


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


def mix_down(
    mixer: Mixer,
    inputs: Mapping[str, Any],
    params: Tensor,
    paths: Mapping[str, Path],
    steps: Steps,
    *,
    normalize: bool = False,
    tempo: float | Tensor | None = None,
    started: float | None = None,
) -> Summary:
    """Mix one clip and write the outputs in ``paths``; warns of clipping on stderr.

    inputs as the mixer takes them, each ``[channels, samples]``; params ``[frames, controls]`` or with a batch
    of one; ``started``: when the job began (time.perf_counter), for the total.
    """
    import torch

    from djgraph import audio, simd

    batch = {
        name: {stem: x[None] for stem, x in value.items()} if isinstance(value, Mapping) else value[None]
        for name, value in inputs.items()
    }
    steps.begin("mixing")
    compiling: list[float] = []

    def mark() -> None:
        compiling.append(time.perf_counter())

    began = time.perf_counter()
    with torch.inference_mode(), simd.compiling(mark, mark):
        mixed = mixer(batch, params, tempo=tempo)
    compiled = sum(end - begin for begin, end in zip(compiling[::2], compiling[1::2]))
    spent = time.perf_counter() - began - compiled
    signals = mixed if isinstance(mixed, Mapping) else {next(iter(paths)): mixed}
    rate = mixer.graph.sample_rate
    files = []
    for name, path in paths.items():
        signal = signals[name][0]
        scaled = audio.normalize(signal) if normalize else signal
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
                gain_db=peak - audio.peak_dbfs(signal) if normalize and math.isfinite(peak) else 0.0,
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
