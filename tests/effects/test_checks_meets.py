"""The conformance kit on wide signals, at other sample rates, and on what is held back: each wrong effect beside a
right one."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import pytest
import torch

from djgraph.dsp import first_order
from djgraph.effects import Conflict, Control, ControlModel, Environment, Port, SettingModel, TimeEffect
from djgraph.effects.checks import CheckFailed, CheckSkipped, effect_checks, outcome_of
from djgraph.effects.checks.bench import Bench
from djgraph.errors import EffectError


class Level(ControlModel):
    level: Annotated[float, Control(0, 2, neutral=1)] = 1.0


def keeps(effect, settings=None, environment=None):
    """Every check that is not passed or skipped."""
    made = effect_checks(effect, settings, environment)
    outcomes = [outcome_of(name, check) for name, check in made]
    return [one for one in outcomes if one.result not in ("passed", "skipped")]


# ---- channels


class Gain(TimeEffect):
    """Right: all channels, however many."""

    type = "gain"
    Controls = Level

    def process(self, audio, controls, state, block):
        return {"out": audio["in"] * controls["level"]}, state


class LeftAndRight(Gain):
    """Right up to stereo; what comes after is lost, with the right shape."""

    type = "left_and_right"

    def process(self, audio, controls, state, block):
        out = torch.zeros_like(audio["in"])
        out[:, :2] = audio["in"][:, :2] * controls["level"]
        return {"out": out}, state


class HalfAsLoud(Gain):
    """Not neutral, with any number of channels, at any rate."""

    type = "half_as_loud"

    def process(self, audio, controls, state, block):
        return {"out": 0.5 * audio["in"] * controls["level"]}, state


class StereoOnly(LeftAndRight):
    """The same, with what it takes declared."""

    type = "stereo_only"
    inputs = (Port("in", 2),)
    outputs = (Port("out", 2),)


class RefusesWide(LeftAndRight):
    """The same, refused by a setting."""

    type = "refuses_wide"

    class Settings(SettingModel):
        sides: Literal["left and right", "all"] = "left and right"

    @classmethod
    def conflicts(cls, use, environment):
        if use.channels > 2 and use.settings.sides != "all":
            yield Conflict("takes two channels at most", "settings", "sides")


class Mean(Gain):
    """Right: a little of the mean of all channels, of the last two samples."""

    type = "mean"
    memoryless = False
    KEPT = 64

    def tail(self):
        return 1

    def initial_state(self, batch, channels, like):
        return {"last": like.new_zeros(batch, min(channels, self.KEPT), 1)}

    def process(self, audio, controls, state, block):
        sound, last = audio["in"], state["last"]
        missing = sound.new_zeros(len(sound), sound.shape[1] - last.shape[1], 1)
        before = torch.cat((torch.cat((last, missing), 1), sound), -1)[..., :-1]
        mixed = (sound + before).mean(1, keepdim=True)
        return {"out": sound + 0.3 * (controls["level"] - 1) * mixed}, {"last": sound[:, : self.KEPT, -1:]}


class RemembersTwo(Mean):
    """Of more than two channels the state has the first two."""

    type = "remembers_two"
    KEPT = 2


class IndexesFour(Gain):
    """Raises on six."""

    type = "indexes_four"

    def process(self, audio, controls, state, block):
        return {"out": torch.stack([audio["in"][:, place] for place in self.places(audio)], 1)}, state

    def places(self, audio):
        return [(0, 1, 2, 3)[channel] for channel in range(audio["in"].shape[1])]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (LeftAndRight, "with 4 channels: at neutral values, 4 channels, output against input"),
        (RemembersTwo, "with 4 channels: out in uneven blocks against one call"),
    ],
)
def test_what_is_lost_of_wide_signals(wrong, message):
    """The checks in mono and stereo pass."""
    (fault,) = keeps(wrong)
    assert fault.check == "check_channels"
    assert fault.why.startswith(message)


def test_what_fails_in_stereo_too_is_told_there():
    """Wide signals and other rates say that they could not be checked."""

    results = {one.check: one for one in keeps(HalfAsLoud)}
    assert {name: one.result for name, one in results.items()} == {
        "check_identity_at_neutral": "failed",
        "check_sample_rates": "unchecked",
        "check_channels": "unchecked",
    }
    assert results["check_channels"].why.startswith("it fails not only with 4 channels: at neutral values")
    assert results["check_sample_rates"].why.startswith("it fails not only at 22050 Hz: at neutral values")


def test_an_exception_says_how_many_channels_there_were():
    outcome = outcome_of("check_channels", dict(effect_checks(IndexesFour))["check_channels"])
    assert outcome.why == "IndexError: tuple index out of range (with 6 channels)"


@pytest.mark.parametrize("right", [Gain, StereoOnly, RefusesWide, Mean])
def test_effects_that_take_what_they_declare_pass(right):
    assert keeps(right) == []


def test_what_is_declared_is_tried():
    assert Bench(Gain).channel_options == (1, 2, 4, 6)
    assert Bench(StereoOnly).channel_options == (2,)
    assert Bench(RefusesWide).channel_options == (1, 2)
    assert Bench(RefusesWide, {"sides": "all"}).channel_options == (1, 2, 4, 6)
    with pytest.raises(CheckFailed, match="4 channels"):
        dict(effect_checks(RefusesWide, {"sides": "all"}))["check_channels"]()
    with pytest.raises(CheckSkipped, match="it takes 2 channels only"):
        dict(effect_checks(StereoOnly))["check_channels"]()


# ---- sample rates


class OnePole(TimeEffect):
    """Right: a lowpass by the bilinear transform; its cutoff ends below half the sample rate."""

    type = "one_pole"
    RATE = None

    class Controls(ControlModel):
        cutoff: Annotated[float, Control(20, 20000, unit="Hz", scale="log", below_rate=0.45)] = 1000.0

    def tail(self):
        return None

    def initial_state(self, batch, channels, like):
        return {"past": like.new_zeros(batch, channels, 2)}

    def process(self, audio, controls, state, block):
        turned = torch.tan(math.pi * controls["cutoff"] / (self.RATE or block.sample_rate))
        share = turned / (1 + turned)
        out, last = first_order(audio["in"], share, share, (turned - 1) / (turned + 1), state["past"])
        return {"out": out}, {"past": last}

    def magnitude(self, controls):
        """Of the digital filter: |H| at f is that of the analogue one at tan(π·f/rate)."""
        rate = self.environment.sample_rate
        ratio = torch.tan(math.pi * self.environment.frequencies()[:-1] / rate) / torch.tan(
            math.pi * controls["cutoff"] / rate
        )
        gain = 1 / (1 + ratio.square()).sqrt()
        return torch.cat((gain, torch.zeros_like(gain[..., :1])), -1)


class BeyondHalfTheRate(OnePole):
    """At 22.05 kHz the top of its range lies where tan() is negative, and the pole outside of the unit circle."""

    type = "beyond_half_the_rate"

    class Controls(ControlModel):
        cutoff: Annotated[float, Control(20, 20000, unit="Hz", scale="log")] = 1000.0


class RateWrittenDown(OnePole):
    """Right at 44.1 kHz."""

    type = "rate_written_down"
    RATE = 44100


class NoRange(OnePole):
    """At 22.05 kHz nothing is left of its range."""

    type = "no_range"

    class Controls(ControlModel):
        cutoff: Annotated[float, Control(10000, 20000, unit="Hz", scale="log", below_rate=0.45)] = 15000.0


class RefusesLowRates(BeyondHalfTheRate):
    """Says which rates it is for."""

    type = "refuses_low_rates"

    def __init__(self, settings, environment):
        super().__init__(settings, environment)
        if environment.sample_rate < 44100:
            raise EffectError(f"is for 44.1 kHz and more, not for {environment.sample_rate} Hz")


class LineOfSamples(TimeEffect):
    """A line of as many samples as 30 ms have at 48 kHz: too short at 96 kHz, where it breaks off."""

    type = "line_of_samples"

    class Controls(ControlModel):
        level: Annotated[float, Control(0, 1, neutral=0)] = 0.0

    def tail(self):
        return self.lag(self.environment.sample_rate)

    def lag(self, rate):
        return round(0.03 * rate)

    def initial_state(self, batch, channels, like):
        return {"past": like.new_zeros(batch, channels, self.kept_samples())}

    def kept_samples(self):
        return 1440

    def process(self, audio, controls, state, block):
        lag, kept = self.lag(block.sample_rate), self.kept_samples()
        line = torch.cat((state["past"], audio["in"]), -1)
        late = torch.nn.functional.pad(line, (lag, 0))[..., kept : kept + block.length]
        return {"out": audio["in"] + controls["level"] * late}, {"past": line[..., -kept:]}


class LineOfTime(LineOfSamples):
    """Right."""

    type = "line_of_time"

    def kept_samples(self):
        return self.lag(self.environment.sample_rate)


@pytest.mark.parametrize(
    ("wrong", "right", "message"),
    [
        (BeyondHalfTheRate, OnePole, "at 22050 Hz: out grows beyond all bounds with cutoff 20000"),
        (RateWrittenDown, OnePole, "at 22050 Hz: spectrum of an impulse against magnitude()"),
        (LineOfSamples, LineOfTime, "at 96000 Hz: out in uneven blocks against one call"),
    ],
)
def test_what_is_wrong_at_other_rates(wrong, right, message):
    """At 44.1 kHz the wrong ones pass everything."""
    (fault,) = keeps(wrong)
    assert fault.check == "check_sample_rates"
    assert fault.why.startswith(message)
    dict(effect_checks(right))["check_sample_rates"]()


@pytest.mark.slow
@pytest.mark.parametrize("rate", [22050, 44100, 48000, 96000])
def test_ranges_are_those_of_the_rate(rate):
    """Every check tries them: at 44.1 kHz already 20 kHz lie beyond 0.45 of the rate."""
    assert keeps(OnePole, environment=Environment(rate)) == []
    assert keeps(LineOfTime, environment=Environment(rate)) == []


def test_the_top_of_a_range_is_that_of_the_rate():
    case, values = Bench(OnePole, environment=Environment(22050)).corners(4)
    assert values[1]["cutoff"] == pytest.approx(0.45 * 22050)
    assert float(case.controls["cutoff"].max()) <= 0.45 * 22050


def test_a_rate_that_leaves_no_range():
    with pytest.raises(
        CheckFailed, match="at 22050 Hz: control cutoff has no range at 22050 Hz: it begins at 10000"
    ):
        dict(effect_checks(NoRange))["check_sample_rates"]()


def test_rates_that_are_refused_are_no_fault():
    dict(effect_checks(RefusesLowRates))["check_sample_rates"]()

    class OneRateOnly(Gain):
        type = "one_rate_only"

        def __init__(self, settings, environment):
            super().__init__(settings, environment)
            if environment.sample_rate != 44100:
                raise EffectError("is for 44.1 kHz")

    with pytest.raises(CheckSkipped, match=r"refuses all other sample rates: is for 44\.1 kHz"):
        dict(effect_checks(OneRateOnly))["check_sample_rates"]()


# ---- what is held back


class Later(TimeEffect):
    """Right: the signal ``time`` ms later, mixed with itself; it holds back where nothing of itself is heard."""

    type = "later"

    class Controls(ControlModel):
        mix: Annotated[float, Control(0, 1, neutral=0)] = 0.0
        time: Annotated[float, Control(5, 50, neutral=5, unit="ms")] = 5.0

    @classmethod
    def held_back(cls, use, environment):
        return cls.shortest(use, environment) if use.controls["mix"].low == 1 else 0

    @classmethod
    def shortest(cls, use, environment):
        return math.floor(use.controls["time"].low * environment.sample_rate / 1000)

    @property
    def longest(self):
        return math.ceil(50 * self.environment.sample_rate / 1000)

    def tail(self):
        return self.longest

    def initial_state(self, batch, channels, like):
        return {"past": like.new_zeros(batch, channels, self.longest)}

    def process(self, audio, controls, state, block):
        line = torch.cat((state["past"], audio["in"]), -1)
        lag = (controls["time"].detach() * block.sample_rate / 1000).round().long()
        at = torch.arange(block.length, device=lag.device) + self.longest - lag
        late = line.gather(-1, at.expand(audio["in"].shape))
        mix = controls["mix"]
        return {"out": (1 - mix) * audio["in"] + mix * late}, {"past": line[..., -self.longest :]}


class AsItRests(Later):
    """Says what it holds back while nobody moves its time."""

    type = "as_it_rests"

    @classmethod
    def shortest(cls, use, environment):
        return math.floor(use.controls["time"].rest * environment.sample_rate / 1000)


class ForgetsItsMix(Later):
    """Something goes through at once."""

    type = "forgets_its_mix"

    @classmethod
    def held_back(cls, use, environment):
        return cls.shortest(use, environment)


class OneTooMany(Later):
    type = "one_too_many"

    @classmethod
    def shortest(cls, use, environment):
        return super().shortest(use, environment) + 2


class InMilliseconds(Later):
    type = "in_milliseconds"

    @classmethod
    def shortest(cls, use, environment):
        return use.controls["time"].low


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (AsItRests, r"held_back\(\) is \d+ with mix 1.*, but out changes \d+ samples after its input does"),
        (ForgetsItsMix, r"held_back\(\) is \d+ with .*, but out changes 0 samples after its input does"),
        (OneTooMany, r"held_back\(\) is \d+ with mix 1.*, but out changes \d+ samples after its input does"),
        (InMilliseconds, r"held_back\(\) is \d+\.\d+ with mix 1.*; a number of samples from 0"),
    ],
)
def test_what_is_not_held_back_for_so_long(wrong, message):
    with pytest.raises(CheckFailed, match=message):
        dict(effect_checks(wrong))["check_held_back"]()


def test_what_is_held_back_for_so_long():
    dict(effect_checks(Later))["check_held_back"]()
    with pytest.raises(CheckSkipped, match="does not say"):
        dict(effect_checks(Gain))["check_held_back"]()


def test_a_use_that_a_graph_would_be_refused_for_is_not_asked():
    class NeverDry(ForgetsItsMix):
        """Holds back in all uses that its conflicts let through."""

        type = "never_dry"

        @classmethod
        def conflicts(cls, use, environment):
            if use.controls["mix"].low < 1:
                yield Conflict("mix has to be 1", "controls", "mix")

    dict(effect_checks(NeverDry))["check_held_back"]()
