"""The job behind ``render``, ``set`` and ``demo``: mix down, and say what was written."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

from djgraph.cli.errors import warn
from djgraph.cli.output import print_json
from djgraph.cli.progress import Steps
from djgraph.errors import InputError, did_you_mean
from djgraph.speakers import word

if TYPE_CHECKING:
    from djgraph.mixer import Mixer
    from djgraph.rendering import BlockSource, Keeper, Score, Summary


def output_paths(out: Path, names: list[str], available: Mapping[str, Any]) -> dict[str, Path]:
    """Where each chosen output goes: the first to ``out``, the others beside it, as ``mix.cue.flac``.

    names: outputs of the graph, or ``all``; none stands for the main one. Raises InputError for unknown ones.
    """
    from djgraph.rendering import paths_beside

    chosen = list(available) if "all" in names else list(dict.fromkeys(names)) or list(available)[:1]
    for name in chosen:
        if name not in available:
            raise InputError(
                f"the graph has no output {name!r}{did_you_mean(name, [*available, 'all'])}\n"
                f"  it has: {', '.join(available)}; the file to write is given with -o"
            )
    return paths_beside(out, chosen)


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
    """:func:`djgraph.rendering.mix_down`; warns of clipping on stderr."""
    from djgraph import rendering

    summary = rendering.mix_down(
        mixer, source, score, paths, steps, normalize=normalize, started=started, keeper=keeper
    )
    for file in summary.files:
        if file.clipped:
            over = f"{file.clipped} samples clipped, the mix peaks at {file.peak_dbfs:+.1f} dBFS"
            warn(f"{file.path}: {over}; --normalize scales it down")
    return summary


def show(summary: Summary, as_json: bool) -> None:
    """Print the summary."""
    if as_json:
        print_json(dataclasses.asdict(summary))
        return
    for file in summary.files:
        true = "" if file.true_peak_dbtp is None else f", true peak {file.true_peak_dbtp:.1f} dBTP"
        loudness = "not defined below 0.4 s" if file.lufs is None else f"{file.lufs:.1f} LUFS"
        typer.echo(f"{file.path}")
        typer.echo(f"  duration  {file.seconds:.3f} s, {word(file.channels)}, {file.sample_rate} Hz")
        typer.echo(
            f"  peak      {file.peak_dbfs:.1f} dBFS{true}"
            + (f", {file.clipped} clipped" if file.clipped else "")
        )
        typer.echo(f"  loudness  {loudness}")
        if file.gain_db:
            typer.echo(f"  scaled by {file.gain_db:+.1f} dB")
    once = f", after {summary.compile_seconds:.1f} s of compiling, once" if summary.compile_seconds else ""
    typer.echo(
        f"mixed in {summary.render_seconds:.2f} s, {summary.speed:.1f} × real time"
        f" ({summary.total_seconds:.1f} s with files{once})"
    )
