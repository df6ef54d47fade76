"""Spectra compared: on a CPU's vector units where they can be had, by PyTorch's operators elsewhere.

Both compute what :func:`plain` says. The vector units give the gradient by the mix along with the value, in one pass
over the audio (:mod:`djgraph.simd.distance`), so that only one signal is kept for the way back; derivatives of that
gradient are those of the formula, run once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from djgraph import simd
from djgraph.dsp.derivatives import Operation
from djgraph.errors import InputError
from djgraph.losses.precision import as_it_is

MOST_CHANNELS = 8
"""Channels that a clip may have before it looks as if its dimensions were swapped."""


@dataclass(frozen=True)
class Term:
    """A measure of the spectra of one size: magnitudes √(|X|² + floor²), of bins or, with filters ``[bands, bins]``, of
    bands; and the weights of its three parts."""

    size: int
    floor: float
    convergence: float
    log: float
    linear: float
    filters: Tensor | None = None

    def times(self, factor: float) -> Term:
        """With all weights times a number."""
        return replace(
            self,
            convergence=self.convergence * factor,
            log=self.log * factor,
            linear=self.linear * factor,
        )


class Target:
    """A target that is compared with more than one mix: what is known of its spectra is kept.

    It goes to any loss of audio in the place of the target itself, with the same result. Spectra are kept from the
    first call on, for every size of transform twice as much memory as the audio takes.

    audio: as for the losses; it is copied, and no gradient goes back to it. Raises InputError for what is no audio.
    """

    def __init__(self, audio: Tensor) -> None:
        self.audio = spread(audio, "target").detach().clone(memory_format=torch.contiguous_format)
        self._powers: dict[tuple[int, torch.dtype], Tensor] = {}
        self._sides: Target | None = None

    @property
    def sides(self) -> Target:
        """Of sum and difference."""
        if self._sides is None:
            self._sides = Target(sides(self.audio))
        return self._sides

    def powers(self, sizes: Sequence[int], dtype: torch.dtype) -> tuple[list[Tensor], bool]:
        """The powers of those sizes, and whether they have still to be filled."""
        from djgraph.simd.distance import powers

        new = any((size, dtype) not in self._powers for size in sizes)
        for size in sizes:
            self._powers.setdefault((size, dtype), powers(self.audio.to(dtype), size))
        return [self._powers[size, dtype] for size in sizes], new


def sides(audio: Tensor) -> Tensor:
    """``[batch, 2, samples]`` → L + R and L − R."""
    left, right = audio.unbind(1)
    return torch.stack((left + right, left - right), 1)


def spread(audio: Tensor, what: str) -> Tensor:
    """As ``[batch, channels, samples]``, at least in single precision."""
    if (
        not isinstance(audio, Tensor)
        or not 1 <= audio.ndim <= 3
        or not audio.numel()
        or not audio.is_floating_point()
    ):
        came = (
            f"{what} {list(audio.shape)} ({audio.dtype})"
            if isinstance(audio, Tensor)
            else f"{what} of type {type(audio).__name__}"
        )
        raise InputError(f"expected audio [batch, channels, samples] of floating point, got {came}")
    check_order(audio, what)
    wide = audio.float() if audio.element_size() < 4 else audio
    return wide.view(1, 1, -1) if wide.ndim == 1 else wide.unsqueeze(1) if wide.ndim == 2 else wide


def check_order(audio: Tensor, what: str) -> None:
    """InputError for what looks like ``[samples, channels]``, as other libraries lay audio out: no clip has as few
    samples as :data:`MOST_CHANNELS`, and none so many channels."""
    if audio.ndim > 1 and audio.shape[-1] <= MOST_CHANNELS < audio.shape[-2]:
        turned = "audio.T[None]" if audio.ndim == 2 else "audio.transpose(1, 2)"
        raise InputError(
            f"{what} {list(audio.shape)} looks like [samples, channels]; expected [batch, channels, samples]: {turned}"
        )


def fit(mix: Tensor, target: Tensor | Target) -> tuple[Tensor, Tensor | Target]:
    """Both as ``[batch, channels, samples]`` of one shape and type; a :class:`Target` stays one where it fits as it is,
    or as one target for a batch of mixes."""
    wanted = target.audio if isinstance(target, Target) else target
    a, b = spread(mix, "mix"), spread(wanted, "target")
    for flat, full in ((mix, b), (wanted, a)):
        if flat.ndim == 2 and full.shape[1] > 1 and flat.shape[0] == full.shape[1]:
            raise InputError(
                f"{_shapes(mix, wanted)}: {list(flat.shape)} may be one clip of {flat.shape[0]} channels, or a batch of"
                f" as many mono ones; give {[1, *flat.shape]} (audio[None]) or {[len(flat), 1, flat.shape[1]]}"
            )
    if a.shape[-1] != b.shape[-1]:
        raise InputError(f"the two are not equally long: {_shapes(mix, wanted)}")
    try:
        shape = torch.broadcast_shapes(a.shape, b.shape)
    except RuntimeError:
        raise InputError(f"the two do not fit together: {_shapes(mix, wanted)}") from None
    dtype = torch.promote_types(a.dtype, b.dtype)
    a = a.to(dtype).expand(shape).contiguous()
    alike = b.shape[1] == shape[1] and b.shape[0] in (1, shape[0])
    if isinstance(target, Target) and alike and dtype == b.dtype and a.device == b.device:
        return a, target
    if alike and b.shape[0] < shape[0] and not b.requires_grad and _vectors(a) and _vectors(b):
        return a, Target(b.to(dtype))  # transformed once for all
    return a, b.to(dtype).expand(shape).contiguous()


def _shapes(mix: Tensor, target: Tensor) -> str:
    return f"mix {list(mix.shape)}, target {list(target.shape)}"


def distance(mix: Tensor, target: Tensor | Target, terms: Sequence[Term]) -> Tensor:
    """The sum of all terms for each channel, ``[batch, channels]``, of what :func:`fit` returns."""
    wanted = target.audio if isinstance(target, Target) else target
    fast = _vectors(mix) and _vectors(wanted) and all(simd.transforms(term.size) for term in terms)
    if not fast or (wanted.requires_grad and torch.is_grad_enabled()):
        return plain(mix, wanted.expand_as(mix), terms)
    if mix.requires_grad and torch.is_grad_enabled():
        (distance,) = _Distance(target, tuple(terms))(mix)
        return distance
    return _measure(mix.detach(), target, terms, False)[0]


def plain(mix: Tensor, target: Tensor, terms: Sequence[Term]) -> Tensor:
    """The same by PyTorch's operators, differentiable as often as one likes.

    On a CPU item by item, which keeps the spectra in its caches.
    """
    if mix.device.type == "cpu" and len(mix) > 1:
        pairs = zip(mix.split(1), target.split(1))
        return torch.cat([plain(one, other, terms) for one, other in pairs])
    total: Any = 0.0
    known: dict[int, tuple[Tensor, Tensor]] = {}
    for term in terms:
        if term.size not in known:
            known[term.size] = _power(mix, term.size), _power(target, term.size)
        given, wanted = ((power + term.floor**2).sqrt() for power in known[term.size])
        if term.filters is not None:
            filters = term.filters.to(mix)
            with as_it_is(mix):
                given, wanted = filters @ given, filters @ wanted
        if term.convergence:
            apart = torch.linalg.vector_norm(wanted - given, dim=(-2, -1))
            total = total + term.convergence * apart / torch.linalg.vector_norm(wanted, dim=(-2, -1))
        if term.log:
            total = total + term.log * (wanted.log() - given.log()).abs().mean((-2, -1))
        if term.linear:
            total = total + term.linear * (wanted - given).abs().mean((-2, -1))
    return total


def window(size: int) -> Tensor:
    """A periodic Hann window, on the CPU whatever the default device is."""
    return torch.hann_window(size, dtype=torch.float64, device="cpu")


def _power(audio: Tensor, size: int) -> Tensor:
    """``[batch, channels, bins, frames]``."""
    rows = torch.nn.functional.pad(audio.flatten(0, 1), (0, max(0, size - audio.shape[-1])))
    spectrum = torch.stft(
        rows, size, size // 4, window=window(size).to(audio), pad_mode="constant", return_complex=True
    )
    return (spectrum.real.square() + spectrum.imag.square()).unflatten(0, audio.shape[:2])


class _Distance(Operation):
    """:func:`distance` as a function of the mix, with the gradient from the vector units, kept for the way back."""

    kept, simple = 1, True

    def __init__(self, target: Tensor | Target, terms: tuple[Term, ...]) -> None:
        self._target, self._terms = target, terms

    def forward(self, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        values, gradient = _measure(tensors[0].detach(), self._target, self._terms, True)
        assert gradient is not None
        return values, gradient

    def backward(
        self,
        tensors: Sequence[Tensor],
        kept: Sequence[Tensor],
        gradients: Sequence[Tensor],
        needed: Sequence[bool],
    ) -> tuple[Tensor]:
        return (gradients[0].unsqueeze(-1) * kept[0],)

    def plainly(self, tensors: Sequence[Tensor]) -> tuple[Tensor]:
        wanted = self._target.audio if isinstance(self._target, Target) else self._target
        return (plain(tensors[0], wanted.expand_as(tensors[0]), self._terms),)


def _measure(
    mix: Tensor, target: Tensor | Target, terms: Sequence[Term], want_gradient: bool
) -> tuple[Tensor, Tensor | None]:
    from djgraph.simd.distance import measure

    spectra = _spectra(tuple(terms))
    if not isinstance(target, Target):
        return measure(mix, target, spectra, None, want_gradient)
    kept, new = target.powers([spectrum.size for spectrum in spectra], mix.dtype)
    if new and len(target.audio) == len(mix):  # on the way
        return measure(mix, target.audio, spectra, kept, want_gradient)
    if new:
        measure(target.audio, target.audio, spectra, kept, False)
    return measure(mix, None, spectra, kept, want_gradient)


@lru_cache(maxsize=32)
def _spectra(terms: tuple[Term, ...]) -> Any:
    """The terms by the transform that they share."""
    from djgraph.simd.distance import Measure, Spectrum

    sizes = list(dict.fromkeys(term.size for term in terms))
    return [
        Spectrum(
            size,
            window(size).numpy(),
            tuple(
                Measure(term.floor, term.convergence, term.log, term.linear, term.filters)
                for term in terms
                if term.size == size
            ),
        )
        for size in sizes
    ]


def _vectors(audio: Tensor) -> bool:
    """Whether compiled code may work on it: an ordinary tensor, that nobody transforms, traces or compiles."""
    return (
        simd.takes(audio)
        and type(audio) in (Tensor, torch.nn.Parameter)
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()
        and not torch._C._are_functorch_transforms_active()
        and torch.autograd.forward_ad.unpack_dual(audio).tangent is None
    )
