"""The series of mixes that are un-mixed: UnmixDB's variants, a DJ's moves, cuts, masters, lossy copies, long mixes.

``unmixdb`` follows Schwarz and Fourer 2018 (zenodo.org/records/1422385) and the scripts that made it
(github.com/Ircam-RnD/unmixdb-creation): three excerpts of about 40 s, each from its second bar on, at the first one's
tempo; linear fades of four bars, the fade-out beginning where the next one's fade-in does; then time scaling, then one
effect on each track; then the sum, divided by three. What differs: the excerpts are synthesised, and the mix is no MP3.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.unmix import sound
from benchmarks.unmix.mixes import Case, Part, Points, assemble
from benchmarks.unmix.outside import by_sox
from benchmarks.unmix.tunes import RATE, Tune, tunes
from djgraph.alignment import Passage
from djgraph.demo import BPM, PICKUP, demo_tracks

Array = NDArray[np.float64]
SCALINGS = ("none", "resample", "stretch")
EFFECTS: dict[str, Callable[[Array], Array] | None] = {
    "none": None,
    "bass": sound.bass,
    "compressor": sound.compressor,
    "distortion": sound.distortion,
}
FADE = 4
"""Bars that a fade of UnmixDB's takes."""


def mixes(series: str, seed: int = 1, count: int | None = None) -> Iterator[Case]:
    """The cases of a series (:data:`SERIES`), each made when it is asked for.

    count: how many; a whole round of the series (:func:`round_of`) where it is left out. Later rounds have other
    tracks. Raises KeyError for a series that there is not.
    """
    names = round_of(series)
    for number in range(len(names) if count is None else count):
        yield case(series, seed, number)


def case(series: str, seed: int, number: int) -> Case:
    """One case of a series by its number, from 0 on; cases of one round are of the same tracks."""
    names = round_of(series)
    which, turn = names[number % len(names)], number // len(names)
    random = np.random.RandomState([seed, zlib.crc32(series.encode()), turn])
    return SERIES[series](f"{number + 1:02d} {which}", which, random)


def round_of(series: str) -> tuple[str, ...]:
    """The variants of a series, in order."""
    return ROUNDS[series]


def _unmixdb(name: str, which: str, random: np.random.RandomState) -> Case:
    scaling, effect = which.split("-")
    played, parts = _three(scaling, effect, random)
    level = 20 * np.log10(1 / len(played))
    return assemble(name, "unmixdb", scaling, effect, _offered(played, random), parts, level=level)


def _sox(name: str, which: str, random: np.random.RandomState) -> Case:
    scaling, effect = which.split("-")
    played, parts = _three(scaling, effect, random, whole=True)
    return by_sox(name, scaling, effect, _offered(played, random), parts)


def _three(
    scaling: str, effect: str, random: np.random.RandomState, whole: bool = False
) -> tuple[list[Tune], list[Part]]:
    """Three excerpts as UnmixDB mixes them. whole: they begin at whole samples even where they are resampled."""
    played = tunes(3, 40, random)
    rates = [1.0 if scaling == "none" else played[0].tempo / one.tempo for one in played]
    parts, offset = [], 0.0
    for one, rate in zip(played, rates):
        begin, out, end = one.bar(1), one.bar(one.bars - 1 - FADE), one.bar(one.bars - 1)
        between = scaling == "resample" and not whole
        start, begins = (begin, round(offset)) if between else (round(begin), round(offset))
        stays, length = (out - begin) / rate, (end - begin) / rate
        passage = Passage(begins, begins + round(length), start, rate, scaling == "stretch", 0.0)
        into = (one.bar(1 + FADE) - begin) / rate
        fader = [(begins, 0.0), (begins + into, 1.0), (begins + stays, 1.0), (begins + length, 0.0)]
        parts.append(Part(one.name, (passage,), fader, EFFECTS[effect]))
        offset += stays
    return played, parts


def _pair(
    played: Sequence[Tune], random: np.random.RandomState, scaling: str, bars: int = 8
) -> tuple[list[Passage], Points, Points, tuple[float, float]]:
    """Two tunes at a tempo between theirs, the second's first bars over the first's last: passages, faders and the
    samples at which the transition begins and ends."""
    tempo = float(np.mean([one.tempo for one in played])) * float(random.uniform(0.98, 1.02))
    rates = [1.0 if scaling == "none" else tempo / one.tempo for one in played]
    first, second = played
    a0, b0 = first.bar(0) * float(random.uniform(0, 1)), second.bar(0)
    if scaling == "none":
        a0, b0 = round(a0), round(b0)
    begins = round((first.bar(first.bars - bars) - a0) / rates[0])
    a1 = round((first.bar(first.bars) - a0) / rates[0])
    b1 = begins + round((second.bar(second.bars) - b0) / rates[1])
    locked = scaling in ("stretch", "vocoder")
    passages = [Passage(0, a1, a0, rates[0], locked, 0.0), Passage(begins, b1, b0, rates[1], locked, 0.0)]
    length = a1 - begins
    fades: tuple[Points, Points]
    kind = random.randint(3)
    if kind == 0:  # a linear crossfade
        fades = [(begins, 1.0), (a1, 0.0)], [(begins, 0.0), (a1, 1.0)]
    elif kind == 1:  # in first, then out
        middle = begins + length / 2
        fades = [(middle, 1.0), (a1, 0.0)], [(begins, 0.0), (middle, 1.0)]
    else:  # equal power
        turn = np.linspace(0, 1, 33)
        fades = (
            [(begins + t * length, float(np.cos(t * np.pi / 2))) for t in turn],
            [(begins + t * length, float(np.sin(t * np.pi / 2))) for t in turn],
        )
    return passages, fades[0], fades[1], (begins, a1)


def _two(series: str, name: str, which: str, random: np.random.RandomState) -> Case:
    """Two tracks and one thing done to them or to the mix."""
    scaling = {"vocoder": "vocoder", "stretched": "stretch"}.get(which, "resample")
    played = tunes(2, 40, random)
    (one, two), out, into, (begin, end) = _pair(played, random, scaling)
    a, b = played[0].name, played[1].name
    middle, length = (begin + end) / 2, end - begin
    parts = [Part(a, (one,), out), Part(b, (two,), into)]
    master: Callable[[Array], Array] | None = None
    drift = 0.0
    if which == "eq":  # basses swapped in a beat at the middle, highs of the new one let in early
        beat = 60 / played[0].tempo / one.rate * RATE
        flat: Points = [(0, 1.0)]
        lows: Points = [(middle, 1.0), (middle + beat, 0.0)]
        parts = [
            Part(a, (one,), [(middle, 1.0), (end, 0.0)], eq=(lows, flat, flat)),
            Part(
                b,
                (two,),
                [(begin, 0.0), (begin + length / 4, 1.0)],
                eq=([(middle, 0.0), (middle + beat, 1.0)], [(begin, 0.3), (middle, 1.0)], flat),
            ),
        ]
    elif which == "filter":
        sweep = [(begin + t * length, float(20 * 60**t)) for t in np.linspace(0, 1, 33)]
        parts[0] = Part(a, (one,), [(end - length / 8, 1.0), (end, 0.0)], cutoff=sweep)
    elif which == "echo":
        delay = round(0.75 * 60 / played[0].tempo / one.rate * RATE)
        first = round(one.begins)

        def send(audio: Array) -> Array:
            at = np.arange(audio.shape[1]) + first
            return sound.echo(audio, np.interp(at, [begin, middle], [0.0, 0.7]), delay)

        parts[0] = Part(a, (one,), out, send)
    elif which == "mp3":
        master = sound.mp3
    elif which == "rerecorded":
        drift, noise = 3e-5, np.random.RandomState(random.randint(2**31))

        def master(audio: Array) -> Array:
            return sound.rerecorded(audio, noise)

    elif which in MASTERS:
        master = MASTERS[which]
    return assemble(
        name, series, scaling, which, _offered(played, random), parts, master, level=-3.0, drift=drift
    )


def _cuts(name: str, which: str, random: np.random.RandomState) -> Case:
    """Two tracks of which the first jumps, loops, changes its tempo, or is not there at all."""
    played = tunes(4 if which == "absent" else 2, 50, random)
    (one, two), out, into, _ = _pair(played[:2], random, "resample")
    bar = 240 / played[0].tempo * RATE  # of the track
    early, late = (round((played[0].bar(n) - one.start) / one.rate) for n in (6, 10))
    passages = [one]
    if which == "jump":  # four bars ahead
        passages = _jumping(one, [(early, 4 * bar)])
    elif which == "back":
        passages = _jumping(one, [(late, -4 * bar)])
    elif which == "loop":  # two bars, four times
        again = round(2 * bar / one.rate)
        passages = _jumping(one, [(early + again * (n + 1), -2 * bar) for n in range(3)])
    elif which == "tempo":
        passages = _jumping(one, [(early, 0.0)], 1.02)
    shift = passages[-1].ends - one.ends  # what the first lost or won moves the second
    two = Passage(two.begins + shift, two.ends + shift, two.start, two.rate, False, 0.0)
    parts = [
        Part(played[0].name, tuple(passages), _moved(out, shift)),
        Part(played[1].name, (two,), _moved(into, shift)),
    ]
    return assemble(name, "cuts", "resample", which, _offered(played, random), parts, level=-3.0)


def _jumping(one: Passage, jumps: Sequence[tuple[int, float]], faster: float = 1.0) -> list[Passage]:
    """A passage with jumps, to the same end of the track: samples of the mix, and samples of the track by which it
    jumps there. faster: times the rate from the first jump on."""
    found, now = [], one
    for place, by in jumps:
        found.append(Passage(now.begins, place, now.start, now.rate, False, 0.0))
        rate = one.rate * faster
        start = now.position(place) + by
        now = Passage(place, round(place + (one.stop - start) / rate), start, rate, False, 0.0)
    return [*found, now]


def _moved(points: Points, by: float) -> Points:
    return [(place + by, value) for place, value in points]


def _long(name: str, which: str, random: np.random.RandomState) -> Case:
    """Five tracks of ten minutes, and two more that are not in it; or two of five minutes."""
    count, seconds, others = (5, 144, 2) if which == "five" else (2, 164, 0)
    drawn = tunes(count + others, seconds, random)
    played = drawn[:count]
    tempo = float(np.mean([one.tempo for one in played]))
    parts, begins = [], 0
    bars = 16
    for number, one in enumerate(played):
        rate = tempo / one.tempo
        start = one.bar(0)
        ends = begins + round((one.bar(one.bars) - start) / rate)
        fade = bars * 240 / tempo * RATE
        fader = [(begins, 0.0 if number else 1.0), (begins + fade, 1.0), (ends - fade, 1.0), (ends, 0.0)]
        if number == count - 1:
            fader = fader[:2]
        parts.append(Part(one.name, (Passage(begins, ends, start, rate, False, 0.0),), fader))
        begins = round(ends - fade)
    return assemble(name, "long", "resample", which, _offered(drawn, random), parts, level=-3.0)


def _shipped(name: str, which: str, random: np.random.RandomState) -> Case:
    """djgraph's own two tracks, which repeat every four bars."""
    names = ("track_a", "track_b")
    made = demo_tracks(RATE, 48.0)
    tracks = {t: np.asarray(sum(x.numpy() for x in made[t].values()), dtype=np.float32) for t in names}
    bar = {t: 240 / BPM[t] * RATE for t in names}
    scaling = which
    tempo = 123.0 + float(random.uniform(-1, 1))
    rates = {t: 1.0 if scaling == "none" else tempo / BPM[t] for t in names}
    first = PICKUP["track_a"] * bar["track_a"] / 4
    transition = 16 * bar["track_a"] / rates["track_a"] + first / rates["track_a"]
    begins = round(transition)
    end = begins + round(4 * bar["track_a"] / rates["track_a"])
    start = round(PICKUP["track_b"] * bar["track_b"] / 4)
    stop = begins + round((tracks["track_b"].shape[1] - start) / rates["track_b"])
    locked = scaling == "stretch"
    parts = [
        Part(
            "track_a",
            (Passage(0, end, 0, rates["track_a"], locked, 0.0),),
            [(begins, 1.0), (end, 0.0)],
        ),
        Part(
            "track_b",
            (Passage(begins, stop, start, rates["track_b"], locked, 0.0),),
            [(begins, 0.0), (end, 1.0)],
        ),
    ]
    repeats = {t: 4 * bar[t] for t in names}
    return assemble(name, "shipped", scaling, "none", tracks, parts, level=-3.0, repeats=repeats)


def _offered(played: Sequence[Tune], random: np.random.RandomState) -> dict[str, NDArray[np.float32]]:
    """The tracks by name, in an order that does not tell theirs."""
    return {played[index].name: played[index].audio for index in random.permutation(len(played))}


def _clipped(audio: Array) -> Array:
    return np.clip(audio * 10 ** (6 / 20), -0.9, 0.9)


MASTERS: dict[str, Callable[[Array], Array]] = {
    "compressed": sound.master_compressor,
    "limited": sound.limiter,
    "clipped": _clipped,
}

ROUNDS: dict[str, tuple[str, ...]] = {
    "unmixdb": tuple(f"{scaling}-{effect}" for scaling in SCALINGS for effect in EFFECTS),
    "moves": ("plain", "stretched", "eq", "filter", "echo"),
    "lossy": ("mp3", "rerecorded", "vocoder"),
    "masters": tuple(MASTERS),
    "cuts": ("jump", "back", "loop", "tempo", "absent"),
    "shipped": SCALINGS,
    "long": ("two", "five"),
    "sox": ("none-compressor", "resample-bass", "stretch-none", "stretch-compressor"),
}
ASKED_FOR = ("sox",)
"""Series that are made where they are asked for alone: they need other programs."""

SERIES: dict[str, Callable[[str, str, np.random.RandomState], Case]] = {
    "unmixdb": _unmixdb,
    "moves": lambda name, which, random: _two("moves", name, which, random),
    "lossy": lambda name, which, random: _two("lossy", name, which, random),
    "masters": lambda name, which, random: _two("masters", name, which, random),
    "cuts": _cuts,
    "shipped": _shipped,
    "long": _long,
    "sox": _sox,
}
"""What makes a case of each series, from its name, its variant and a source of chance."""
