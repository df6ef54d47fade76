"""A compressor from level to gain in one recursion."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from djgraph.dsp.checked import checked_rate
from djgraph.dsp.follower import branching
from djgraph.dsp.frames import Curve
from djgraph.dsp.levels import bend, decibels
from djgraph.dsp.recursion import Recursion, register


def compress(
    audio: Tensor,
    power: Curve,
    threshold: Curve,
    ratio: Curve,
    knee: Curve,
    attack: Curve,
    release: Curve,
    makeup: Curve = 0.0,
    mix: Curve = 1.0,
    state: Tensor | None = None,
    *,
    sample_rate: float,
) -> tuple[Tensor, Tensor]:
    """Turn a signal down by what a power is above a threshold.

    The feed-forward compressor of Giannoulis, Massberg and Reiss, "Digital Dynamic Range Compressor Design", J. Audio
    Eng. Soc. 60 (6), 2012, with the smoothing in dB and in front of the ratio:

    - level L = 10·log₁₀(power), at least −120 dB; x = L − threshold, bent to 0 by a quadratic knee (their eq. 4);
    - e[n]: x smoothed as the branching :func:`follow` does;
    - out = (1 − mix)·audio + mix·audio·10^((makeup − e·(1 − 1/ratio))/20).

    audio: ``[…, samples]``, any number of samples from 0 up. power: what is measured, as a number, ``[…, 1]``,
    ``[…, samples]`` that broadcasts to the audio, or :class:`Frames`; so are all controls. threshold, knee, makeup: in
    dB, knee from 0 up. ratio: from 1 (none) up. attack, release: time constants in ms, from 0 up. mix: 0 to 1.
    state: e of the sample before, ``[…, 1]``; None is 0. sample_rate: in Hz.

    Returns the signal, and the state that the next block starts from. Differentiable in all tensors. DJGraphError
    where shapes, types or devices do not fit.
    """
    controls = (power, threshold, ratio, knee, attack, release, makeup, mix)
    compressed, last = _COMPRESS(audio, controls, state, (1000 / checked_rate(sample_rate),))
    return compressed, last


def _plain(curves: Sequence[Tensor], state: Tensor, numbers: Sequence[float]) -> tuple[Tensor, Tensor]:
    audio, power, threshold, ratio, knee, attack, release, makeup, mix = curves
    over = bend(decibels(power) - threshold, knee).expand_as(audio)
    excess, last = branching((over, attack, release), state, numbers)
    # The ratio comes behind the smoothing: for a steady ratio that is the same, and at 1, where nothing is turned
    # down, attack and release still know which way they go, so that the gradient is right there.
    gain = 10 ** ((makeup - excess * (1 - 1 / ratio)) / 20)
    return torch.lerp(audio, audio * gain, mix.expand_as(audio)), last


_COMPRESS = register(
    Recursion(
        "compress",
        "compressor.KERNEL",
        ("audio", "power", "threshold", "ratio", "knee", "attack", "release", "makeup", "mix"),
        outputs=1,
        states=1,
        plain=_plain,
        flops=(41, 105),
    )
)
