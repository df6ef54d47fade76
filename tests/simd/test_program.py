"""Programs against an STFT in NumPy, cut into steps, jobs and threads in every way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from djgraph.simd import fft, gains, program, rows
from djgraph.simd.lanes import width
from djgraph.simd.program import ADD, ANALYSE, GRADIENT, SCALE, SYNTHESISE, Job, MachineCode, Signals

ITEMS = 2


def hann(size: int) -> NDArray[Any]:
    """Periodic."""
    return np.sin(np.pi * np.arange(size) / size) ** 2


def frames_of(audio: NDArray[Any], size: int, hop: int, window: NDArray[Any]) -> NDArray[Any]:
    """``[…, samples]`` → ``[…, frames, bins]``, the edges reflected."""
    padded = np.pad(audio, [(0, 0)] * (audio.ndim - 1) + [(size // 2, size // 2)], mode="reflect")
    count = 1 + audio.shape[-1] // hop
    windows = np.stack([padded[..., t * hop : t * hop + size] for t in range(count)], axis=-2)
    return np.fft.rfft(windows * window)


def overlapped(
    spectra: NDArray[Any], size: int, hop: int, window: NDArray[Any], samples: int
) -> NDArray[Any]:
    """``[…, frames, bins]`` → ``[…, samples]``: windowed frames added up."""
    frames = np.fft.irfft(spectra, size) * window
    count = frames.shape[-2]
    total = np.zeros((*frames.shape[:-2], (count - 1) * hop + size + samples))
    for t in range(count):
        total[..., t * hop : t * hop + size] += frames[..., t, :]
    return total[..., size // 2 : size // 2 + samples]


@dataclass
class Case:
    """Two strips of audio, each with a chain of gains."""

    size: int
    hop: int
    samples: int
    channels: int
    dtype: str
    seed: int

    def __post_init__(self) -> None:
        generator = np.random.default_rng(self.seed)
        self.lanes = width(np.dtype(self.dtype).itemsize)
        self.frames = 1 + self.samples // self.hop
        self.audio = self._made(generator.standard_normal((2, ITEMS, self.channels, self.samples)))
        self.other = self._made(generator.standard_normal((2, ITEMS, self.channels, self.samples)))
        window = hann(self.size)
        self.windows = self._made(np.stack((window, (window + 0.1) / self.size, window)))
        rank, bins = 3, self.size // 2 + 1
        self.weights = self._made(generator.random((2 * rank, ITEMS, self.frames + self.lanes)))
        self.curves = self._made(generator.random((2 * rank, bins)))
        self.factors = np.array(
            [[gains.RATIO, rank * n, rank, 0, 0, rank * n, 0] for n in range(2)], np.int64
        )
        # One gain for each strip, ``[strips, items, frames, bins]``.
        shaped = self.weights[..., : self.frames].reshape(2, rank, ITEMS, self.frames)
        self.gain = np.einsum("srif,srb->sifb", shaped, self.curves.reshape(2, rank, bins))

    def _made(self, values: NDArray[Any]) -> NDArray[Any]:
        return np.ascontiguousarray(values.astype(self.dtype))

    def row(self, audio: NDArray[Any], columns: int) -> list[int]:
        made = [0] * columns
        made[rows.LEFT] = audio.ctypes.data
        made[rows.RIGHT] = audio[:, 1:].ctypes.data if self.channels == 2 else 0
        made[rows.ITEM] = audio.strides[0] // audio.itemsize
        return made

    def source(self, audio: NDArray[Any], window: int, mirrored: bool = True) -> list[int]:
        made = self.row(audio, rows.SOURCE_COLUMNS)
        made[rows.MIRRORED], made[rows.WINDOW] = int(mirrored), window
        return made

    def target(self, audio: NDArray[Any], window: int, folded: bool = False) -> list[int]:
        made = self.row(audio, rows.TARGET_COLUMNS)
        made[rows.FOLDED], made[rows.TO_WINDOW], made[rows.SOURCE] = int(folded), window, -1
        return made

    def run(
        self,
        operations: Sequence[Sequence[int]],
        sources: Sequence[list[int]],
        targets: Sequence[list[int]],
        step: int,
        cuts: Sequence[int] = (),
    ) -> NDArray[Any]:
        """Returns the gradients of the weights."""
        table = np.array(
            [[*one, *[0] * (program.OPERATION_COLUMNS - len(one))] for one in operations], np.int64
        )
        totals = np.zeros_like(self.weights)
        tables = fft.tables(self.size, self.dtype)
        signals = Signals(
            samples=self.samples,
            hop=self.hop,
            windows=self.windows,
            sources=np.array(sources, np.int64),
            targets=np.array(targets, np.int64),
            weights=self.weights,
            totals=totals,
            curves=np.ascontiguousarray(self.curves[:, tables.bins]),
            chains=np.array([0, 1, 2], np.int64),
            factors=self.factors,
        )
        edges = sorted({0, self.frames, *(cut for cut in cuts if cut < self.frames)})
        jobs = [Job(i, low, high, high == self.frames) for i in range(ITEMS) for low, high in pairwise(edges)]
        left = program.run(MachineCode(table, 3, len(targets), 1), signals, jobs, step)
        assert len(left) == ITEMS * (len(edges) - 2)
        program.finish(signals, left)
        return totals

    def mix(self, step: int, cuts: Sequence[int] = ()) -> NDArray[Any]:
        """Strip 0 and, from strip 1, twice the same: each times its gain, added up; ``[items, channels, samples]``."""
        out = np.full((ITEMS, self.channels, self.samples), np.nan, self.dtype)
        operations = [
            (ANALYSE, 1, 2),
            (ADD, 2, 0, 0),
            (ADD, 2, 0, 1),
            (SCALE, 1, 0, 0, 0),
            (ANALYSE, 0, 2),
            (SCALE, 0, 2, 0, 1),
            (SYNTHESISE, 0, 0),
        ]
        sources = [self.source(audio, 0) for audio in self.audio]
        self.run(operations, sources, [self.target(out, 1)], step, cuts)
        return out

    def expected(self) -> NDArray[Any]:
        spectra = frames_of(self.audio.astype(float), self.size, self.hop, hann(self.size))
        one, two = spectra * self.gain[:, :, None]
        synthesis = hann(self.size) + 0.1
        return overlapped(one + 2 * two, self.size, self.hop, synthesis, self.samples)


@st.composite
def cases(draw: st.DrawFn, dtype: str = "float64") -> Case:
    size, hop = draw(st.sampled_from([(16, 4), (16, 8), (32, 8), (32, 5), (64, 16), (64, 12), (16, 1)]))
    samples = draw(st.integers(1, 4) | st.integers(5, 300))
    return Case(size, hop, samples, draw(st.integers(1, 2)), dtype, draw(st.integers(0, 99)))


CUTS = st.lists(st.integers(1, 60), max_size=4)


def step_of(case: Case, step: int | None) -> int:
    return step or case.lanes


@settings(max_examples=examples(60), deadline=None)
@given(case=cases(), step=st.sampled_from([1, 3, None]), cuts=CUTS)
def test_a_mix_is_what_numpy_makes(case: Case, step: int | None, cuts: list[int]) -> None:
    got = case.mix(step_of(case, step), cuts)
    np.testing.assert_allclose(got, case.expected(), rtol=0, atol=1e-12 * case.size)


@settings(max_examples=examples(15), deadline=None)
@given(case=cases("float32"), step=st.sampled_from([1, 3, None]), cuts=CUTS)
def test_in_single_precision_too(case: Case, step: int | None, cuts: list[int]) -> None:
    expected = case.expected()
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(case.mix(step_of(case, step), cuts), expected, rtol=0, atol=2e-6 * scale)


@settings(max_examples=examples(20), deadline=None)
@given(case=cases(), cuts=CUTS)
def test_several_jobs_make_what_one_makes(case: Case, cuts: list[int]) -> None:
    np.testing.assert_allclose(
        case.mix(case.lanes, cuts), case.mix(case.lanes), rtol=0, atol=1e-12 * case.size
    )


@pytest.mark.parametrize(("size", "hop"), [(64, 16), (128, 24)])
def test_any_number_of_threads_makes_the_same_bits(size: int, hop: int) -> None:
    case = Case(size, hop, 3000, 2, "float64", 5)
    before = torch.get_num_threads()
    try:
        made = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            made.append(case.mix(case.lanes, [4 * case.lanes, 9 * case.lanes]))
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(*made)
    np.testing.assert_allclose(made[0], case.expected(), rtol=0, atol=1e-11)


@settings(max_examples=examples(40), deadline=None)
@given(case=cases(), step=st.sampled_from([1, 3, None]))
def test_the_way_back_is_the_adjoint(case: Case, step: int | None) -> None:
    """<mix(x), y> = <x, back(y)>, and it is the sum over all weights times their gradients, the gain being linear."""
    forward = case.mix(step_of(case, step))
    seed = np.ascontiguousarray(case.other[0])
    back = np.ones_like(case.audio)
    operations = [
        (ANALYSE, 2, 0),
        (ANALYSE, 0, 1),
        (GRADIENT, 0, 1, 0),
        (SCALE, 0, 0, 1, 0),
        (SYNTHESISE, 0, 1),
        (ANALYSE, 1, 1),
        (ADD, 1, 1, 1),
        (GRADIENT, 1, 1, 0),
        (SCALE, 1, 0, 2, 0),
        (ADD, 2, 2, 1),
        (SYNTHESISE, 1, 2),
    ]
    sources = [*(case.source(audio, 0) for audio in case.audio), case.source(seed, 1, mirrored=False)]
    targets = [case.target(audio, 2, folded=True) for audio in back]
    totals = case.run(operations, sources, targets, step_of(case, step))
    one = (forward * seed).sum((1, 2))
    atol = 1e-11 * case.size * max(1, case.samples) ** 0.5
    np.testing.assert_allclose(one, (case.audio * (back - 1)).sum((0, 2, 3)), rtol=1e-10, atol=atol)
    np.testing.assert_allclose(
        one, (totals * case.weights)[..., : case.frames].sum((0, 2)), rtol=1e-10, atol=atol
    )
    assert (totals[..., case.frames :] == 0).all()
