"""How near an answer comes to what was done: places, rates, gains, order, absent tracks, cuts, intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.unmix.mixes import FRAMES_PER_SECOND, RATE, Array, Case
from djgraph.alignment import Found, Passage

CUT_SECONDS = 0.05
"""How far from a true cut one may be found to count."""


@dataclass(frozen=True)
class Answer:
    """What was made of a mix.

    found: of every track; without passages where it is said to be absent. None where places were given. gains: of the
    fader by track, ``[frames]`` at the truth's frames. low, high: of 90 % intervals, likewise. level: dB of the mix,
    where the gains are told apart from it.
    """

    found: Mapping[str, Found] | None = None
    gains: Mapping[str, Array] | None = None
    low: Mapping[str, Array] = field(default_factory=dict)
    high: Mapping[str, Array] = field(default_factory=dict)
    level: float | None = None
    notes: tuple[str, ...] = ()


def score(case: Case, answer: Answer) -> dict[str, Any]:
    """The figures of one answer, as plain data; None where there is nothing to say, or nothing was found.

    tracks: by name. ``start_ms``: of each of its passages, how far off the track is at the moment at which the passage
    truly begins, in ms of the mix; ``middle_ms``: at its middle. ``rate``: relative error of each. ``enter_s``,
    ``leave_s``: of the moments from and until which it is said to be heard. ``gain``: mean absolute error of the
    fader's curve while the track plays; of an answer that tells no level, after the one level for the mix at which it
    is least. ``heard``: of what sounds in place of the fader (the same but for effects behind it), at the best level.
    """
    truth = case.truth
    rows: dict[str, Any] = {name: {"plays": bool(truth.found[name].passages)} for name in truth.found}
    scored: dict[str, Any] = {"tracks": rows}
    if answer.found is not None:
        for name, row in rows.items():
            row |= _placed(truth.found[name], answer.found.get(name), truth.repeats.get(name))
        entered = sorted(
            (one for one in answer.found.values() if one.passages), key=lambda one: one.passages[0].begins
        )
        known = [one.track for one in entered if one.track in truth.order]
        scored["order_right"] = known == list(truth.order)
        scored["cuts"] = _cuts(case, answer.found)
    if answer.gains is not None:
        _gains(case, answer, rows)
        scored["level_db"] = answer.level
    if answer.low:
        scored["intervals"] = _intervals(case, answer)
    if answer.notes:
        scored["notes"] = list(answer.notes)
    return scored


def _placed(truth: Found, found: Found | None, repeats: float | None) -> dict[str, Any]:
    passages = found.passages if found is not None else ()
    row: dict[str, Any] = {"said": bool(passages)}
    if not truth.passages:
        return row
    starts, middles, rates = [], [], []
    for known in truth.passages:
        one = _same(known, passages)
        starts.append(None if one is None else _apart(known, one, known.begins, repeats))
        middles.append(None if one is None else _apart(known, one, (known.begins + known.ends) / 2, repeats))
        rates.append(None if one is None else abs(one.rate / known.rate - 1))
    row |= {"start_ms": starts, "middle_ms": middles, "rate": rates}
    if passages:
        row["enter_s"] = (passages[0].begins - truth.passages[0].begins) / RATE
        row["leave_s"] = (passages[-1].ends - truth.passages[-1].ends) / RATE
    return row


def _same(known: Passage, passages: tuple[Passage, ...]) -> Passage | None:
    """The passage that overlaps with it most."""
    shared = [min(known.ends, one.ends) - max(known.begins, one.begins) for one in passages]
    if not shared or max(shared) <= 0:
        return None
    return passages[int(np.argmax(shared))]


def _apart(known: Passage, found: Passage, at: float, repeats: float | None) -> float:
    """Milliseconds of the mix by which what is said to sound at a moment is off."""
    away = found.position(at) - known.position(at)
    if repeats:
        away -= repeats * round(away / repeats)
    return abs(away) / known.rate / RATE * 1000


def _cuts(case: Case, found: Mapping[str, Found]) -> dict[str, int]:
    true = said = matched = 0
    for name in case.truth.order:
        there = list(case.truth.cuts(name))
        ours = [one.begins for one in found[name].passages[1:]] if name in found else []
        true, said = true + len(there), said + len(ours)
        for cut in there:
            near = [one for one in ours if abs(one - cut) <= CUT_SECONDS * RATE]
            if near:
                ours.remove(min(near, key=lambda one: abs(one - cut)))
                matched += 1
    return {"true": true, "said": said, "matched": matched}


def _playing(case: Case, name: str) -> Array:
    """At which frames the track plays."""
    moments = np.arange(len(case.truth.gains[name])) * RATE / FRAMES_PER_SECOND
    passages = case.truth.found[name].passages
    return np.asarray((moments >= passages[0].begins) & (moments < passages[-1].ends))


def _gains(case: Case, answer: Answer, rows: dict[str, Any]) -> None:
    assert answer.gains is not None
    empty = np.zeros(len(next(iter(case.truth.gains.values()))))
    said = {name: np.asarray(answer.gains.get(name, empty), dtype=np.float64) for name in case.truth.order}
    for key, truth in (("gain", case.truth.gains), ("heard", case.truth.heard)):
        told = key == "gain" and answer.level is not None
        level = 1.0 if told else _level(case, said, truth)
        for name in case.truth.order:
            plays = _playing(case, name)
            rows[name][key] = float(np.abs(level * said[name] - truth[name])[plays].mean())


def _level(case: Case, said: Mapping[str, Array], truth: Mapping[str, Array]) -> float:
    """The one factor for all tracks that brings gains nearest to the truth while they play: recordings may be quieter
    or louder."""
    made = np.concatenate([said[name][_playing(case, name)] for name in case.truth.order])
    wanted = np.concatenate([truth[name][_playing(case, name)] for name in case.truth.order])
    power = float((made**2).sum())
    level = float((made * wanted).sum()) / power if power > 0 else 1.0
    # The factor of least absolute error is one of the ratios; a few steps of reweighting come near.
    for _ in range(30):
        weight = 1 / np.maximum(np.abs(level * made - wanted), 1e-4)
        power = float((weight * made**2).sum())
        level = float((weight * made * wanted).sum()) / power if power > 0 else 1.0
    return level


def _intervals(case: Case, answer: Answer) -> dict[str, float]:
    """The share of moments at which the fader's true gain lies within its interval, and the intervals' median width."""
    inside, width = [], []
    for name in case.truth.order:
        if name in answer.low:
            plays, true = _playing(case, name), case.truth.gains[name]
            low, high = np.asarray(answer.low[name]), np.asarray(answer.high[name])
            inside.append(((low - 1e-9 <= true) & (true <= high + 1e-9))[plays])
            width.append((high - low)[plays])
    return {
        "covered": float(np.concatenate(inside).mean()),
        "median_width": float(np.median(np.concatenate(width))),
    }


def middle(values: list[float | None]) -> float | None:
    """The median, where what was not found counts as infinitely far off; None where that is the median."""
    ordered = sorted(math.inf if value is None else value for value in values)
    if not ordered:
        return None
    half = len(ordered) // 2
    found = ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
    return found if math.isfinite(found) else None


def quantile(values: list[float | None], share: float) -> float | None:
    """The smallest value that so many are not above, counted likewise."""
    ordered = sorted(math.inf if value is None else value for value in values)
    if not ordered:
        return None
    found = ordered[min(len(ordered) - 1, max(0, math.ceil(share * len(ordered)) - 1))]
    return found if math.isfinite(found) else None
