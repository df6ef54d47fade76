"""Hands on controls, and what records them: which value is heard, and which run it belongs to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fake_layouts import column

from djgraph.layout import ParameterLayout
from djgraph.playing import Hands, Run, Tape

LAYOUT = ParameterLayout([column("a.gain"), column("b.gain")])


def row(a: float, b: float) -> np.ndarray:
    return np.array([a, b], np.float32)


def heard(hands: Hands, *frames: tuple[int, float, float]) -> list[list[float]]:
    return [hands.over(row(a, b), at).tolist() for at, a, b in frames]


def test_what_is_shut_stands_at_its_minimum_whatever_holds_it() -> None:
    hands = Hands(LAYOUT)
    hands.hold("a.gain", 0.5)
    hands.shut(["a.gain"])
    assert heard(hands, (0, 1.0, 0.25)) == [[0.0, 0.25]]
    hands.shut(["b.gain"])
    assert heard(hands, (0, 1.0, 0.25)) == [[0.5, 0.0]]
    hands.shut([])
    assert heard(hands, (0, 1.0, 0.25)) == [[0.5, 0.25]]
    heir = Hands(LAYOUT)
    hands.shut(["b.gain"])
    hands.hand_on(heir)
    assert heard(heir, (0, 1.0, 0.25)) == [[0.5, 0.0]]


def test_a_hand_goes_as_far_as_a_control_does() -> None:
    hands, control = Hands(LAYOUT), LAYOUT.columns[0].control
    assert hands.hold("a.gain", control.max + 3.0) == control.max
    assert hands.hold("b.gain", control.min - 3.0) == control.min
    assert hands.held == {"a.gain": control.max, "b.gain": control.min}


def test_several_are_moved_at_once_and_names_that_there_are_not_are_passed_over() -> None:
    hands, heir = Hands(LAYOUT), Hands(LAYOUT)
    hands.hand_on(heir)
    hands.move({"a.gain": 0.5, "b.gain": 0.25, "c.gain": 1.0})
    hands.move({"a.gain": None})
    assert hands.held == heir.held == {"b.gain": 0.25}
    hands.hand_on(None)
    hands.release()
    assert heir.held == {"b.gain": 0.25}


def recorded(mode: Any, written: tuple[str, ...] = ()) -> tuple[Hands, Tape]:
    hands = Hands(LAYOUT)
    hands.tape = Tape(LAYOUT, mode, written)
    return hands, hands.tape


def test_touch_records_from_the_frame_before_a_hand_to_the_one_behind_it() -> None:
    hands, tape = recorded("touch")
    heard(hands, (0, 1.0, 1.0), (100, 0.9, 1.0))
    hands.hold("a.gain", 0.5)
    assert tape.writing == []
    assert heard(hands, (200, 0.8, 1.0), (300, 0.7, 1.0)) == [[0.5, 1.0]] * 2
    assert tape.writing == ["a.gain"]
    hands.release("a.gain")
    heard(hands, (400, 0.6, 1.0))
    (run,) = tape.collect()
    assert run == Run("a.gain", [100, 200, 300, 400], pytest.approx([0.9, 0.5, 0.5, 0.6]), None)
    assert not tape.ended


def test_of_a_value_that_stays_only_its_ends_are_kept() -> None:
    hands, tape = recorded("touch")
    hands.hold("a.gain", 0.5)
    heard(hands, *((at, 1.0, 1.0) for at in range(0, 1000, 100)))
    hands.leave(1000)
    (run,) = tape.collect()
    assert (run.samples, run.values) == ([0, 900], [0.5, 0.5])


def test_where_the_material_goes_elsewhere_a_run_ends_and_another_begins() -> None:
    hands, tape = recorded("touch")
    hands.hold("a.gain", 0.5)
    heard(hands, (0, 1.0, 1.0), (100, 1.0, 1.0))
    hands.leave(150)
    heard(hands, (5000, 1.0, 1.0))
    hands.leave(5050, playing=False)
    first, second = tape.collect()
    assert (first.samples, first.end) == ([0, 100], 150)
    assert (second.samples, second.end) == ([5000], 5050)


def test_latch_holds_until_playing_ends() -> None:
    hands, tape = recorded("latch")
    hands.hold("a.gain", 0.5)
    heard(hands, (0, 1.0, 1.0))
    hands.release("a.gain")
    assert heard(hands, (100, 0.8, 1.0)) == [[0.5, 1.0]]
    hands.leave(200)  # a jump is no end
    assert heard(hands, (300, 0.8, 1.0)) == [[0.5, 1.0]]
    hands.leave(400, playing=False)
    assert heard(hands, (0, 0.25, 1.0)) == [[0.25, 1.0]]
    assert [run.end for run in tape.collect()] == [200, 400]


def test_write_takes_what_it_names_from_the_first_moment_on() -> None:
    hands, tape = recorded("write", ("b.gain",))
    assert heard(hands, (0, 1.0, 0.75), (100, 1.0, 0.25)) == [[1.0, 0.75], [1.0, 0.75]]
    hands.hold("b.gain", 0.5)
    assert heard(hands, (200, 1.0, 0.25)) == [[1.0, 0.5]]
    assert tape.writing == ["b.gain"]


def test_what_is_muted_is_not_recorded() -> None:
    hands, tape = recorded("touch")
    hands.hold("a.gain", 0.5)
    hands.shut(["a.gain"])
    assert heard(hands, (0, 1.0, 1.0)) == [[0.0, 1.0]]
    hands.leave(100)
    assert tape.collect()[0].values == [0.5]
