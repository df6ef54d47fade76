"""Numbers of any library are taken for what they are, and nothing else is."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

import djgraph
from djgraph.arguments import is_real, is_whole, real, whole
from djgraph.errors import InputError

INTEGERS = [4, np.int64(4), np.int8(4), np.uint16(4), np.array(4), torch.tensor(4)]
NO_INTEGERS = [
    True,
    np.bool_(True),
    torch.tensor(True),
    4.0,
    np.float64(4),
    torch.tensor(4.0),
    torch.tensor([1, 2]),
    np.arange(3),
    "4",
    None,
    [4],
]


@pytest.mark.parametrize("value", INTEGERS, ids=repr)
def test_whole_numbers(value: Any) -> None:
    assert is_whole(value)
    assert type(whole(value, "n", 1)) is int
    assert whole(value, "n", 4, 4) == 4
    with pytest.raises(InputError, match=r"^n is .*; expected a whole number from 5$"):
        whole(value, "n", 5)


@pytest.mark.parametrize("value", NO_INTEGERS, ids=repr)
def test_no_whole_numbers(value: Any) -> None:
    assert not is_whole(value)
    with pytest.raises(InputError, match=r"expected a whole number from 1 to 9$"):
        whole(value, "n", 1, 9)


def test_real_numbers() -> None:
    for value in (4, 4.0, np.float32(4), np.float64(4), np.int64(4), Fraction(4)):
        assert real(value, "x", 0, 10) == 4.0
    for value in (True, np.bool_(True), float("nan"), np.float64("inf"), 10**400, "4", None, 4j, [4.0]):
        assert not is_real(value)
        with pytest.raises(InputError, match=r"^x is "):
            real(value, "x")


@pytest.mark.parametrize("four", INTEGERS[1:4], ids=repr)
def test_numpy_integers_everywhere(four: Any) -> None:
    """What takes a whole number takes NumPy's, with the same result."""
    layout = djgraph.ParameterLayout.from_graph(djgraph.load("dj_mixer"))
    assert torch.equal(layout.pack(n_frames=four, batch=four), layout.pack(n_frames=4, batch=4))
    automation = djgraph.automation.load("linear")
    given = automation.render(layout, n_frames=four, duration=np.float32(2), batch=four)
    assert torch.equal(given, automation.render(layout, n_frames=4, duration=2.0, batch=4))
    assert torch.equal(
        automation.render(layout, n_frames=9, duration=2.0, tempo=np.float32(120)),
        automation.render(layout, n_frames=9, duration=2.0, tempo=120),
    )
    head = djgraph.nn.ControlHead(four, layout)
    assert (type(head.features), head.weight.shape[1]) == (int, 4)
    grid = djgraph.features.BeatGrid.at_tempo(4.0, 120, per_beat=four)
    assert grid == djgraph.features.BeatGrid.at_tempo(4.0, 120, per_beat=4)
    states = [djgraph.data.random_state(key, 7).random_sample() for key in (4, four)]
    assert states[0] == states[1]
    config = djgraph.MixerConfig(sample_rate=np.int64(44100), reverb_damping=np.float64(0.5))
    assert dataclasses.asdict(config) == dataclasses.asdict(djgraph.MixerConfig())
    graph = djgraph.load("dj_mixer", sample_rate=np.int64(22050))
    assert (type(graph.sample_rate), graph.sample_rate) == (int, 22050)


def test_numpy_values_in_documents() -> None:
    from djgraph.language.source import plain

    given = {"a": np.bool_(True), "b": np.float32(0.5), "c": np.str_("x"), "d": [np.int8(3), np.bool_(False)]}
    found = plain(given).data
    assert found == {"a": True, "b": 0.5, "c": "x", "d": [3, False]}
    assert isinstance(found, dict)
    assert [type(value) for value in found.values()] == [bool, float, np.str_, list]
    with pytest.raises(djgraph.DocumentError, match="not plain data"):
        plain({"a": np.array([True])})


@pytest.mark.parametrize("wrong", [True, np.bool_(True), 4.0, np.float64(4.0)], ids=repr)
def test_truth_and_floats_stay_refused(wrong: Any) -> None:
    layout = djgraph.ParameterLayout.from_graph(djgraph.load("dj_mixer"))
    for refused in (
        lambda: layout.pack(n_frames=wrong),
        lambda: djgraph.nn.ControlHead(wrong, layout),
        lambda: djgraph.data.random_state(wrong),
        lambda: djgraph.features.BeatGrid.at_tempo(4.0, 120, per_beat=wrong),
        lambda: djgraph.MixerConfig(n_fft=wrong),
    ):
        with pytest.raises(djgraph.DJGraphError, match="whole number"):
            refused()
