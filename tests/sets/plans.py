"""Plans of sets for tests, made by hand: tracks of clicks in four stems on two decks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

import djgraph
from djgraph.analysis import Grid, Known
from djgraph.automation import Automation, TempoMap
from djgraph.decks import Place
from djgraph.graph.ir import Graph
from djgraph.sets import PlayedTrack, Run, SetPlan, Transition

STEMS = ("drums", "bass", "vocals", "other")
RATE = 8000


Files = dict[str | None, tuple[Path, ...]]


def stems(folder: Path, name: str, seconds: float, names: tuple[str, ...] = STEMS) -> Files:
    """Files of noise, a little louder each second."""
    found: Files = {}
    (folder / name).mkdir(parents=True, exist_ok=True)
    for number, stem in enumerate(names):
        path = folder / name / f"{stem}.wav"
        count = round(seconds * RATE)
        noise = (
            np.random.default_rng(number).normal(0, 0.05, (count, 2)) * np.linspace(0.2, 1, count)[:, None]
        )
        soundfile.write(path, noise, RATE, subtype="PCM_16")
        found[stem] = (path,)
    return found


def markers(grid: Grid, tempo: TempoMap, enters: float, beats: int) -> tuple[tuple[float, float], ...]:
    """A marker at every beat of a track whose beat 0 is at the mix's beat ``enters``."""
    return tuple((tempo.seconds(enters + i), float(grid.at(i))) for i in range(beats))


def played(
    folder: Path, name: str, deck: str, bpm: float, enters: float, leaves: float, tempo: TempoMap,
    seconds: float = 40.0, names: tuple[str, ...] = STEMS, gain: float = 0.0, key_lock: bool = False,
    known: Known | None = None,
) -> PlayedTrack:  # fmt: skip
    """A track whose beat 0, at 0.3 s, is at beat ``enters``."""
    grid = Grid.at_tempo(bpm, 0.3)
    files = stems(folder, name, seconds, names)
    about = known or Known(tempo=bpm, meter=4, key="A minor", camelot="8A", phrases=[0, 8])
    return PlayedTrack(
        name, name.title(), folder / name, deck, files, seconds, grid, about, enters, leaves,
        (Run(markers(grid, tempo, enters, 60)),), gain=gain, key_lock=key_lock, place=Place(grid, tempo, enters, 0.0),
    )  # fmt: skip


def automation(*texts: dict[str, object], tempo: TempoMap) -> Automation:
    """Curves of the two tracks' faders and basses, in beats."""
    document = {"automation": 1, "name": "set", "tempo": tempo.plain(), "curves": list(texts)}
    return djgraph.automation.load(document)


def two_tracks(folder: Path, tempo: TempoMap | None = None, graph: Graph | None = None) -> SetPlan:
    """Two tracks, a transition between beats 32 and 48 that fades and swaps basses."""
    tempo = tempo or TempoMap([(0, 120), (32, 120, "per_beat"), (48, 126)])
    graph = graph or djgraph.load("dj_mixer")
    tracks = (
        played(folder, "one", "track_a", 118.0, 0.0, 48.0, tempo, gain=-2.0),
        played(folder, "two", "track_b", 124.0, 32.0, 90.0, tempo, key_lock=True),
    )
    moves = automation(
        {"control": "track_a.*.gain", "points": [["32beats", 1], ["48beats", 0]]},
        {"control": "track_b.*.gain", "points": [["32beats", 0, "sine"], ["48beats", 1]]},
        {"control": "track_b.bass.eq_low", "points": [["32beats", 0, "hold"], ["40beats", 1]]},
        {"control": "track_a.*.hpf", "points": [["32beats", 0], ["48beats", 0.8]]},
        {"control": "track_a.delay_send", "points": [["40beats", 0], ["44beats", 0.5], ["48beats", 0]]},
        tempo=tempo,
    )
    transitions = (Transition(0, 1, "bass_swap", 32.0, 16.0),)
    return SetPlan(
        "two",
        "Two tracks",
        graph,
        tempo,
        tracks,
        transitions,
        moves,
        round(tempo.seconds(90.0) * graph.sample_rate),
    )
