"""Losses between two recordings: multi-resolution STFT, mel, several at once, sum and difference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from djgraph.arguments import is_real, is_whole, real, several, shown, whole
from djgraph.arguments import weights as check_weights
from djgraph.errors import InputError
from djgraph.losses.comparison import Target, Term, distance, fit, sides, window
from djgraph.losses.mel import mel_filters

SIZES = (512, 1024, 2048)
"""Transform sizes in samples unless asked otherwise: 12 to 46 ms at 44.1 kHz."""
FLOOR_DB = -80.0
"""Where silence begins, in dB of a full-scale sine at the peak of its spectrum."""
LOWEST_FLOOR_DB = -300.0
"""Below this, the square of a floor is no normal number in single precision."""


class SpectralLoss(nn.Module):
    """What the losses below have in common: terms, each a way to compare the spectra of one size of transform."""

    terms: tuple[Term, ...]
    reduction: str

    def forward(self, mix: Tensor, target: Tensor | Target) -> Tensor:
        """mix, target: ``[batch, channels, samples]``, ``[batch, samples]`` or ``[samples]``; a batch or
        channel count of 1 goes with any other. The target may be a :class:`Target`, which is transformed once.

        A scalar, or ``[batch, channels]`` with ``reduction="none"``.
        """
        values = distance(*fit(mix, target), self.terms)
        return values.mean() if self.reduction == "mean" else values


def _sizes(sizes: Any) -> tuple[int, ...]:
    """Transform sizes in samples, checked."""
    wanted = "even numbers of samples from 4, as a list"
    numbers = several(sizes, "sizes", wanted)
    if not numbers or not all(is_whole(size) and size >= 4 and size % 2 == 0 for size in numbers):
        raise InputError(f"sizes are {list(numbers)}; expected {wanted}")
    return numbers


class MultiResolutionSTFT(SpectralLoss):
    """How far the spectra of two recordings are apart, at several resolutions (Yamamoto et al., 2019).

    The mean over ``sizes`` of ``convergence·‖|Y|−|X|‖ / ‖|Y|‖ + log·mean|ln|Y| − ln|X|| +
    linear·mean||Y| − |X||``: X of the mix, Y of the target, hops of a quarter, Hann windows. It is made
    safe: every magnitude is ``√(|X|² + floor²)``, so that what lies below ``floor_db`` (dB of a full-scale
    sine) counts as silence and neither a logarithm nor a quotient of it can run away; and the norms are taken
    for each batch item and channel by itself, so that a loss is the mean of its items' losses.

    >>> loss = MultiResolutionSTFT()(mixed, target)

    sizes: even, in samples; powers of two are fastest. floor_db: from −300, below 0. reduction: ``mean``, or ``none``
    for one value each batch item and channel, ``[batch, channels]``. Raises InputError for others, and from a call for
    audio that does not fit together.
    """

    def __init__(
        self,
        sizes: Sequence[int] = SIZES,
        *,
        convergence: float = 1.0,
        log: float = 1.0,
        linear: float = 0.0,
        floor_db: float = FLOOR_DB,
        reduction: str = "mean",
    ) -> None:
        super().__init__()
        sizes = _sizes(sizes)
        self._build(sizes, [None] * len(sizes), (convergence, log, linear), floor_db, reduction)

    def _build(
        self,
        sizes: Sequence[int],
        filters: Sequence[Tensor | None],
        weights: tuple[float, float, float],
        floor_db: float,
        reduction: str,
    ) -> None:
        if not is_real(floor_db) or not LOWEST_FLOOR_DB <= floor_db < 0:
            raise InputError(f"floor_db is {floor_db}; expected decibels from {LOWEST_FLOOR_DB:g}, below 0")
        if reduction not in ("mean", "none"):
            raise InputError(f"reduction is {reduction!r}; allowed: mean, none")
        check_weights(dict(zip(("convergence", "log", "linear"), weights)))
        self.reduction = reduction
        # A full-scale sine peaks at half the window's sum.
        self.terms = tuple(
            Term(int(size), float(window(size).sum()) / 2 * 10 ** (floor_db / 20), *weights, bank).times(
                1 / len(sizes)
            )
            for size, bank in zip(sizes, filters)
        )


class MelSTFT(MultiResolutionSTFT):
    """:class:`MultiResolutionSTFT` on mel bands: as coarse towards the treble as hearing.

    sample_rate: Hz. sizes: one or several. bands: mel bands of the largest size; smaller sizes have
    proportionally fewer. Other arguments as there.
    """

    def __init__(
        self,
        sample_rate: int,
        sizes: Sequence[int] = (2048,),
        bands: int = 128,
        *,
        convergence: float = 1.0,
        log: float = 1.0,
        linear: float = 0.0,
        floor_db: float = FLOOR_DB,
        reduction: str = "mean",
    ) -> None:
        nn.Module.__init__(self)
        real(sample_rate, "sample_rate", 1)
        whole(bands, "bands", 1)
        sizes = _sizes(sizes)
        filters = [mel_filters(sample_rate, size, max(1, bands * size // max(sizes))) for size in sizes]
        self._build(sizes, filters, (convergence, log, linear), floor_db, reduction)


class Combined(SpectralLoss):
    """Several of the losses above added up; those of one size of transform share it.

    losses: as many as wanted. weights: of each, 1 unless given. reduction: as for :class:`MultiResolutionSTFT`.
    Raises InputError for other losses, whose values can be added as they are.

    >>> loss = Combined(MultiResolutionSTFT(), MelSTFT(44100), weights=(1, 0.5))
    """

    def __init__(
        self, *losses: SpectralLoss, weights: Sequence[float] | None = None, reduction: str = "mean"
    ) -> None:
        super().__init__()
        wanted = "a number from 0 for each loss"
        factors = (1.0,) * len(losses) if weights is None else several(weights, "weights", wanted)
        if not losses or not all(isinstance(loss, SpectralLoss) for loss in losses):
            raise InputError("losses: expected MultiResolutionSTFT, MelSTFT or Combined, one or several")
        if len(factors) != len(losses) or not all(is_real(factor) and factor >= 0 for factor in factors):
            raise InputError(
                f"weights are {weights} for {len(losses)} losses; expected a number from 0 for each, not all 0"
            )
        check_weights({f"weights[{index}]": factor for index, factor in enumerate(factors)})
        if reduction not in ("mean", "none"):
            raise InputError(f"reduction is {reduction!r}; allowed: mean, none")
        self.reduction = reduction
        self.terms = tuple(
            term.times(float(factor))
            for loss, factor in zip(losses, factors)
            if factor
            for term in loss.terms
        )


class SumAndDifference(nn.Module):
    """A loss taken on what the two sides share, L + R, and on what sets them apart, L − R (Steinmetz et al.,
    2020), so that the width of a mix counts.

    loss: the loss of ``[batch, channels, samples]`` to take; :class:`MultiResolutionSTFT` where left out.
    sum_weight, difference_weight: their weights in the mean. Mono has no difference: its loss is taken as it
    is. Raises InputError for more than two channels.
    """

    def __init__(
        self, loss: nn.Module | None = None, *, sum_weight: float = 1.0, difference_weight: float = 1.0
    ) -> None:
        super().__init__()
        check_weights({"sum_weight": sum_weight, "difference_weight": difference_weight})
        if loss is not None and not callable(loss):
            raise InputError(f"loss: expected a module of mix and target, got {shown(loss)}")
        self.loss = MultiResolutionSTFT() if loss is None else loss
        self.weights = (sum_weight, difference_weight)

    def forward(self, mix: Tensor, target: Tensor | Target) -> Tensor:
        """mix, target: as for :class:`MultiResolutionSTFT`, but ``[2, samples]`` is an error: it may be one stereo
        clip; a value of the kind that ``loss`` gives."""
        if isinstance(mix, Tensor) and mix.ndim == 2 and mix.shape[0] == 2:
            raise InputError(
                f"mix {list(mix.shape)} may be one stereo clip, or a batch of two mono ones; give"
                f" {[1, *mix.shape]} (audio[None]) or {[2, 1, mix.shape[1]]}"
            )
        mix, wanted = fit(mix, target)
        if mix.shape[1] > 2:
            raise InputError(f"sum and difference are defined for stereo, not for {mix.shape[1]} channels")
        if mix.shape[1] == 1:
            value: Tensor = self.loss(mix, wanted)
            return value
        both, parts = sides(mix), wanted.sides if isinstance(wanted, Target) else sides(wanted)
        if isinstance(self.loss, SpectralLoss):  # both in one call
            each = distance(*fit(both, parts), self.loss.terms)
            values = each.mean(0) if self.loss.reduction == "mean" else each
            shared, apart = values.split(1, -1)
            if self.loss.reduction == "mean":
                shared, apart = shared[0], apart[0]
        else:
            audio = parts.audio if isinstance(parts, Target) else parts
            shared = self.loss(both[:, :1], audio[:, :1])
            apart = self.loss(both[:, 1:], audio[:, 1:])
        return (self.weights[0] * shared + self.weights[1] * apart) / sum(self.weights)
