"""``djgraph analyse``: tempo, beats, key, loudness and phrases of tracks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from djgraph.cli.errors import warn
from djgraph.cli.options import Json
from djgraph.cli.output import count as counted
from djgraph.cli.output import print_json, table
from djgraph.cli.progress import Steps

if TYPE_CHECKING:
    from djgraph.analysis import Known


def analyse(
    tracks: Annotated[
        list[Path], typer.Argument(metavar="TRACK…", help="Folders of tracks, at any depth, or audio files.")
    ],
    tempo: Annotated[
        str | None,
        typer.Option("--tempo", metavar="LOW:HIGH", help="BPM between which tempos lie.  [default: 58:200]"),
    ] = None,
    collection: Annotated[
        list[Path] | None,
        typer.Option(
            "--collection",
            metavar="FILE",
            help="Grids to take over: rekordbox's export (.xml), Mixxx's database (.sqlite); repeated.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Analyse again what has been analysed.")] = False,
    dry: Annotated[bool, typer.Option("--dry-run", help="Write no files.")] = False,
    workers: Annotated[
        int | None, typer.Option("--workers", "-j", min=1, help="Processes.  [default: as many as cores]")
    ] = None,
    as_json: Json = False,
) -> None:
    """Find tempo, beats, bars, key, loudness and phrases of tracks, and note them beside each.

    A folder of stems gets a track.json; a plain file, song.flac, a song.json. What else stands in these files
    stays. A track that has not changed is not analysed again.

    \b
    Examples:
      djgraph analyse music
      djgraph analyse music --tempo 80:160
      djgraph analyse music --collection rekordbox.xml
      djgraph analyse song.flac --dry-run --json
    """
    from djgraph.analysis import analyse as run

    with Steps() as steps:
        steps.begin("looking for tracks")
        results = run(
            tracks,
            tempos=None if tempo is None else _range(tempo),
            collections=collection or (),
            force=force,
            workers=workers,
            write=not dry,
            progress=steps.analysed,
        )
    wrong = [result for result in results if result.problem]
    if as_json:
        print_json(
            [
                {
                    "name": result.source.name,
                    "file": str(result.source.about),
                    "kept": result.kept,
                    "problem": result.problem,
                    "track": None if result.known is None else result.known.model_dump(),
                }
                for result in results
            ]
        )
    else:
        _table([(result.source.name, result.known) for result in results if result.known is not None])
        kept = sum(result.kept for result in results)
        typer.echo(
            f"{counted(len(results) - len(wrong), 'track')}" + (f", {kept} known before" if kept else "")
        )
    for result in wrong:
        warn(f"{result.source.name}: {result.problem}")
    if wrong:
        raise typer.Exit(1)


def _table(rows: list[tuple[str, Known]]) -> None:
    if not rows:
        return
    lines = []
    for name, known in rows:
        low = min((known.confidence.get(kind, 0) for kind in ("tempo", "beats", "downbeats")), default=0)
        grid = None if known.grid is None else known.grid.grid()
        lines.append(
            (
                name,
                f"{grid.tempo:.2f}" if grid else "-",
                ("steady" if grid.steady else "varies") if grid else "-",
                "-" if not grid else "sure" if low > 0.5 else "likely" if low > 0.2 else "unsure",
                known.camelot or "-",
                known.key or "-",
                "-" if known.loudness is None else f"{known.loudness:.1f}",
                " ".join(str(bar + 1) for bar in known.phrases[:12])
                + (" …" if len(known.phrases) > 12 else ""),
            )
        )
    typer.echo(table(("track", "BPM", "tempo", "beats", "wheel", "key", "LUFS", "phrases at bar"), lines))


def _range(text: str) -> tuple[float, float]:
    low, _, high = text.partition(":")
    try:
        return float(low), float(high)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no range; expected two tempos, as in 80:160", param_hint="--tempo"
        ) from None
