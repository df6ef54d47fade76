"""Decks with key lock: a track of four stereo stems at another tempo, block by block, against real time.

Beside it Signalsmith Stretch (python-stretch), which takes whole signals of up to two channels, at one rate.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from types import ModuleType

import torch
from torch import Tensor

from benchmarks.cases import CASES
from benchmarks.context import Context
from benchmarks.results import CaseReport, Result, Timed
from benchmarks.timing import Program, Spread, Times, ratio
from djgraph.analysis import Grid
from djgraph.automation import TempoMap
from djgraph.decks import Deck, MemoryMaterial, Place

RATE, STEMS, BLOCK = 44100, 4, 44100
TEMPO, FROM, TO = 126.0, 124.0, 130.0
OURS, STEREO, PEER = (
    "four stems, a ramp",
    "one stereo signal, a ramp",
    "Signalsmith Stretch, one stereo signal",
)


def run(context: Context) -> CaseReport:
    seconds = context.scale.seconds
    random = torch.Generator().manual_seed(0)
    stems = {
        f"s{i}": 0.1 * torch.randn(2, round(1.1 * seconds * RATE) + RATE, generator=random)
        for i in range(STEMS)
    }
    one = {"s0": stems["s0"]}
    programs = {OURS: Program(partial(_play, stems, seconds)), STEREO: Program(partial(_play, one, seconds))}
    notes = []
    try:
        import python_stretch
    except ImportError:
        notes.append("python-stretch is not installed.")
    else:
        clip = one["s0"][:, : round(seconds * RATE * FROM / TEMPO)].contiguous()
        programs[PEER] = Program(partial(_peer, python_stretch, clip))
    times = context.time(programs)
    results = [
        Result(f"{OURS}, against real time", _real_time(seconds, times[OURS]), "×", "key_lock"),
        Result(f"{STEREO}, against real time", _real_time(seconds, times[STEREO]), "×"),
    ]
    if PEER in times:
        results.append(Result(f"{STEREO}, against {PEER}", ratio(times[PEER], times[STEREO]), "×"))
    timed = tuple(Timed(name, times[name], seconds, STEREO if name == PEER else None) for name in times)
    return CaseReport("key_lock", CASES["key_lock"], tuple(results), timed, tuple(notes))


def _real_time(seconds: float, times: Times) -> Spread:
    return replace(Spread.of(seconds / one for one in times.seconds), fastest=seconds / times.minimum)


def _play(stems: dict[str, Tensor], seconds: float) -> None:
    tempo = TempoMap([(0, FROM, "per_beat"), (seconds * FROM / 60, TO)])
    deck = Deck(MemoryMaterial(stems), Place(Grid.at_tempo(TEMPO), tempo, 0.0, 0.0), RATE, key_lock=True)
    for first in range(0, round(seconds * RATE), BLOCK):
        deck.read(first, min(BLOCK, round(seconds * RATE) - first))


def _peer(package: ModuleType, clip: Tensor) -> None:
    stretcher = package.Signalsmith.Stretch(0)
    stretcher.preset(2, RATE)
    stretcher.timeFactor = FROM / TEMPO
    stretcher.process(clip.numpy())
