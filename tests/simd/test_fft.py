"""Fast Fourier transforms on lanes against NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from effort import few
from numpy.typing import NDArray

from djgraph import simd
from djgraph.simd import fft
from djgraph.simd.lanes import width

from .called import called

SIZES = [2**power for power in range(4, 14)]
TOLERANCE = {"float32": 2e-6, "float64": 3e-15}
"""Relative to the largest number."""


class Block:
    """Room for one block at ``at`` with sentinels around it; ``values`` are ``[size, lanes]``, complex."""

    def __init__(self, size: int, dtype: str, seed: int = 0) -> None:
        self.size, self.lanes = size, width(np.dtype(dtype).itemsize)
        self.at = 3 * self.lanes
        generator = np.random.default_rng(seed)
        made = generator.standard_normal((2, size + 7, self.lanes)).astype(dtype)
        self.re, self.im = made.reshape(2, -1)
        self.before = made.copy()
        self.values = made[0, 3 : size + 3] + 1j * made[1, 3 : size + 3].astype(np.complex128)
        self.tables = fft.tables(size, dtype)

    def write(self, values: NDArray[Any]) -> None:
        for part, found in ((self.re, values.real), (self.im, values.imag)):
            part.reshape(-1, self.lanes)[3 : self.size + 3] = found

    def read(self) -> NDArray[Any]:
        re, im = (part.reshape(-1, self.lanes)[3 : self.size + 3] for part in (self.re, self.im))
        return re + 1j * im.astype(np.complex128)

    def forward(self) -> None:
        called(fft.forward)(fft.Slots(self.re, self.im), self.at, self.size, self.lanes, self.tables)

    def backward(self) -> None:
        called(fft.backward)(fft.Slots(self.re, self.im), self.at, self.size, self.lanes, self.tables)

    def assert_untouched_beside(self) -> None:
        now = np.stack([part.reshape(-1, self.lanes) for part in (self.re, self.im)])
        np.testing.assert_array_equal(now[:, :3], self.before[:, :3])
        np.testing.assert_array_equal(now[:, self.size + 3 :], self.before[:, self.size + 3 :])


def assert_close(got: NDArray[Any], expected: NDArray[Any], dtype: str) -> None:
    assert np.abs(got - expected).max() <= TOLERANCE[dtype] * np.abs(expected).max()


@pytest.mark.parametrize("dtype", few(["float32", "float64"], 1))
@pytest.mark.parametrize("size", SIZES)
def test_forward_is_the_fourier_transform_of_each_lane(size: int, dtype: str) -> None:
    block = Block(size, dtype)
    tables, expected = block.tables, np.fft.fft(block.values, axis=0)
    block.forward()
    got = block.read()
    assert_close(got[tables.first], expected[tables.bins], dtype)
    assert_close(got[tables.second], expected[-tables.bins % size], dtype)
    block.assert_untouched_beside()


@pytest.mark.parametrize("dtype", few(["float32", "float64"], 1))
@pytest.mark.parametrize("size", SIZES)
def test_backward_is_the_sum_of_all_waves(size: int, dtype: str) -> None:
    block = Block(size, dtype, seed=1)
    tables = block.tables
    spectra, placed = block.values, np.empty_like(block.values)
    placed[tables.first] = spectra[tables.bins]
    placed[tables.second] = spectra[-tables.bins % size]
    block.write(placed)
    block.backward()
    assert_close(block.read(), size * np.fft.ifft(spectra, axis=0), dtype)
    block.assert_untouched_beside()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", few(SIZES, 4))
def test_there_and_back_is_size_times_what_was(size: int, dtype: str) -> None:
    block = Block(size, dtype, seed=2)
    block.forward()
    block.backward()
    assert_close(block.read(), size * block.values, dtype)
    block.assert_untouched_beside()


@pytest.mark.parametrize("size", SIZES)
def test_every_frequency_has_one_place(size: int) -> None:
    tables = fft.tables(size, "float64")
    assert sorted(tables.bins) == list(range(size // 2 + 1))
    assert sorted({*tables.first, *tables.second}) == list(range(size))
    alone = tables.first == tables.second
    assert sorted(tables.bins[alone]) == [0, size // 2]
    assert (np.diff(tables.first) > 0).all()


def test_a_wave_comes_out_at_its_own_frequency() -> None:
    block = Block(64, "float64")
    wave = np.exp(2j * np.pi * 5 * np.arange(64) / 64)
    block.write(np.repeat(wave[:, None], block.lanes, axis=1))
    block.forward()
    expected = np.zeros(33)
    expected[5] = 64
    got = block.read()
    for lane in range(block.lanes):
        np.testing.assert_allclose(got[block.tables.first, lane], expected[block.tables.bins], atol=1e-12)
        np.testing.assert_allclose(got[block.tables.second, lane][block.tables.bins % 32 > 0], 0, atol=1e-12)


def test_which_sizes_there_are() -> None:
    assert [size for size in range(70) if simd.transforms(size)] == [16, 32, 64]
    assert simd.transforms(4096)
    assert not simd.transforms(4095)
