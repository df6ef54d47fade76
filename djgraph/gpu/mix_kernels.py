"""Triton kernels of spectral mixes: gains are computed where they are used, and spectra are read and written once.

A result is a sum of terms: a strip's spectrum times a chain of gains. Tables say which (:mod:`djgraph.gpu.mix`). Gains
are real, so a spectrum is a row of real numbers, two for each bin.
"""

import triton
import triton.language as tl


@triton.jit
def _sum_of_curves(weights, first, rank, weight_row, curves, curve, bins, bin, inside, BLOCK: tl.constexpr):
    total = tl.zeros((BLOCK,), dtype=curves.dtype.element_ty)
    for number in range(rank):
        weight = tl.load(weights + (first + number) * weight_row)
        total += weight * tl.load(curves + (curve + number) * bins + bin, mask=inside, other=0.0)
    return total


@triton.jit
def _parts(
    factor, factors, weights, weight_row, curves, tables, table_row, bins, bin, inside, BLOCK: tl.constexpr
):
    """A gain's numerator and denominator: of a ratio its two sums, of any other gain itself and 1."""
    entry = factors + factor * 7
    kind = tl.load(entry)
    below = tl.zeros((BLOCK,), dtype=curves.dtype.element_ty) + 1
    above = below
    if kind == 0:
        above = _sum_of_curves(
            weights, tl.load(entry + 1), tl.load(entry + 2), weight_row,
            curves, tl.load(entry + 5), bins, bin, inside, BLOCK,
        )  # fmt: skip
        rank = tl.load(entry + 4)
        if rank > 0:
            below = _sum_of_curves(
                weights, tl.load(entry + 3), rank, weight_row,
                curves, tl.load(entry + 6), bins, bin, inside, BLOCK,
            )  # fmt: skip
    else:
        above = tl.load(tables + tl.load(entry + 1).to(tl.int64) * table_row + bin, mask=inside, other=1.0)
    return above, tl.where(inside, below, 1)


@triton.jit
def _gain(
    factor, factors, weights, weight_row, curves, tables, table_row, bins, bin, inside, BLOCK: tl.constexpr
):
    above, below = _parts(
        factor, factors, weights, weight_row, curves, tables, table_row, bins, bin, inside, BLOCK
    )
    # Exactly 1 where both are equal, whatever a division on this device makes of that.
    return tl.where(above == below, 1, above / below)


@triton.jit
def _product(
    begin, end, without, factors, weights, weight_row, curves, tables, table_row, bins, bin, inside,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """The product of a chain's gains, of one of them not; −1: of all."""
    product = tl.zeros((BLOCK,), dtype=curves.dtype.element_ty) + 1
    for factor in range(begin, end):
        if factor != without:
            product *= _gain(
                factor, factors, weights, weight_row, curves, tables, table_row, bins, bin, inside, BLOCK
            )
    return product


@triton.jit
def mix(
    spectra, out, terms, ends, factors, weights, curves, tables,
    strip_stride, result_stride, item_stride, item_out, channel_stride, bins, frames, channels, weight_row,
    weight_item, table_row, CHANNELS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """One block of numbers of one frame of one result, all channels: the sum of its terms."""
    place = tl.program_id(0)
    result = tl.program_id(1)
    item, frame = (place // frames).to(tl.int64), (place % frames).to(tl.int64)
    lane = tl.program_id(2) * BLOCK + tl.arange(0, BLOCK)
    bin = lane // 2
    inside = bin < bins
    channel = tl.arange(0, CHANNELS)[:, None]
    both = inside[None, :] & (channel < channels)
    here = channel * channel_stride + frame * bins * 2 + lane[None, :]
    own = weights + item * weight_item + frame
    table = tables + (item * frames + frame) * bins
    total = tl.zeros((CHANNELS, BLOCK), dtype=spectra.dtype.element_ty)
    for term in range(tl.load(ends + result), tl.load(ends + result + 1)):
        entry = terms + term * 4
        gain = _product(
            tl.load(entry + 2), tl.load(entry + 3), -1,
            factors, own, weight_row, curves, table, table_row, bins, bin, inside, BLOCK,
        )  # fmt: skip
        strip = tl.load(entry).to(tl.int64)
        read = tl.load(spectra + strip * strip_stride + item * item_stride + here, mask=both, other=0.0)
        total += gain[None, :] * read
    tl.store(out + result * result_stride + item * item_out + here, total, mask=both)


@triton.jit
def _add_of_weights(of_sum, totals, first, rank, total_row, curves, curve, bins, bin, inside):
    """The gradients of a sum of curves' weights, from that of the sum."""
    for number in range(rank):
        values = tl.load(curves + (curve + number) * bins + bin, mask=inside, other=0.0)
        tl.atomic_add(totals + (first + number) * total_row, tl.sum(of_sum * values, axis=0))


@triton.jit
def mix_backward(
    spectra, seeds, back, terms, ends, factors, weights, curves, tables, weight_totals, table_totals,
    strip_stride, result_stride, item_stride, item_seed, channel_stride, bins, frames, channels, strips, blocks,
    weight_row, weight_item, total_row, total_item, table_row,
    EVEN: tl.constexpr, GAINS: tl.constexpr, AUDIO: tl.constexpr, CHANNELS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """One frame of all strips: the gradients of their spectra, of weights and of gains, from those of the results.

    Only this program adds to this frame's gradients, in a fixed order: they are the same in every run.
    """
    place = tl.program_id(0)
    item, frame = (place // frames).to(tl.int64), (place % frames).to(tl.int64)
    channel = tl.arange(0, CHANNELS)[:, None]
    own = weights + item * weight_item + frame
    own_total = weight_totals + item * total_item + frame
    table = tables + (item * frames + frame) * bins
    table_total = table_totals + (item * frames + frame) * bins
    for block in range(blocks):
        lane = block * BLOCK + tl.arange(0, BLOCK)
        bin = lane // 2
        inside = bin < bins
        both = inside[None, :] & (channel < channels)
        here = channel * channel_stride + frame * bins * 2 + lane[None, :]
        # The inverse real transform counts the bins between twice, which the seeds' window has for all.
        edge = bin == 0
        if EVEN:
            edge = edge | (bin == bins - 1)
        for number in range(strips):
            strip = tl.full((), 0, tl.int64) + number
            onward = tl.zeros((CHANNELS, BLOCK), dtype=seeds.dtype.element_ty)
            if GAINS:
                source = spectra + strip * strip_stride + item * item_stride + here
                value = tl.load(source, mask=both, other=0.0)
            for term in range(tl.load(ends + number), tl.load(ends + number + 1)):
                entry = terms + term * 4
                result = tl.load(entry + 1).to(tl.int64)
                first = tl.load(entry + 2)
                last = tl.load(entry + 3)
                seed = tl.load(seeds + result * result_stride + item * item_seed + here, mask=both, other=0.0)
                if AUDIO:
                    gain = _product(
                        first, last, -1,
                        factors, own, weight_row, curves, table, table_row, bins, bin, inside, BLOCK,
                    )  # fmt: skip
                    onward += gain[None, :] * seed
                if GAINS:
                    product = tl.sum(value * seed, axis=0)
                    product = tl.where(edge, product * 0.5, product)
                    for factor in range(first, last):
                        others = product * _product(
                            first, last, factor,
                            factors, own, weight_row, curves, table, table_row, bins, bin, inside, BLOCK,
                        )  # fmt: skip
                        above, below = _parts(
                            factor,
                            factors,
                            own,
                            weight_row,
                            curves,
                            table,
                            table_row,
                            bins,
                            bin,
                            inside,
                            BLOCK,
                        )
                        row = factors + factor * 7
                        if tl.load(row) == 0:
                            of_above = others / below
                            _add_of_weights(
                                of_above, own_total, tl.load(row + 1), tl.load(row + 2), total_row,
                                curves, tl.load(row + 5), bins, bin, inside,
                            )  # fmt: skip
                            of_below = -of_above * above / below
                            _add_of_weights(
                                of_below, own_total, tl.load(row + 3), tl.load(row + 4), total_row,
                                curves, tl.load(row + 6), bins, bin, inside,
                            )  # fmt: skip
                        else:
                            pairs = tl.sum(tl.reshape(others, (BLOCK // 2, 2)), axis=1)
                            pair = block * (BLOCK // 2) + tl.arange(0, BLOCK // 2)
                            target = table_total + tl.load(row + 1).to(tl.int64) * table_row + pair
                            tl.atomic_add(target, pairs, mask=pair < bins)
            if AUDIO:
                tl.store(back + strip * strip_stride + item * item_stride + here, onward, mask=both)
