"""Tracks at another rate: resampled as on a turntable, or stretched in time by WSOLA or a phase vocoder.

None of it shares a line with what is judged: :func:`resampled` goes over the FFT and quintic splines, where djgraph
reads by a windowed sinc; the stretchers are the textbook's.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

Array = NDArray[np.float64]

UP = 4
"""Times by which the FFT oversamples before splines interpolate."""
_BLOCK, _MARGIN = 1 << 18, 8192


def resampled(audio: Array, start: float, rate: float, count: int) -> Array:
    """Band-limited values of ``audio [channels, n]`` at the samples ``start + rate·k``, ``[channels, count]``.

    Silence beyond both ends. Above rate 1 what would fold back is taken out. At rate 1 and a whole start it is a copy.
    The error is below −100 dB up to 16 kHz (tests/benchmarks/test_unmix_mixes.py).
    """
    if rate == 1 and start == round(start):
        return _cut(audio, round(start), count)
    out = np.zeros((len(audio), count))
    step = max(1, int(_BLOCK / max(rate, 1)))
    for first in range(0, count, step):
        last = min(count, first + step)
        at = start + rate * np.arange(first, last)
        begin = int(np.floor(at[0])) - _MARGIN
        length = fft.next_fast_len(int(np.ceil(at[-1])) + _MARGIN - begin, real=True)
        ramp = np.sin(np.linspace(0, np.pi / 2, _MARGIN // 2)) ** 2
        taper = np.ones(length)
        taper[: len(ramp)], taper[-len(ramp) :] = ramp, ramp[::-1]
        spectrum = np.asarray(fft.rfft(_cut(audio, begin, length) * taper))
        spectrum *= _lowpass(spectrum.shape[-1], min(1.0, 1 / rate))
        fine = np.asarray(fft.irfft(spectrum, UP * length)) * UP
        for channel, row in enumerate(fine):
            curve = ndimage.spline_filter1d(row, order=5, mode="mirror")
            out[channel, first:last] = ndimage.map_coordinates(
                curve, [(at - begin) * UP], order=5, mode="mirror", prefilter=False
            )
    return out


def wsola(
    audio: Array,
    start: float,
    rate: float,
    count: int,
    sample_rate: int = 44100,
    segment: float = 0.082,
    search: float = 0.0147,
    overlap: float = 0.012,
) -> tuple[Array, float]:
    """``audio [channels, n]`` from sample ``start`` on, played ``rate`` times as fast at its own pitch, and the median
    distance in samples at which segments lie from where a constant rate would put them.

    Verhelst and Roelands 1993: segments are taken near their place, where they continue best what sounds already, and
    are faded into each other. Lengths in seconds, those of sox's ``tempo -m``, which UnmixDB was made with.
    """
    size, reach, fade = (round(length * sample_rate) for length in (segment, search / 2, overlap))
    hop = size - fade
    out = np.zeros((len(audio), count + size))
    rise, away = np.linspace(0, 1, fade), np.abs(np.arange(2 * reach + 1) - reach)
    moved = []
    for first in range(0, count, hop):
        place = round(start + rate * (first + size / 2) - size / 2)
        shift = 0
        if first:
            heard = out[:, first : first + fade].sum(0)
            near = _cut(audio, place - reach, 2 * reach + fade).sum(0)
            power = np.convolve(near**2, np.ones(fade), "valid")
            match = np.correlate(near, heard, "valid") / np.sqrt(power + 1e-9)
            shift = int(np.argmax(match - 1e-6 * away)) - reach  # in silence where it belongs
        moved.append(shift)
        piece = _cut(audio, place + shift, size)
        if first:
            piece[:, :fade] *= rise
            out[:, first : first + fade] *= 1 - rise
        out[:, first : first + size] += piece
    return out[:, :count], float(np.median(np.abs(moved)))


def vocoder(audio: Array, start: float, rate: float, count: int, size: int = 2048) -> Array:
    """The same by the phase vocoder (Flanagan and Golden 1966): phases go on from frame to frame by as much as they do
    in the track in one hop, without any locking, so that attacks are smeared."""
    hop = size // 4
    window = np.hanning(size + 1)[:-1]
    frames = count // hop + 5
    out = np.zeros((len(audio), (frames + 4) * hop + size))
    weight = np.full(out.shape[1], 1e-9)
    phase: Array | None = None
    for frame in range(frames):
        at = (frame - 2) * hop  # of the output, the middle of the frame
        place = round(start + rate * at) - size // 2
        now = np.asarray(fft.rfft(_cut(audio, place, size) * window))
        before = np.asarray(fft.rfft(_cut(audio, place - hop, size) * window))
        phase = np.angle(now) if phase is None else phase + np.angle(now) - np.angle(before)
        piece = np.asarray(fft.irfft(np.abs(now) * np.exp(1j * phase), size)) * window
        out[:, frame * hop : frame * hop + size] += piece
        weight[frame * hop : frame * hop + size] += window**2
    begin = 2 * hop + size // 2
    return (out / weight)[:, begin : begin + count]


def _cut(audio: Array, first: int, count: int) -> Array:
    """A copy of part of it, silence beyond its ends."""
    out = np.zeros((len(audio), count))
    begin, end = max(0, first), min(audio.shape[1], first + count)
    if end > begin:
        out[:, begin - first : end - first] = audio[:, begin:end]
    return out


def _lowpass(bins: int, edge: float) -> Array:
    """1 up to 0.95 of ``edge`` (1: half the sample rate), 0 from there on, half a cosine between."""
    place = np.linspace(0, 1, bins) / edge
    return np.asarray(np.cos(np.pi / 2 * np.clip((place - 0.95) / 0.05, 0, 1)) ** 2)
