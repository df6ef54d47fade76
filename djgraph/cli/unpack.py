"""``djgraph unpack``: stem files as folders of stems."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from djgraph.cli.errors import warn
from djgraph.cli.progress import Steps
from djgraph.errors import DJGraphError, InputError


def unpack(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Stem files: .stem.mp4, .stem.m4a.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="Where the tracks' folders are made.  [default: beside each file]",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over stems that are there.")] = False,
) -> None:
    """Take stem files apart: a folder for each, with mixture.flac and a FLAC for each stem.

    Needs stempeg (pip install "djgraph[stems]") and ffmpeg. What goes wrong with one file does not stop the others.

    \b
    Examples:
      djgraph unpack Song.stem.mp4
      djgraph unpack music/*.stem.mp4 -o tracks
    """
    from djgraph.data.stem_file import name_of
    from djgraph.data.stem_file import unpack as run

    places = {file: (output or file.parent) / name_of(file) for file in files}
    if len(set(places.values())) < len(places):
        raise InputError("two files would be unpacked into the same folder; unpack them one by one")
    wrong = 0
    with Steps() as steps:
        for file, folder in places.items():
            steps.begin(f"unpacking {file.name}")
            try:
                found = run(file, folder, force=force)
            except DJGraphError as problem:
                warn(str(problem))
                wrong += 1
                continue
            typer.echo(f"{folder}: {', '.join(found)}")
    if wrong:
        raise typer.Exit(1)
