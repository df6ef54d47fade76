"""Spectral mixes on a GPU: operators that launch the kernels of :mod:`djgraph.gpu.mix_kernels`.

Tables are whole numbers on the device, int32:

- terms, ``[terms, 4]``: strip, result, and the first of its factors and the one after the last
- ends, ``[results + 1]`` or ``[strips + 1]``: where the terms of each result, or of each strip, begin
- factors, ``[factors, 7]``: 0 for a ratio, then the first weight above, how many, the first below, how many, the first
  curve above and below; 1 for any other gain, then its row among the tables

Spectra are ``[strips, items, channels, frames, bins]``, complex and contiguous; weights ``[rows, items, frames]``, the
frames side by side; curves ``[curves, bins]``; tables ``[gains, items, frames, bins]``, contiguous.
"""

from __future__ import annotations

import torch
from torch import Tensor

from djgraph.gpu import on_device_of

BLOCK = 512
"""Numbers of a spectrum, two for each bin, that a program works on at once."""


@torch.library.custom_op("djgraph::gpu_mix", mutates_args=())
def gpu_mix(
    spectra: Tensor,
    terms: Tensor,
    ends: Tensor,
    factors: Tensor,
    weights: Tensor,
    curves: Tensor,
    tables: Tensor,
) -> Tensor:
    """The results' spectra, ``[results, items, channels, frames, bins]``; ends: by result."""
    _, items, channels, frames, bins = spectra.shape
    results = ends.shape[0] - 1
    out = spectra.new_empty(results, items, channels, frames, bins)
    if out.numel():
        from djgraph.gpu import mix_kernels

        block = _block(bins)
        read, made = torch.view_as_real(spectra), torch.view_as_real(out)
        with on_device_of(spectra):
            mix_kernels.mix[items * frames, results, -(-2 * bins // block)](
                read, made, terms, ends, factors, weights, curves, tables,
                read.stride(0), made.stride(0), read.stride(1), made.stride(1), read.stride(2), bins, frames, channels,
                weights.stride(0), weights.stride(1), items * frames * bins,
                CHANNELS=_power(channels), BLOCK=block, num_warps=4,
            )  # fmt: skip
    return out


@gpu_mix.register_fake
def _(
    spectra: Tensor,
    terms: Tensor,
    ends: Tensor,
    factors: Tensor,
    weights: Tensor,
    curves: Tensor,
    tables: Tensor,
) -> Tensor:
    return spectra.new_empty(ends.shape[0] - 1, *spectra.shape[1:])


@torch.library.custom_op("djgraph::gpu_mix_backward", mutates_args=("weight_totals", "table_totals"))
def gpu_mix_backward(
    spectra: Tensor,
    seeds: Tensor,
    terms: Tensor,
    ends: Tensor,
    factors: Tensor,
    weights: Tensor,
    curves: Tensor,
    tables: Tensor,
    weight_totals: Tensor,
    table_totals: Tensor,
    size: int,
    gains: bool,
    audio: bool,
) -> Tensor:
    """The gradient of the strips' spectra, from that of the results, ``seeds``; ends: by strip.

    gains: those of weights and tables are added to their totals, of the same shapes. audio: the strips' are wanted;
    else what is returned has no frames. size: of the transform. Without ``gains`` spectra are as large as any.
    """
    strips = ends.shape[0] - 1
    _, items, channels, frames, bins = seeds.shape
    back = seeds.new_empty(strips, items, channels, frames if audio else 0, bins)
    if strips and seeds.numel():
        from djgraph.gpu import mix_kernels

        block = _block(bins)
        read, given, made = (torch.view_as_real(one) for one in (spectra, seeds, back))
        signal = given.stride(2)
        with on_device_of(seeds):
            mix_kernels.mix_backward[(items * frames,)](
                read, given, made, terms, ends, factors, weights, curves, tables, weight_totals, table_totals,
                items * channels * signal, given.stride(0), channels * signal, given.stride(1), signal,
                bins, frames, channels, strips, -(-2 * bins // block),
                weights.stride(0), weights.stride(1), weight_totals.stride(0), weight_totals.stride(1),
                items * frames * bins,
                EVEN=size % 2 == 0, GAINS=gains, AUDIO=audio, CHANNELS=_power(channels), BLOCK=block, num_warps=4,
            )  # fmt: skip
    return back


@gpu_mix_backward.register_fake
def _(
    spectra: Tensor,
    seeds: Tensor,
    terms: Tensor,
    ends: Tensor,
    factors: Tensor,
    weights: Tensor,
    curves: Tensor,
    tables: Tensor,
    weight_totals: Tensor,
    table_totals: Tensor,
    size: int,
    gains: bool,
    audio: bool,
) -> Tensor:
    _, items, channels, frames, bins = seeds.shape
    return seeds.new_empty(ends.shape[0] - 1, items, channels, frames if audio else 0, bins)


def _block(bins: int) -> int:
    return min(BLOCK, max(16, _power(2 * bins)))


def _power(number: int) -> int:
    """The smallest power of two that is not below a number."""
    return 1 << (number - 1).bit_length()
