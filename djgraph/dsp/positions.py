"""Where in a track a deck reads: positions that are sums of a rate, or lie on a map of straight pieces.

A position is counted in samples of the material, in float64, which tells 3·10⁻⁸ of a sample after an hour. A sum that
goes on for hours would not: each addition rounds. So it is taken in whole numbers, of samples and of 2⁻⁴⁶ of a sample,
which are exact, whatever the order; cuts into blocks change no bit.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from djgraph import simd
from djgraph.dsp.checked import checked_control
from djgraph.dsp.delays import curves_in_memory
from djgraph.dsp.derivatives import Operation
from djgraph.dsp.frames import Curve, Frames, at_samples
from djgraph.dsp.operators import as_operator, operator
from djgraph.dsp.recursion import rows
from djgraph.dsp.resident import numbers_like
from djgraph.errors import DJGraphError
from djgraph.simd.fixed_point import FASTEST, FRACTION_BITS, UNIT

STRETCH = 1 << 16
"""Samples whose fractions are added up before whole samples are taken out: more could leave an int64."""


def positions(
    start: Tensor | float, rate: Curve, samples: int, state: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The position at every sample: ``start`` plus the sum of the rates of all samples before.

    The sum does not drift: rates are taken to 2⁻⁴⁶ of a sample and added as whole numbers, so that blocks of any
    lengths give what one call gives, bit for bit, for hours.

    start: in samples of the material; a number or a tensor ``[…, 1]``; of the first block only. rate: samples of the
    material for each sample of the output, of either sign, held within ±2²⁰ (NaN is 0): a number, a tensor of shape
    ``[…, 1]`` or ``[…, samples]``, or :class:`Frames`. samples: of the block, from 0 up. state: what the block before
    returned, ``[…, 2]``, float64: whole samples, and a fraction. It takes the place of ``start``.

    Returns the positions, ``[…, samples]``, float64, and the state of the next block. Differentiable in start, rate and
    state. DJGraphError for a rate of other size, or a state that is none.
    """
    if samples < 0:
        raise DJGraphError(f"positions: samples has to be 0 or more, not {samples}")
    device = _device(start, rate, state)
    if state is None:
        if isinstance(start, Tensor):
            first = start.to(device, torch.float64)
        else:
            first = torch.full((), start, dtype=torch.float64, device=device)
        first = first if first.ndim else first[None]
        if first.shape[-1] != 1:
            raise DJGraphError(
                f"positions: start has to be a number or [..., 1], not of shape {list(first.shape)}"
            )
        state = torch.cat((first, torch.zeros_like(first)), dim=-1)
    elif state.dtype != torch.float64 or state.ndim < 1 or state.shape[-1] != 2:
        raise DJGraphError(
            f"positions: state has to be torch.float64 of shape [..., 2], not {state.dtype} of shape "
            f"{list(state.shape)}"
        )
    speed = _speed(rate, samples, device)
    try:
        lead = torch.broadcast_shapes(state.shape[:-1], speed.shape[:-1])
    except RuntimeError:
        raise DJGraphError(
            f"positions: rate of shape {list(speed.shape)} does not broadcast to a start or state of shape "
            f"{list(state.shape)}"
        ) from None
    given = (state.expand(*lead, 2).contiguous(), speed)
    if as_operator(given[0]):
        return tuple(_operator(list(given), [samples]))  # type: ignore[return-value]
    position, last = _Positions(samples)(*given)
    return position, last


def warp_positions(
    clip: Tensor, track: Tensor, samples: int, *, first: int = 0, rate: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Positions on a map of straight pieces from clip time to track time, as warp markers make it.

    Marker i says that sample ``clip[i]`` of the clip is sample ``track[i]`` of the track. Without rates the map goes on
    a straight line from marker to marker, and beyond the first and the last one it goes on as it went between the two
    next to it. With rates marker i begins a segment, and its position is ``track[i] + rate[i]·(n − clip[i])`` up to the
    next marker: so there are jumps, and a loop is a few segments that begin at one place. Before the first marker the
    first segment holds.

    clip: ``[…, markers]``, ascending, at least one (without rates two); of equal ones the last counts. track: the same.
    rate: ``[…, markers]``, or None. They are computed in float64 and broadcast. samples: of the block. first: the
    block's first sample, counted on the clip: nothing is carried from block to block, and each is exact to the bit.

    Returns the position and the rate at each sample, ``[…, samples]``, float64, as :func:`djgraph.dsp.read_material`
    takes them. Differentiable in clip, track and rate; not in which segment a sample falls into. DJGraphError where
    shapes do not fit, markers are too few, or are not ascending.
    """
    least = 1 if rate is not None else 2
    given = [clip, track] if rate is None else [clip, track, rate]
    for name, one in zip(("clip", "track", "rate"), given):
        if one.ndim < 1 or one.shape[-1] < least:
            raise DJGraphError(
                f"warp_positions: {name} has to hold at least {least} marker{'s' * (least > 1)}, [..., markers], "
                f"not shape {list(one.shape)}"
            )
        if one.shape[-1] != clip.shape[-1]:
            raise DJGraphError(
                f"warp_positions: {name} has {one.shape[-1]} markers and clip has {clip.shape[-1]}: there has to be "
                f"one for each"
            )
    try:
        clip, track, *rates = torch.broadcast_tensors(*(one.to(torch.float64) for one in given))
    except RuntimeError:
        raise DJGraphError(
            f"warp_positions: shapes {[list(one.shape) for one in given]} do not broadcast"
        ) from None
    steps = clip.detach().diff(dim=-1)
    if not clip.is_meta and not torch.compiler.is_compiling() and not bool(_ascending(steps, rate)):
        raise DJGraphError(
            "warp_positions: clip has to ascend from marker to marker"
            + ("" if rate is not None else "; without rates no two may lie at one place")
        )
    slope = _slopes(clip, track) if rate is None else rates[0]
    n = (first + torch.arange(samples, device=clip.device)).to(torch.float64)
    n = n.expand(*clip.shape[:-1], samples)
    segment = torch.searchsorted(clip.detach().contiguous(), n.contiguous(), right=True) - 1
    segment = segment.clamp(min=0)
    speed = slope.gather(-1, segment)
    return track.gather(-1, segment) + speed * (n - clip.gather(-1, segment)), speed


def _ascending(steps: Tensor, rate: Tensor | None) -> Tensor:
    return (steps > 0).all() if rate is None else (steps >= 0).all()


def _slopes(clip: Tensor, track: Tensor) -> Tensor:
    """The rate of each marker's segment; the last one goes on as the one before."""
    between = track.diff(dim=-1) / clip.diff(dim=-1)
    return torch.cat((between, between[..., -1:]), dim=-1)


def _device(start: Tensor | float, rate: Curve, state: Tensor | None) -> torch.device:
    given = rate.values if isinstance(rate, Frames) else rate
    for one in (state, start, given):
        if isinstance(one, Tensor):
            return one.device
    return torch.device("cpu")


def _speed(rate: Curve, samples: int, device: torch.device) -> Tensor:
    """The rate in float64, ``[…, 1]`` or ``[…, samples]``."""
    given = rate.values if isinstance(rate, Frames) else rate
    lead = given.shape[:-1] if isinstance(given, Tensor) else ()
    signal = torch.empty(1, dtype=torch.float64, device=device).expand(*lead, samples)
    tensor, hop = checked_control("positions", "rate", rate, signal, "the block", torch.float64)
    return at_samples(tensor, hop, samples) if isinstance(rate, Frames) else tensor


class _Positions(Operation):
    """``(state, rate)`` → ``(positions, last state)``."""

    def __init__(self, samples: int) -> None:
        self.samples = samples

    def forward(self, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        return _exact(tensors[0].detach(), tensors[1].detach(), self.samples)

    def backward(
        self,
        tensors: Sequence[Tensor],
        kept: Sequence[Tensor],
        gradients: Sequence[Tensor],
        needed: Sequence[bool],
    ) -> tuple[Tensor | None, ...]:
        state, rate = tensors
        of_position, of_last = gradients[0], gradients[1][..., 1:]
        total = of_position.sum(-1, keepdim=True) + of_last
        # A rate moves all samples after its own, and what comes behind the block.
        moved = (total - of_position.cumsum(-1)).expand(*state.shape[:-1], self.samples)
        of_rate = (moved * _follows(rate)).sum_to_size(rate.shape) if needed[1] else None
        return total.expand(state.shape) if needed[0] else None, of_rate

    def plainly(self, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The exact values, with the derivatives of the sum that they are."""
        state, rate = tensors
        position, last = _exact(state.detach(), rate.detach(), self.samples)
        step = (rate * _follows(rate)).expand(*state.shape[:-1], self.samples)
        end = state.sum(-1, keepdim=True) + step.cumsum(-1)
        after = state.sum(-1, keepdim=True) + step.sum(-1, keepdim=True)
        return (
            position + _nothing(end - step),
            torch.cat((last[..., :1], last[..., 1:] + _nothing(after)), dim=-1),
        )


def _nothing(tensor: Tensor) -> Tensor:
    """0 with the tensor's derivatives."""
    return tensor - tensor.detach()


def _follows(rate: Tensor) -> Tensor:
    """1 where a rate is within its limits, else 0."""
    return (rate.detach().abs() <= FASTEST).to(rate.dtype)


def _exact(state: Tensor, rate: Tensor, samples: int) -> tuple[Tensor, Tensor]:
    """The sums in whole numbers. state: ``[…, 2]``; rate: ``[…, 1]`` or ``[…, samples]``."""
    if simd.takes(state) and simd.takes(rate):
        from djgraph.simd.positions import run

        position = state.new_empty(*state.shape[:-1], samples)
        last = torch.empty_like(state)
        rate = rate.contiguous()  # and kept: compiled code has its address alone
        run(rows(state), curves_in_memory([rate], state.shape[:-1]), rows(position), rows(last))
        return position, last
    whole, part = _parted(state)
    lead = whole.shape[:-1]
    held = torch.nan_to_num(rate, nan=0.0).clamp(-FASTEST, FASTEST)
    step = held.floor()
    steps = step.to(torch.int64).expand(*lead, samples)
    parts = ((held - step) * UNIT).round().to(torch.int64).expand(*lead, samples)
    # Fractions are added up in stretches, and what is whole of each stretch's sum is taken out.
    padded = torch.nn.functional.pad(parts, (0, -samples % STRETCH)).unflatten(-1, (-1, STRETCH))
    inside = padded.cumsum(-1)
    sums = inside[..., -1:] if samples else inside.new_zeros(*lead, 0, 1)
    over, rest = sums >> FRACTION_BITS, sums & (int(UNIT) - 1)
    carried, left = over.cumsum(-2) - over, rest.cumsum(-2) - rest + part[..., None]
    carried, left = carried + (left >> FRACTION_BITS), left & (int(UNIT) - 1)
    before = inside - padded + left
    wholes = (carried + (before >> FRACTION_BITS)).flatten(-2)[..., :samples]
    fractions = (before & (int(UNIT) - 1)).flatten(-2)[..., :samples]
    wholes = wholes + steps.cumsum(-1) - steps + whole
    position = wholes.to(torch.float64) + fractions.to(torch.float64) / UNIT
    if not samples:
        last = torch.cat((whole, part), dim=-1)
    else:
        end = fractions[..., -1:] + parts[..., -1:]
        last = torch.cat(
            (
                wholes[..., -1:] + steps[..., -1:] + (end >> FRACTION_BITS),
                end & (int(UNIT) - 1),
            ),
            dim=-1,
        )
    last = last.to(torch.float64)
    return position, last / numbers_like((1, UNIT), last)


def _parted(state: Tensor) -> tuple[Tensor, Tensor]:
    """Whole samples and parts of one, ``[…, 1]`` each, int64."""
    first, second = state[..., :1], state[..., 1:]
    whole = first.floor()
    parts = ((first - whole) * UNIT).round().to(torch.int64) + (second * UNIT).round().to(torch.int64)
    return whole.to(torch.int64) + (parts >> FRACTION_BITS), parts & (int(UNIT) - 1)


_operator = operator(
    "positions",
    lambda tensors, numbers: (_Positions(*numbers), tensors),
    lambda tensors, numbers: [
        tensors[0].new_empty(*tensors[0].shape[:-1], numbers[0]),
        torch.empty_like(tensors[0]),
    ],
    flops=lambda tensors: (4 * tensors[1].shape[-1] / 2, 2 * tensors[1].shape[-1] / 2),
)
