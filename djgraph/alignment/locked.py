"""What can be told of passages that kept their pitch: how well their places are known, and where else they may be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from djgraph.alignment.delays import Delays, Line
from djgraph.alignment.envelopes import blur, measure_envelopes
from djgraph.alignment.features import FRAMES
from djgraph.alignment.paths import BLOCK, Option, correlations
from djgraph.alignment.refine import Sounds, Stretch, moved_on

_TELLING = 3.0
"""Seconds of a passage at least in which places that sound alike are compared."""
_LOOKS = 96
"""Blocks of a passage that are compared with the whole track, at most."""
_ALIKE = 0.7
"""Correlation of features, as a share of that on the line, from which a place is looked at closely."""
_EVEN = 0.01
"""Correlation of envelopes by which a place may be worse and sound the same."""
_MOST = 16
_NEAR = 0.03
"""Seconds by which features may miss a place."""
_BLURRED = 0.036
"""Seconds: attacks that are blurred by b lie off the line by ``b² / _BLURRED``, one standard deviation. Set on 28
stretches of synthesised tracks by WSOLA and a phase vocoder; docs/finding.md has what it comes to on others."""
_LEAST = 0.0002
"""Seconds that a place is not known better than to, from envelopes."""


def told(part: Stretch, option: Option, heard: Tensor, recording: Sounds, track: Sounds) -> Stretch:
    """The passage with its spread, and with other places at which it sounds the same. Arguments as for
    :func:`elsewhere`."""
    return elsewhere(replace(part, spread=_spread(part, recording, track)), option, heard, recording, track)


def _spread(part: Stretch, recording: Sounds, track: Sounds) -> float:
    """Standard deviation of the line's place at the passage's middle, in samples.

    Lags of windows scatter about the line; but what a stretcher does to all of them alike is the larger part, and does
    not show in that. It does in attacks: pieces that were put to places of their own, or phases that were spread, blur
    them, so that they correlate less sharply with the track's than those do with themselves.
    """
    second = recording.sample_rate
    lags = _lags(part.line, part, recording, track).lag
    away = 1.4826 * float(np.median(np.abs(lags - np.median(lags))))
    by_chance = away / np.sqrt(max(1.0, len(lags) / 2 - 1))  # windows overlap by half
    blurred = blur(recording.envelopes, track.envelopes, part.line, part.begins, part.ends, second)
    if blurred is None:
        return part.spread
    return float(np.hypot(by_chance, max(_LEAST * second, blurred**2 / (_BLURRED * second))))


def elsewhere(part: Stretch, option: Option, heard: Tensor, recording: Sounds, track: Sounds) -> Stretch:
    """The passage with other places of its track at which that sounds the same (:attr:`Stretch.also`).

    option: the track's features, as it was found. heard: the recording's, ``[bands, frames]``. Blocks all over the
    passage are compared with all of the track by features, and the few places that are much alike by attacks, in
    windows all over the passage: what repeats itself exactly correlates as well there, and what plays other hats or
    another lead does not. Where a place lies partly beyond the track, it is no such place.
    """
    second = recording.sample_rate
    if part.length < _TELLING * second:
        return part
    own = _attacks(part.line, part, recording, track)[1]
    also = []
    for shift in _likely(part, option, heard, second):
        lag, strength = _attacks(moved_on(part.line, shift), part, recording, track)
        if strength >= own - _EVEN:
            also.append((shift - lag) * part.line.rate)
    return replace(part, also=tuple(also))


def _likely(part: Stretch, option: Option, heard: Tensor, second: int) -> list[float]:
    """By how many samples of the recording the line may be moved on, so that features are alike; the likelier first."""
    step = second / FRAMES
    first, last = int(part.begins / step / BLOCK) + 1, int(part.ends / step / BLOCK) - 1
    blocks = np.unique(np.linspace(first, last, _LOOKS).round().astype(int))
    blocks = blocks[(blocks >= 0) & ((blocks + 1) * BLOCK <= heard.shape[1])]
    if not len(blocks):
        return []
    rate = part.line.rate
    pieces = torch.cat([heard[:, block * BLOCK : (block + 1) * BLOCK] for block in blocks], 1)
    values = correlations(pieces, option.features, rate)
    # Place v of a block is the track's frame rate · (v − BLOCK + 1).
    place = part.line.position(blocks * BLOCK * step) / step / rate + BLOCK - 1
    places = np.rint(place).astype(int)
    low, high = -int(places.max()), values.shape[1] - int(places.min())
    total = torch.zeros(high - low, dtype=torch.float32, device="cpu")
    for row, at in zip(values, places):
        total[-int(at) - low : -int(at) - low + len(row)] += row
    around = total[-low - 2 : -low + 3].max() if -low >= 2 else total.max()
    total[max(0, -low - BLOCK) : -low + BLOCK + 1] = 0
    found: list[float] = []
    while len(found) < _MOST:
        best = int(total.argmax())
        if not float(total[best]) >= _ALIKE * float(around) > 0:
            break
        found.append((best + low) * step)
        total[max(0, best - BLOCK) : best + BLOCK + 1] = 0
    return found


def _attacks(line: Line, part: Stretch, recording: Sounds, track: Sounds) -> tuple[float, float]:
    """By how many samples the recording lags a line, and how well attacks agree on it."""
    delays = _lags(line, part, recording, track)
    return float(np.median(delays.lag)), float(np.mean(delays.strength))


def _lags(line: Line, part: Stretch, recording: Sounds, track: Sounds) -> Delays:
    """In windows all over a passage."""
    second = recording.sample_rate
    seconds = min(4.0, part.length / second / 2)
    count = int(np.clip(part.length / second / seconds * 2, 3, 24))
    edge = seconds * second / 2
    centres = np.linspace(part.begins + edge, part.ends - edge, count)
    return measure_envelopes(
        recording.envelopes, track.envelopes, line, centres, seconds, _NEAR * second, second
    )
