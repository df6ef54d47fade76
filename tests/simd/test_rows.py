"""Audio onto lanes and back against loops over single samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from djgraph.simd import rows
from djgraph.simd.lanes import width

from .called import called

LANES = width(8)
NUMBER = 8
"""Bytes of one."""


def bounce(place: int, samples: int) -> int:
    """The sample that a place reads, found by going back and forth."""
    while samples > 1 and not 0 <= place < samples:
        place = -place if place < 0 else 2 * (samples - 1) - place
    return place if samples > 1 else 0


@dataclass(frozen=True)
class Case:
    size: int
    hop: int
    samples: int
    first: int
    """Frame."""
    valid: int
    item: int
    channels: int
    seed: int

    @property
    def tiling(self) -> rows.Tiling:
        return rows.Tiling.of(self.samples, self.size, self.hop, LANES)

    @property
    def frames(self) -> rows.Frames:
        return rows.Frames(self.item, self.first, self.valid, False)

    @property
    def stride(self) -> int:
        return self.tiling.stride

    @property
    def start(self) -> int:
        return self.first * self.hop - self.size // 2

    @property
    def covered(self) -> int:
        """Samples."""
        return (self.valid - 1) * self.hop + self.size

    @property
    def count(self) -> int:
        """Hops."""
        return -(-self.covered // self.hop)

    def places(self) -> list[int]:
        return [self.start + n for n in range(self.covered)]

    def noise(self, *shape: int, more: int = 0) -> NDArray[Any]:
        return np.random.default_rng(self.seed + 1000 * more).standard_normal(shape)

    def line(self, left_over: float = 5.0) -> NDArray[Any]:
        return np.full(self.stride * self.hop, left_over)

    def table(self) -> NDArray[Any]:
        return np.full(self.stride * self.hop, np.nan)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    size, hop = draw(st.sampled_from([(16, 4), (16, 5), (32, 8), (32, 12), (64, 16), (16, 16), (48, 20)]))
    samples = draw(st.integers(1, 4) | st.integers(5, 150))
    if draw(st.booleans()):  # a hop that ends at the clip's end, or a sample before or behind it
        samples = max(1, samples // hop * hop + draw(st.integers(-1, 1)))
    frames = 1 + samples // hop
    first = draw(st.integers(0, frames - 1) | st.integers(max(0, frames - 4), frames - 1))
    valid = draw(st.integers(1, LANES))
    return Case(
        size,
        hop,
        samples,
        first,
        valid,
        draw(st.integers(0, 1)),
        draw(st.integers(1, 2)),
        draw(st.integers(0, 99)),
    )


def source_row(audio: NDArray[Any], mirrored: bool, factor: NDArray[Any] | None = None) -> list[int]:
    """Of ``[items, channels, samples]``; factor: ``[items, samples]``."""
    row = [0] * rows.SOURCE_COLUMNS
    row[rows.LEFT] = audio.ctypes.data
    row[rows.RIGHT] = audio[:, 1:].ctypes.data if audio.shape[1] == 2 else 0
    row[rows.ITEM] = audio.strides[0] // NUMBER
    row[rows.MIRRORED] = int(mirrored)
    if factor is not None:
        row[rows.FACTOR], row[rows.FACTOR_ITEM] = factor.ctypes.data, factor.strides[0] // NUMBER
    return row


def target_row(audio: NDArray[Any] | None, folded: bool) -> list[int]:
    row = [0] * rows.TARGET_COLUMNS
    if audio is not None:
        row[rows.TO_LEFT] = audio.ctypes.data
        row[rows.TO_RIGHT] = audio[:, 1:].ctypes.data if audio.shape[1] == 2 else 0
        row[rows.TO_ITEM] = audio.strides[0] // NUMBER
    row[rows.FOLDED], row[rows.SOURCE] = int(folded), -1
    return row


def table_of(*made: list[int]) -> NDArray[Any]:
    """With a row of nonsense before the ones that are used."""
    return np.array([[-77] * len(made[0]), *made], np.int64)


NO_SOURCES = np.zeros((0, rows.SOURCE_COLUMNS), np.int64)
NO_TARGETS = np.zeros((0, rows.TARGET_COLUMNS), np.int64)
NO_WINDOWS = np.zeros((0, 0))


def read(case: Case, row: list[int], left_over: float = 5.0) -> list[NDArray[Any]]:
    """Left and right as ``[hop, stride]``."""
    re, im = case.table(), case.table()
    room, audio = rows.Rows(re, im, case.line(left_over)), rows.Audio(table_of(row), NO_TARGETS, NO_WINDOWS)
    called(rows.read)(room, case.tiling, case.frames, audio, 1)
    return [part.reshape(case.hop, case.stride) for part in (re, im)]


def expected_rows(case: Case, heard: list[float]) -> NDArray[Any]:
    """Sample i of hop r in row i, column r; zeros behind the last hop."""
    found = np.zeros((case.hop, case.stride))
    for n, value in enumerate(heard):
        found[n % case.hop, n // case.hop] = value
    return found


@pytest.mark.slow
@settings(max_examples=examples(150), deadline=None)
@given(case=cases(), mirrored=st.booleans(), scaled=st.booleans())
def test_reading(case: Case, mirrored: bool, scaled: bool) -> None:
    audio = case.noise(2, case.channels, case.samples)
    factor = case.noise(2, case.samples, more=1) if scaled else None
    got = read(case, source_row(audio, mirrored, factor))
    for channel, found in enumerate(got):
        if channel >= case.channels:
            assert (found == 0).all()
            continue
        heard = []
        for place in case.places():
            inside = bounce(place, case.samples)
            value = audio[case.item, channel, inside] * (1 if factor is None else factor[case.item, inside])
            heard.append(value if mirrored or place == inside else 0.0)
        np.testing.assert_array_equal(found, expected_rows(case, heard))


@settings(max_examples=examples(30), deadline=None)
@given(case=cases(), mirrored=st.booleans())
def test_reading_does_not_mind_what_is_left_in_the_line(case: Case, mirrored: bool) -> None:
    audio = case.noise(2, case.channels, case.samples)
    row = source_row(audio, mirrored)
    for one, two in zip(read(case, row), read(case, row, np.inf)):
        np.testing.assert_array_equal(one, two)
    assert np.isfinite(audio).all()


@settings(max_examples=examples(50), deadline=None)
@given(case=cases(), scaled=st.booleans())
def test_reading_a_piece_of_the_clip_reads_the_same(case: Case, scaled: bool) -> None:
    """``LO`` is the piece's first sample; nothing outside of it may be looked at."""
    audio = case.noise(2, case.channels, case.samples)
    factor = case.noise(2, case.samples, more=1) if scaled else None
    whole = read(case, source_row(audio, True, factor))
    inside = [bounce(place, case.samples) for place in case.places()]
    lo, hi = min(inside), max(inside) + 1
    room = np.full((2, case.channels, hi - lo + 6), np.nan)
    piece = room[..., 3:-3]
    piece[:] = audio[..., lo:hi]
    row = source_row(piece, True, factor)
    row[rows.LO] = lo
    if factor is not None:  # a factor begins where its audio does
        row[rows.FACTOR] += lo * NUMBER
    for one, two in zip(whole, read(case, row)):
        np.testing.assert_array_equal(one, two)


@settings(max_examples=examples(60), deadline=None)
@given(case=cases(), at=st.integers(0, 9))
def test_frames_out_of_rows(case: Case, at: int) -> None:
    audio, window = case.noise(1, 1, case.samples), case.noise(case.size, more=2)
    case = Case(**{**case.__dict__, "item": 0})
    table, _ = read(case, source_row(audio, True))
    slot = np.full((case.size + 4) * LANES, 7.0)
    called(rows.to_frames)(table.reshape(-1), window, slot, at, case.tiling, case.valid)
    expected = np.full(len(slot), 7.0)
    for n in range(case.size):
        for lane in range(LANES):
            place = bounce(case.start + lane * case.hop + n, case.samples)
            value = audio[0, 0, place] * window[n] if lane < case.valid else 0.0
            expected[at + n * LANES + lane] = value
    np.testing.assert_array_equal(slot, expected)


@settings(max_examples=examples(60), deadline=None)
@given(case=cases(), at=st.integers(0, 9))
def test_rows_out_of_frames(case: Case, at: int) -> None:
    window, slot = case.noise(case.size), case.noise((case.size + 4) * LANES, more=1)
    got = case.noise(case.hop * case.stride, more=2)
    expected = got.reshape(case.hop, case.stride).copy()
    called(rows.from_frames)(slot, at, window, got, case.tiling)
    for lane in range(LANES):
        for n in range(case.size):
            place = lane * case.hop + n
            expected[place % case.hop, place // case.hop] += window[n] * slot[at + n * LANES + lane]
    np.testing.assert_allclose(got.reshape(case.hop, case.stride), expected, atol=1e-12)


def write(
    case: Case, table: NDArray[Any], target: list[int], sources: NDArray[Any] = NO_SOURCES, added: bool = True
) -> None:
    """``table``: ``[2, hop, stride]``."""
    re, im = (part.reshape(-1).copy() for part in table)
    room, audio = rows.Rows(re, im, case.line()), rows.Audio(sources, table_of(target), NO_WINDOWS)
    called(rows.write)(room, case.tiling, case.frames, case.covered, audio, 1, added)


def in_order(case: Case, table: NDArray[Any]) -> NDArray[Any]:
    """The samples of a table one after another."""
    return np.array([table[n % case.hop, n // case.hop] for n in range(case.covered)])


@pytest.mark.slow
@settings(max_examples=examples(150), deadline=None)
@given(case=cases(), folded=st.booleans(), added=st.booleans())
def test_writing(case: Case, folded: bool, added: bool) -> None:
    added = added or folded  # what is folded is always added
    table = case.noise(2, case.hop, case.stride)
    out = case.noise(2, case.channels, case.samples, more=1)
    expected = out.copy()
    for channel in range(case.channels):
        line = expected[case.item, channel]
        places, values = np.array(case.places()), in_order(case, table[channel])
        if folded:
            np.add.at(line, [bounce(place, case.samples) for place in case.places()], values)
            continue
        inside = (places >= 0) & (places < case.samples)
        line[places[inside]] = values[inside] + (line[places[inside]] if added else 0)
    write(case, table, target_row(out, folded), added=added)
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-12)


@settings(max_examples=examples(150), deadline=None)
@given(case=cases(), wanted=st.sampled_from(["audio", "factor", "both"]), folded=st.booleans())
def test_writing_the_gradients_of_audio_times_a_factor(case: Case, wanted: str, folded: bool) -> None:
    table = case.noise(2, case.hop, case.stride)
    audio, factor = case.noise(2, case.channels, case.samples, more=1), case.noise(2, case.samples, more=2)
    of_audio, of_factor = case.noise(*audio.shape, more=3), case.noise(*factor.shape, more=4)
    expected_audio, expected_factor = of_audio.copy(), of_factor.copy()
    for channel in range(case.channels):
        for place, value in zip(case.places(), in_order(case, table[channel])):
            inside = bounce(place, case.samples)
            if folded or place == inside:
                if wanted != "factor":
                    expected_audio[case.item, channel, inside] += value * factor[case.item, inside]
                if wanted != "audio":
                    expected_factor[case.item, inside] += value * audio[case.item, channel, inside]
    target = target_row(None if wanted == "factor" else of_audio, folded)
    target[rows.SOURCE] = 1
    if wanted != "audio":
        target[rows.TO_FACTOR] = of_factor.ctypes.data
        target[rows.TO_FACTOR_ITEM] = of_factor.strides[0] // NUMBER
    write(case, table, target, table_of(source_row(audio, True, factor)))
    np.testing.assert_allclose(of_audio, expected_audio, rtol=0, atol=1e-11)
    np.testing.assert_allclose(of_factor, expected_factor, rtol=0, atol=1e-11)


@settings(max_examples=examples(30), deadline=None)
@given(case=cases())
def test_writing_to_a_piece_of_the_clip(case: Case) -> None:
    table = case.noise(2, case.hop, case.stride)
    whole = np.zeros((2, case.channels, case.samples))
    write(case, table, target_row(whole, True))
    inside = [bounce(place, case.samples) for place in case.places()]
    lo, hi = min(inside), max(inside) + 1
    room = np.full((2, case.channels, hi - lo + 6), 7.0)
    piece = room[..., 3:-3]
    piece[:] = 0
    target = target_row(piece, True)
    target[rows.TO_LO] = lo
    write(case, table, target)
    np.testing.assert_array_equal(piece, whole[..., lo:hi])
    assert (room[..., :3] == 7).all()
    assert (room[..., -3:] == 7).all()


@settings(max_examples=examples(30), deadline=None)
@given(case=cases())
def test_moving_up(case: Case) -> None:
    table = case.noise(case.hop, case.stride)
    got = table.reshape(-1).copy()
    count = min(case.count, case.stride)
    called(rows.move_up)(got, case.tiling, count)
    expected = np.concatenate([table[:, count:], np.zeros((case.hop, count))], axis=1)
    np.testing.assert_array_equal(got.reshape(case.hop, case.stride), expected)


def test_mirrored_places_of_short_and_long_clips() -> None:
    for samples in (1, 2, 3, 10):
        got = [called(rows.mirrored)(place, samples) for place in range(-50, 50)]
        assert got == [bounce(place, samples) for place in range(-50, 50)]
