"""Gains of tracks whose places are known, by simple means: the baselines that a fit is held against.

All take the tracks as they lie in the mix and return a fader curve for each, ``[frames]``, at the truth's frames, up to
one level for the whole mix.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
from scipy import fft, optimize

from benchmarks.unmix.mixes import FRAMES_PER_SECOND, RATE, Array, Case
from benchmarks.unmix.scaling import resampled, vocoder, wsola
from djgraph.alignment import Found

STEP = RATE // FRAMES_PER_SECOND
_SIZE = 2 * STEP
_MELS = (10, 80, 128)
"""Of 128 mel bands, where low, mid and high end in Kim et al. 2021."""


def aligned(case: Case, found: Mapping[str, Found]) -> dict[str, Array]:
    """The tracks that are in the mix as they lie in it, mono, ``[samples]``; where they kept their pitch, stretched by
    another method than the mix's own, which nobody knows: by a phase vocoder for WSOLA, and the other way round."""
    out = {}
    for name, one in found.items():
        if not one.passages:
            continue
        audio = np.zeros(case.mix.shape[1])
        track = case.tracks[name].astype(np.float64).mean(0)[None]
        for passage in one.passages:
            first, last = max(0, round(passage.begins)), min(len(audio), round(passage.ends))
            start = passage.position(first)
            if last <= first:
                continue
            if passage.key_locked and passage.rate != 1:
                if case.scaling == "stretch":
                    piece = vocoder(track, start, passage.rate, last - first)
                else:
                    piece, _ = wsola(track, start, passage.rate, last - first)
            else:
                piece = resampled(track, start, passage.rate, last - first)
            audio[first:last] = piece[0]
        out[name] = audio
    return out


def crossfade(case: Case, found: Mapping[str, Found]) -> dict[str, Array]:
    """Tracks at full gain, and where the next one comes in, the linear crossfade nearest to the mix, of all that begin
    and end at a tenth of the time that both play."""
    tracks = aligned(case, found)
    mix = case.mix.astype(np.float64).mean(0)
    spans = sorted((found[name].passages[0].begins, found[name].passages[-1].ends, name) for name in tracks)
    gains = {name: np.zeros(len(mix)) for name in tracks}
    for begins, ends, name in spans:
        gains[name][max(0, round(begins)) : round(ends)] = 1
    level = _level(mix, sum(gains[name] * tracks[name] for name in tracks))
    for (_, out, one), (into, _, two) in itertools.pairwise(spans):
        first, last = max(0, round(into)), min(len(mix), round(out))
        if last - first < 100:
            continue
        a, b, heard = tracks[one][first:last], tracks[two][first:last], mix[first:last]
        place = np.linspace(0, 1, last - first)
        best: tuple[float, Array] | None = None
        for begin in range(10):
            for end in range(begin + 1, 11):
                share = np.clip((place - begin / 10) / ((end - begin) / 10), 0, 1)
                error = float(((level * ((1 - share) * a + share * b) - heard) ** 2).sum())
                if best is None or error < best[0]:
                    best = error, share
        assert best is not None
        gains[one][first:last], gains[two][first:last] = 1 - best[1], best[1]
    return {name: curve[::STEP] for name, curve in _padded(gains, case).items()}


def frames(case: Case, found: Mapping[str, Found]) -> dict[str, Array]:
    """Frame by frame the gains of least squares of the waveforms, 0 or more; straight lines where a track is silent."""
    tracks = aligned(case, found)
    count = len(next(iter(case.truth.gains.values())))
    names = list(tracks)
    signals = np.stack([*tracks.values(), case.mix.astype(np.float64).mean(0)])
    padded = np.pad(signals, ((0, 0), (STEP, (count + 1) * STEP - signals.shape[1])))
    out = {name: np.full(count, np.nan) for name in names}
    for frame in range(count):
        piece = padded[:, frame * STEP : frame * STEP + 2 * STEP]
        gram = piece @ piece.T
        here = [index for index in range(len(names)) if gram[index, index] > 1e-6]
        if here:
            inner = gram[np.ix_(here, here)] + 1e-6 * np.trace(gram) * np.eye(len(here))
            solved, _ = optimize.nnls(inner, gram[here, -1])
            for index, value in zip(here, solved):
                out[names[index]][frame] = value
    at = np.arange(count)
    return {
        name: np.interp(at, at[~np.isnan(row)], row[~np.isnan(row)]) if not np.isnan(row).all() else 0 * at
        for name, row in out.items()
    }


def bands(case: Case, found: Mapping[str, Found], rounds: int = 300) -> dict[str, Array]:
    """Per-band convex estimation after Kim et al. 2021 (and, of the same authors, 2022).

    The mix's mel power in three bands is a sum of the tracks', each times a gain of 0 or more for each band and frame.
    Gains never fall before the middle of the time that a track plays, and never rise after it, as theirs do in a
    transition. The least squares of this are a convex problem, solved by accelerated projected gradients; projections
    are isotonic regressions. The fader is the root of the mean of the bands' power gains, by energy.
    """
    tracks = aligned(case, found)
    names = list(tracks)
    weights = _mel_bands()
    heard = _power(case.mix.astype(np.float64).mean(0)) @ weights
    spectra = np.stack([_power(tracks[name]) @ weights for name in names])  # [tracks, frames, mels]
    middles = [
        int((found[name].passages[0].begins + found[name].passages[-1].ends) / 2 / STEP) for name in names
    ]
    total, energy = np.zeros(spectra.shape[:2]), np.full(spectra.shape[:2], 1e-12)
    for low, high in zip((0, *_MELS), _MELS):
        x, y = spectra[:, :, low:high], heard[:, low:high]
        scale = max(float(x.max()), float(y.max()), 1e-12)
        gain = _monotone(x / scale, y / scale, middles, rounds)
        total += gain * x.sum(2)
        energy += x.sum(2)
    return {name: np.sqrt(row) for name, row in zip(names, total / energy)}


def _monotone(x: Array, y: Array, middles: list[int], rounds: int) -> Array:
    """Gains ``[tracks, frames]`` of the least ``Σ (Σ gain·x − y)²``, rising to a track's middle, falling after it."""
    gram = np.einsum("atm,btm->tab", x, x)
    cross = np.einsum("atm,tm->ta", x, y)
    strength = np.linalg.eigvalsh(gram)[:, -1]
    strength = np.maximum(strength, 1e-4 * strength.max() + 1e-15)
    now = ahead = np.zeros((len(x), x.shape[1]))
    momentum = 1.0
    for _ in range(rounds):
        slope = np.einsum("tab,bt->at", gram, ahead) - cross.T
        moved = ahead - slope / strength
        new = np.empty_like(moved)
        for row, (values, middle) in enumerate(zip(moved, middles)):
            for part, rising in ((slice(0, middle), True), (slice(middle, None), False)):
                if len(values[part]):
                    shape = optimize.isotonic_regression(
                        values[part], weights=strength[part], increasing=rising
                    )
                    new[row, part] = np.maximum(shape.x, 0)
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = new + (momentum - 1) / following * (new - now)
        now, momentum = new, following
    return now


def _power(audio: Array) -> Array:
    """Power spectra ``[frames, bins]``, frame ``f`` around sample ``f · STEP``."""
    count = int(np.ceil(len(audio) / STEP)) + 1
    padded = np.pad(audio, (_SIZE // 2, _SIZE))
    views = np.lib.stride_tricks.sliding_window_view(padded, _SIZE)[::STEP][:count]
    return np.concatenate(
        [np.abs(fft.rfft(part * np.hanning(_SIZE), axis=1)) ** 2 for part in np.array_split(views, 16)]
    )


def _mel_bands() -> Array:
    edges = 700 * (10 ** np.linspace(0, np.log10(1 + RATE / 2 / 700), _MELS[-1] + 2) - 1)
    hertz = np.arange(_SIZE // 2 + 1) * RATE / _SIZE
    up = (hertz[:, None] - edges[:-2]) / np.diff(edges)[:-1]
    down = (edges[2:] - hertz[:, None]) / np.diff(edges)[1:]
    return np.maximum(0, np.minimum(up, down))


def _level(mix: Array, made: Array) -> float:
    """The gain at which ``made`` is as loud as the mix."""
    return float(np.sqrt((mix**2).sum() / max(float((made**2).sum()), 1e-12)))


def _padded(gains: Mapping[str, Array], case: Case) -> dict[str, Array]:
    count = len(next(iter(case.truth.gains.values())))
    return {name: np.pad(curve, (0, count * STEP - len(curve))) for name, curve in gains.items()}
