"""``djgraph demo``: the main job with nothing at hand."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from djgraph.cli.mixdown import mix_down, output_paths, show
from djgraph.cli.options import Json
from djgraph.cli.plans import LoweringName, LoweringOption
from djgraph.cli.played import CueIn, CueOut
from djgraph.cli.progress import Steps
from djgraph.cli.render import Normalize
from djgraph.cli.transitions import Set, cue_settings, find_recipe, settings_of
from djgraph.rendering import MemorySource, Score, check_outputs

if TYPE_CHECKING:
    from djgraph.automation import Template

GRAPH = "dj_mixer"
FADE_SECONDS = 4.0


def demo(
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="What to write: wav, flac, ogg, aiff or mp3.")
    ] = Path("djgraph-demo.flac"),
    transition: Annotated[
        str,
        typer.Option(
            "--transition", "-t", metavar="NAME", help="A recipe (djgraph transitions), or the file of one."
        ),
    ] = "equal_power",
    settings: Set = None,
    cue_in: CueIn = None,
    cue_out: CueOut = None,
    normalize: Normalize = False,
    stems: Annotated[
        Path | None,
        typer.Option("--stems", metavar="FOLDER", help="Also write the stems there, for djgraph render."),
    ] = None,
    lowering: LoweringOption = LoweringName.studio,
    as_json: Json = False,
) -> None:
    """Render a transition between two tracks that djgraph synthesises itself: 120 and 126 BPM, 32 s.

    They are beat-matched: the second is played at the first one's 120 BPM, bar on bar. The transition lies around
    second 20, where a bar begins, unless told otherwise.

    \b
    Examples:
      djgraph demo
      djgraph demo -t bass_swap --cue-in 12 --cue-out 28
      djgraph demo -t echo_out --set feedback=0.9 -o echo.wav
      djgraph demo --stems demo-stems
    """
    started = time.perf_counter()
    import djgraph
    from djgraph import audio
    from djgraph.demo import BPM, DOWNBEAT, demo_tracks
    from djgraph.guard import claim
    from djgraph.rendering.matched import matched

    graph = djgraph.load(GRAPH)
    paths = output_paths(out, [], graph.outputs)
    check_outputs(paths, graph)
    claim(*paths.values())
    recipe = find_recipe(transition)
    tempo = next(iter(BPM.values()))
    with Steps() as steps:
        steps.begin("compiling")
        mixer = djgraph.compile(graph, lowering=lowering.value)
        rate = mixer.graph.sample_rate
        steps.begin("synthesising two tracks")
        tracks = demo_tracks(rate)
        if stems is not None:
            files = {
                stems / track / f"{stem}.flac": x
                for track, each in tracks.items()
                for stem, x in each.items()
            }
            claim(*files)
            for file, signal in files.items():
                file.parent.mkdir(parents=True, exist_ok=True)
                audio.write(file, signal, rate)
            _tell(stems, seconds=next(iter(tracks["track_a"].values())).shape[-1] / rate)
        seconds = next(iter(tracks["track_a"].values())).shape[-1] / rate
        chosen = _where(recipe, cue_in, cue_out, seconds) | settings_of(settings)
        source = MemorySource(matched(tracks, rate))
        frames = recipe.fill(**chosen).render_exact(
            mixer, samples=source.samples, sample_rate=rate, tempo=tempo
        )
        summary = mix_down(
            mixer,
            source,
            Score(frames.params, frames.positions, frames.tempo),
            paths,
            steps,
            normalize="together" if normalize else None,
            started=started,
        )
    show(summary, as_json)
    if not as_json:
        known = ", ".join(f"{track} {bpm:g} BPM" for track, bpm in BPM.items())
        typer.echo(f"{known}: beat-matched at {tempo:g} BPM; a bar begins at {DOWNBEAT:g} s")
    if stems is not None and not as_json:
        typer.echo(f"stems in {stems / 'track_a'} and {stems / 'track_b'}")


def _tell(stems: Path, seconds: float) -> None:
    """Write what is known of the tracks beside their stems, unless something is told there already."""
    import json

    from djgraph.atomic import write_text
    from djgraph.demo import BPM, beats

    for track, tempo in BPM.items():
        told = stems / track / "track.json"
        if not told.exists():
            write_text(told, json.dumps({"tempo": tempo, **beats(track, seconds)}) + "\n")


def _where(recipe: Template, cue_in: float | None, cue_out: float | None, seconds: float) -> dict[str, Any]:
    """``start`` and ``length``, as far as a recipe has them: around the downbeat that both tracks share, or on it
    where it takes no time."""
    from djgraph.demo import DOWNBEAT

    default = {argument.name: argument.default for argument in recipe.arguments}
    if cue_in is None and cue_out is None and default.get("length") in (0, "0s"):
        return {"start": DOWNBEAT} if "start" in default else {}
    first = DOWNBEAT - FADE_SECONDS / 2 if cue_in is None else cue_in
    last = DOWNBEAT + FADE_SECONDS / 2 if cue_out is None else cue_out
    cues = cue_settings(first, last, seconds)
    told = cue_in is not None or cue_out is not None  # then a recipe without them says so itself
    return {name: value for name, value in cues.items() if told or name in default}
