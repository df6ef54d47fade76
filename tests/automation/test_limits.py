"""Times, values and tempos beyond all measure are refused in words."""

from __future__ import annotations

import pytest

from djgraph.automation import load
from djgraph.automation.times import Moment, TempoMap
from djgraph.errors import DJGraphError, InputError

HUGE = "9" * 400


@pytest.mark.parametrize(
    "time",
    ["1e400s", "1e400", f"{HUGE}beats", "1e300 %", "2e9bars", "50% - 1e99beats", HUGE, "1e308", ".inf"],
)
def test_times(time: str) -> None:
    text = f"automation: 1\ncurves: [{{control: x, points: [[0, 1], [{time}, 0]]}}]\n"
    with pytest.raises(DJGraphError) as caught:
        load(text)
    assert len(str(caught.value)) < 600


def test_the_limit_is_named() -> None:
    with pytest.raises(ValueError, match="times go up to 1,000,000,000 seconds, beats, bars or %"):
        Moment.parse("1e400s")
    with pytest.raises(ValueError, match="too far away"):
        Moment.parse(10**400)
    assert Moment.parse("1e9s").terms[0].amount == 1e9


@pytest.mark.parametrize("tempo", [0, -1, 1e-300, 1e300, float("inf"), float("nan"), 10**400])
def test_tempos(tempo: float) -> None:
    with pytest.raises(InputError, match=r"expected 0.1 to 100,000 BPM"):
        TempoMap(tempo)
    with pytest.raises(InputError, match=r"expected 0.1 to 100,000 BPM"):
        TempoMap([(0, 120), (4, tempo)])
    with pytest.raises(InputError, match="too far away"):
        TempoMap([(0, 120), (10**400, 120)])


@pytest.mark.parametrize("value", [HUGE, "1e400", "1e31"])
def test_values(value: str) -> None:
    for curve in (f"{{control: x, value: {value}}}", f"{{control: x, points: [[0, {value}]]}}"):
        with pytest.raises(DJGraphError):
            load(f"automation: 1\ncurves: [{curve}]\n")
    with pytest.raises(DJGraphError):
        load(f"automation: 1\ntempo: {value}\ncurves: []\n")


def test_plain_data() -> None:
    """From Python, without a text that could have been refused before."""
    for point in (
        [10**400, 1],
        [0, 10**400],
        [float("inf"), 1],
        [0, float("nan")],
        [0, 1, "linear", 10**400],
    ):
        with pytest.raises(DJGraphError):
            load({"automation": 1, "curves": [{"control": "x", "points": [point]}]})
    with pytest.raises(DJGraphError, match="100,000 BPM"):
        load({"automation": 1, "tempo": 10**30, "curves": []})
    with pytest.raises(DJGraphError, match="more than 40 characters"):
        load({"automation": 1, "tempo": 10**400, "curves": []})
