"""One track's passages: its path's runs as exact lines, cut where they are cut, joined where they go on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from torch import Tensor

from djgraph.alignment.cuts import Array, Cutter, Part, Whitener
from djgraph.alignment.delays import Line
from djgraph.alignment.detours import without_detours
from djgraph.alignment.features import FRAMES, RATE
from djgraph.alignment.locked import told
from djgraph.alignment.paths import BLOCK, Run
from djgraph.alignment.refine import Sounds, Stretch, moved_on, settled, strength, stretches

SNAP = 4.0
"""Seconds of a track's beginning or end that may be unheard: it is taken to have been played from there, or to there,
behind a fader."""
LAST = 0.15
"""Seconds before a recording's end from which a passage is taken to go on to its end."""
SAME = 2.0
"""Samples within which two lines are one."""
_SHORTEST = 0.2
_TELLING = 3.0
"""Seconds of a part at least in which places that sound alike are compared."""
_EVEN = 0.004
"""Correlation by which one of them has to be better."""
_EXACT, _ROUGH = 0.002, 30.0
"""Samples to which the place of a long part is known at best; and how many times less well a short one's may be, whose
waveform is the track's."""
_NEAR = 4.0
"""Seconds that a line between lines may be longer than its own windows show."""


class Heard:
    """A recording as all its tracks need it."""

    def __init__(self, sounds: Sounds, features: Tensor) -> None:
        """features: of the recording, ``[bands, frames]``."""
        self.sounds, self.features = sounds, features
        self.whiten = Whitener(sounds.low)
        self.white: Array = self.whiten(sounds.low)


def place_runs(runs: Sequence[Run], track: Sounds, heard: Heard) -> list[Stretch]:
    """Where a track is heard, in the recording's order."""
    parts: list[Stretch] = []
    kept: list[Stretch] = []
    for run in sorted(runs, key=lambda run: -len(run.blocks)):
        near = run.option.candidate.rate
        known = [part.line.rate for part in parts if abs(part.line.rate / near - 1) < 0.004]
        found = stretches(run, heard.sounds, track, known[0] if known else None)
        parts += found
        if len(found) > 1 and any(part.waveform for part in found):
            kept += [replace(part, key_locked=False) for part in found if not part.waveform]
    exact = [part for part in parts if part.waveform]
    if exact:
        # A track whose waveform is found somewhere was resampled: what resembles it elsewhere is something else, but
        # for what lies between, where its rate moves.
        parts = _fitted(kept, _cut(exact, kept, track, heard), heard.sounds.sample_rate)
    parts = _joined(sorted(parts, key=lambda part: part.begins))
    parts = [_known(part, runs, track, heard) if part.key_locked else part for part in parts]
    return [_snapped(part, parts, number, track, heard.sounds) for number, part in enumerate(parts)]


def _known(part: Stretch, runs: Sequence[Run], track: Sounds, heard: Heard) -> Stretch:
    """With what can be told of a passage that kept its pitch."""
    middle = (part.begins + part.ends) / 2 / heard.sounds.sample_rate * FRAMES / BLOCK
    run = min(runs, key=lambda run: float(np.abs(run.blocks - middle).min()))
    return told(part, run.option, heard.features, heard.sounds, track)


def _fitted(kept: Sequence[Stretch], parts: Sequence[Stretch], second: int) -> list[Stretch]:
    """Both, the kept ones as far as the others leave room, and on to a neighbour that is near."""
    out = list(parts)
    near = _NEAR * second
    for part in kept:
        begins, ends = part.begins, part.ends
        for other in parts:
            if other.begins <= begins < other.ends:
                begins = other.ends
            if other.begins < ends <= other.ends:
                ends = other.begins
        following = min((one.begins for one in [*kept, *parts] if one.begins >= ends), default=ends)
        ends = following if following - ends < near else ends
        if ends > begins:
            out.append(replace(part, begins=begins, ends=ends))
    return out


def _cut(parts: list[Stretch], known: Sequence[Stretch], track: Sounds, heard: Heard) -> list[Stretch]:
    k = heard.sounds.sample_rate / RATE
    low = [
        Part(Line(part.line.begins / k, part.line.start / k, part.line.rate), part.begins / k, part.ends / k)
        for part in parts
    ]
    sign = 1.0 if sum(part.sign * part.length for part in parts) >= 0 else -1.0
    cutter = Cutter(heard.sounds.low, track.low, heard.whiten, heard.white, sign)
    parts, low = _told_apart(parts, low, cutter, track, heard)
    out = []
    pieces = cutter.cut(low, [(one.begins / k, one.ends / k) for one in known])
    rough = _ROUGH * max(_EXACT, min(part.spread for part in parts))
    for part in without_detours(pieces, cutter):
        begins, ends = part.begins * k, part.ends * k
        if ends - begins < _SHORTEST * heard.sounds.sample_rate:
            continue
        source = [one for one, other in zip(parts, low) if other.line is part.line]
        if source:
            out.append(replace(source[0], begins=begins, ends=ends))
            continue
        line = Line(part.line.begins * k, part.line.start * k, part.line.rate)
        line, spread = settled(line, begins, ends, heard.sounds, track, 2 * k)
        if spread > rough:
            continue
        out.append(Stretch(line, begins, ends, False, spread, True, parts[0].beyond, 0.0, sign))
    return out


def _told_apart(
    parts: list[Stretch], low: list[Part], cutter: Cutter, track: Sounds, heard: Heard
) -> tuple[list[Stretch], list[Part]]:
    """Of places at which a track repeats itself, the one that fits best; of equally good ones that on which the longest
    part is, so that a deck that was not touched runs on."""
    k = heard.sounds.sample_rate / RATE
    order = sorted(range(len(parts)), key=lambda number: -parts[number].length)
    places: dict[int, list[float]] = {}
    for number in order:
        part, own = parts[number], low[number]
        if part.length < _TELLING * heard.sounds.sample_rate:
            continue
        values = {
            place: strength(
                moved_on(part.line, place * k), part.begins, part.ends, heard.sounds, track, 1.5 * k
            )
            for place in [0.0, *(place for place in cutter.repeats(own) if abs(place) > 2)]
        }
        best = max(values.values())
        places[number] = [place for place, value in values.items() if value >= best - _EVEN]
    chosen = {number: equal[0] for number, equal in places.items()}
    ran_on = set()
    for number in [*places, *places]:  # the second time each knows of all others
        others = [(low[other], place) for other, place in chosen.items() if other != number]
        for place in sorted(places[number], key=lambda place: place != chosen[number]):
            if any(_on_one(low[number], place, other, further) for other, further in others):
                chosen[number] = place
                ran_on.add(number)
                break
    for number, place in chosen.items():
        part = parts[number]
        if abs(place) > 2:
            line, spread = settled(
                moved_on(part.line, place * k), part.begins, part.ends, heard.sounds, track, 2 * k
            )
            part = replace(part, line=line, spread=spread)
            low[number] = replace(low[number], line=Line(line.begins / k, line.start / k, line.rate))
        further = [(other - place) * k * part.line.rate for other in places[number] if other != place]
        parts[number] = replace(part, also=() if number in ran_on else tuple(further))
    return parts, low


def _on_one(part: Part, place: float, other: Part, further: float) -> bool:
    """Whether two parts, moved on by a place each, are on one line."""
    gap = (min(part.ends, other.ends) + max(part.begins, other.begins)) / 2
    here = float(part.line.position(gap)) + place * part.line.rate
    there = float(other.line.position(gap)) + further * other.line.rate
    return abs(part.line.rate / other.line.rate - 1) < 1e-4 and abs(here - there) < 4


def _joined(parts: list[Stretch]) -> list[Stretch]:
    """Neighbours on one line as one: the deck ran on, unheard."""
    out: list[Stretch] = []
    for part in parts:
        if out and _same(out[-1], part):
            longer = max(out[-1], part, key=lambda one: one.length)
            out[-1] = replace(longer, begins=out[-1].begins, ends=part.ends, score=out[-1].score + part.score)
        else:
            out.append(part)
    return out


def _same(one: Stretch, other: Stretch) -> bool:
    if one.key_locked != other.key_locked or abs(one.line.rate / other.line.rate - 1) > 1e-3:
        return False
    gap = (one.ends + other.begins) / 2
    apart = abs(float(one.line.position(gap)) - float(other.line.position(gap)))
    return apart <= SAME + 5 * (one.spread + other.spread)


def _snapped(part: Stretch, parts: Sequence[Stretch], number: int, track: Sounds, heard: Sounds) -> Stretch:
    """From the track's first sample on and to its last one, where no more than a moment of it is missing there."""
    second = heard.sample_rate
    within = SNAP * second
    low = parts[number - 1].ends if number else 0.0
    high = parts[number + 1].begins if number + 1 < len(parts) else float(len(heard.audio))
    first = part.line.begins - part.line.start / part.line.rate
    last = first + len(track.audio) / part.line.rate
    begins, ends = part.begins, part.ends
    if abs(begins - first) <= within:
        begins = min(max(first, low), ends)
    if abs(ends - last) <= within or high - ends <= LAST * second:
        ends = max(min(last, high), begins)
    return replace(part, begins=max(begins, 0.0), ends=min(ends, float(len(heard.audio))))
