"""How causal twins are declared, what is refused, and how their gain is measured."""

from __future__ import annotations

import copy
import pickle
from typing import Annotated

import pytest
import torch

from djgraph.effects import (
    Block,
    CausalTwin,
    Control,
    ControlModel,
    Environment,
    Port,
    SettingModel,
    SpectralEffect,
    TimeEffect,
)
from djgraph.effects.checks.twin_difference import control_cases, twin_difference
from djgraph.errors import EffectError


def spectral(name="level", **body):
    """A spectral effect that multiplies by its control."""

    class Controls(ControlModel):
        level: Annotated[float, Control(0, 2, neutral=1, unit="ratio", rate="frame")] = 1.0
        kind: Annotated[float, Control(0, 2, neutral=0, rate="frame", step=1)] = 0.0
        once: Annotated[float, Control(1, 100, neutral=1, rate="clip", scale="log")] = 1.0

    def mask(self, controls):
        return controls["level"].clone()

    return type("Level", (SpectralEffect,), {"type": name, "Controls": Controls, "mask": mask, **body})


def process(self, audio, controls, state, block):
    return {"out": audio["in"] * controls["level"]}, state


def twin(of, **body):
    return type("Twin", (CausalTwin,), {"process": process, **body}, of=of)


def test_a_twin_takes_everything_from_its_effect():
    class Settings(SettingModel):
        order: float = 4.0

    effect = spectral(Settings=Settings, inputs=(Port("a"),), outputs=(Port("b"),))
    assert effect.causal_twin is None
    made = twin(effect)
    assert effect.causal_twin is made
    assert issubclass(made, TimeEffect)
    assert (made.type, made.domain) == ("level_causal", "time")
    assert made.Settings is Settings
    assert (made.inputs, made.outputs) == (effect.inputs, effect.outputs)
    assert made.fault(Settings(), Environment(44100)) is None


def test_it_reads_per_sample_what_the_effect_reads_per_frame():
    level, kind, once = twin(spectral()).controls
    assert (level.id, level.min, level.max, level.default, level.unit) == ("level", 0, 2, 1, "ratio")
    assert (level.rate, level.smoothing, level.neutral) == ("sample", 5.0, 1)
    assert (kind.rate, kind.smoothing, kind.step) == ("sample", 0.0, 1)
    assert (once.rate, once.scale) == ("clip", "log")


def test_at_neutral_it_is_an_all_pass_unless_it_says_otherwise():
    made = twin(spectral())
    assert made.at_neutral == "allpass"
    assert [control.neutral for control in made.controls] == [1, 0, 1]
    assert twin(spectral(), at_neutral="identity").at_neutral == "identity"


def test_it_may_have_controls_of_its_own_with_another_rate():
    class Controls(ControlModel):
        level: Annotated[float, Control(0, 2, neutral=1, rate="clip")] = 1.0
        kind: Annotated[float, Control(0, 2, step=1)] = 0.0
        once: Annotated[float, Control(1, 100, rate="clip", scale="log")] = 1.0

    made = twin(spectral(), Controls=Controls)
    assert [control.rate for control in made.controls] == ["clip", "sample", "clip"]


class OtherRange(ControlModel):
    level: Annotated[float, Control(0, 3, neutral=1)] = 1.0
    kind: Annotated[float, Control(0, 2, step=1)] = 0.0
    once: Annotated[float, Control(1, 100, rate="clip", scale="log")] = 1.0


class OtherIds(ControlModel):
    gain: Annotated[float, Control(0, 2, neutral=1)] = 1.0


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"Controls": OtherIds}, "controls gain are not those of Level: level, kind, once"),
        ({"Controls": OtherRange}, "control level differs from that of Level"),
        ({"inputs": (Port("in"), Port("key"))}, "inputs .* are not those of Level"),
        ({"outputs": (Port("out", 2),)}, "outputs .* are not those of Level"),
    ],
)
def test_a_twin_that_differs_is_refused(body, message):
    effect = spectral()
    with pytest.raises(EffectError, match=message) as caught:
        twin(effect, **body)
    assert "Twin" in str(caught.value)
    assert effect.causal_twin is None


def test_a_second_twin_is_refused():
    effect = spectral()
    twin(effect)
    with pytest.raises(EffectError, match="has a causal twin already"):
        twin(effect)


@pytest.mark.parametrize("of", [3, TimeEffect, SpectralEffect])
def test_a_twin_is_of_a_spectral_effect(of):
    with pytest.raises(EffectError, match="no spectral effect"):
        twin(of)


def test_a_subclass_of_a_spectral_effect_has_no_twin_of_its_own():
    effect = spectral()
    twin(effect)
    assert type("More", (effect,), {"type": "more"}).causal_twin is None


class Shared(CausalTwin):
    """A base of several twins has no effect of its own."""

    def process(self, audio, controls, state, block):
        return {"out": audio["in"] * controls["level"]}, state


Plain = spectral("plain")


class PlainTwin(Shared, of=Plain):
    pass


def test_a_base_may_be_shared_and_instances_be_copied():
    made = PlainTwin(PlainTwin.Settings(), Environment(44100))
    audio = torch.ones(1, 1, 4)
    controls = {"level": torch.full((1, 1, 4), 0.5)}
    for one in (made, copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        out, _ = one.process({"in": audio}, controls, {}, Block(0, 4, 44100))
        assert (out["out"] == 0.5).all()


# ---- measuring


def test_a_difference_is_found_where_it_is():
    """The twin is 1 dB too loud at level 2 and rises from nothing."""

    def louder(self, audio, controls, state, block):
        return {"out": audio["in"] * controls["level"] * 10 ** (controls["level"] / 2 / 20)}, state

    effect = spectral()
    twin(effect, process=louder)
    found = twin_difference(effect, effect.Settings(), Environment(44100))
    assert found.decibels == pytest.approx(1.0, abs=1e-6)
    assert found.controls["level"] == 2
    assert (found.studio, found.causal) == (pytest.approx(6.02, abs=0.01), pytest.approx(7.02, abs=0.01))
    assert 20 <= found.frequency <= 16000


def test_what_lies_below_the_floor_is_not_compared():
    def gated(self, audio, controls, state, block):
        level = controls["level"]
        return {"out": audio["in"] * torch.where(level < 10 ** (-30 / 20), 0, level)}, state

    effect = spectral()
    twin(effect, process=gated)
    assert twin_difference(effect, effect.Settings(), Environment(44100)).decibels < 1e-6


def test_without_a_twin_there_is_nothing_to_measure():
    effect = spectral()
    with pytest.raises(EffectError, match=r"'level' has no causal twin$"):
        twin_difference(effect, effect.Settings(), Environment(44100))
    twin(effect, fault=classmethod(lambda cls, settings, environment: "too steep"))
    with pytest.raises(EffectError, match="with these settings: too steep"):
        twin_difference(effect, effect.Settings(), Environment(44100))


def test_cases_cover_ranges_ends_and_mixtures_on_their_grids():
    controls = spectral().controls
    cases = list(control_cases(controls))
    assert cases[0] == {"level": 1, "kind": 0, "once": 1}
    assert {case["level"] for case in cases} >= {0, 1, 2}
    assert {case["kind"] for case in cases} == {0, 1, 2}
    assert max(case["once"] for case in cases) == pytest.approx(100)
    assert {"level": 2, "kind": 2, "once": pytest.approx(100)} in cases
    assert any(0 < case["level"] < 2 and case["kind"] == 1 and 1 < case["once"] < 100 for case in cases)
    assert list(control_cases(())) == [{}]
