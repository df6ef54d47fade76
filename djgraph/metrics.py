"""What is measured of a mix and not learned from: batched, one value for each item.

Audio is ``[batch, channels, samples]``, or ``[channels, samples]`` for one clip, whose value has no dimension. Values
are float64, without gradients.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from djgraph.arguments import several, shown
from djgraph.errors import InputError
from djgraph.layout import ParameterLayout

MOST_DB = 120.0
"""Ratios are held between this and its negative."""

__all__ = ["control_error", "loudness", "loudness_difference", "sdr", "si_sdr", "spectral_distance"]


@torch.no_grad()
def si_sdr(mix: Tensor, target: Tensor) -> Tensor:
    """Scale-invariant signal-to-distortion ratio in dB (J. Le Roux et al., ICASSP 2019), −120 to 120.

    The mean of each channel is taken out first, as the definition wants; one scale goes for all channels, so that a pan
    counts as distortion. A silent target is −120 dB, or 0 where the mix is silent, too.
    """
    a, b = (x - x.mean(-1, keepdim=True) for x in _pair(mix, target))
    a, b = a.flatten(-2), b.flatten(-2)
    wanted = ((a * b).sum(-1) / b.square().sum(-1).clamp(min=1e-30)).unsqueeze(-1) * b
    return _decibels(wanted, a - wanted)


@torch.no_grad()
def sdr(mix: Tensor, target: Tensor) -> Tensor:
    """Signal-to-distortion ratio in dB, ‖target‖² / ‖mix − target‖², −120 to 120; level and offset count.

    A silent target is −120 dB, or 0 where the mix is silent, too.
    """
    a, b = (x.flatten(-2) for x in _pair(mix, target))
    return _decibels(b, a - b)


@torch.no_grad()
def spectral_distance(mix: Tensor, target: Tensor, sizes: Sequence[int] = (512, 1024, 2048)) -> Tensor:
    """:class:`djgraph.losses.MultiResolutionSTFT` of each item, the mean over its channels; 0 for equal sounds."""
    from djgraph.losses.spectral import MultiResolutionSTFT

    a, b = _pair(mix, target, double=False)
    loss = MultiResolutionSTFT(sizes, reduction="none")
    values = loss(a, b) if a.ndim == 3 else loss(a[None], b[None])
    return values.double().mean(-1).reshape(a.shape[:-2])


@torch.no_grad()
def loudness(audio: Tensor, sample_rate: int) -> Tensor:
    """:func:`djgraph.losses.loudness` in LUFS; −70 where nothing passes the gate."""
    from djgraph.losses.lufs import loudness as measured

    one = isinstance(audio, Tensor) and audio.ndim == 2
    values = measured(audio[None] if one else audio, sample_rate).double()
    return values[0] if one else values


def loudness_difference(mix: Tensor, target: Tensor, sample_rate: int) -> Tensor:
    """By how many LU the mix is louder than the target."""
    a, b = _pair(mix, target, double=False)
    return loudness(a, sample_rate) - loudness(b, sample_rate)


@torch.no_grad()
def control_error(
    params: Tensor,
    truth: Tensor,
    layout: ParameterLayout,
    controls: str | Sequence[str] = "**",
    *,
    counts: Tensor | None = None,
) -> Tensor:
    """Mean distance of controls from known ones, as a share of their travel: 0…1 along each control's own scale.

    params, truth: ``[batch, frames, controls]`` or ``[frames, controls]`` in plain units, alike. controls: which of
    them, a pattern or several. counts: ``[batch, controls]`` (or ``[controls]``), True for those that count in an item;
    an item in which none does has 0.

    Raises LayoutError for a pattern that matches nothing and for a wrong shape, InputError for shapes that differ.
    """
    shapes = [list(x.shape) if isinstance(x, Tensor) else type(x).__name__ for x in (params, truth)]
    if shapes[0] != shapes[1] or not isinstance(params, Tensor) or params.ndim not in (2, 3):
        raise InputError(
            f"params and truth: expected [batch, frames, controls] alike, got {shapes[0]} and {shapes[1]}"
        )
    if not isinstance(layout, ParameterLayout):
        raise InputError(f"layout: expected a ParameterLayout, got {shown(layout)}")
    off = (layout.to_unit(params.double()) - layout.to_unit(truth.double().to(params.device))).abs().mean(-2)
    patterns = [controls] if isinstance(controls, str) else several(controls, "controls", "patterns of names")
    chosen = torch.zeros(len(layout), dtype=torch.bool, device=off.device)
    for pattern in patterns:
        chosen[list(layout.select(pattern))] = True
    if counts is not None:
        if not isinstance(counts, Tensor):
            raise InputError(f"counts: expected a tensor of bools, got {shown(counts)}")
        if counts.dtype != torch.bool or counts.shape not in (off.shape, off.shape[-1:]):
            raise InputError(
                f"counts: expected a bool for each of {list(off.shape)}, got {list(counts.shape)}"
            )
        chosen = chosen & counts.to(off.device)
    chosen = chosen.expand_as(off)
    return torch.where(chosen, off, 0.0).sum(-1) / chosen.sum(-1).clamp(min=1)


def _pair(mix: Tensor, target: Tensor, double: bool = True) -> tuple[Tensor, Tensor]:
    for what, audio in (("mix", mix), ("target", target)):
        if not isinstance(audio, Tensor):
            raise InputError(
                f"{what}: expected a tensor [batch, channels, samples], got {type(audio).__name__}"
            )
    shapes = f"mix {list(mix.shape)} and target {list(target.shape)}"
    if mix.shape != target.shape or mix.ndim not in (2, 3) or not mix.numel():
        raise InputError(f"expected [batch, channels, samples] or [channels, samples] alike, got {shapes}")
    from djgraph.losses.comparison import check_order

    for what, audio in (("mix", mix), ("target", target)):
        check_order(audio, what)
    if not (mix.is_floating_point() and target.is_floating_point()):
        raise InputError(f"expected audio of floating point, got {mix.dtype} and {target.dtype}")
    return (mix.double(), target.to(mix.device).double()) if double else (mix, target.to(mix.device))


def _decibels(signal: Tensor, error: Tensor) -> Tensor:
    power, noise = signal.square().sum(-1), error.square().sum(-1)
    ratio = 10 * (power.clamp(min=1e-30).log10() - noise.clamp(min=1e-30).log10())
    return ratio.clamp(-MOST_DB, MOST_DB)
