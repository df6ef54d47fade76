"""``djgraph dataset``: makes and checks corpora of synthetic transitions."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from djgraph.cli.errors import warn
from djgraph.cli.jobs import JobsCommand, OnRay, Workers, executor
from djgraph.cli.options import Args, Json, pairs, value_of
from djgraph.cli.output import count as counted
from djgraph.cli.output import print_json
from djgraph.cli.progress import Steps

app = typer.Typer(
    name="dataset",
    help="Make and check corpora of synthetic transitions, to train with.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

Corpus = Annotated[str, typer.Argument(metavar="OUT", help="The corpus: a folder, or a URL.")]


class Packing(StrEnum):
    """Files of many items."""

    tar = "tar"
    parquet = "parquet"


class Stems(StrEnum):
    """Where a corpus has its stems."""

    copy = "copy"
    reference = "reference"


class Align(StrEnum):
    """Where excerpts begin."""

    none = "none"
    beat = "beat"


class Short(StrEnum):
    """What becomes of tracks shorter than an item."""

    error = "error"
    skip = "skip"
    pad = "pad"


class Problems(StrEnum):
    """What becomes of tracks that cannot be read."""

    error = "error"
    skip = "skip"


@app.command("make", cls=JobsCommand, short_help="Write a corpus of transitions with their ground truth.")
def make(
    out: Corpus,
    tracks: Annotated[
        list[str] | None,
        typer.Option(
            "--tracks", metavar="FOLDER", help="Tracks in stems, at any depth, or their URL; repeated."
        ),
    ] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Two tracks that djgraph synthesises itself.")] = False,
    graph: Annotated[
        str | None, typer.Option("--graph", metavar="GRAPH", help="What mixes them.  [default: dj_mixer]")
    ] = None,
    count: Annotated[
        int | None, typer.Option("--count", "-n", min=1, help="Transitions to make.  [default: 100]")
    ] = None,
    seconds: Annotated[float | None, typer.Option("--seconds", help="Length of each.  [default: 10]")] = None,
    frames_per_second: Annotated[
        float | None, typer.Option("--frames-per-second", help="Of the controls.  [default: 20]")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="[default: 0]")] = None,
    stems: Annotated[
        Stems | None,
        typer.Option("--stems", help="Copy the stems' excerpts, or refer to the tracks.  [default: copy]"),
    ] = None,
    recipes: Annotated[
        str | None,
        typer.Option(
            "--recipes", metavar="NAMES", help="Transitions to draw from: A,B,…, or none.  [default: all]"
        ),
    ] = None,
    curves: Annotated[
        float | None,
        typer.Option("--curves", help="Share of items with random smooth curves instead.  [default: 0.5]"),
    ] = None,
    align: Annotated[
        Align | None,
        typer.Option("--align", help="Begin excerpts on beats, where tracks have them.  [default: none]"),
    ] = None,
    short: Annotated[
        Short | None,
        typer.Option(
            "--short", help="Tracks shorter than an item: refuse, leave out, pad.  [default: error]"
        ),
    ] = None,
    problems: Annotated[
        Problems, typer.Option("--problems", help="Tracks that cannot be read: refuse, leave out.")
    ] = Problems.error,
    shard_size: Annotated[
        int | None,
        typer.Option("--shard-size", min=1, help="Items in a folder (1000), or in a shard (100)."),
    ] = None,
    shards: Annotated[
        Packing | None,
        typer.Option("--shards", help="Pack items in files of many.  [default: tar behind a URL]"),
    ] = None,
    workers: Workers = None,
    ray: OnRay = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check the sums of items that are there, not only their sizes.")
    ] = False,
    as_json: Json = False,
    args: Args = None,
) -> None:
    """Make a corpus of synthetic transitions: mix, controls, stems, and what was done.

    Item i depends on the seed and i alone. Stop it when you like, even by force: the same command, or just
    `djgraph dataset make OUT`, goes on. A larger --count lets a corpus grow.

    \b
    Examples:
      djgraph dataset make corpus --demo --count 20
      djgraph dataset make corpus --tracks musdb18hq/train --count 10000 --stems reference
      djgraph dataset make corpus --count 20000
      djgraph dataset make s3://bucket/corpus --tracks musdb18hq/train --shards tar
      djgraph dataset make /shared/corpus --ray 10.0.0.1:6379
    """
    from djgraph.data import make_corpus
    from djgraph.errors import InputError

    chosen = None
    if recipes is not None:
        chosen = [] if recipes == "none" else [name.strip() for name in recipes.split(",")]
    settings: dict[str, Any] = {
        "seed": seed,
        "seconds": seconds,
        "frames_per_second": frames_per_second,
        "stems": stems and stems.value,
        "curves": curves,
        "recipes": chosen,
        "align": align and align.value,
        "short": short and short.value,
        "shard_size": shard_size,
    }
    if args and graph is None:
        raise InputError("--arg sets an argument of a graph; name it with --graph")
    given = {name: value_of(text) for name, text in pairs("--arg", args).items()}
    where = executor(workers, ray)
    done = {"items": 0, "all": 0}
    with Steps() as steps:
        steps.begin("preparing")

        def progress(items: int, all_items: int) -> None:
            if done["all"]:
                steps.advance(items - done["items"])
            else:
                steps.begin(f"making {counted(all_items, 'transition')}", all_items, items)
            done.update(items=items, all=all_items)

        try:
            report = make_corpus(
                out,
                tracks=tracks or None,
                demo=demo,
                graph=graph,
                args=given if graph is not None else None,
                count=count,
                shards=shards and shards.value,
                workers=where,
                verify=verify,
                problems=problems.value,
                progress=progress,
                **settings,
            )
        except (KeyboardInterrupt, SystemExit):
            if done["all"]:
                warn(f"{done['items']} of {done['all']} items are done; djgraph dataset make {out} goes on")
            raise
    for problem in report.remade:
        warn(f"made anew: {problem}")
    about = report.description
    if as_json:
        print_json(
            {
                "path": str(out),
                "items": about.count,
                "made": report.made,
                "kept": report.kept,
                "remade": list(report.remade),
                "seconds": about.settings.seconds,
                "sample_rate": about.sample_rate,
                "frames": about.n_frames,
                "controls": len(about.layout),
                "fingerprint": about.layout.fingerprint,
                "tracks": len(about.tracks),
            }
        )
        return
    minutes = about.count * about.settings.seconds / 60
    length = f"{minutes:.1f} min" if minutes < 120 else f"{minutes / 60:.1f} h"
    typer.echo(f"{out}: {counted(about.count, 'transition')}, {report.made} made now, {report.kept} kept")
    typer.echo(f"  {length} at {about.sample_rate} Hz, from {counted(len(about.tracks), 'track')}")
    typer.echo(f"  params [{about.n_frames}, {len(about.layout)}], layout {about.layout.fingerprint}")
    if about.shards:
        typer.echo(f"  in {about.shards} shards of {about.settings.shard_size}")


@app.command("shard", cls=JobsCommand, short_help="Pack a corpus in shards, files of many items.")
def shard(
    corpus: Annotated[Path, typer.Argument(metavar="CORPUS", help="A corpus of folders.")],
    out: Annotated[str, typer.Argument(metavar="OUT", help="Where to: a folder, or a URL.")],
    shards: Annotated[Packing, typer.Option("--shards", help="WebDataset's tar, or Parquet.")] = Packing.tar,
    shard_size: Annotated[
        int | None, typer.Option("--shard-size", min=1, help="Items in a shard.  [default: 100]")
    ] = None,
    workers: Workers = None,
    ray: OnRay = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check the sums of shards that are there, not only their sizes.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Pack a corpus in shards: the same files that `djgraph dataset make OUT --shards` would write.

    Shards that are there are kept, so it can be stopped at any time.

    \b
    Examples:
      djgraph dataset shard corpus shards
      djgraph dataset shard corpus s3://bucket/corpus --shards parquet --shard-size 200
    """
    from djgraph.data import shard_corpus

    where = executor(workers, ray)
    before = 0
    with Steps() as steps:

        def progress(items: int, all_items: int) -> None:
            nonlocal before
            if not before:
                steps.begin(f"packing {counted(all_items, 'transition')}", all_items, items)
            else:
                steps.advance(items - before)
            before = max(items, 1)

        packed, kept, anew, about = shard_corpus(
            corpus,
            out,
            shards=shards.value,
            shard_size=shard_size,
            workers=where,
            verify=verify,
            progress=progress,
        )
    for problem in anew:
        warn(f"packed anew: {problem}")
    if as_json:
        print_json({"path": out, "items": about.count, "packed": packed, "kept": kept, "remade": list(anew)})
        return
    typer.echo(f"{out}: {counted(about.count, 'transition')}, {packed} packed now, {kept} kept")
    typer.echo(f"  in {about.shards} shards of {about.settings.shard_size}")


@app.command("check", short_help="Read all of a corpus and say what is missing or damaged.")
def check(out: Corpus, as_json: Json = False) -> None:
    """Check every file of a corpus against its checksum; exit with 1 if any item is missing or damaged.

    \b
    Example:
      djgraph dataset check corpus
    """
    from djgraph.data import check_corpus

    count, wrong = check_corpus(out)
    if as_json:
        print_json({"path": str(out), "items": count, "wrong": {str(i): text for i, text in wrong.items()}})
    else:
        for text in dict.fromkeys(wrong.values()):
            typer.echo(text)
        typer.echo(f"{out}: {count - len(wrong)} of {counted(count, 'item')} whole")
    if wrong:
        typer.echo(
            f"djgraph dataset make {out} makes the others, those that are missing or damaged", err=True
        )
        raise typer.Exit(1)
