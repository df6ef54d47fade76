"""Waveforms against a plain loop over their samples."""

from __future__ import annotations

import math
import urllib.error
import urllib.request
from typing import Any

import numpy as np
import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from waiting import until

from djgraph.errors import AudioFileError
from djgraph.playing import MemoryFeed
from djgraph.studio.parts.transport import Transporting
from djgraph.studio.parts.waves import Waves
from djgraph.studio.peaks import BASE, FACTOR, LEVELS, TILE, UNIT, peaks_of
from djgraph.studio.session import Session
from studio.served import Studio, compiled, tracks


def _loop(audio: np.ndarray, size: int) -> list[tuple[int, int, int]]:
    out = []
    for first in range(0, audio.shape[1], size):
        stretch = [float(x) for x in audio[:, first : first + size].reshape(-1)]
        square = math.fsum(x * x for x in stretch) / len(stretch)
        low, high = (max(-32767, min(32767, x * UNIT)) for x in (min(stretch), max(stretch)))
        out.append((math.floor(low), math.ceil(high), min(32767, round(math.sqrt(square) * UNIT))))
    return out


@given(st.integers(1, 3 * BASE * FACTOR + 5), st.integers(1, 2), st.integers(0, 2**32 - 1), st.floats(0, 3))
@settings(max_examples=examples(20), deadline=None)
def test_peaks_are_those_of_a_loop(samples: int, channels: int, seed: int, level: float) -> None:
    audio = (level * np.random.default_rng(seed).standard_normal((channels, samples))).astype(np.float32)
    cut = [audio[:, at : at + 2 * BASE] for at in range(0, samples, 2 * BASE)]
    peaks = peaks_of(cut)
    assert peaks.samples == samples
    for level_index in range(LEVELS):
        wanted = np.array(_loop(audio, BASE * FACTOR**level_index))
        found = peaks.levels[level_index]
        np.testing.assert_array_equal(found[:, :2], wanted[:, :2])
        np.testing.assert_allclose(found[:, 2], wanted[:, 2], atol=1)
    assert peaks_of([audio]).digest == peaks.digest


def test_equal_sounds_have_one_digest_and_others_another() -> None:
    audio = np.random.default_rng(1).standard_normal((2, 5000)).astype(np.float32)
    assert peaks_of([audio]).digest == peaks_of([audio.copy()]).digest != peaks_of([audio[:, :-1]]).digest


def test_tiles_are_the_levels_in_parts() -> None:
    audio = np.random.default_rng(1).standard_normal((1, BASE * (TILE + 10))).astype(np.float32) * 0.2
    peaks = peaks_of([audio])
    read = [np.frombuffer(peaks.tile(0, i) or b"", "<i2").reshape(-1, 3) for i in range(2)]
    assert [len(part) for part in read] == [TILE, 10]
    np.testing.assert_array_equal(np.concatenate(read), peaks.levels[0])


@pytest.mark.parametrize("place", [(0, 1), (-1, 0), (LEVELS, 0), (0, -1), (0, 10**9)])
def test_tiles_that_there_are_not(place: tuple[int, int]) -> None:
    assert peaks_of([np.zeros((2, 1000), np.float32)]).tile(*place) is None


def test_silence_of_no_length() -> None:
    assert peaks_of([]).tile(0, 0) is None


def test_a_page_gets_tiles_by_their_content() -> None:
    studio = Studio("dj_mixer", 0.5)
    try:
        until(lambda: len(studio.session.peaks) == 8, "not measured")
        rows = studio.session.snapshot()["waves"]["rows"]
        assert [(row["input"], row["stem"]) for row in rows[:2]] == [
            ("track_a", "drums"),
            ("track_a", "bass"),
        ]
        row = rows[0]
        audio = studio.inputs["track_a"]["drums"].numpy()
        assert row["peak"] == pytest.approx(np.abs(audio).max(), abs=2 / UNIT)
        with urllib.request.urlopen(f"{studio.url}peaks/{row['digest']}/0/0") as answer:
            assert "immutable" in answer.headers["Cache-Control"]
            assert answer.read() == peaks_of([audio]).tile(0, 0)
        for wrong in (
            f"{'0' * 32}/0/0",
            f"{row['digest']}/9/0",
            f"{row['digest']}/0/99999999999",
            "..%2F..%2Fetc/0/0",
        ):
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(f"{studio.url}peaks/{wrong}")
            assert refused.value.code == 404
    finally:
        studio.close()


class Broken(MemoryFeed):
    def read(self, first: int, samples: int) -> Any:
        raise AudioFileError("drums.flac cannot be read")


def test_a_track_that_cannot_be_read_is_told_and_no_more_measured() -> None:
    mixer = compiled("dj_mixer")
    session = Session(mixer, Broken(tracks(mixer.graph, 0.1)), parts=(Waves, Transporting))
    rows = until(lambda: [row for row in session.snapshot()["waves"]["rows"] if "problem" in row])
    assert len(rows) == 8
    assert {row["problem"] for row in rows} == {"drums.flac cannot be read"}
    session.close()
