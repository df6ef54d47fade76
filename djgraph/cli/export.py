"""``djgraph export``: a graph for another host, a web page."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from djgraph.cli.options import Args, GraphName, Json
from djgraph.cli.output import count, print_json
from djgraph.cli.plans import LoweringName
from djgraph.cli.played import (
    Asked,
    At,
    AutomationFile,
    Bpm,
    CueIn,
    CueOut,
    Inputs,
    KeyLock,
    Pad,
    Params,
    Played,
    Sync,
    Tracks,
    Transition,
)
from djgraph.cli.progress import Steps
from djgraph.cli.transitions import Set

if TYPE_CHECKING:
    from collections.abc import Mapping

    from djgraph.decks import FileMaterial
    from djgraph.export import Bits, Page, Program, Stem
    from djgraph.graph.ir import Graph

BLOCK = 1 << 20
LONGEST = 3600.0
"""Seconds of a page without stems of its own."""


class Host(StrEnum):
    """What a graph is exported to."""

    web = "web"


def export(
    *,
    graph: GraphName,
    to: Annotated[Host, typer.Option("--to", help="The host: a web page.")] = Host.web,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="The page.  [default: the graph's name, .html]"),
    ] = None,
    input: Inputs = None,
    transition: Transition = None,
    settings: Set = None,
    tracks: Tracks = None,
    cue_in: CueIn = None,
    cue_out: CueOut = None,
    automation: AutomationFile = None,
    params: Params = None,
    pad: Pad = False,
    tempo: Bpm = None,
    sync: Sync = None,
    at: At = None,
    key_lock: KeyLock = False,
    seconds: Annotated[
        float | None,
        typer.Option(
            "--seconds",
            metavar="S",
            help="How long the mix is: without -i, or where sources play every input.",
        ),
    ] = None,
    embed: Annotated[
        bool,
        typer.Option(
            "--embed/--no-embed", help="Put the stems into the page, or leave them to the listener."
        ),
    ] = True,
    bits: Annotated[
        int | None,
        typer.Option(
            "--bits",
            metavar="16|24",
            help="Of stems in the page.  [default: as few as change no sample, up to 24]",
        ),
    ] = None,
    args: Args = None,
    as_json: Json = False,
) -> None:
    """Write a graph as one HTML file that plays it in any browser, without a server.

    The page runs the causal lowering in an AudioWorklet: stems, what the controls do, sliders for all of them. Without
    -i whoever opens it drops sound files onto it.

    \b
    Examples:
      djgraph export dj_mixer --to web -i track_a=one -i track_b=two -t bass_swap -o mix.html
      djgraph export dj_mixer --to web -i track_a=one -i track_b=two --automation moves.yaml --bits 16
      djgraph export my_mixer.yaml --to web -o mixer.html
      djgraph export my_mixer.yaml --to web --automation moves.yaml --seconds 60
    """
    from djgraph.atomic import write_text
    from djgraph.guard import claim

    chosen = _bits(bits)
    _check(bool(input), transition or automation or params, seconds, sync)
    asked = Asked(
        graph=graph,
        input=input,
        transition=transition,
        settings=settings,
        tracks=tracks,
        cue_in=cue_in,
        cue_out=cue_out,
        automation=automation,
        params=params,
        pad=pad,
        tempo=tempo,
        sync=sync,
        at=at,
        key_lock=key_lock,
        lowering=LoweringName.causal,
        args=args,
    )
    played = Played(asked, seconds if input else None)
    path = Path(f"{_plain(played.graph.name)}.html") if out is None else Path(os.path.expanduser(out))
    claim(path)
    with Steps() as steps:
        page, program = _paged(played, steps, bool(input), embed, chosen, seconds or 0)
    write_text(path, page.html)
    said = {
        "graph": played.graph.name,
        "path": str(path),
        "bytes": len(page.html.encode()),
        "stems": page.stems,
        "seconds": page.seconds,
        "latency": program.data["latency"],
        "controls": len(played.graph.columns),
        "moving": list(program.moving),
    }
    if as_json:
        print_json(said)
        return
    what = count(page.stems, "stem") if page.stems else "no stems: drop them onto the page"
    typer.echo(f"{path}: {said['bytes'] / 1e6:.1f} MB, {what}, {count(len(played.graph.columns), 'control')}")


def _bits(bits: int | None) -> Bits | None:
    if bits not in (None, 16, 24):
        raise typer.BadParameter(f"{bits} bits; expected 16 or 24", param_hint="--bits")
    return 16 if bits == 16 else 24 if bits == 24 else None


def _check(given: bool, moves: object, seconds: float | None, sync: str | None) -> None:
    """Refuses what does not go with stems, or without. given: whether there are some; moves: what the controls do."""
    if not given and moves is not None and seconds is None:
        raise typer.BadParameter("without -i give --seconds: how long what the controls do is")
    if seconds is not None and not 0 < seconds <= LONGEST:
        raise typer.BadParameter(f"--seconds is {seconds:g}; expected more than 0, up to {LONGEST:g}")
    if not given and sync:
        raise typer.BadParameter("--sync needs tracks: give -i")


def _paged(
    played: Played, steps: Steps, given: bool, embed: bool, bits: Bits | None, seconds: float
) -> tuple[Page, Program]:
    """The page, and the program in it: of the stems that are given, or of so many seconds without any."""
    import djgraph
    from djgraph.export import program_of, stem_of, web_page
    from djgraph.rendering import PlayedBlocks

    graph, registry = played.graph, djgraph.registry()
    if not given:
        steps.begin("compiling")
        mixer = djgraph.compile(graph, lowering="causal")
        length = round(seconds * graph.sample_rate)
        score = played.score(mixer, max(length, 1))
        program = program_of(mixer, registry, score.params, score.positions, score.tempo)
        return web_page(graph, program, (), length or None), program
    with played.play(list(graph.outputs), steps) as playing:
        source, score = playing.source, playing.score
        tracks = source.material if isinstance(source, PlayedBlocks) else {}
        grids = {name: track.grid for name, track in tracks.items() if track.grid is not None}
        program = program_of(playing.mixer, registry, score.params, score.positions, score.tempo, grids)
        stems: list[Stem] = []
        if embed:
            steps.begin("reading", source.samples)
            for (name, stem), audio in (_read(source, steps) | _materials(tracks, graph)).items():
                stems.append(stem_of(name, stem, audio, graph.sample_rate, bits))
        return web_page(graph, program, stems, source.samples), program


def _read(source: Any, steps: Steps) -> dict[tuple[str, str | None], Any]:
    """All of the audio, ``[channels, samples]`` each, by input and stem."""
    import numpy as np

    pieces: dict[tuple[str, str | None], list[Any]] = {}
    left = source.samples
    while left > 0:
        block = source.read(min(BLOCK, left))
        size = 0
        for name, value in block.items():
            for stem, audio in value.items() if isinstance(value, dict) else ((None, value),):
                pieces.setdefault((name, stem), []).append(audio.numpy().copy())
                size = audio.shape[-1]
        if not size:
            break
        left -= size
        steps.advance(size)
    return {key: np.concatenate(some, -1) for key, some in pieces.items()}


def _materials(tracks: Mapping[str, FileMaterial], graph: Graph) -> dict[tuple[str, str | None], Any]:
    """All of what sources play, as :func:`_read` has it."""
    found = {}
    for name, track in tracks.items():
        parts = track.read(0, track.samples).split(list(track.widths.values()))
        for signal, audio in zip(track.widths, parts):
            stem = signal.removeprefix(f"{name}.") if graph.inputs[name] else None
            found[name, stem] = audio.numpy()
    return found


def _plain(name: str) -> str:
    """A graph's name as that of a file."""
    return "".join(one if one.isalnum() or one in "-_" else "_" for one in name)[:80] or "graph"
