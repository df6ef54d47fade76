"""What a plugin declares becomes controls; held against the plugin's own texts."""

from __future__ import annotations

import math

import pytest
from djgraph_pedalboard.declaration import MOST_PARAMETERS, Parameter, free, parameters_of
from fakes import CppParameter, FakePlugin, cutoff, gain
from pedalboard import AudioProcessorParameter
from pydantic import ValidationError


class One:
    """A plugin of some parameters."""

    def __init__(self, *cpp):
        self._cpp = {one.name: one for one in cpp}
        self.parameters = {name: AudioProcessorParameter(self, name) for name in self._cpp}

    def _get_parameter(self, name):
        return self._cpp[name]


def one(*arguments, **more):
    (parameter,), left_out = parameters_of(One(CppParameter("P", *arguments, **more)))
    assert not left_out
    return parameter


def test_the_controls_of_a_plugin():
    found, left_out = parameters_of(FakePlugin())
    assert not left_out
    controls = {parameter.id: parameter.control() for parameter in found}
    assert list(controls) == ["gain_db", "cutoff_hz", "mode", "bypass", "own_mix"]
    level, low, kind = controls["gain_db"], controls["cutoff_hz"], controls["mode"]
    assert (level.min, level.max, level.unit, level.scale) == (-24, 24, "dB", "linear")
    assert (low.min, low.max, low.unit, low.scale) == (20, 20000, "Hz", "log")
    assert (kind.min, kind.max, kind.step, kind.names) == (0, 2, 1, ("Clean", "Warm", "Dirty"))
    assert controls["bypass"].names == ("off", "on")
    assert [parameter.default for parameter in found] == pytest.approx([0, 20000, 0, 0, 100], abs=1e-9)
    assert all(control.gradient == "none" and control.neutral is not None for control in controls.values())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (gain, lambda raw: raw * 48 - 24),
        (cutoff, lambda raw: 20 * 1000**raw),
        (lambda raw: f"{100 - 100 * raw:.1f}", lambda raw: 100 - 100 * raw),  # falls
        (lambda raw: f"{10 * raw**3:.4f}", lambda raw: 10 * raw**3),  # bent
        (lambda raw: f"{round(100 * raw)}", lambda raw: 100 * raw),  # shown in few digits
    ],
)
def test_raw_values_are_those_that_show_the_value(text, shown):
    parameter = one(text, 0.3)
    control = parameter.control()
    for number in range(101):
        value = control.min + (control.max - control.min) * number / 100
        raw = parameter.raw(value)
        assert 0 <= raw <= 1
        # Within two probes of the raw value that the formula has.
        near = [shown(min(max(raw + off, 0), 1)) for off in (-0.0055, 0.0055)]
        assert min(near) <= value <= max(near)
    assert shown(parameter.raw(parameter.default)) == pytest.approx(shown(0.3), rel=0.03)
    assert parameter.raw(-math.inf) == parameter.raw(control.min)
    assert len(parameter.knots) < 120


def test_what_goes_up_and_down_is_its_raw_value():
    parameter = one(lambda raw: f"{abs(raw - 0.5):.3f}", 0.25)
    assert (parameter.control().min, parameter.control().max, parameter.default) == (0, 1, 0.25)
    assert parameter.raw(0.7) == pytest.approx(0.7)


def test_discrete_numbers_and_texts_are_choices():
    parameter = one(lambda raw: f"{2 ** round(raw * 4)}", 0.5, discrete=True)
    assert parameter.names == ["1.0", "2.0", "4.0", "8.0", "16.0"]
    for number, name in enumerate(parameter.names):
        assert 2 ** round(parameter.raw(number) * 4) == float(name)
    assert parameter.default == 2


def test_what_is_no_control_is_told():
    never = CppParameter("Never", gain, 0.5)
    never.is_automatable = False
    words = CppParameter("Words", lambda raw: f"word {raw:.3f}", 0.5)
    single = CppParameter("Single", lambda raw: "always", 0.5)
    found, left_out = parameters_of(One(never, words, single, CppParameter("Fine", gain, 0.5)))
    assert [parameter.name for parameter in found] == ["Fine"]
    assert len(left_out) == 3
    for line, why in zip(left_out, ("cannot be automated", "1001 texts, and no numbers", "one value only")):
        assert why in line


def test_a_plugin_with_too_many_parameters_has_the_first():
    plugin = FakePlugin()
    plugin.parameters = {f"p{n}": plugin.parameters["gain_db"] for n in range(MOST_PARAMETERS + 5)}
    found, left_out = parameters_of(plugin)
    assert len(found) == MOST_PARAMETERS
    assert left_out == [f"5 parameters beyond {MOST_PARAMETERS}"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Dry/Wet (%)", "dry_wet"),
        ("mix", "own_mix"),
        ("2nd", "p_2nd"),
        ("", "parameter"),
        ("Ümlaut\n\x1b[31m", "mlaut_31m"),
        ("taken", "taken_2"),
    ],
)
def test_ids_of_strangers_names(name, expected):
    assert free(name, {"taken", "mix"}) == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"knots": [[0.0, 1.0], [1.0, 1.0]]}, "grows"),
        ({"knots": [[0.0, 1.0]]}, "grows"),
        ({"knots": [[0.0, 1.0], [1.5, 2.0]]}, "from 0 to 1"),
        ({"default": 99.0}, "default"),
        ({"id": "Mix"}, "pattern"),
        ({"id": "mix"}, "djgraph's own"),
        ({"scale": "log", "knots": [[0.0, -1.0], [1.0, 2.0]]}, "minimum above 0"),
        ({"kind": "choices", "names": ["a"], "raws": [0.5, 1.0]}, "as many raw values"),
    ],
)
def test_declarations_are_checked(changes, message):
    sound = {"name": "P", "id": "p", "kind": "curve", "default": 1.0, "knots": [[0.0, 0.0], [1.0, 2.0]]}
    Parameter.model_validate(sound)
    with pytest.raises(ValidationError, match=message):
        Parameter.model_validate({**sound, **changes})
