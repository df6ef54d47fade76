"""State-variable filters in series: an equaliser, or a steep filter, in one pass over the audio."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, cast

import torch
from torch import Tensor

from djgraph.dsp.checked import checked_rate, checked_state
from djgraph.dsp.frames import Curve
from djgraph.dsp.levels import amplitude
from djgraph.dsp.operators import as_operator, operator
from djgraph.dsp.recursion import Recursion, Run
from djgraph.dsp.state_variable import HIGHEST, STEEPEST, integrate, svf_response
from djgraph.errors import DJGraphError


class Section(NamedTuple):
    """One filter of :func:`svf_series`: ``low·LP + band·BP + high·HP``, the parts being those of
    :func:`djgraph.dsp.svf`, of a cutoff whose analogue frequency is ``ratio`` times that of ``cutoff``.

    cutoff: in Hz, 0 and more; above 0.49 of the sample rate it is taken as that, and has no gradient. q: above 0.
    low, band, high: any; all 1 is the signal itself, bit for bit. ratio: above 0; the frequency that it makes is held
    at 0.49 of the sample rate, too. gain: in dB; with a = 10^(gain/40) it multiplies, where ``turns`` is ``bell``, q by
    a and band by a²; ``low_shelf``: ratio by 1/√a, low by a² and band by a; ``high_shelf``: ratio by √a, band by a and
    high by a². With low, band and high 1 these are the filters of the Audio EQ Cookbook. 0 dB changes no bit.
    """

    cutoff: Curve
    q: Curve
    low: Curve
    band: Curve
    high: Curve
    ratio: Curve = 1.0
    gain: Curve = 0.0
    turns: str = "nothing"

    def response(self, frequencies: Tensor, *, sample_rate: float) -> Tensor:
        """:func:`djgraph.dsp.svf_response` while its controls, which are numbers or ``[…, 1]``, rest."""
        cutoff, *controls = (
            torch.as_tensor(cast(Tensor | float, control), device=frequencies.device).to(frequencies)
            for control in self[:7]
        )
        q, low, band, high, ratio, gain = controls
        ratio, q, low, band, high = _turned(self.turns, gain, ratio, q, low, band, high)
        return svf_response(frequencies, cutoff, q, low, band, high, ratio, sample_rate=sample_rate)


def svf_series(
    audio: Tensor,
    sections: Sequence[Section],
    state: Tensor | None = None,
    *,
    mix: Curve | None = None,
    sample_rate: float,
) -> tuple[Tensor, Tensor]:
    """State-variable filters one behind the other, which may move at every sample: ``x + mix·(y − x)``.

    It is :func:`djgraph.dsp.svf` once for each section. On a CPU all sections run on 256 samples before the next are
    read, and what depends on controls that rest is computed once.

    audio: ``[…, samples]``, any number of samples from 0 up. sections: at least one. Their controls, and mix: numbers,
    tensors of shape ``[…, 1]`` or ``[…, samples]`` that broadcast to the audio, or :class:`Frames`. mix: 0 is the
    signal, bit for bit, 1 the filters only; None is 1. state: ``[…, sections, 2]``; None is rest. sample_rate: in Hz.

    Returns the filtered audio, and the state that the next block starts from. Differentiable in all tensors.
    DJGraphError where shapes, types or devices do not fit, and without a section.
    """
    if not sections:
        raise DJGraphError("svf_series: at least one section is wanted")
    controls = [
        control
        for cutoff, q, low, band, high, ratio, gain, _ in sections
        for control in (cutoff, ratio, q, low, band, high, gain)
    ]
    if unknown := [section.turns for section in sections if section.turns not in TURNS]:
        raise DJGraphError(f"svf_series: turns is {unknown[0]!r}; allowed: {', '.join(TURNS)}")
    controls += [] if mix is None else [mix]
    recursion = _recursion(len(controls))
    values, hops = recursion.values(audio, controls)
    state = checked_state("svf_series", state, audio, len(sections), 2).flatten(-2)
    fixed = (1 / checked_rate(sample_rate), *(float(TURNS.index(section.turns)) for section in sections))
    if as_operator(audio):
        numbers = torch.tensor(fixed, dtype=torch.float64, device="cpu")
        filtered, last = _operator([*values, state, numbers], list(hops))
    else:
        filtered, last = Run(recursion, hops, fixed)(*values, state)
    return filtered, last.unflatten(-1, (-1, 2))


TURNS = ("nothing", "bell", "low_shelf", "high_shelf")
"""What a section's gain does."""
_CONTROLS = 7
_NAMES = ("cutoff", "ratio", "q", "low", "band", "high", "gain")
FLOPS, MIX_FLOPS = (42, 130), (3, 5)
"""Of compiled code for each sample, forward and backward: of a section that moves and has no gain, and of the mix."""


@lru_cache(maxsize=64)
def _recursion(controls: int) -> Recursion:
    """Of so many controls: seven for each section, and a mix."""
    sections, mixed = divmod(controls, _CONTROLS)
    names = [f"{name} of section {number}" for number in range(sections) for name in _NAMES]
    return Recursion(
        "svf_series",
        "svf_series.KERNEL",
        ("audio", *names, *["mix"] * mixed),
        outputs=1,
        states=2 * sections,
        plain=_plain,
        flops=(sections * FLOPS[0] + mixed * MIX_FLOPS[0], sections * FLOPS[1] + mixed * MIX_FLOPS[1]),
    )


def _turned(
    turns: str, gain: Tensor, ratio: Tensor, q: Tensor, low: Tensor, band: Tensor, high: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """What the gain makes of ratio, q, low, band and high."""
    square = amplitude(gain)
    a = square.sqrt()
    if turns == "bell":
        return ratio, q * a, low, band * square, high
    if turns == "low_shelf":
        return ratio * a.rsqrt(), q, low * square, band * a, high
    if turns == "high_shelf":
        return ratio * a.sqrt(), q, low, band * a, high * square
    return ratio, q, low, band, high


def _plain(curves: Sequence[Tensor], state: Tensor, numbers: Sequence[float]) -> tuple[Tensor, Tensor]:
    audio, *controls = curves
    filtered, after = audio, []
    sections, mixed = divmod(len(controls), _CONTROLS)
    for section in range(sections):
        cutoff, ratio, q, low, band, high, gain = controls[section * _CONTROLS :][:_CONTROLS]
        ratio, q, low, band, high = _turned(TURNS[int(numbers[1 + section])], gain, ratio, q, low, band, high)
        tangent = torch.tan(math.pi * (cutoff * numbers[0]).clamp(0, HIGHEST))
        g = (tangent * ratio).clamp(max=STEEPEST)
        v1, v2, last = integrate(filtered, g, 1 / q, state[..., 2 * section : 2 * section + 2])
        filtered = high * filtered + (band - high) * (v1 / q) + (low - high) * v2
        after.append(last)
    if mixed:
        filtered = audio + controls[-1] * (filtered - audio)
    return filtered, torch.cat(after, dim=-1)


_operator = operator(
    "svf_series",
    lambda tensors, numbers: (
        Run(_recursion(len(tensors) - 3), tuple(numbers), tuple(tensors[-1].tolist())),
        tensors[:-1],
    ),
    lambda tensors, numbers: [
        torch.empty_like(tensors[0], memory_format=torch.contiguous_format),
        torch.empty_like(tensors[-2]),
    ],
    lambda tensors: _recursion(len(tensors) - 3).flops,
)
