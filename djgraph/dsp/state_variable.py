"""The state-variable filter that stays itself while its controls move."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from djgraph.dsp.checked import checked_rate
from djgraph.dsp.frames import Curve
from djgraph.dsp.recursion import Recursion, register
from djgraph.dsp.scan import scan

HIGHEST = 0.49
"""The highest cutoff in cycles per sample."""
STEEPEST = math.tan(math.pi * HIGHEST)
"""The tangent of half its angle, the largest g."""


def svf(
    audio: Tensor,
    cutoff: Curve,
    q: Curve,
    low: Curve,
    band: Curve,
    high: Curve,
    state: Tensor | None = None,
    *,
    sample_rate: float,
) -> tuple[Tensor, Tensor]:
    """A filter of second order as a mix of its lowpass, bandpass and highpass: ``low·LP + band·BP + high·HP``.

    Topology-preserving transform (V. Zavalishin, "The Art of VA Filter Design", ch. 4; A. Simper, "Linear trapezoidal
    integrated SVF", 2013) of, with s in units of the cutoff, LP = 1/N, BP = (s/q)/N, HP = s²/N, N = s² + s/q + 1.
    All three have gain 1 in their middle, and LP + BP + HP = 1. So (low, band, high) = (1, 1, 1) leaves the
    signal as it is, (1, 0, 1) is a notch, (1, −1, 1) an all-pass, and (1, a, 1) a bell of gain a at the cutoff. Its
    states are those of the analogue integrators: controls may move at every sample, and it stays bounded.

    audio: ``[…, samples]``, any number of samples from 0 up. Controls: numbers, tensors of shape ``[…, 1]`` or
    ``[…, samples]`` that broadcast to the audio, or :class:`Frames`. cutoff: in Hz, 0 and more; above 0.49 of the
    sample rate it is taken as that, and has no gradient. q: above 0; √½ is Butterworth's. low, band, high: any.
    state: of the two integrators, ``[…, 2]``; None is rest. sample_rate: in Hz.

    Returns the filtered audio, and the state that the next block starts from. Differentiable in all tensors.
    DJGraphError where shapes, types or devices do not fit.
    """
    filtered, last = _SVF(audio, (cutoff, q, low, band, high), state, (1 / checked_rate(sample_rate),))
    return filtered, last


def svf_response(
    frequencies: Tensor,
    cutoff: Tensor | float,
    q: Tensor | float,
    low: Tensor | float,
    band: Tensor | float,
    high: Tensor | float,
    ratio: Tensor | float = 1.0,
    *,
    sample_rate: float,
) -> Tensor:
    """The frequency response of :func:`svf` while its controls rest, complex, ``[…, bins]``.

    frequencies: ``[bins]`` in Hz, floating point. Controls broadcast: numbers or ``[…, 1]``; cutoff above 0. The
    bilinear transform puts i·tan(π·f)/tan(π·cutoff), in cycles per sample, in the place of s; all is multiplied by
    cos²(π·f), so that half the rate is no pole. ratio: that of a :class:`djgraph.dsp.Section`.
    """
    period = math.pi / checked_rate(sample_rate)
    cutoff, q = (
        torch.as_tensor(value, dtype=frequencies.dtype, device=frequencies.device) for value in (cutoff, q)
    )
    g = (torch.tan((cutoff * period).clamp(max=HIGHEST * math.pi)) * ratio).clamp(max=STEEPEST)
    sine, cosine = torch.sin(frequencies * period), torch.cos(frequencies * period)
    lowpass, bandpass, highpass = (g * cosine).square(), g * sine * cosine / q, -sine.square()
    above = torch.complex(*torch.broadcast_tensors(low * lowpass + high * highpass, band * bandpass))
    return above / torch.complex(lowpass + highpass, bandpass)


def pass_signals(
    audio: Tensor, cutoff: Tensor, k: Tensor, state: Tensor, sample_period: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The integrators' outputs, ``(v1, v2)``, and the last state; k = 1/q. LP = v2, BP = k·v1, HP = x − k·v1 − v2."""
    g = torch.tan(math.pi * (cutoff * sample_period).clamp(0, HIGHEST))
    return integrate(audio, g, k, state)


def integrate(audio: Tensor, g: Tensor, k: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The same, with g, the tangent of half the cutoff's angle."""
    a1 = 1 / (1 + g * (g + k))
    a2, a3 = g * a1, g * g * a1
    shape = (*audio.shape[:-1], 2, audio.shape[-1])
    a1, a2, a3 = (torch.broadcast_to(a, audio.shape) for a in (a1, a2, a3))
    rows = (torch.stack((2 * a1 - 1, -2 * a2), dim=-2), torch.stack((2 * a2, 1 - 2 * a3), dim=-2))
    drive = torch.stack((2 * a2 * audio, 2 * a3 * audio), dim=-2)
    states = scan(torch.stack(rows, dim=-3), drive.expand(shape), state)
    middle = (states[..., 1:] + states[..., :-1]) / 2
    return middle[..., 0, :], middle[..., 1, :], states[..., -1]


def _plain(curves: Sequence[Tensor], state: Tensor, numbers: Sequence[float]) -> tuple[Tensor, Tensor]:
    audio, cutoff, q, low, band, high = curves
    v1, v2, last = pass_signals(audio, cutoff, 1 / q, state, numbers[0])
    bandpass = v1 / q
    return low * v2 + band * bandpass + high * (audio - bandpass - v2), last


_SVF = register(
    Recursion(
        "svf",
        "state_variable.KERNEL",
        ("audio", "cutoff", "q", "low", "band", "high"),
        outputs=1,
        states=2,
        plain=_plain,
        flops=(36, 105),
    )
)
