"""Controls with a step or choices in an automation: held from point to point, on their grid."""

from __future__ import annotations

import pytest
import torch

from djgraph.automation import from_params, load
from djgraph.effects import Control
from djgraph.errors import AutomationError
from djgraph.graph.ir import Column
from djgraph.layout import ParameterLayout

LAYOUT = ParameterLayout(
    [
        Column("a.pick", Control(1, 4, choices=(1.0, 2.0, 4.0), default=1, id="pick")),
        Column("a.step", Control(0, 1, step=0.3, default=0, id="step")),
        Column("a.gain", Control(0, 1, default=0, id="gain")),
    ]
)


def text(*curves: str) -> str:
    return "automation: 1\ncurves:\n" + "".join(f"  - {curve}\n" for curve in curves)


def test_held_from_point_to_point_whatever_the_shape() -> None:
    auto = load(
        text(
            "{control: a.pick, points: [[0s, 1], [2s, 4, smooth], [4s, 2]]}",
            "{control: [a.step, a.gain], points: [[0s, min], [4s, 0.9]]}",
        )
    )
    params = auto.render(LAYOUT, 5, 4.0, dtype=torch.float64)
    assert params[:, 0].tolist() == [1, 1, 4, 4, 2]
    torch.testing.assert_close(params[:, 1], torch.tensor([0, 0, 0, 0, 0.9], dtype=torch.float64))
    torch.testing.assert_close(params[:, 2], torch.linspace(0, 0.9, 5, dtype=torch.float64))
    LAYOUT.check(params, out_of_range=True)
    assert auto.render(LAYOUT, 101, 4.0)[:, 0].unique().tolist() == [1, 2, 4]


def test_values_off_the_grid_are_refused_with_the_nearest() -> None:
    with pytest.raises(AutomationError) as caught:
        load(text("{control: a.pick, points: [[0s, 1], [1s, 3]]}", "{control: a.step, value: 0.5}")).check(
            LAYOUT
        )
    message = str(caught.value)
    assert "a.pick is 3, none of the values that it may take (1, 2, 4); the nearest: 2 and 4" in message
    assert "a.step is 0.5" in message


def test_the_word_max_is_the_last_step() -> None:
    assert load(text("{control: a.step, value: max}")).render(LAYOUT, 1, 1.0)[0, 1].item() == pytest.approx(
        0.9
    )


def test_params_and_back() -> None:
    torch.manual_seed(0)
    params = LAYOUT.from_unit(torch.rand(30, 3), snap=True)
    auto = from_params(LAYOUT, params, 10.0, 0.0)
    again = load(auto.to_yaml()).render(LAYOUT, 30, 10.0)
    assert torch.equal(again[:, :2], params[:, :2])
    torch.testing.assert_close(again, params)
    assert {p.shape for c in auto.every_curve() if c.targets == ("a.pick",) for p in c.points} == {"hold"}


SWITCHES = ParameterLayout(
    [
        Column(
            "a.assign",
            Control(0, 2, step=1, default=1, id="assign", names=("left", "thru", "right")),
            kind="switch",
        ),
        Column(
            "b.assign",
            Control(0, 2, step=1, default=0, id="assign", names=("thru", "left", "max")),
            kind="switch",
        ),
        Column("b.mute", Control(0, 1, step=1, default=0, id="mute", names=("off", "on")), kind="switch"),
        Column("b.gain", Control(0, 1, default=1, id="gain")),
    ]
)


def test_positions_of_switches_are_words() -> None:
    """Each switch has its own order; `on` and `off` are texts in YAML 1.2."""
    auto = load(
        text(
            "{control: '*.assign', points: [[0s, thru], [2s, left], [3s, max]]}",
            "{control: b.mute, points: [[0s, off], [1s, on], [4s, default]]}",
        )
    )
    params = auto.render(SWITCHES, 5, 4.0)
    assert params[:, 0].tolist() == [1, 1, 0, 2, 2]
    assert params[:, 1].tolist() == [0, 0, 1, 2, 2]
    assert params[:, 2].tolist() == [0, 1, 1, 1, 0]
    by_number = load(
        text(
            "{control: a.assign, points: [[0s, 1], [2s, 0], [3s, 2]]}",
            "{control: b.assign, points: [[0s, 0], [2s, 1], [3s, 2]]}",
            "{control: b.mute, points: [[0s, 0], [1s, 1], [4s, 0]]}",
        )
    )
    assert torch.equal(by_number.render(SWITCHES, 5, 4.0), params)


def test_positions_survive_saving_and_the_share_of_the_way() -> None:
    auto = load(text("{control: a.assign, unit: position, points: [[0s, left], [1s, right]]}"))
    assert auto.render(SWITCHES, 3, 2.0)[:, 0].tolist() == [0, 2, 2]
    for again in (load(auto.to_yaml()), load(auto.to_dict())):
        assert again.to_dict() == auto.to_dict()
        assert torch.equal(again.render(SWITCHES, 3, 2.0), auto.render(SWITCHES, 3, 2.0))
    assert "value,left" not in auto.to_yaml()
    resolved = auto.resolve(SWITCHES)
    assert torch.equal(resolved.render(SWITCHES, 3, 2.0), auto.render(SWITCHES, 3, 2.0))


def test_positions_that_a_switch_does_not_have() -> None:
    with pytest.raises(AutomationError) as caught:
        load(
            text(
                "{control: a.assign, points: [[0s, left], [1s, rigth]]}",
                "{control: '*.assign', value: right}",
                "{control: b.gain, value: neutrl}",
                "{control: [b.mute, b.gain], points: [[0s, 1], [1s, on]]}",
            )
        ).check(SWITCHES)
    told = [str(problem) for problem in caught.value.problems]
    assert told[0].startswith("<text>:3:51: a.assign has no position 'rigth'")
    assert "allowed: left, thru, right, default, neutral, min, max" in told[0]
    assert "did you mean: right" in told[0]
    assert told[1].startswith("<text>:4:34: b.assign has no position 'right'")
    assert told[2].startswith("<text>:5:30: expected a number, got text 'neutrl'")
    assert "did you mean: neutral" in told[2]
    assert told[3].startswith("<text>:6:56: expected a number, got text 'on'")


def test_a_word_that_no_position_can_be_is_refused_without_a_layout() -> None:
    with pytest.raises(AutomationError, match="expected a number, got text 'A way'"):
        load(text("{control: a.assign, value: A way}"))
