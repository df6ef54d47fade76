"""What ``render`` and ``report`` play: files through a graph, and what its controls do; and the options that say so."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from djgraph.cli.options import Args, GraphName, load_graph, pairs
from djgraph.cli.plans import LoweringName, LoweringOption
from djgraph.cli.progress import Steps
from djgraph.cli.sources import check_seconds
from djgraph.cli.sync import beats_of, settings_in_beats, tempo_of
from djgraph.cli.transitions import Set, cue_settings, find_recipe, settings_of, track_settings
from djgraph.errors import did_you_mean
from djgraph.rendering import (
    SYNCS,
    BlockSource,
    InputBlocks,
    PlayedBlocks,
    Score,
    SyncedBlocks,
    Tempo,
    WarpedBlocks,
    clock_of,
    spread,
)

if TYPE_CHECKING:
    from djgraph.automation import Automation, TempoMap
    from djgraph.mixer import Mixer

MAX_FRAMES = 1_000_000

Inputs = Annotated[
    list[str] | None,
    typer.Option("--input", "-i", metavar="NAME=PATH", help="A folder of stems, or a file; repeated."),
]
Transition = Annotated[
    str | None,
    typer.Option(
        "--transition", "-t", metavar="NAME", help="A recipe (djgraph transitions), or the file of one."
    ),
]
Tracks = Annotated[
    str | None,
    typer.Option("--tracks", metavar="A,B", help="Go from A to B.  [default: the first two tracks]"),
]
CueIn = Annotated[
    float | None, typer.Option("--cue-in", metavar="S", help="Second at which the second track comes in.")
]
CueOut = Annotated[
    float | None, typer.Option("--cue-out", metavar="S", help="Second at which the first track is gone.")
]
AutomationFile = Annotated[
    str | None,
    typer.Option("--automation", "-a", metavar="FILE", help="What the controls do: yaml, json or csv."),
]
Params = Annotated[
    Path | None,
    typer.Option("--params", "-p", metavar="FILE", help="Control values instead: npy, csv, json, yaml."),
]
ControlFrames = Annotated[
    int | None,
    typer.Option(
        "--frames",
        min=2,
        max=MAX_FRAMES,
        help="Control frames, at even distances.  [default: one on the sample of every breakpoint]",
    ),
]
Pad = Annotated[bool, typer.Option("--pad", help="Put silence after shorter stems.")]
Bpm = Annotated[
    str | None,
    typer.Option(
        "--tempo",
        metavar="BPM",
        help="Tempo, for beats and for effects with a clock; with --sync also 124:130, which goes from one to the "
        "other in the transition.",
    ),
]
Sync = Annotated[
    str | None,
    typer.Option(
        "--sync",
        metavar="[bar|beat|off]",
        help="Play every track at the mix's beats, whatever its tempo, bars on bars or beats on beats; off: as it is. "
        "The tempo is --tempo, the automation's, or that of the first.  [bar where left out]",
    ),
]
At = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="TIME",
        help="With --sync, where the second track enters and the transition begins: 64beats, 16bars.  [default: "
        "the last phrase of the first track that leaves it time]",
    ),
]


Warp = Annotated[
    Path | None,
    typer.Option(
        "--warp", metavar="FILE", help="Play every track where FILE says, as djgraph fit writes it."
    ),
]
KeyLock = Annotated[
    bool, typer.Option("--key-lock", help="With --sync: tracks keep their pitch at another tempo.")
]
Seconds = Annotated[
    float | None,
    typer.Option(
        "--seconds",
        metavar="S",
        help="How long the mix is, where sources play all inputs.  [default: as long as the longest track]",
    ),
]


@dataclass(frozen=True)
class Playing:
    """What is ready to be mixed. tempo: of the mix, where it is known. automation: what the score was made of, unless
    that is a file of params."""

    mixer: Mixer
    source: BlockSource
    score: Score
    tempo: float | TempoMap | None
    automation: Automation | None = None


@dataclass(frozen=True)
class Asked:
    """What is to be played, as the command line says it: the options of ``render`` and ``report``."""

    graph: GraphName
    input: Inputs = None
    transition: Transition = None
    settings: Set = None
    tracks: Tracks = None
    cue_in: CueIn = None
    cue_out: CueOut = None
    automation: AutomationFile = None
    params: Params = None
    frames: ControlFrames = None
    pad: Pad = False
    tempo: Bpm = None
    sync: Sync = None
    warp: Warp = None
    at: At = None
    key_lock: KeyLock = False
    lowering: LoweringOption = LoweringName.studio
    args: Args = None


class Played:
    """The options of what is played, checked as far as can be without reading audio; ``graph`` is loaded."""

    def __init__(self, asked: Asked, seconds: float | None = None) -> None:
        """Raises usage errors for options that contradict each other, and what loading a graph and a recipe raise."""
        transition, automation, params = asked.transition, asked.automation, asked.params
        tempo, sync, at, tracks = asked.tempo, asked.sync, asked.at, asked.tracks
        warp, key_lock, cue_in, cue_out = asked.warp, asked.key_lock, asked.cue_in, asked.cue_out
        if sum(way is not None for way in (transition, automation, params)) > 1:
            raise typer.BadParameter("give one of --transition, --automation and --params, not both")
        if transition is None and (cue_in, cue_out, tracks) != (None, None, None):
            raise typer.BadParameter("--cue-in, --cue-out and --tracks belong to --transition")
        moves = transition if automation is None else automation
        if moves is None and (asked.frames is not None or asked.settings):
            raise typer.BadParameter("--frames and --set belong to --transition and --automation")
        said = None if tempo is None else tempo_of(tempo)
        if isinstance(said, tuple) and not sync:
            raise typer.BadParameter(
                f"--tempo {tempo} belongs to --sync; without it write the tempo into an automation (tempo: [[0, 124, "
                "per_beat], [64, 130]])"
            )
        if sync is not None and sync not in SYNCS:
            raise typer.BadParameter(
                f"{sync!r} is none of {', '.join(SYNCS)}{did_you_mean(sync, SYNCS)}", param_hint="--sync"
            )
        chosen = settings_of(asked.settings)
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
        if key_lock and sync in (None, "off"):
            raise typer.BadParameter("--key-lock belongs to --sync; without it every track has its own tempo")
        if sync and cues:
            raise typer.BadParameter(
                "--cue-in and --cue-out are seconds; with --sync give --at and --set length=32beats"
            )
        if at is not None and "start" in chosen:
            raise typer.BadParameter("--at and --set start=… contradict each other; give one")
        given = pairs("--input", asked.input, "PATH").items()
        self._given = {name: Path(os.path.expanduser(text)) for name, text in given}
        self.moves = moves
        self._recipe = (
            None
            if moves is None
            else find_recipe(moves, "--transition" if automation is None else "--automation")
        )
        self.graph = load_graph(asked.graph, asked.args)
        check_seconds(seconds, self.graph)
        for way, told in (("--sync", sync), ("--warp", warp)):
            if told and self.graph.sources:
                raise typer.BadParameter(
                    f"{way} plays the tracks itself, and graph {self.graph.name} has sources that do; leave it out, "
                    "or `source` in the graph"
                )
        self._seconds = seconds
        self._synced = _synced(at, chosen) if sync else None
        self._clock: Tempo | TempoMap | None = said
        if self._recipe is not None:  # what can be seen before the work is not told after it
            filled = self._recipe.fill(**chosen | cue_settings(cue_in, cue_out, math.inf))
            if sync and self._clock is None:
                self._clock = filled.tempo
            any_tempo = 120.0 if sync and self._clock is None else self._clock
            filled.check(self.graph, tempo=any_tempo[0] if isinstance(any_tempo, tuple) else any_tempo)
        self._chosen, self._tracks, self._cues = chosen, tracks, (cue_in, cue_out)
        self._params, self._frames, self._pad = params, asked.frames, asked.pad
        self._lowering = asked.lowering
        self._warp, self._how = warp, (sync or SYNCS[0], key_lock)

    @contextmanager
    def play(self, outputs: Sequence[str], steps: Steps) -> Iterator[Playing]:
        """Open the files, compile the graph for some of its outputs, and place the controls on the audio."""
        import djgraph
        from djgraph.cli.params import read_params
        from djgraph.guard import reading

        if self._params is not None:
            reading(self._params)
        if self._warp is not None:
            reading(self._warp)
        steps.begin("reading")
        chosen, clock, recipe = dict(self._chosen), self._clock, self._recipe
        with self._source(steps) as source:
            if isinstance(source, SyncedBlocks):
                clock = source.tempo
                if recipe is not None:
                    arguments = {argument.name: argument.default for argument in recipe.arguments}
                    chosen |= settings_in_beats(source, arguments, chosen)
            steps.begin("compiling")
            rate = self.graph.sample_rate
            mixer = djgraph.compile(self.graph, outputs=list(outputs), lowering=self._lowering.value)
            bpm = None if isinstance(clock, tuple) else clock  # two tempos are a map by now
            beats = clock_of(bpm, source.samples, rate)
            auto = None
            if self._params is not None:
                score = spread(read_params(self._params, mixer.layout), source.samples, beats)
            elif recipe is None:
                score = spread(mixer.layout.pack(), source.samples, beats)
            else:
                auto = recipe.fill(**chosen | cue_settings(*self._cues, source.samples / rate))
                score = _score(auto, mixer, source.samples, self._frames, bpm)
                bpm = auto.tempo if bpm is None else bpm
            yield Playing(mixer, source, score, bpm, auto)

    def score(self, mixer: Mixer, samples: int) -> Score:
        """What the controls do over a clip of so many samples whose audio is not known."""
        from djgraph.cli.params import read_params
        from djgraph.guard import reading

        rate = self.graph.sample_rate
        bpm = None if isinstance(self._clock, tuple) else self._clock
        beats = clock_of(bpm, samples, rate)
        if self._params is not None:
            reading(self._params)
            return spread(read_params(self._params, mixer.layout), samples, beats)
        if self._recipe is None:
            return spread(mixer.layout.pack(), samples, beats)
        auto = self._recipe.fill(**self._chosen | cue_settings(*self._cues, samples / rate))
        return _score(auto, mixer, samples, self._frames, bpm)

    def _source(self, steps: Steps) -> InputBlocks | PlayedBlocks | SyncedBlocks | WarpedBlocks:
        """What the mixer is fed from: the files as they are, with --sync at the mix's beats, or where --warp says."""
        if self._warp is not None:
            return WarpedBlocks(self.graph, self._given, self._pad, self._warp)
        if self.graph.sources:
            return PlayedBlocks(self.graph, self._given, self._pad, self._seconds, steps)
        if self._synced is None:
            return InputBlocks(self.graph, self._given, self._pad)
        named = (self._chosen["a"], self._chosen["b"]) if self._tracks is not None else None
        return SyncedBlocks(
            self.graph, self._given, self._pad, named, self._clock, *self._synced, steps, *self._how
        )


def _synced(at: str | None, chosen: dict[str, Any]) -> tuple[float | None, float | None]:
    """Where a transition begins, and how long it takes, in beats, as far as it is said."""
    where = at if at is not None else chosen.pop("start", None)
    length = chosen.get("length")
    return (
        None if where is None else beats_of(str(where), "--at" if at is not None else "--set start"),
        None if length is None else beats_of(str(length), "--set length"),
    )


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
