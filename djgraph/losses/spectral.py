"""Losses between two recordings, over auraloss: multi-resolution STFT, mel, sum and difference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from djgraph.errors import DJGraphError, InputError
from djgraph.losses.mel import mel_filters

try:
    from auraloss.freq import STFTLoss
except ImportError as problem:
    raise DJGraphError(
        f'the losses of audio need auraloss: pip install "djgraph[train]" ({problem})'
    ) from problem

SIZES = (512, 1024, 2048)
"""Transform sizes in samples unless asked otherwise: 12 to 46 ms at 44.1 kHz."""
FLOOR_DB = -80.0
"""Where silence begins, in dB of a full-scale sine at the peak of its spectrum."""


class MultiResolutionSTFT(nn.Module):
    """How far the spectra of two recordings are apart, at several resolutions (Yamamoto et al., 2019).

    The mean over ``sizes`` of ``convergence·‖|Y|−|X|‖ / ‖|Y|‖ + log·mean|ln|Y| − ln|X|| +
    linear·mean||Y| − |X||``: X of the mix, Y of the target, hops of a quarter, Hann windows. auraloss, made
    safe: every magnitude is ``√(|X|² + floor²)``, so that what lies below ``floor_db`` (dB of a full-scale
    sine) counts as silence and neither a logarithm nor a quotient of it can run away; and the norms are taken
    for each batch item and channel by itself, so that a loss is the mean of its items' losses.

    >>> loss = MultiResolutionSTFT()(mixed, target)

    sizes: even, in samples. floor_db: below 0. reduction: ``mean``, or ``none`` for one value each batch item
    and channel, ``[batch, channels]``. Raises InputError for others, and from a call for audio that does not
    fit together.
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
        self._build(sizes, [None] * len(sizes), (convergence, log, linear), floor_db, reduction)

    def _build(
        self,
        sizes: Sequence[int],
        filters: Sequence[Tensor | None],
        weights: tuple[float, float, float],
        floor_db: float,
        reduction: str,
    ) -> None:
        if not sizes or any(isinstance(size, bool) or size < 4 or size % 2 for size in sizes):
            raise InputError(f"sizes are {list(sizes)}; expected even numbers of samples from 4")
        if not floor_db < 0:
            raise InputError(f"floor_db is {floor_db}; expected decibels below 0")
        if reduction not in ("mean", "none"):
            raise InputError(f"reduction is {reduction!r}; allowed: mean, none")
        if min(weights) < 0 or not sum(weights) > 0:
            raise InputError(f"convergence, log and linear are {weights}; expected weights from 0, not all 0")
        self.reduction = reduction
        self.resolutions = nn.ModuleList(
            _SafeSTFT(int(size), bank, weights, floor_db) for size, bank in zip(sizes, filters)
        )

    def forward(self, mix: Tensor, target: Tensor) -> Tensor:
        """mix, target: ``[batch, channels, samples]``, ``[batch, samples]`` or ``[samples]``; a batch or
        channel count of 1 goes with any other.

        A scalar, or ``[batch, channels]`` with ``reduction="none"``.
        """
        mix, target = _fit(mix, target)
        each = [cast(_SafeSTFT, resolution).each(mix, target) for resolution in self.resolutions]
        values = torch.stack(each).mean(0)
        return values.mean() if self.reduction == "mean" else values


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
        if bands < 1 or sample_rate < 1:
            raise InputError(f"bands is {bands} and sample_rate {sample_rate}; expected whole numbers from 1")
        filters = [mel_filters(sample_rate, size, max(1, bands * size // max(sizes))) for size in sizes]
        self._build(sizes, filters, (convergence, log, linear), floor_db, reduction)


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
        if not (sum_weight >= 0 and difference_weight >= 0 and sum_weight + difference_weight > 0):
            raise InputError("sum_weight and difference_weight: expected numbers from 0, not both 0")
        self.loss = MultiResolutionSTFT() if loss is None else loss
        self.weights = (sum_weight, difference_weight)

    def forward(self, mix: Tensor, target: Tensor) -> Tensor:
        """mix, target: as for :meth:`MultiResolutionSTFT.forward`; a value of the kind that ``loss`` gives."""
        mix, target = _fit(mix, target)
        if mix.shape[1] > 2:
            raise InputError(f"sum and difference are defined for stereo, not for {mix.shape[1]} channels")
        if mix.shape[1] == 1:
            value: Tensor = self.loss(mix, target)
            return value
        (a, b), (c, d) = mix.split(1, 1), target.split(1, 1)
        total = self.weights[0] * self.loss(a + b, c + d) + self.weights[1] * self.loss(a - b, c - d)
        return total / sum(self.weights)


class _SafeSTFT(STFTLoss):
    """auraloss's STFT loss at one size, with magnitudes that stop at a floor, for each row by itself."""

    window: Tensor
    fb: Tensor

    def __init__(
        self, size: int, filters: Tensor | None, weights: tuple[float, float, float], floor_db: float
    ) -> None:
        convergence, log, linear = weights
        super().__init__(
            size, size // 4, size, w_sc=convergence, w_log_mag=log, w_lin_mag=linear, reduction="none"
        )
        del self.window  # a plain attribute there, which neither .to() nor .double() would move
        window = torch.hann_window(size, dtype=torch.float64, device="cpu")
        self.register_buffer("window", window, persistent=False)
        # A full-scale sine peaks at half the window's sum.
        self.floor = float(window.sum()) / 2 * 10 ** (floor_db / 20)
        self.spectralconv = _Convergence()
        if filters is not None:  # auraloss would ask librosa for them
            self.scale = "mel"
            self.register_buffer("fb", filters, persistent=False)

    def stft(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Magnitudes ``[rows, bins, frames]``; auraloss wants the phase beside them, which has no weight here."""
        short = self.fft_size - x.shape[-1]
        if short > 0:
            x = nn.functional.pad(x, (0, short))
        spectrum = torch.stft(
            x,
            self.fft_size,
            self.hop_size,
            window=self.window.to(x),
            pad_mode="constant",
            return_complex=True,
        )
        magnitude = (spectrum.real.square() + spectrum.imag.square() + self.floor**2).sqrt()
        return magnitude, magnitude

    def each(self, mix: Tensor, target: Tensor) -> Tensor:
        """``[batch, channels]``."""
        if self.scale is not None:
            self.fb = self.fb.to(mix)
        values: Tensor = self(mix, target)  # convergence [rows, 1, 1], the others [rows, bins, frames]
        return values.mean((-2, -1)).view(mix.shape[:2])


class _Convergence(nn.Module):
    """auraloss's spectral convergence, row by row, and without a kink where the two agree."""

    def forward(self, mix: Tensor, target: Tensor) -> Tensor:
        """Magnitudes ``[rows, bins, frames]`` → ``[rows, 1, 1]``."""
        norm: Any = torch.linalg.vector_norm
        return norm(target - mix, dim=(-2, -1), keepdim=True) / norm(target, dim=(-2, -1), keepdim=True)


def _fit(mix: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Both as ``[batch, channels, samples]`` of one shape, at least single precision, contiguous."""
    shapes = f"mix {list(mix.shape)}, target {list(target.shape)}"
    for tensor in (mix, target):
        if not 1 <= tensor.ndim <= 3 or not tensor.numel() or not tensor.is_floating_point():
            raise InputError(
                f"expected audio [batch, channels, samples] of floating point, got {shapes} ({tensor.dtype})"
            )
    if mix.shape[-1] != target.shape[-1]:
        raise InputError(f"the two are not equally long: {shapes}")

    def spread(tensor: Tensor) -> Tensor:
        wide = tensor.float() if tensor.element_size() < 4 else tensor
        return wide.view(1, 1, -1) if wide.ndim == 1 else wide.unsqueeze(1) if wide.ndim == 2 else wide

    try:
        a, b = torch.broadcast_tensors(spread(mix), spread(target))
    except RuntimeError:
        raise InputError(f"the two do not fit together: {shapes}") from None
    dtype = torch.promote_types(a.dtype, b.dtype)
    return a.to(dtype).contiguous(), b.to(dtype).contiguous()
