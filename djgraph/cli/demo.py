"""``djgraph demo``: the main job with nothing at hand."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from djgraph.cli.mixdown import mix_down, output_paths, show, transition
from djgraph.cli.options import Json
from djgraph.cli.progress import Steps
from djgraph.cli.render import CueIn, CueOut, Fade, Normalize

GRAPH = "dj_mixer"
FADE_SECONDS = 4.0


def demo(
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="What to write: wav, flac, ogg, aiff or mp3.")
    ] = Path("djgraph-demo.flac"),
    fade: Annotated[
        Fade, typer.Option("--transition", "-t", help="How to fade from the first track to the second.")
    ] = Fade.equal_power,
    cue_in: CueIn = None,
    cue_out: CueOut = None,
    normalize: Normalize = False,
    stems: Annotated[
        Path | None,
        typer.Option("--stems", metavar="FOLDER", help="Also write the stems there, for djgraph render."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Render a transition between two tracks that djgraph synthesises itself: 120 and 126 BPM, 32 s.

    The fade lies around second 20, where a bar begins in both tracks, unless told otherwise.

    \b
    Examples:
      djgraph demo
      djgraph demo -o demo.wav --transition linear --cue-in 16 --cue-out 24
      djgraph demo --stems demo-stems
    """
    started = time.perf_counter()
    import djgraph
    from djgraph import audio
    from djgraph.atomic import check_target
    from djgraph.audio.files import format_of
    from djgraph.demo import DOWNBEAT, demo_tracks
    from djgraph.errors import AudioFileError

    format_of(out)
    check_target(out, AudioFileError)
    with Steps() as steps:
        steps.begin("compiling")
        mixer = djgraph.compile(djgraph.load(GRAPH))
        rate = mixer.graph.sample_rate
        steps.begin("synthesising two tracks")
        tracks = demo_tracks(rate)
        if stems is not None:
            for track, parts in tracks.items():
                (stems / track).mkdir(parents=True, exist_ok=True)
                for stem, signal in parts.items():
                    audio.write(stems / track / f"{stem}.flac", signal, rate)
        seconds = next(iter(tracks["track_a"].values())).shape[-1] / rate
        first = DOWNBEAT - FADE_SECONDS / 2 if cue_in is None else cue_in
        last = DOWNBEAT + FADE_SECONDS / 2 if cue_out is None else cue_out
        params = transition(mixer, fade.value, seconds, first, last)
        paths = output_paths(out, [], mixer.outputs)
        summary = mix_down(mixer, tracks, params, paths, steps, normalize=normalize, started=started)
    show(summary, as_json)
    if stems is not None and not as_json:
        typer.echo(f"stems in {stems / 'track_a'} and {stems / 'track_b'}")
