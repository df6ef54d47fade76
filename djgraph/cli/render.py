"""``djgraph render``: audio files through a graph to a file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from djgraph.cli.batch import Batch, run_batch
from djgraph.cli.daw import Exports, plan_of
from djgraph.cli.grouped import grouped
from djgraph.cli.jobs import OnRay, Workers
from djgraph.cli.mixdown import mix_down, output_paths, show
from djgraph.cli.options import Json, load_graph
from djgraph.cli.played import Asked, Played, Seconds
from djgraph.cli.progress import Steps
from djgraph.cli.reports import Overheard, ReportFiles, check_reports, said_of, save_reports
from djgraph.rendering import SyncedBlocks, check_outputs

Normalize = Annotated[
    bool,
    typer.Option("--normalize", help="Scale to a peak of -1 dBFS; several outputs by one factor."),
]


@grouped
def render(
    *,
    asked: Asked,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="What to write: wav, flac, ogg, aiff or mp3.")
    ] = Path("mix.flac"),
    normalize: Normalize = False,
    normalize_each: Annotated[
        bool, typer.Option("--normalize-each", help="Scale every output to that peak by a factor of its own.")
    ] = False,
    output: Annotated[
        list[str] | None,
        typer.Option("--output", metavar="NAME", help="A graph output, or all.  [default: the main one]"),
    ] = None,
    report: ReportFiles = None,
    seconds: Seconds = None,
    exports: Exports,
    batch: Batch = None,
    workers: Workers = None,
    ray: OnRay = None,
    as_json: Json = False,
) -> None:
    """Mix stems through a graph.

    Inputs are resampled to the graph's sample rate. Without --transition, --automation and --params every
    control keeps its default. Of several outputs the first goes to FILE, the others beside it: mix.flac, mix.cue.flac.
    With --sync, --dawproject and --reaper write the mix as a project for a DAW, too, and --picture a picture of it.

    \b
    Examples:
      djgraph render dj_mixer -i track_a=one -i track_b=two -t equal_power -o mix.flac
      djgraph render dj_mixer -i track_a=one -i track_b=two -t linear --cue-in 8 --cue-out 24
      djgraph render dj_mixer -i track_a=one -i track_b=two -t bass_swap --set length=16beats --tempo 128
      djgraph render dj_mixer -i track_a=one -i track_b=two -t bass_swap --sync --tempo 128 --at 64beats
      djgraph render dj_mixer -i track_a=one -i track_b=two -t linear --sync --tempo 124:130 --key-lock
      djgraph render dj_mixer -i track_a=one -i track_b=two -t linear --report faults.html
      djgraph render dj_mixer -i track_a=one -i track_b=two --automation moves.yaml
      djgraph render club_console -i deck_1=a.wav -i deck_3=b.wav -t linear --tracks deck_1,deck_3
      djgraph render dj_mixer -i track_a=one -i track_b=two -t linear --lowering causal
      djgraph render my_mixer.yaml -i deck=song.wav --params moves.csv --output all
      djgraph render my_decks.yaml -i track_a=one -i track_b=two -a moves.yaml --tempo 126 --seconds 240
      djgraph render dj_mixer --batch mixes -o mixed
      djgraph render dj_mixer -i track_a=one -i track_b=two --batch automations -o mixed
    """
    if batch is not None:
        render_batch(asked)
        return
    started = time.perf_counter()
    played = Played(asked, seconds)
    from djgraph.guard import claim

    paths = output_paths(out, output or [], played.graph.outputs)
    check_outputs(paths, played.graph)
    check_reports(report)
    if exports.paths and not asked.sync:
        raise typer.BadParameter("--dawproject, --reaper and --picture belong to --sync: they need beats")
    claim(*paths.values(), *(report or ()), *exports.paths)
    with Steps() as steps, played.play(list(paths), steps) as playing:
        source = playing.source
        plan = plan_of(playing, played.moves, out) if exports.paths else None
        if plan is not None:
            exports.check(plan)
        heard = Overheard(playing, out.name) if report else None
        summary = mix_down(
            playing.mixer,
            source if heard is None else heard,
            playing.score,
            paths,
            steps,
            normalize="each" if normalize_each else "together" if normalize else None,
            started=started,
        )
        found = None if heard is None else heard.report(normalized=normalize or normalize_each)
        if plan is not None:
            exports.write(plan)
        if found is not None:
            save_reports(found, report or [])
    show(summary, as_json)
    if isinstance(source, SyncedBlocks) and not as_json:
        typer.echo(
            f"at {source.tempos} BPM"
            + (f", the transition from beat {source.start:g}" if played.moves else "")
        )
        for line in source.said():
            typer.echo(f"  {line}")
    for path in exports.paths if not as_json else ():
        typer.echo(path)
    if found is not None and not as_json:
        typer.echo(said_of(found, report or []))


def render_batch(asked: Asked) -> None:
    """Render all mixes in the folder of ``--batch``."""
    from djgraph.cli.batch_items import mixes

    inputs = list(load_graph(asked.graph, asked.args).inputs)
    moved = any((asked.transition, asked.automation, asked.params))
    run_batch(
        render,
        "render",
        lambda folder: mixes(folder, inputs, bool(asked.input), moved),
        ".flac",
        ("report", "dawproject", "reaper", "picture"),
    )
