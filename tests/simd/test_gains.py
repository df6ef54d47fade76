"""Products of gains on lanes against NumPy, and their gradients against autograd."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from djgraph.simd import fft, gains
from djgraph.simd.lanes import width
from djgraph.simd.rows import Frames

from .called import called

LANES = width(8)
FRAMES, ITEMS = 30, 2
FIRST = 2
"""Where tables of gains begin."""

FACTOR = st.tuples(st.sampled_from([1, 2, 3, 5]), st.sampled_from([0, 2])) | st.none()
"""Curves above and below, None for a table."""


@dataclass
class Chain:
    """Factors behind some of another chain's, their weights and curves in the kernel's layout."""

    size: int
    factors: list[tuple[int, int] | None]
    seed: int
    rows: list[list[int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.generator = np.random.default_rng(self.seed)
        self.tables = fft.tables(self.size, "float64")
        bins = self.size // 2 + 1
        weights = 1 + sum(sum(factor) for factor in self.factors if factor)
        self.weights = 0.2 + self.generator.random((weights, ITEMS, FRAMES + LANES))
        self.curves = 0.2 + self.generator.random((weights, bins))  # by frequency
        self.gains = 0.2 + self.generator.random((len(self.factors), ITEMS, FRAMES, bins))
        self.gradients = np.full_like(self.gains, 7.0)
        self.totals = np.ones_like(self.weights)
        place = 1
        self.rows.append([gains.RATIO, 0, 1, 0, 0, 0, 0])  # not part of this chain
        for number, factor in enumerate(self.factors):
            if factor is None:
                values, gradient = self.gains[number], self.gradients[number]
                items, frames = (stride // 8 for stride in values.strides[:2])
                row = [gains.TABLE, values.ctypes.data, items, frames, FIRST, gradient.ctypes.data, 0]
            else:
                above, below = factor
                row = [gains.RATIO, place, above, place + above, below, place, place + above]
                place += above + below
            self.rows.append(row)

    def gain(self, weights: Any, tables: Any, item: int, frame: int) -> list[Any]:
        """Each factor's, by frequency."""
        found, place = [], 1
        for number, factor in enumerate(self.factors):
            if factor is None:
                found.append(tables[number, item, frame - FIRST])
                continue
            parts = []
            for rank in factor:
                rows = range(place, place + rank)
                parts.append(sum(weights[row, item, frame] * self.by_frequency[row] for row in rows))
                place += rank
            found.append(parts[0] if not factor[1] else parts[0] / parts[1])
        return found

    @property
    def by_frequency(self) -> Any:
        return torch.from_numpy(self.curves)

    def arguments(self, item: int, frame: int, valid: int) -> tuple[Any, ...]:
        """The chains, the number of the one with the factors, the frames, the transform's tables, and the lanes."""
        work = np.full(gains.work_size(len(self.factors), LANES) + 1, np.nan)
        chains = gains.Chains(
            starts=np.array([0, 1, 1 + len(self.factors)], np.int64),
            factors=np.array(self.rows, np.int64),
            weights=self.weights,
            totals=self.totals,
            curves=np.ascontiguousarray(self.curves[:, self.tables.bins]),
            work=work,
        )
        return chains, 1, Frames(item, frame, valid, False), self.tables, LANES

    def spectra(self, valid: int = LANES) -> tuple[NDArray[Any], NDArray[Any]]:
        """Two blocks with sentinels between, ``[2, size, lanes]`` each for re and im."""
        made = self.generator.standard_normal((2, 2 * self.size + 3, LANES))
        made[:, :, valid:] = 0
        return made[0].reshape(-1), made[1].reshape(-1)


CASES = {
    "size": st.sampled_from([16, 64, 128]),
    "factors": st.lists(FACTOR, min_size=1, max_size=4),
    "item": st.integers(0, ITEMS - 1),
    "frame": st.integers(FIRST, FRAMES - 1),
    "valid": st.integers(1, LANES),
    "seed": st.integers(0, 99),
}


@pytest.mark.slow
@settings(max_examples=examples(150), deadline=None)
@given(added=st.booleans(), in_place=st.booleans(), **CASES)
def test_applying(
    size: int, factors: Any, item: int, frame: int, valid: int, seed: int, added: bool, in_place: bool
) -> None:
    chain, valid = Chain(size, factors, seed), min(valid, FRAMES - frame)
    re, im = chain.spectra()
    before = np.stack([part.reshape(-1, LANES).copy() for part in (re, im)])
    here, there = 2, 2 if in_place else size + 3
    slots, arguments = fft.Slots(re, im), chain.arguments(item, frame, valid)
    called(gains.apply)(slots, here * LANES, there * LANES, int(added), *arguments)
    got = np.stack([part.reshape(-1, LANES) for part in (re, im)])
    tables = chain.tables
    for lane in range(valid):
        gain = np.prod(
            [part.numpy() for part in chain.gain(*chain_tensors(chain), item, frame + lane)], axis=0
        )
        by_place = np.empty(size)
        by_place[tables.first] = gain[tables.bins]
        by_place[tables.second] = gain[tables.bins]
        expected = before[:, here : here + size, lane] * by_place
        if added:
            expected = expected + before[:, there : there + size, lane]
        np.testing.assert_allclose(got[:, there : there + size, lane], expected, rtol=1e-12, atol=1e-13)
    others = np.ones(2 * size + 3, bool)
    others[there : there + size] = False
    np.testing.assert_array_equal(got[:, others], before[:, others])


def chain_tensors(chain: Chain) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(chain.weights), torch.from_numpy(chain.gains)


@pytest.mark.slow
@settings(max_examples=examples(100), deadline=None)
@given(silent=st.booleans(), nowhere=st.booleans(), **CASES)
def test_gradients(
    size: int, factors: Any, item: int, frame: int, valid: int, seed: int, silent: bool, nowhere: bool
) -> None:
    chain, valid = Chain(size, factors, seed), min(valid, FRAMES - frame)
    if silent:  # a gain that is 0 must not keep the others' gradients from being found
        chain.gains[0] = 0
        if chain.factors[0]:
            chain.weights[1 : 1 + chain.factors[0][0]] = 0
    if nowhere:
        for row in chain.rows:
            if row[gains.KIND] == gains.TABLE:
                row[gains.TABLE_GRADIENT] = 0
    re, im = chain.spectra(valid)
    here, there = 2, size + 3
    spectra = [part.reshape(-1, LANES)[at : at + size] for at in (here, there) for part in (re, im)]
    x_re, x_im, y_re, y_im = (torch.from_numpy(part.copy()) for part in spectra)
    weights, tables = (tensor.clone().requires_grad_() for tensor in chain_tensors(chain))
    first, second = torch.from_numpy(chain.tables.first), torch.from_numpy(chain.tables.second)
    bins = torch.from_numpy(chain.tables.bins)
    total = torch.zeros((), dtype=torch.float64)
    for lane in range(valid):
        gain = torch.ones(size // 2 + 1, dtype=torch.float64)
        for factor in chain.gain(weights, tables, item, frame + lane):
            gain = gain * factor
        for places in (first, second[(first != second)]):
            of_place = gain[bins] if places is first else gain[bins[first != second]]
            for x, y in ((x_re, y_re), (x_im, y_im)):
                total = total + (of_place * x[places, lane] * y[places, lane]).sum()
    of_weights, of_tables = torch.autograd.grad(
        total, (weights, tables), allow_unused=True, materialize_grads=True
    )
    before = re.copy(), im.copy()
    slots, arguments = fft.Slots(re, im), chain.arguments(item, frame, valid)
    called(gains.gradients)(slots, here * LANES, there * LANES, *arguments)
    np.testing.assert_allclose(chain.totals - 1, of_weights.numpy(), rtol=1e-9, atol=1e-10)
    expected = np.full_like(chain.gradients, 7.0)
    for number, kind in enumerate(chain.factors):
        if kind is None and not nowhere:
            span = slice(frame - FIRST, frame - FIRST + valid)
            expected[number, item, span] = of_tables[number, item, span].numpy()
    np.testing.assert_allclose(chain.gradients, expected, rtol=1e-9, atol=1e-10)
    np.testing.assert_array_equal(re, before[0])
    np.testing.assert_array_equal(im, before[1])


@settings(max_examples=examples(30), deadline=None)
@given(seed=st.integers(0, 99), rank=st.sampled_from([1, 2, 3, 5]), times=st.integers(1, 4))
def test_equal_sums_above_and_below_give_exactly_one(seed: int, rank: int, times: int) -> None:
    chain = Chain(64, [(rank, 2 if rank == 2 else rank)] * times, seed)
    for row in chain.rows[1:]:
        row[gains.BELOW], row[gains.BELOW_CURVES] = row[gains.ABOVE], row[gains.ABOVE_CURVES]
    re, im = chain.spectra()
    before = re.copy(), im.copy()
    called(gains.apply)(fft.Slots(re, im), 0, 0, 0, *chain.arguments(0, 3, LANES))
    np.testing.assert_array_equal(re, before[0])
    np.testing.assert_array_equal(im, before[1])
