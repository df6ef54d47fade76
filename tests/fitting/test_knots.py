"""Lines between knots, and block tridiagonal systems, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.fitting.knots import KnotGrid, Tridiagonal


@given(st.integers(1, 9), st.integers(2, 50), st.integers(1, 40), st.integers(0, 10**6))
@settings(max_examples=examples(40), deadline=None)
def test_grid_reads_lines_and_collect_is_its_transpose(
    frames: int, samples: int, points: int, seed: int
) -> None:
    rng = np.random.RandomState(seed)
    positions = rng.uniform(0, samples - 1, points)
    grid = KnotGrid.at(torch.from_numpy(positions), samples, frames)
    values = rng.standard_normal((frames, 2))
    expected = [np.interp(positions, np.linspace(0, samples - 1, frames), column) for column in values.T]
    read = grid.read(torch.from_numpy(values))
    np.testing.assert_allclose(read, np.stack(expected, 1), atol=1e-9)
    other = rng.standard_normal((points, 2))
    back = grid.collect(torch.from_numpy(other))
    assert float((read * torch.from_numpy(other)).sum()) == pytest.approx(
        float((values * back.numpy()).sum())
    )


@given(st.integers(1, 7), st.integers(1, 4), st.integers(0, 10**6))
@settings(max_examples=examples(40), deadline=None)
def test_tridiagonal_systems_as_numpy_solves_them(blocks: int, size: int, seed: int) -> None:
    rng = np.random.RandomState(seed)
    pieces = rng.standard_normal((blocks + 1, 2 * size, 2 * size))
    dense = np.zeros((blocks * size, blocks * size)) + np.eye(blocks * size)
    for i in range(blocks - 1):
        at = slice(i * size, (i + 2) * size)
        dense[at, at] += pieces[i] @ pieces[i].T
    grid = dense.reshape(blocks, size, blocks, size)
    matrix = Tridiagonal(
        torch.from_numpy(np.stack([grid[i, :, i] for i in range(blocks)])),
        torch.from_numpy(
            np.array([grid[i, :, i + 1] for i in range(blocks - 1)]).reshape(blocks - 1, size, size)
        ),
    )
    right = rng.standard_normal((blocks, size))
    solved = matrix.factor().solve(torch.from_numpy(right)).numpy()
    np.testing.assert_allclose(solved.ravel(), np.linalg.solve(dense, right.ravel()), atol=1e-8)
    product = matrix.times(torch.from_numpy(right)).numpy().ravel()
    np.testing.assert_allclose(product, dense @ right.ravel(), atol=1e-9)
    pinned = torch.from_numpy(rng.random_sample((blocks, size)) < 0.5)
    free = ~pinned.numpy().ravel()
    held = (
        matrix.pin(pinned).factor().solve(torch.where(pinned, 0.0, torch.from_numpy(right))).numpy().ravel()
    )
    assert (held[~free] == 0).all()
    if free.any():
        np.testing.assert_allclose(
            held[free], np.linalg.solve(dense[np.ix_(free, free)], right.ravel()[free]), atol=1e-8
        )
