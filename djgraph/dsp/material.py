"""Material read at positions that move: a deck's tape, with all of a track's stems on it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from djgraph import simd
from djgraph.dsp.checked import check_signal, checked_control
from djgraph.dsp.delays import curves_in_memory
from djgraph.dsp.derivatives import Operation
from djgraph.dsp.frames import Curve, Frames, at_samples
from djgraph.dsp.operators import as_operator, operator
from djgraph.dsp.recursion import rows
from djgraph.errors import DJGraphError
from djgraph.simd.windowed_sinc import CROSSINGS, MOST_CROSSINGS, SINE, WIDEST, WINDOW

if TYPE_CHECKING:
    from djgraph.simd.material import Track

AT_ONCE = 1 << 21
"""Samples of material that are read at a time by PyTorch's operations."""


def material_reach(rate: float = 1.0, crossings: int = CROSSINGS) -> int:
    """Samples of material to either side of a position that :func:`read_material` reads at rates of up to ±``rate``."""
    return math.ceil(crossings * _held_stretch(rate)) + 1


def _held_stretch(rate: float) -> float:
    return min(max(1.0, abs(rate)), WIDEST)


def read_material(
    material: Tensor, position: Tensor, rate: Curve = 1.0, *, begins: int = 0, crossings: int = CROSSINGS
) -> Tensor:
    """Material at a position for each sample: ``y[n] = Σ x[k]·h((k − p[n])/s[n])/s[n]``, ``s = max(1, |rate|)``.

    h is a sinc under a Kaiser window that ends at 0, ``crossings`` zero crossings to either side
    (:mod:`djgraph.simd.windowed_sinc`). Above rate 1 it is stretched by the rate, so that what would lie beyond half
    the sample rate is taken away before it folds back. Where the rate is within ±1, whole positions give the
    material's own samples, bit for bit. All signals share the weights, which are computed once for each sample and
    never kept.

    material: x, ``[…, signals, length]``: stems and channels of one track. It may be a window of a longer track: its
    samples count from ``begins``; positions are exact, so a window gives what the whole gives, bit for bit, where it
    reaches :func:`material_reach` samples beyond them. Beyond both ends there is silence. position: p, in samples of
    the material, ``[…, samples]``; hand it over in float64. A position that jumps is a cut; one that is no number is
    silence. rate: of p, a number, a tensor of shape ``[…, 1]`` or ``[…, samples]``, or :class:`Frames`; only its
    magnitude counts, and only as how far h is stretched, up to 16 times. Leading dimensions broadcast.

    Returns ``[…, signals, samples]``, of the material's type. Differentiable in material, position, and rate: through
    the stretch, exactly; that the position is a sum of rates is known to who made it. DJGraphError where shapes,
    types or devices do not fit.
    """
    kernel = "read_material"
    if material.ndim < 2 or not material.is_floating_point():
        raise DJGraphError(
            f"{kernel}: material has to be floating point of shape [..., signals, length], not {material.dtype} "
            f"of shape {list(material.shape)}"
        )
    check_signal(kernel, "position", position)
    if position.device != material.device:
        raise DJGraphError(f"{kernel}: position is on {position.device} and material on {material.device}")
    if not 1 <= crossings <= MOST_CROSSINGS:
        raise DJGraphError(f"{kernel}: crossings has to be 1 to {MOST_CROSSINGS}, not {crossings}")
    try:
        lead = _broadcast(material.shape[:-2], position.shape[:-1])
    except RuntimeError:
        raise DJGraphError(
            f"{kernel}: position of shape {list(position.shape)} does not broadcast to material of shape "
            f"{list(material.shape)}; it has one curve for all signals, [..., samples]"
        ) from None
    place = position.to(torch.float64)
    samples = position.shape[-1]
    signal = place.expand(*lead, samples)
    speed, _ = checked_control(kernel, "rate", rate, signal, "position", torch.float64)
    if isinstance(rate, Frames):
        speed = at_samples(speed, rate.hop, samples)
    given = (material, place, speed)
    if as_operator(material):
        return _operator([one.contiguous() for one in given], [begins, crossings])[0]
    return _Read(begins, crossings)(*given)[0]


def _lead(tensors: Sequence[Tensor]) -> torch.Size:
    """The leading dimensions of what is read."""
    material, place, speed = tensors
    return _broadcast(material.shape[:-2], place.shape[:-1], speed.shape[:-1])


def _broadcast(first: torch.Size, *others: torch.Size) -> torch.Size:
    """``torch.broadcast_shapes``, at once where there is nothing to do; it is asked for at every block of a stream."""
    if all(other == first or not other for other in others):
        return first
    return torch.broadcast_shapes(first, *others)


def windowed_sinc(x: Tensor, crossings: int) -> Tensor:
    """h, in float64, by operations that autograd knows. x: in zero crossings."""
    r = x - 2 * (x / 2).detach().round()
    t = r * r
    inside = x.detach().abs() < 1
    # Not r/x with a choice behind it: 0/0 would be in the gradient.
    quotient = torch.where(inside, 1.0, r / torch.where(inside, 1.0, x))
    v = (1 - (x / crossings) ** 2).clamp(min=0)
    return quotient * (1 - t) * _series(t, SINE) * v * _series(v, WINDOW)


def _series(x: Tensor, coefficients: Sequence[float]) -> Tensor:
    total = torch.full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        total = total * x + coefficient
    return total


class _Taps(NamedTuple):
    """What a stretch of samples reads. weights: ``[…, n, taps]``; at: the same, within the material.

    values: ``[…, signals, n, taps]``.
    """

    weights: Tensor
    at: Tensor
    values: Tensor


class _Read(Operation):
    """``(material, position, rate)`` → ``(read,)``."""

    def __init__(self, begins: int, crossings: int) -> None:
        self.begins, self.crossings = begins, crossings

    def forward(self, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        if not all(map(simd.takes, tensors)):
            return self.plainly(tensors)
        from djgraph.simd.material import read

        material, place, _ = tensors
        out = material.new_empty(*_lead(tensors), material.shape[-2], place.shape[-1])
        track, _memory = _in_memory(tensors, self.begins, self.crossings)
        read(track, _items(out))
        return (out,)

    def backward(
        self,
        tensors: Sequence[Tensor],
        kept: Sequence[Tensor],
        gradients: Sequence[Tensor],
        needed: Sequence[bool],
    ) -> tuple[Tensor | None, ...]:
        if not all(map(simd.takes, tensors)):
            return self._plain_backward(tensors, gradients[0], needed)
        from djgraph.simd.material import read_adjoint_curves, read_adjoint_material

        material, place, speed = tensors
        lead, gradient = _lead(tensors), _items(gradients[0].contiguous())
        of_material = of_place = of_speed = None
        track, _memory = _in_memory(tensors, self.begins, self.crossings)
        if needed[0]:
            of_material = material.new_zeros(*lead, *material.shape[-2:])
            read_adjoint_material(track, gradient, _items(of_material))
            of_material = of_material.sum_to_size(material.shape)
        if needed[1] or needed[2]:
            of_place, of_speed = (place.new_zeros(*lead, place.shape[-1]) for _ in range(2))
            read_adjoint_curves(track, gradient, rows(of_place), rows(of_speed))
            of_place, of_speed = of_place.sum_to_size(place.shape), of_speed.sum_to_size(speed.shape)
        return of_material, of_place if needed[1] else None, of_speed if needed[2] else None

    def plainly(self, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        parts = [_total(taps).to(tensors[0].dtype) for _, taps in self._stretches(tensors)]
        if not parts:
            material, place, _ = tensors
            return (material.new_zeros(*_lead(tensors), material.shape[-2], place.shape[-1]),)
        return (torch.cat(parts, dim=-1),)

    def _plain_backward(
        self, tensors: Sequence[Tensor], gradient: Tensor, needed: Sequence[bool]
    ) -> tuple[Tensor | None, ...]:
        """Stretch by stretch: nothing of one is kept for the next."""
        material, place, speed = (tensor.detach() for tensor in tensors)
        lead = _lead(tensors)
        work = _work_type(material)
        of_material = material.new_zeros(*lead, *material.shape[-2:], dtype=work)
        of_curves = [place.new_zeros(*lead, place.shape[-1]) for _ in range(2)]
        curves = [one.expand(*lead, place.shape[-1]).detach() for one in (place, speed)]
        curves = [one.requires_grad_(need) for one, need in zip(curves, needed[1:])]
        with torch.enable_grad():
            for span, taps in self._stretches((material, *curves)):
                given = gradient[..., span].to(work).unsqueeze(-1)
                wanted = [one for one in curves if one.requires_grad]
                if wanted:
                    found = iter(
                        torch.autograd.grad(_total(taps), wanted, given.squeeze(-1), materialize_grads=True)
                    )
                    for one, total in zip(curves, of_curves):
                        if one.requires_grad:
                            total += next(found)
                amounts = (given * taps.weights.detach().unsqueeze(-3)).flatten(-2)
                index = taps.at.unsqueeze(-3).expand(taps.values.shape).flatten(-2)
                of_material.scatter_add_(-1, index, amounts)
        return (
            of_material.sum_to_size(material.shape).to(material.dtype) if needed[0] else None,
            *(
                one.sum_to_size(curve.shape) if need else None
                for one, curve, need in zip(of_curves, (place, speed), needed[1:])
            ),
        )

    def _stretches(self, tensors: Sequence[Tensor]) -> Iterator[tuple[slice, _Taps]]:
        """The samples in stretches, and what each reads."""
        material, place, speed = tensors
        lead, samples, length = _lead(tensors), place.shape[-1], material.shape[-1]
        if not samples or not length or not lead.numel() or not material.shape[-2]:
            return
        place, speed = place.expand(*lead, samples), speed.expand(*lead, samples)
        magnitude = speed.abs()
        # NaN, which is greater than nothing, stretches nothing.
        stretch = torch.where(magnitude > 1, magnitude, 1.0)
        stretch = torch.where(stretch > WIDEST, WIDEST, stretch)
        # A power of two times the least, for the sum in _total.
        reach = self.crossings * 2 ** math.ceil(math.log2(float(stretch.detach().amax())))
        low, high = self.begins - reach - 1, self.begins + length + reach
        heard = (place.detach() > low) & (place.detach() < high)
        place = torch.where(heard, place, float(low)) - self.begins
        j = torch.arange(1 - reach, reach + 1, device=place.device)
        step = max(1, AT_ONCE // (lead.numel() * material.shape[-2] * 2 * reach))
        work = _work_type(material)
        of_all = material.expand(*lead, *material.shape[-2:])
        for start in range(0, samples, step):
            span = slice(start, start + step)
            at, wide = place[..., span].unsqueeze(-1), stretch[..., span].unsqueeze(-1)
            whole = at.detach().floor()
            weights = windowed_sinc((j - (at - whole)) / wide, self.crossings) / wide
            index = whole.to(torch.int64) + j
            weights = torch.where((index >= 0) & (index < length), weights, 0.0).to(work)
            index = index.clamp(0, length - 1)
            shape = (*lead, material.shape[-2], *index.shape[-2:])
            spread = index.unsqueeze(-3).expand(shape).flatten(-2)
            values = of_all.gather(-1, spread).unflatten(-1, index.shape[-2:]).to(work)
            yield span, _Taps(weights, index, values)


def _items(tensor: Tensor) -> NDArray[Any]:
    """``[…, signals, samples]`` as ``[items, signals, samples]``, the same memory."""
    return tensor.detach().view(tensor.shape[:-2].numel(), *tensor.shape[-2:]).numpy()


def _in_memory(tensors: Sequence[Tensor], begins: int, crossings: int) -> tuple[Track, Sequence[Tensor]]:
    """What compiled code is told, and the tensors whose memory that is: it is there for as long as they are.

    Material is not copied unless its samples do not lie in a row.
    """
    from djgraph.simd.material import Track

    material, place, speed = (tensor.detach() for tensor in tensors)
    lead, (signals, length) = _lead(tensors), material.shape[-2:]
    if length > 1 and material.stride(-1) != 1:
        material = material.contiguous()
    spread = material.expand(*lead, signals, length)
    first = np.zeros(1, np.int64)
    for size, stride in zip((*lead, signals), spread.stride()):
        first = np.add.outer(first, np.arange(size) * stride)
    addresses = (material.data_ptr() + material.element_size() * first).reshape(lead.numel(), signals)
    place, speed = place.contiguous(), speed.contiguous()
    curves = curves_in_memory([place, speed], lead)
    like = np.empty(0, np.float32 if material.dtype == torch.float32 else np.float64)
    return Track(addresses, length, begins, crossings, curves, like), (material, place, speed)


def _total(taps: _Taps) -> Tensor:
    """What is read, ``[…, signals, n]``.

    The order of the sum is that of each sample alone: outer taps are added to inner ones, and are 0 where a sample has
    none, so that its neighbours, of which one may read further, change no bit of it.
    """
    products = taps.values * taps.weights.unsqueeze(-3)
    while (count := products.shape[-1]) > 1:
        quarter = count // 4
        if count % 4:  # the two halves, and a middle that may be left over
            half, odd = count // 2, count % 2
            folded = products[..., :half] + products[..., half + odd :]
            products = torch.cat((folded, products[..., half : half + odd]), dim=-1) if odd else folded
        else:
            outer = torch.cat((products[..., :quarter], products[..., -quarter:]), dim=-1)
            products = products[..., quarter:-quarter] + outer
    return products.squeeze(-1)


def _work_type(material: Tensor) -> torch.dtype:
    """Sums are taken in float32 at least."""
    return torch.promote_types(material.dtype, torch.float32)


_operator = operator(
    "read_material",
    lambda tensors, numbers: (_Read(*numbers), tensors),
    lambda tensors, numbers: [
        tensors[0].new_empty(*_lead(tensors), tensors[0].shape[-2], tensors[1].shape[-1])
    ],
    flops=lambda tensors: _flops(tensors),
)


def _flops(tensors: Sequence[Tensor]) -> tuple[float, float]:
    """For each number of the material, at rates within ±1 and as many crossings as usual."""
    material, place, _ = tensors
    taps, signals = 2 * CROSSINGS, material.shape[-2]
    read = _lead(tensors).numel() * place.shape[-1] * taps / max(1, material.numel())
    return read * (2 * signals + 40), read * (4 * signals + 110)
