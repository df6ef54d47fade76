"""``djgraph render``: audio files through a graph to a file."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from djgraph.cli.inputs import InputBlocks
from djgraph.cli.mixdown import Score, check_outputs, clock_of, mix_down, output_paths, show, spread
from djgraph.cli.options import Args, GraphName, Json, load_graph, pairs
from djgraph.cli.plans import LoweringName, LoweringOption
from djgraph.cli.progress import Steps
from djgraph.cli.sync import SyncedBlocks, Tempo, beats_of, settings_in_beats, tempo_of
from djgraph.cli.transitions import Set, cue_settings, find_recipe, settings_of, track_settings
from djgraph.cli.warp import WarpedBlocks

if TYPE_CHECKING:
    from djgraph.automation import Automation, TempoMap
    from djgraph.graph.ir import Graph
    from djgraph.mixer import Mixer


MAX_FRAMES = 1_000_000

CueIn = Annotated[
    float | None, typer.Option("--cue-in", metavar="S", help="Second at which the second track comes in.")
]
CueOut = Annotated[
    float | None, typer.Option("--cue-out", metavar="S", help="Second at which the first track is gone.")
]
Normalize = Annotated[
    bool,
    typer.Option("--normalize", help="Scale to a peak of -1 dBFS; several outputs by one factor."),
]


def render(
    graph: GraphName,
    input: Annotated[
        list[str] | None,
        typer.Option("--input", "-i", metavar="NAME=PATH", help="A folder of stems, or a file; repeated."),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="What to write: wav, flac, ogg, aiff or mp3.")
    ] = Path("mix.flac"),
    transition: Annotated[
        str | None,
        typer.Option(
            "--transition", "-t", metavar="NAME", help="A recipe (djgraph transitions), or the file of one."
        ),
    ] = None,
    settings: Set = None,
    tracks: Annotated[
        str | None,
        typer.Option("--tracks", metavar="A,B", help="Go from A to B.  [default: the first two tracks]"),
    ] = None,
    cue_in: CueIn = None,
    cue_out: CueOut = None,
    automation: Annotated[
        str | None,
        typer.Option("--automation", "-a", metavar="FILE", help="What the controls do: yaml, json or csv."),
    ] = None,
    params: Annotated[
        Path | None,
        typer.Option("--params", "-p", metavar="FILE", help="Control values instead: npy, csv, json, yaml."),
    ] = None,
    frames: Annotated[
        int | None,
        typer.Option(
            "--frames",
            min=2,
            max=MAX_FRAMES,
            help="Control frames, at even distances.  [default: one on the sample of every breakpoint]",
        ),
    ] = None,
    pad: Annotated[bool, typer.Option("--pad", help="Put silence after shorter stems.")] = False,
    normalize: Normalize = False,
    normalize_each: Annotated[
        bool, typer.Option("--normalize-each", help="Scale every output to that peak by a factor of its own.")
    ] = False,
    output: Annotated[
        list[str] | None,
        typer.Option("--output", metavar="NAME", help="A graph output, or all.  [default: the main one]"),
    ] = None,
    tempo: Annotated[
        str | None,
        typer.Option(
            "--tempo",
            metavar="BPM",
            help="Tempo, for beats and for effects with a clock; with --sync also 124:130, which goes from one to the "
            "other in the transition.",
        ),
    ] = None,
    sync: Annotated[
        bool,
        typer.Option(
            "--sync",
            help="Play every track at the mix's beats, whatever its tempo: --tempo, the automation's, or that of the "
            "first.",
        ),
    ] = False,
    warp: Annotated[
        Path | None,
        typer.Option(
            "--warp", metavar="FILE", help="Play every track where FILE says, as djgraph fit writes it."
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="TIME",
            help="With --sync, where the second track enters and the transition begins: 64beats, 16bars.  [default: "
            "the last phrase of the first track that leaves it time]",
        ),
    ] = None,
    key_lock: Annotated[
        bool, typer.Option("--key-lock", help="With --sync: tracks keep their pitch at another tempo.")
    ] = False,
    lowering: LoweringOption = LoweringName.studio,
    as_json: Json = False,
    args: Args = None,
) -> None:
    """Mix stems through a graph.

    Inputs are resampled to the graph's sample rate. Without --transition, --automation and --params every
    control keeps its default. Of several outputs the first goes to FILE, the others beside it: mix.flac, mix.cue.flac.

    \b
    Examples:
      djgraph render dj_mixer -i track_a=one -i track_b=two -t equal_power -o mix.flac
      djgraph render dj_mixer -i track_a=one -i track_b=two -t linear --cue-in 8 --cue-out 24
      djgraph render dj_mixer -i track_a=one -i track_b=two -t bass_swap --set length=16beats --tempo 128
      djgraph render dj_mixer -i track_a=one -i track_b=two -t bass_swap --sync --tempo 128 --at 64beats
      djgraph render dj_mixer -i track_a=one -i track_b=two -t linear --sync --tempo 124:130 --key-lock
      djgraph render dj_mixer -i track_a=one -i track_b=two --automation moves.yaml
      djgraph render club_console -i deck_1=a.wav -i deck_3=b.wav -t linear --tracks deck_1,deck_3
      djgraph render dj_mixer -i track_a=one -i track_b=two -t linear --lowering causal
      djgraph render my_mixer.yaml -i deck=song.wav --params moves.csv --output all
    """
    started = time.perf_counter()
    if sum(way is not None for way in (transition, automation, params)) > 1:
        raise typer.BadParameter("give one of --transition, --automation and --params, not both")
    if transition is None and (cue_in, cue_out, tracks) != (None, None, None):
        raise typer.BadParameter("--cue-in, --cue-out and --tracks belong to --transition")
    moves = transition if automation is None else automation
    if moves is None and (frames is not None or settings):
        raise typer.BadParameter("--frames and --set belong to --transition and --automation")
    said = None if tempo is None else tempo_of(tempo)
    if isinstance(said, tuple) and not sync:
        raise typer.BadParameter(
            f"--tempo {tempo} belongs to --sync; without it write the tempo into an automation (tempo: [[0, 124, "
            "per_beat], [64, 130]])"
        )
    chosen = settings_of(settings)
    cues = cue_in is not None or cue_out is not None
    for option, names, used in (
        ("--cue-in/--cue-out", "start length", cues),
        ("--tracks", "a b", bool(tracks)),
    ):
        if used and (both := chosen.keys() & set(names.split())):
            raise typer.BadParameter(f"{option} and --set {min(both)}=… contradict each other; give one")
    chosen |= track_settings(tracks)
    if warp is not None and sync:
        raise typer.BadParameter("--warp says where each track is played, and --sync finds it; give one")
    if at is not None and not sync:
        raise typer.BadParameter(
            "--at belongs to --sync; without it a transition has --cue-in or --set start=…"
        )
    if key_lock and not sync:
        raise typer.BadParameter("--key-lock belongs to --sync; without it every track has its own tempo")
    if sync and cues:
        raise typer.BadParameter(
            "--cue-in and --cue-out are seconds; with --sync give --at and --set length=32beats"
        )
    if at is not None and "start" in chosen:
        raise typer.BadParameter("--at and --set start=… contradict each other; give one")
    given = {name: Path(os.path.expanduser(text)) for name, text in pairs("--input", input, "PATH").items()}

    import djgraph
    from djgraph.cli.params import read_params
    from djgraph.guard import claim, reading

    recipe = (
        None
        if moves is None
        else find_recipe(moves, "--transition" if automation is None else "--automation")
    )
    loaded = load_graph(graph, args)
    synced = _synced(at, chosen) if sync else None
    clock: Tempo | TempoMap | None = said
    if recipe is not None:  # what can be seen before the work is not told after it
        filled = recipe.fill(**chosen | cue_settings(cue_in, cue_out, math.inf))
        if sync and clock is None:
            clock = filled.tempo
        any_tempo = 120.0 if sync and clock is None else clock
        filled.check(loaded, tempo=any_tempo[0] if isinstance(any_tempo, tuple) else any_tempo)
    paths = output_paths(out, output or [], loaded.outputs)
    check_outputs(paths, loaded)
    claim(*paths.values())
    if params is not None:
        reading(params)
    if warp is not None:
        reading(warp)
    with Steps() as steps:
        steps.begin("reading")
        with _source(loaded, given, pad, synced, (chosen, tracks, clock), key_lock, steps, warp) as source:
            if isinstance(source, SyncedBlocks):
                clock = source.tempo
                if recipe is not None:
                    arguments = {argument.name: argument.default for argument in recipe.arguments}
                    chosen |= settings_in_beats(source, arguments, chosen)
            steps.begin("compiling")
            mixer = djgraph.compile(loaded, outputs=list(paths), lowering=lowering.value)
            bpm = None if isinstance(clock, tuple) else clock  # two tempos are a map by now
            beats = clock_of(bpm, source.samples, loaded.sample_rate)
            if params is not None:
                score = spread(read_params(params, mixer.layout), source.samples, beats)
            elif recipe is None:
                score = spread(mixer.layout.pack(), source.samples, beats)
            else:
                auto = recipe.fill(
                    **chosen | cue_settings(cue_in, cue_out, source.samples / loaded.sample_rate)
                )
                score = _score(auto, mixer, source.samples, frames, bpm)
            summary = mix_down(
                mixer,
                source,
                score,
                paths,
                steps,
                normalize="each" if normalize_each else "together" if normalize else None,
                started=started,
            )
    show(summary, as_json)
    if isinstance(source, SyncedBlocks) and not as_json:
        typer.echo(
            f"at {source.tempos} BPM" + (f", the transition from beat {source.start:g}" if moves else "")
        )
        for line in source.said():
            typer.echo(f"  {line}")


def _synced(at: str | None, chosen: dict[str, Any]) -> tuple[float | None, float | None]:
    """Where a transition begins, and how long it takes, in beats, as far as it is said."""
    where = at if at is not None else chosen.pop("start", None)
    length = chosen.get("length")
    return (
        None if where is None else beats_of(str(where), "--at" if at is not None else "--set start"),
        None if length is None else beats_of(str(length), "--set length"),
    )


def _source(
    graph: Graph,
    given: dict[str, Path],
    pad: bool,
    synced: tuple[float | None, float | None] | None,
    moves: tuple[dict[str, Any], str | None, Tempo | TempoMap | None],
    key_lock: bool,
    steps: Steps,
    warp: Path | None,
) -> InputBlocks | SyncedBlocks | WarpedBlocks:
    """What the mixer is fed from: the files as they are, with --sync at the mix's beats, or where --warp says."""
    if warp is not None:
        return WarpedBlocks(graph, given, pad, warp)
    if synced is None:
        return InputBlocks(graph, given, pad)
    chosen, tracks, tempo = moves
    named = (chosen["a"], chosen["b"]) if tracks is not None else None
    return SyncedBlocks(graph, given, pad, named, tempo, *synced, steps, key_lock)


def _score(
    auto: Automation, mixer: Mixer, samples: int, frames: int | None, tempo: float | TempoMap | None
) -> Score:
    """Automation as frames: a frame on the sample of every breakpoint, or so many at even distances."""
    rate = mixer.graph.sample_rate
    if frames is None:
        exact = auto.render_exact(mixer, samples=samples, sample_rate=rate, tempo=tempo)
        return Score(exact.params, exact.positions, exact.tempo)
    values = auto.render(mixer.layout, frames, samples / rate, tempo)
    return spread(values, samples, clock_of(auto.tempo if tempo is None else tempo, samples, rate))
