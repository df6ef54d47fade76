"""``djgraph set new``: a set proposed from folders of tracks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from djgraph.cli.errors import warn
from djgraph.cli.options import Json, Out, emit
from djgraph.cli.output import count as counted
from djgraph.cli.output import print_json
from djgraph.cli.progress import Steps
from djgraph.errors import InputError


def new(
    tracks: Annotated[
        list[Path],
        typer.Argument(metavar="FOLDER…", help="Folders of tracks, at any depth, or audio files."),
    ],
    out: Out = None,
    workers: Annotated[
        int | None, typer.Option("--workers", "-j", min=1, help="Processes.  [default: as many as cores]")
    ] = None,
    as_json: Json = False,
) -> None:
    """Propose a set from tracks, as a file to edit: in an order that suits their keys, tempos and energy.

    Tracks that are not analysed are, as by djgraph analyse; those without a beat are left out. The file says in
    comments what is known of each, and what the order costs.

    \b
    Examples:
      djgraph set new music
      djgraph set new music more/song.flac -o friday.yaml
      djgraph set friday.yaml
    """
    from djgraph.analysis import analyse
    from djgraph.guard import claim
    from djgraph.sets.document import MOST
    from djgraph.sets.propose import Candidate, propose, to_yaml

    claim(out)
    with Steps() as steps:
        steps.begin("looking for tracks")
        results = analyse(tracks, workers=workers, progress=steps.analysed)
        found, left = [], []
        for result in results:
            path = result.source.about.parent if "mixture" not in result.source.parts else None
            path = path or result.source.parts["mixture"]
            if result.known is None:
                left.append(f"{result.source.name}: {result.problem}")
            elif result.known.grid is None:
                left.append(f"{result.source.name}: no beat was found")
            else:
                found.append(Candidate(result.source.name, path, result.known))
        for line in left:
            warn(f"left out: {line}")
        if not found:
            raise InputError("none of the tracks can be put into a set")
        if len(found) > MOST:
            raise InputError(f"{len(found)} tracks are more than a set holds ({MOST}); name fewer")
        steps.begin("ordering")
        proposal = propose(found)
    folder = Path() if out is None else out.parent
    name = "set" if out is None else out.stem
    if as_json:
        print_json(
            {
                "cost": proposal.cost,
                "as_given": proposal.before,
                "exact": proposal.exact,
                "left_out": left,
                "tracks": [
                    {"name": c.name, "path": str(c.path), "tempo": c.tempo, "camelot": c.known.camelot}
                    for c in proposal.tracks
                ],
            }
        )
        if out is None:
            return
    emit(to_yaml(proposal, folder, left, name), out)
    if out is not None and not as_json:
        typer.echo(
            f"{out}: {counted(len(found), 'track')}\n\nnow: djgraph set {out} --dry-run\n     djgraph set {out}"
        )
