"""A mix to compare with: its file of error bars, its sound, its fit's controls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

import djgraph
from djgraph.audio import write
from djgraph.errors import DJGraphError
from djgraph.fitting.result import FitResult
from djgraph.studio.parts.comparing import Comparing
from djgraph.studio.session import Session
from djgraph.studio.target import Band, Target, load_target, read_bands

from .small import say, silent

GAIN = "track_a.drums.gain"
SAMPLES = 44100 * 4


@pytest.fixture(scope="module")
def mixer() -> djgraph.Mixer:
    return djgraph.compile("dj_mixer")


@pytest.fixture
def session(mixer: djgraph.Mixer) -> Any:
    made = silent(mixer, SAMPLES)
    yield made
    made.close()


def test_bands_are_those_that_a_fit_saves(mixer: djgraph.Mixer, tmp_path: Path) -> None:
    torch.manual_seed(1)
    layout, frames = mixer.layout, 30
    units = torch.rand(3, frames, len(layout)).sort(0).values
    low, params, high = (layout.snap(layout.from_unit(u)) for u in units)
    told = torch.rand(frames, len(layout)) > 0.5
    result = FitResult(params, torch.zeros(2, 10), {}, layout, 4.0, told, low, high, told)
    result.save_intervals(tmp_path / "around.csv")
    bands = read_bands(tmp_path / "around.csv", layout)
    assert list(bands) == list(layout.names)
    for index, band in enumerate(bands.values()):
        np.testing.assert_allclose(band.seconds, np.linspace(0, 4, frames), atol=1e-4)
        np.testing.assert_allclose(band.low, low[:, index], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(band.high, high[:, index], rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(band.told, told[:, index])


HEAD = "seconds,control,value,low,high,told\n"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", r":1: expected the columns seconds, control"),
        ("a,b\n1,2\n", r":1: expected the columns"),
        (HEAD + f"0,{GAIN},1,0\n", r":2: 4 fields; expected 6"),
        (HEAD + "0,track_a.drums.gian,1,0,1,1\n", r":2: .*did you mean 'track_a.drums.gain'"),
        (HEAD + f"0,{GAIN},1,x,1,1\n", r":2: expected numbers"),
        (HEAD + f"0,{GAIN},1,0,nan,1\n", r":2: expected finite numbers"),
        (HEAD + f"0,{GAIN},1,0.5,0.2,1\n", r":2: .*low no larger than high"),
        (HEAD + f"1,{GAIN},1,0,1,1\n0,{GAIN},1,0,1,1\n", r":3: time runs backwards"),
    ],
)
def test_bands_that_are_none(mixer: djgraph.Mixer, tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "around.csv"
    path.write_text(text)
    with pytest.raises(DJGraphError, match=fault):
        read_bands(path, mixer.layout)


@given(st.integers(1, 60), st.integers(1, 20), st.integers(0, 2**32 - 1))
@settings(max_examples=examples(40), deadline=None)
def test_fewer_moments_hold_what_each_does(count: int, most: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    low, high = np.sort(rng.random((2, count)), axis=0)
    band = Band(np.arange(count, dtype=np.float64), low, high, rng.random(count) > 0.3)
    few = band.fewer(most)
    assert len(few.seconds) == min(count, most)
    for i in range(count):
        at = int(np.searchsorted(few.seconds, i, side="right")) - 1
        assert few.low[at] <= low[i]
        assert few.high[at] >= high[i]
        assert band.told[i] or not few.told[at]


def test_a_target_is_heard_at_the_same_place(session: Session, mixer: djgraph.Mixer) -> None:
    torch.manual_seed(2)
    session.target = Target("mix", torch.randn(1, SAMPLES))
    say(session, do="seek", seconds=1.0)
    say(session, do="play")
    assert not session.player.block(512)[0].any()
    say(session, do="hear", what="target")
    audio, at = session.player.block(512)
    np.testing.assert_array_equal(audio, session.target.audio[:, at : at + 512].expand(2, -1).numpy())
    say(session, do="hear", what="mix")
    assert not session.player.block(512)[0].any()


def test_a_fit_is_taken_over(session: Session, mixer: djgraph.Mixer) -> None:
    found = djgraph.automation.load("linear", start="1s", length="2s")
    session.target = Target("mix", torch.zeros(2, SAMPLES), found)
    say(session, do="adopt", controls=[GAIN])
    assert [(p.at, p.value) for p in session.project.lane(GAIN).points] == [(2, 1), (6, 0)]
    assert len(session.project.lanes) == 1
    say(session, do="adopt")
    assert len(session.project.lanes) == 8
    with pytest.raises(DJGraphError, match=r"nothing for track_a\.drums\.hpf"):
        say(session, do="adopt", controls=["track_a.drums.hpf"])


def test_without_a_target(session: Session) -> None:
    with pytest.raises(DJGraphError, match="--target"):
        say(session, do="hear", what="target")
    assert session.snapshot()["target"] is None


def test_a_page_is_told_of_a_target(session: Session, mixer: djgraph.Mixer, tmp_path: Path) -> None:
    write(tmp_path / "mix.wav", 0.5 * torch.ones(2, SAMPLES), 44100)
    djgraph.automation.load("linear", start="1s", length="2s").save(tmp_path / "found.yaml")
    (tmp_path / "around.csv").write_text(HEAD + f"0,{GAIN},0.5,0.25,0.75,1\n4,{GAIN},0.5,0.25,0.75,0\n")
    paths = tmp_path / "found.yaml", tmp_path / "around.csv"
    session.target = load_target(tmp_path / "mix.wav", mixer.layout, 44100, *paths)
    told = session.snapshot()["target"]
    assert (told["name"], told["bands"]) == ("mix.wav", [GAIN])
    assert told["peak"] == pytest.approx(0.5, abs=1e-3)
    assert [point["at"] for point in told["fitted"][GAIN]] == [2, 6]
    assert session.peaks[told["digest"]].samples == SAMPLES
    part = session.part(Comparing)
    assert part is not None
    assert part.bands() == {GAIN: {"seconds": [0, 4], "low": [0.25] * 2, "high": [0.75] * 2, "told": [1, 0]}}
