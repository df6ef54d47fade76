"""What happens to tracks and mixes: UnmixDB's effects, a DJ's, and a recording's. All in NumPy and SciPy.

Nothing here uses djgraph's own effects, so that these cannot un-mix themselves. Signals are ``[channels, samples]``.
"""

from __future__ import annotations

import io

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy import fft, ndimage, signal

Array = NDArray[np.float64]
RATE = 44100


def bass(audio: Array) -> Array:
    """+6 dB below about 100 Hz, then −3 dB: ``bass +6 gain -l -3`` of sox, without what its ``-l`` bends at loud
    samples (half a dB). A shelf of slope 1/2."""
    return low_shelf(audio, 100.0, 6.0, 0.5) * 10 ** (-3 / 20)


def low_shelf(audio: Array, hertz: float, gain: float, slope: float) -> Array:
    """The low shelf of the Audio EQ Cookbook; gain in dB."""
    a, w = 10 ** (gain / 40), 2 * np.pi * hertz / RATE
    alpha = np.sin(w) / 2 * np.sqrt((a + 1 / a) * (1 / slope - 1) + 2)
    root, cos = 2 * np.sqrt(a) * alpha, np.cos(w)
    over = [
        a * (a + 1 - (a - 1) * cos + root),
        2 * a * (a - 1 - (a + 1) * cos),
        a * (a + 1 - (a - 1) * cos - root),
    ]
    under = [a + 1 + (a - 1) * cos + root, -2 * (a - 1 + (a + 1) * cos), a + 1 + (a - 1) * cos - root]
    return np.asarray(signal.lfilter(over, under, audio))


def envelope(audio: Array, attack: float, release: float) -> Array:
    """The peak over channels, followed sample by sample with one pole each way. Times in seconds; ``[samples]``."""
    up, down = 1 - np.exp(-1 / (attack * RATE)), 1 - np.exp(-1 / (release * RATE))
    level, out = 0.0, []
    for peak in np.abs(audio).max(0).tolist():
        level += (peak - level) * (up if peak > level else down)
        out.append(level)
    return np.array(out)


def compressor(audio: Array) -> Array:
    """3 : 1 above −60 dB, as UnmixDB's ``compand 0.3,1 6:-70,-60,-20 -5 -90 0.2`` of sox.

    0.3 s attack, 1 s release, knees of 6 dB, quiet sounds boosted so that 60 dB become 20, −5 dB of gain, full scale
    clipped, heard 0.2 s ahead. The knee is the box average of the broken line, which makes it a parabola.
    """
    ahead = round(0.2 * RATE)
    level = envelope(np.pad(audio, ((0, 0), (0, ahead))), 0.3, 1.0)[ahead:]
    scale = np.arange(-140, 20, 0.05)
    line = np.interp(scale, [-140, -70, -60, 0, 20], [-140, -70, -20, 0, 0])
    bent = ndimage.uniform_filter1d(line, round(6 / 0.05), mode="nearest")
    decibels = 20 * np.log10(level + 1e-7)
    return np.clip(audio * 10 ** ((np.interp(decibels, scale, bent - scale) - 5) / 20), -1, 1)


def master_compressor(audio: Array, threshold: float = -18.0, ratio: float = 4.0) -> Array:
    """A compressor on the whole mix: hard knee, 10 ms attack, 150 ms release, the gain made up by half of what the
    threshold takes at full scale. Threshold in dB."""
    over = np.maximum(20 * np.log10(envelope(audio, 0.01, 0.15) + 1e-7) - threshold, 0)
    return audio * 10 ** ((-over * (1 - 1 / ratio) - threshold * (1 - 1 / ratio) / 2) / 20)


def limiter(audio: Array, drive: float = 6.0, ceiling: float = -1.0) -> Array:
    """A look-ahead limiter on the whole mix: ``drive`` dB up, then held below ``ceiling`` dB; 5 ms ahead, 80 ms
    release."""
    loud, top, ahead = audio * 10 ** (drive / 20), 10 ** (ceiling / 20), round(0.005 * RATE)
    wanted = np.minimum(1, top / (np.abs(loud).max(0) + 1e-12))
    lowest = ndimage.minimum_filter1d(wanted, 2 * ahead + 1)
    back, gain, held = 1 - np.exp(-1 / (0.08 * RATE)), 1.0, []
    for value in lowest.tolist():
        gain = value if value < gain else gain + (value - gain) * back
        held.append(gain)
    return loud * np.minimum(ndimage.uniform_filter1d(np.array(held), ahead), wanted)


def distortion(audio: Array, gain: float = 20.0, colour: float = 20.0) -> Array:
    """``overdrive 20 20`` of sox: a cubic soft clipper driven by 20 dB with an offset, its DC taken out, beside half of
    what came in."""
    driven = np.clip(audio * 10 ** (gain / 20) + colour / 200, -1, 1)
    bent = driven - driven**3 / 3
    return 0.5 * audio + 0.75 * np.asarray(signal.lfilter([1, -1], [1, -0.995], bent))


def three_bands(audio: Array, gains: Array, low: float = 250.0, high: float = 2500.0) -> Array:
    """A gain for each of three bands and sample, ``gains [3, samples]``. Slopes of first order, whose bands add up to
    the signal itself, so that an EQ at rest changes nothing."""
    lows = np.asarray(signal.lfilter(*signal.butter(1, low, fs=RATE), audio))
    highs = np.asarray(signal.lfilter(*signal.butter(1, high, "high", fs=RATE), audio))
    return gains[0] * lows + gains[1] * (audio - lows - highs) + gains[2] * highs


def high_pass(audio: Array, cutoff: Array, resonance: float = 1.0) -> Array:
    """A filter's knob turned: ``cutoff [samples]`` in Hz. A state variable filter of second order (trapezoidal),
    sample by sample. At 20 Hz and below it is out of the way."""
    tangent, damping = np.tan(np.pi * cutoff / RATE), 1 / resonance
    moves = np.flatnonzero(cutoff > 20)
    out = audio.copy()
    if not len(moves):
        return out
    first, last = int(moves[0]), int(moves[-1]) + 1
    for channel, row in enumerate(audio[:, first:last].tolist()):
        one = two = 0.0
        heard = []
        for value, g in zip(row, tangent[first:last].tolist()):
            band = (g * (value - two) + one) / (1 + g * (g + damping))
            low = two + g * band
            one, two = 2 * band - one, 2 * low - two
            heard.append(value - damping * band - low)
        out[channel, first:last] = heard
    return out


def echo(audio: Array, send: Array, delay: int, feedback: float = 0.55, repeats: int = 8) -> Array:
    """Echoes of what is sent, ``send [samples]``, each ``feedback`` times the one before."""
    out, sent = audio.copy(), audio * send
    for repeat in range(1, repeats + 1):
        late = delay * repeat
        if late < audio.shape[1]:
            out[:, late:] += feedback**repeat * sent[:, : audio.shape[1] - late]
    return out


def rerecorded(audio: Array, rng: np.random.RandomState, noise: float = -45.0) -> Array:
    """Played in a room and recorded: a small loudspeaker's band, half a second of room 12 dB below the direct sound,
    and pink noise at ``noise`` dB of the mix's level. Nothing is late: the direct sound comes first."""
    length = round(0.5 * RATE)
    room = rng.standard_normal((len(audio), length)) * np.exp(-np.arange(length) / (0.08 * RATE))
    room *= 10 ** (-12 / 20) / np.sqrt((room**2).sum(1, keepdims=True))
    room[:, : round(0.004 * RATE)] = 0
    room[:, 0] = 1
    wet = np.stack([signal.fftconvolve(row, one)[: len(row)] for row, one in zip(audio, room)])
    band = np.asarray(signal.sosfilt(signal.butter(1, [60, 14000], "band", fs=RATE, output="sos"), wet))
    size = fft.next_fast_len(audio.shape[1], real=True)
    colour = np.asarray(fft.rfft(rng.standard_normal((len(audio), size))))
    colour /= np.sqrt(np.maximum(np.arange(colour.shape[1]), 1))
    hiss = np.asarray(fft.irfft(colour, size))[:, : audio.shape[1]]
    level = np.sqrt((band**2).mean()) * 10 ** (noise / 20)
    return band + hiss * level / np.sqrt((hiss**2).mean())


def mp3(audio: Array, kbits: float = 192.0) -> Array:
    """Through an MP3 of about so many kbit/s (libsndfile's: LAME and mpg123); the decoder takes its delay out.

    The same bytes come out with the same libsndfile only.
    """
    middle = audio[:, audio.shape[1] // 3 :][:, : 10 * RATE]
    sizes = {level: len(_encoded(middle, level)) for level in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)}
    wanted = kbits * 125 * middle.shape[1] / RATE
    level = min(sizes, key=lambda one: abs(sizes[one] - wanted))
    decoded = soundfile.read(io.BytesIO(_encoded(audio, level)), dtype="float64", always_2d=True)[0].T
    out = np.zeros_like(audio)
    out[:, : decoded.shape[1]] = decoded[:, : audio.shape[1]]
    return out


def _encoded(audio: Array, level: float) -> bytes:
    buffer = io.BytesIO()
    samples = audio.T.astype(np.float32)
    soundfile.write(buffer, samples, RATE, format="MP3", subtype="MPEG_LAYER_III", compression_level=level)
    return buffer.getvalue()
