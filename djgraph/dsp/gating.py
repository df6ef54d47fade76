"""A noise gate from what is heard to gain in one recursion."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from djgraph.dsp.checked import checked_rate
from djgraph.dsp.follower import branching, share_of
from djgraph.dsp.frames import Curve
from djgraph.dsp.hysteresis import hysteresis as switched
from djgraph.dsp.levels import decibels
from djgraph.dsp.recursion import Recursion, register
from djgraph.dsp.scan import scan_one
from djgraph.errors import DJGraphError

MOST = 2**23
"""Samples that a hold can count: single precision has all whole numbers up to there."""


def gate(
    audio: Tensor,
    heard: Curve,
    threshold: Curve,
    hysteresis: Curve,
    attack: Curve,
    hold: Curve,
    release: Curve,
    range: Curve,
    state: Tensor | None = None,
    *,
    window: float,
    softness: float = 3.0,
    sample_rate: float,
) -> tuple[Tensor, Tensor]:
    """Turn a signal down while what is heard is quieter than a threshold.

    - level: the peak of abs(heard), which falls with the time constant ``window``; in dB, at least −120;
    - switch: 1 from where level > threshold on, 0 from where level < threshold − hysteresis on, between as it was;
    - held: 1 while the switch is 1 and for ``hold`` after it;
    - open[n]: held, smoothed as :func:`follow` does, with the attack where held is 1, else the release;
    - out = audio·10^(−range·(1 − open)/20).

    audio: ``[…, samples]``, any number of samples from 0 up. heard: a number, ``[…, 1]``, ``[…, samples]`` that
    broadcasts to the audio, or :class:`Frames`; so are all controls. threshold: in dB. hysteresis, range: in dB, from 0
    up. attack, release: time constants in ms, from 0 up. hold: in ms, from 0 up to 2²³ samples. state: ``[…, 4]``; None
    is shut since ever. window: in ms, from 0 up. softness: in dB, above 0. sample_rate: in Hz.

    Returns the signal, and the state that the next block starts from: the level, the switch, 2²³ less the samples since
    the switch was 1 (at least 0), open.

    Gradients: exact in audio, attack, release, range and open. The switch is a step, so there is none to what is heard,
    to the hold and to the other states. Threshold and hysteresis get a *surrogate*, as those of
    :func:`djgraph.dsp.hysteresis`: the slope of ``sigmoid((level − t)/softness)``, t the one of the two thresholds that
    the sample was held against. DJGraphError where shapes, types or devices do not fit.
    """
    if not window >= 0 or not softness > 0:
        raise DJGraphError(
            f"gate: window has to be at least 0 and softness above 0, not {window} and {softness}"
        )
    gated, last = _GATE(
        audio,
        (heard, threshold, hysteresis, attack, hold, release, range),
        state,
        (1000 / checked_rate(sample_rate), sample_rate, window, softness),
    )
    return gated, last


def _plain(curves: Sequence[Tensor], state: Tensor, numbers: Sequence[float]) -> tuple[Tensor, Tensor]:
    audio, heard, threshold, apart, attack, hold, release, depth = curves
    step, rate, window, softness = numbers
    with torch.no_grad():
        times = [heard.new_full((1,), time) for time in (0.0, window)]
        level, last_level = branching((heard.abs().expand_as(audio), *times), state[..., :1], (step,))
    switch, last_switch = switched(
        decibels(level.square()), threshold, threshold - apart, state[..., 1:2], softness=softness
    )
    with torch.no_grad():
        places = torch.arange(1, audio.shape[-1] + 1, dtype=torch.float64, device=audio.device)
        before = state[..., 2:3].double() - MOST  # a place at or before 0
        since = places - torch.where(switch > 0.5, places, before).cummax(-1).values
        left = torch.cat((state[..., 2:3], (MOST - since).clamp(min=0).to(state.dtype)), dim=-1)[..., -1:]
        held = (since <= hold * rate / 1000).to(audio.dtype)
    target = held + (switch - switch.detach())
    # Where it is open to a rounding the comparison of `branching` would be a matter of that rounding.
    share = share_of(torch.where(held > 0, attack, release), step)
    opened = scan_one(1 - share, share * target, state[..., 3])
    last = torch.cat((last_level, last_switch, left, opened[..., -1:]), dim=-1)
    return audio * 10 ** (-depth * (1 - opened[..., 1:]) / 20), last


_GATE = register(
    Recursion(
        "gate",
        "gating.KERNEL",
        ("audio", "heard", "threshold", "hysteresis", "attack", "hold", "release", "range"),
        outputs=1,
        states=4,
        plain=_plain,
        flops=(38, 90),
    )
)
