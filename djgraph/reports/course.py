"""What was measured of a mix, window by window: the measures of ``djgraph.losses`` before they are averaged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from djgraph.losses.hearing import GATHERED, audibility, cancelled
from djgraph.losses.keys import apart, keys
from djgraph.losses.levels import decibels, holes, jumps, short_term
from djgraph.losses.overlaps import pairs, pairs_of
from djgraph.losses.windows import HOPS, bark_centres, hertz_of, hop_of, moving_mean, odd

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Course:
    """Measures over time; ``[windows]`` each unless said otherwise, float64. docs/reports.md has the formulas.

    tracks: the inputs. couples: every two of them, by number. seconds: the middle of each window. length: of the mix.
    rate: its sample rate. level: dB of full scale of each track as BS.1770 weights it, ``[tracks, windows]``;
    bass_level and vocal_level: of its bass and its vocals. bass, vocals, clash: ``[couples, windows]``, 0…1; vocals is
    None where fewer than two tracks have such a stem. keys: how likely each of 24 keys is, ``[tracks, 24, windows]``.
    audible: ``[tracks, windows]``, 0…1. cancelled: 0…1; lost: dB that the bands, ``[bands, windows]``, are weaker than
    their parts; share: of each band in the power. loudness: short-term, LUFS; hole, jump: LU. peak: true peak, dB of
    full scale. residual: power of what the parts do not add up to, as a share of the mix's.
    """

    tracks: tuple[str, ...]
    couples: tuple[tuple[int, int], ...]
    length: float
    rate: int
    seconds: Array
    level: Array
    bass_level: Array
    vocal_level: Array
    bass: Array
    vocals: Array | None
    clash: Array
    keys: Array
    audible: Array
    cancelled: Array
    lost: Array
    share: Array
    loudness: Array
    hole: Array
    jump: Array
    peak: Array
    residual: float

    @classmethod
    def of(
        cls,
        heard: Tensor,
        peaks: Tensor,
        tracks: tuple[str, ...],
        with_bass: tuple[bool, ...],
        with_vocals: tuple[bool, ...],
        rate: int,
        samples: int,
        residual: float,
    ) -> Course:
        """heard: powers ``[kept, windows]``: of each track its bass, its vocals, its twelve pitch classes, all of it as
        BS.1770 weights it, and its bands of a Bark; the bands of the tracks' sum; and the mix. peaks: ``[windows]``,
        amplitudes. with_bass, with_vocals: which tracks have such parts."""
        count, bands = len(tracks), len(bark_centres(float(rate)))
        sizes = [count, count, 12 * count, count, bands * count, bands, 1]
        bass, vocals, chroma, weighted, barks, whole, mix = heard.double().split(sizes)
        chroma = chroma.unflatten(0, (count, 12))[None]
        barks = barks.unflatten(0, (count, bands))[None]
        first, second = pairs_of(count)
        likely = keys(chroma)
        expected, came = (moving_mean(x, odd(GATHERED)) for x in (barks.sum(1)[0], whole))
        loudness = short_term(mix)[0]
        missing = holes(loudness)
        hop = hop_of(float(rate))

        def plain(values: Tensor) -> Array:
            return np.asarray(values.cpu().numpy(), np.float64)

        return cls(
            tracks=tracks,
            couples=tuple(zip(first, second)),
            length=samples / rate,
            rate=rate,
            seconds=(np.arange(heard.shape[-1]) + HOPS / 2) * hop / rate,
            level=plain(decibels(weighted)),
            bass_level=plain(decibels(bass)),
            vocal_level=plain(decibels(vocals)),
            bass=plain(pairs(bass[None])[0]),
            vocals=plain(pairs(vocals[None])[0]) if sum(with_vocals) > 1 else None,
            clash=plain((pairs(chroma.sum(2)) * apart(likely))[0]),
            keys=plain(likely[0]),
            audible=plain(audibility(barks)[0]),
            cancelled=plain(cancelled(barks, whole[None])[0]),
            lost=plain(decibels(expected) - decibels(came)),
            share=plain(expected / expected.sum(0).clamp(min=1e-12)),
            loudness=plain(loudness),
            hole=plain(missing),
            jump=plain(jumps(loudness + missing)),
            peak=plain(decibels(peaks.double().square())),
            residual=residual,
        )

    @property
    def hop(self) -> float:
        """Seconds from window to window."""
        return hop_of(float(self.rate)) / self.rate

    def band(self, number: int) -> tuple[float, float]:
        """The edges of a band in Hz."""
        centre = bark_centres(float(self.rate))[number]
        return max(20.0, hertz_of(centre - 0.5)), hertz_of(centre + 0.5)

    def windows(self, begin: float, end: float) -> slice:
        """The windows whose middles lie between two seconds."""
        return slice(*(int(i) for i in np.searchsorted(self.seconds, (begin, end))))

    def couple_names(self) -> Iterator[tuple[int, str, str]]:
        for number, (i, j) in enumerate(self.couples):
            yield number, self.tracks[i], self.tracks[j]
