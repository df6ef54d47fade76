"""A feedback delay network: the kernel of artificial rooms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from djgraph import simd
from djgraph.dsp.checked import check_signal, checked_rate, checked_state
from djgraph.dsp.delays import as_curve, curves_in_memory
from djgraph.dsp.derivatives import Operation
from djgraph.dsp.frames import Curve
from djgraph.dsp.operators import operator, run
from djgraph.dsp.recursion import rows
from djgraph.dsp.resident import numbers_like
from djgraph.dsp.scan import scan_one
from djgraph.errors import DJGraphError

if TYPE_CHECKING:
    from djgraph.simd.fdn import Network

NEPERS = math.log(10) / 20
"""Of a decibel."""


def fdn(
    audio: Tensor,
    low: Curve,
    high: Curve,
    past: Tensor,
    filters: Tensor | None = None,
    *,
    delays: Sequence[int],
    corner: float,
    sample_rate: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """A feedback delay network (J.-M. Jot and A. Chaigne, "Digital delay networks for designing artificial
    reverberators", AES 90, 1991): lines of whole lengths whose ends come back to all of them.

    y_k[n] = F_k(v_k[n − D_k]), v_k[n] = x_k[n] + Σ_j H_kj·y_j[n]. H is Hadamard's matrix over √lines: orthogonal, each
    line to all others alike. F_k is a shelf of first order with a gain of −D_k·low decibels per second at 0 Hz,
    −D_k·high at half the sample rate, and the mean of both, in decibels, at the corner: so all lines decay alike at
    every one of the three, and sound dies away by 60 dB in 60/low seconds at low frequencies, 60/high at high ones.
    Where low and high rest at 0 or more the network is stable, and at 0 and 0 it is lossless.

    audio: ``[…, lines, samples]``, what enters each line. The number of lines is a power of two. low, high: in decibels
    per second, at least 0: numbers, tensors of shape ``[…, 1]`` or ``[…, samples]`` that broadcast to the audio without
    its lines, or :class:`Frames`. past: of v, ``[…, lines, max(delays)]``. filters: ``[…, lines]``, float64; None is
    rest. delays: in samples, at least 1, one for each line; mutually prime ones keep echoes of different lines apart.
    corner: in Hz, below half the sample rate.

    Returns y, ``[…, lines, samples]``, and past and filters of the next block. Differentiable in all tensors. On a CPU
    with Numba compiled code runs items on threads; elsewhere PyTorch's operations in stretches of the shortest delay.
    DJGraphError where shapes, types or devices do not fit.
    """
    check_signal("fdn", "audio", audio)
    lines = len(delays)
    if audio.ndim < 2 or audio.shape[-2] != lines or lines < 1 or lines & (lines - 1):
        raise DJGraphError(
            f"fdn: audio has to be [..., lines, samples] with as many lines as there are delays, a power of two; "
            f"not {list(audio.shape)} and {lines} delays"
        )
    if min(delays) < 1:
        raise DJGraphError(f"fdn: delays have to be at least 1 sample, not {min(delays)}")
    if not 0 < corner < checked_rate(sample_rate) / 2:
        raise DJGraphError(
            f"fdn: corner has to lie between 0 and half the sample rate ({sample_rate / 2:g} Hz), not at {corner} Hz"
        )
    past = checked_state("fdn", past, audio, max(delays), name="past")
    filters = checked_state("fdn", filters, audio, dtype=torch.float64, name="filters")
    scale = NEPERS / sample_rate
    curves = [
        as_curve("fdn", what, curve, audio[..., 0, :]) * scale
        for what, curve in (("low", low), ("high", high))
    ]
    given = (audio, past, filters, *curves)
    turn = math.tan(math.pi * corner / sample_rate)
    wet, after, last = run(_Network(tuple(delays), turn), given, _operator, delays, turn)
    return wet, after, last


class _Network(Operation):
    """``(audio, past, filters, low, high)`` → ``(wet, past, filters)``."""

    def __init__(self, delays: tuple[int, ...], corner: float) -> None:
        self.delays, self.corner = delays, corner

    def forward(self, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        if not all(map(simd.takes, tensors)):
            return self.plainly(tensors)
        line, wet, states, _ = self._run(tensors)
        return wet, line[..., wet.shape[-1] :].clone(), states[..., -1].clone()

    def _run(self, tensors: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor, list[Tensor]]:
        """The lines, the wet signals, the filters' states between stretches, and the curves in memory."""
        from djgraph.simd.fdn import Signals, run_forward

        audio, past, filters, *curves = (tensor.detach().contiguous() for tensor in tensors)
        network = self._network()
        line, wet = torch.cat((past, audio), dim=-1), torch.empty_like(audio)
        stretches = -(-audio.shape[-1] // network.stretch)
        states = filters[..., None].repeat(*(1,) * filters.ndim, stretches + 1)
        signals = Signals(rows(line), rows(wet), rows(states))
        run_forward(rows(audio), curves_in_memory(curves, audio.shape[:-2]), signals, network)
        return line, wet, states, curves

    def _network(self) -> Network:
        import numpy as np

        from djgraph.simd.fdn import STRETCH, Network

        return Network(np.array(self.delays, np.int64), self.corner, min(*self.delays, STRETCH))

    def backward(
        self,
        tensors: Sequence[Tensor],
        kept: Sequence[Tensor],
        gradients: Sequence[Tensor],
        needed: Sequence[bool],
    ) -> tuple[Tensor | None, ...]:
        if not all(map(simd.takes, tensors)):
            return self.plain_gradients(tensors, gradients, needed)
        from djgraph.simd.fdn import Gradients, Signals, run_backward

        line, wet, states, curves = self._run(tensors)  # once more: nothing is kept but the arguments
        lead, room, samples = wet.shape[:-2], tensors[1].shape[-1], wet.shape[-1]
        of_line = states.new_zeros(line.shape)
        of_line[..., samples:] = gradients[1]
        of_filters = gradients[2].clone(memory_format=torch.contiguous_format)
        of_curves = states.new_empty(2, *lead, samples)
        run_backward(
            curves_in_memory(curves, lead),
            Signals(rows(line), rows(wet), rows(states)),
            Gradients(
                rows(gradients[0].double().contiguous()),
                rows(of_line),
                of_filters.view(-1).numpy(),
                of_curves.view(2, lead.numel(), samples).numpy(),
            ),
            self._network(),
        )
        return (
            of_line[..., room:].to(wet.dtype),
            of_line[..., :room].to(wet.dtype),
            of_filters,
            *(
                one.sum_to_size(curve.shape) if need else None
                for one, curve, need in zip(of_curves, curves, needed[3:])
            ),
        )

    def plainly(self, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        audio, past, filters, *curves = tensors
        room, samples = past.shape[-1], audio.shape[-1]
        low, high = (curve.expand(*curve.shape[:-1], samples)[..., None, :] for curve in curves)
        delay = numbers_like(self.delays, low)[:, None]
        wet = []
        # Tensors without data are for counting: in one stretch, which has as many operations on each sample.
        stretch = max(samples, 1) if audio.is_meta else min(self.delays)
        for start in range(0, samples, stretch):
            x = audio[..., start : start + stretch]
            gain, q, c, h, p = self._shelf(
                delay, low[..., start : start + stretch], high[..., start : start + stretch]
            )
            count = x.shape[-1]
            read = [
                past[..., k, room - d : room - d + count] if count <= d else x[..., k, :]
                for k, d in enumerate(self.delays)
            ]
            u = torch.stack(read, dim=-2).to(filters.dtype)
            states = scan_one((-q).expand_as(u), c * u, filters)
            y = gain * (h * states[..., :-1] + p * u)
            filters = states[..., -1]
            wet.append(y.to(x.dtype))
            past = torch.cat((past[..., count:], x + hadamard(y).to(x.dtype)), dim=-1)[..., -room:]
        return torch.cat(wet, dim=-1) if wet else audio.clone(), past, filters

    def _shelf(self, delay: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, ...]:
        """The filters' coefficients, as :mod:`djgraph.simd.fdn` defines them."""
        gain, r = torch.exp(-delay * low), torch.exp(-delay * (high - low))
        a = self.corner * r.sqrt()
        q, c = (a - 1) / (1 + a), 2 * a.sqrt() / (1 + a)
        return gain, q, c, (1 - r) * c / 2, ((1 + r) + (1 - r) * q) / 2


def hadamard(signals: Tensor) -> Tensor:
    """Hadamard's matrix over √lines, orthogonal and symmetric, on ``[…, lines, samples]``."""
    lines, mixed = signals.shape[-2], signals
    half = 1
    while half < lines:
        pairs = mixed.unflatten(-2, (lines // (2 * half), 2, half))
        a, b = pairs[..., 0, :, :], pairs[..., 1, :, :]
        mixed = torch.stack((a + b, a - b), dim=-3).flatten(-4, -2)
        half *= 2
    return mixed / math.sqrt(lines)


_operator = operator(
    "fdn",
    lambda tensors, numbers: (_Network(tuple(numbers), float(tensors[-1])), tensors[:-1]),
    lambda tensors, numbers: [torch.empty_like(tensor) for tensor in tensors[:3]],
    flops=(20, 55),  # with eight lines
)
