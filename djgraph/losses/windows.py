"""What transitions are measured by: the powers of a signal in windows of 400 ms, in bands of several kinds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from djgraph.arguments import real
from djgraph.dsp.true_peak import true_peak
from djgraph.errors import InputError
from djgraph.losses.comparison import spread
from djgraph.losses.lufs import MOST, response
from djgraph.losses.precision import as_it_is
from djgraph.speakers import loudness_weights

HOP = 0.1
"""Seconds from window to window."""
HOPS = 4
"""Hops that a window is long: 400 ms, as the blocks of ITU-R BS.1770-5."""
LOWEST_RATE = 4000.0
"""Hz."""
LOW = (20.0, 120.0, 180.0)
"""Hz: the low band begins at the first, is whole until the second, and gone at the third: half at 150 Hz."""
TONES = (130.0, 4200.0)
"""Hz between which pitch classes are told: C3, below which semitones are narrower than the window can part, to C8."""
BARKS = 24
"""Bands one Bark wide, or fewer where the sample rate ends before."""


class Columns:
    """Which columns of :func:`powers` hold what; at one sample rate."""

    low = 0
    weighted = 1

    def __init__(self, sample_rate: float) -> None:
        self.barks = slice(2, 2 + len(bark_centres(sample_rate)))
        self.chroma = slice(self.barks.stop, self.barks.stop + 12)
        self.count = self.chroma.stop


def hop_of(sample_rate: float) -> int:
    """Samples from window to window."""
    return round(HOP * sample_rate)


def window_count(samples: int, sample_rate: float) -> int:
    """Whole windows in a clip."""
    return max(0, samples // hop_of(sample_rate) - HOPS + 1)


def powers(audio: Tensor, sample_rate: float) -> Tensor:
    """Powers ``[batch, columns, windows]`` of ``[batch, channels, samples]``, channels added up.

    A window is a Hann window of four hops of 100 ms, scaled so that powers are mean squares: a sine of full scale has
    1/2. Only whole windows count; window n begins at hop n. Columns (:class:`Columns`): the low band (:data:`LOW`); all
    of it through the weighting of ITU-R BS.1770-5, channels weighted likewise; bands of one Bark (H. Traunmüller, JASA
    88, 1990), triangles that add up to one; and the twelve pitch classes from C on (:data:`TONES`, tuned to 440 Hz), of
    which a frequency f between two goes to both, times 440 Hz/f, so that all octaves of pink noise count alike.
    """
    hop = hop_of(sample_rate)
    filters, window = (x.to(audio.device, audio.dtype) for x in _filters(float(sample_rate)))
    cut = (
        audio.unfold(-1, HOPS * hop, hop)
        if audio.shape[-1] >= HOPS * hop
        else audio.new_zeros(*audio.shape[:-1], 0, HOPS * hop)
    )
    spectrum = torch.fft.rfft(cut * window)
    power = spectrum.real.square() + spectrum.imag.square()  # [batch, channels, windows, bins]
    with as_it_is(audio):
        banded = power @ filters  # [batch, channels, windows, columns]
    weights = banded.new_ones(audio.shape[1], filters.shape[1])
    weights[:, Columns.weighted] = weights.new_tensor(loudness_weights(audio.shape[1]))
    return (banded * weights[:, None]).sum(1).mT


def peaks(audio: Tensor, sample_rate: float) -> Tensor:
    """The largest magnitude in every window, ``[batch, windows]``: of the samples, and between them after ITU-R
    BS.1770-5, annex 2, whose filter is six samples late."""
    with as_it_is(audio):
        between, _ = true_peak(audio)
    return window_peaks(torch.maximum(audio.abs(), between).amax(1), sample_rate)


def window_peaks(highest: Tensor, sample_rate: float) -> Tensor:
    """The largest of ``[batch, samples]`` in every window, ``[batch, windows]``."""
    hop = hop_of(sample_rate)
    if not (count := window_count(highest.shape[-1], sample_rate)):
        return highest.new_zeros(len(highest), 0)
    of_hops = highest[:, : (count + HOPS - 1) * hop].unflatten(-1, (-1, hop)).amax(-1)
    return of_hops.unfold(-1, HOPS, 1).amax(-1)


def tracks_of(tracks: Sequence[Tensor], sample_rate: float, least: int = 2) -> Tensor:
    """What tracks add to a mix, ``[batch, channels, samples]`` each and alike: ``[batch, tracks, channels, samples]``.

    Raises InputError for other shapes, too few tracks, and clips shorter than one window.
    """
    real(sample_rate, "sample_rate", LOWEST_RATE)
    if isinstance(tracks, Tensor) or not isinstance(tracks, Sequence) or len(tracks) < least:
        came = f"{list(tracks.shape)}" if isinstance(tracks, Tensor) else f"{len(list(tracks))}"
        raise InputError(
            f"expected a list of {least} or more tracks, [batch, channels, samples] each, got {came}"
        )
    wide = [spread(audio, f"track {number}") for number, audio in enumerate(tracks)]
    if len({audio.shape for audio in wide}) > 1:
        raise InputError("the tracks are not alike: " + ", ".join(str(list(audio.shape)) for audio in wide))
    return check_clip(torch.stack(wide, 1), sample_rate)


def mix_of(mix: Tensor, sample_rate: float) -> Tensor:
    """A mix as ``[batch, channels, samples]``. Raises InputError as :func:`tracks_of`."""
    real(sample_rate, "sample_rate", LOWEST_RATE)
    return check_clip(spread(mix, "mix"), sample_rate)


def check_clip(audio: Tensor, sample_rate: float) -> Tensor:
    if not 1 <= audio.shape[-2] <= MOST:
        raise InputError(f"expected 1 to {MOST} channels, got {audio.shape[-2]}")
    if not window_count(audio.shape[-1], sample_rate):
        raise InputError(
            f"{audio.shape[-1] / sample_rate:.3g} s are too short to be measured; expected {HOP * HOPS:g} s or more"
        )
    return audio


def track_powers(tracks: Tensor, sample_rate: float) -> Tensor:
    """``[batch, tracks, channels, samples]`` → ``[batch, tracks, columns, windows]``."""
    return powers(tracks.flatten(0, 1), sample_rate).unflatten(0, tracks.shape[:2])


def reduced(values: Tensor, reduction: str) -> Tensor:
    """``[batch]`` as it is, or its mean."""
    if reduction not in ("mean", "none"):
        raise InputError(f"reduction is {reduction!r}; allowed: mean, none")
    return values.mean() if reduction == "mean" else values


def moving_mean(values: Tensor, width: int) -> Tensor:
    """Means over ``width`` windows around each of ``[…, windows]``, an odd number; fewer at the ends."""
    flat = values.reshape(-1, 1, values.shape[-1])
    mean = torch.nn.functional.avg_pool1d(flat, width, 1, width // 2, count_include_pad=False)
    return mean.view(values.shape)


def moving_max(values: Tensor, width: int) -> Tensor:
    """The largest of ``width`` windows around each of ``[…, windows]``, an odd number; fewer at the ends."""
    flat = values.reshape(-1, 1, values.shape[-1])
    return torch.nn.functional.max_pool1d(flat, width, 1, width // 2).view(values.shape)


def odd(seconds: float) -> int:
    """Windows that cover so many seconds, an odd number."""
    return 2 * max(0, round((seconds / HOP - HOPS) / 2)) + 1


def power_of(db: float) -> float:
    """Decibels as a power."""
    return float(10 ** (db / 10))


def bark(hertz: Tensor) -> Tensor:
    """Critical-band rate in Bark (H. Traunmüller, JASA 88, 1990, eq. 6)."""
    return 26.81 * hertz / (1960 + hertz) - 0.53


@lru_cache(maxsize=8)
def bark_centres(sample_rate: float) -> tuple[float, ...]:
    """Of the bands, in Bark: 0.5, 1.5, …, below half the sample rate."""
    highest = float(bark(torch.tensor(sample_rate / 2, dtype=torch.float64, device="cpu")))
    return tuple(0.5 + band for band in range(BARKS) if 0.5 + band < highest)


def hertz_of(barks: float) -> float:
    """The frequency of a critical-band rate: the inverse of :func:`bark`."""
    return 1960 * (barks + 0.53) / (26.28 - barks)


@lru_cache(maxsize=8)
@torch.inference_mode(False)
def _filters(rate: float) -> tuple[Tensor, Tensor]:
    """Weights of bins ``[bins, columns]``, one-sided and scaled; and the window. float64, CPU."""
    size = HOPS * hop_of(rate)
    window = torch.hann_window(size, dtype=torch.float64, device="cpu")
    hertz = torch.arange(size // 2 + 1, dtype=torch.float64, device="cpu") * (rate / size)
    columns = Columns(rate)
    filters = torch.zeros(len(hertz), columns.count, dtype=torch.float64, device="cpu")
    begin, whole, end = LOW
    fall = ((hertz - whole) / (end - whole)).clamp(0, 1)
    filters[:, columns.low] = (hertz >= begin) * (0.5 + 0.5 * torch.cos(math.pi * fall))
    filters[:, columns.weighted] = response(size, rate).abs().square()
    centres = bark_centres(rate)
    place = (bark(hertz) - centres[0]).clamp(0, len(centres) - 1)
    for band in range(len(centres)):
        filters[:, columns.barks.start + band] = (1 - (place - band).abs()).clamp(min=0) * (hertz >= begin)
    pitch = 12 * torch.log2(hertz.clamp(min=1) / 440) + 69
    heard = (hertz >= TONES[0]) & (hertz <= TONES[1])
    share = pitch - pitch.floor()
    rows = torch.arange(len(hertz), device="cpu")
    lower = columns.chroma.start + pitch.floor().long() % 12
    upper = columns.chroma.start + (pitch.floor().long() + 1) % 12
    level = torch.where(heard, 440 / hertz.clamp(min=1), 0.0)
    filters[rows, lower] += level * (1 - share)
    filters[rows, upper] += level * share
    sides = torch.full_like(hertz, 2.0)
    sides[0] = 1
    if size % 2 == 0:
        sides[-1] = 1
    return filters * (sides / (size * window.square().sum()))[:, None], window
