"""The conformance kit catches what short, well-behaved signals never show: each wrong effect beside a right one."""

from __future__ import annotations

import math
from typing import Annotated, Any

import pytest
import torch

from djgraph.dsp import first_order
from djgraph.effects import Control, ControlModel, TimeEffect
from djgraph.effects.checks import (
    CheckFailed,
    CheckInconclusive,
    CheckSlow,
    effect_checks,
    outcome_of,
)
from djgraph.effects.checks.slopes import slope_by_differences


class Level(ControlModel):
    level: Annotated[float, Control(0, 1, neutral=0)] = 0.0


class Amount(ControlModel):
    """Without a neutral value."""

    amount: Annotated[float, Control(0.5, 1)] = 1.0


# ---- lines longer than the half second of the other checks


class LongEcho(TimeEffect):
    """Right: the input of ``LAG`` samples ago is added."""

    type = "long_echo"
    Controls = Level
    LAG = 66150
    KEPT = LAG

    def tail(self):
        return self.LAG

    def initial_state(self, batch, channels, like):
        return {"past": like.new_zeros(batch, channels, self.LAG)}

    def process(self, audio, controls, state, block):
        line = torch.cat([state["past"], audio["in"]], -1)
        past = line[..., -self.LAG :].clone()
        past[..., : self.LAG - self.KEPT] = 0
        return {"out": audio["in"] + controls["level"] * line[..., : block.length]}, {"past": past}


class ForgetsLongAgo(LongEcho):
    """Of its line only 0.6 s outlive a block."""

    type = "forgets_long_ago"
    KEPT = 26460


# ---- gates


class Accent(TimeEffect):
    """Right: the sample with which a gate becomes 1 is louder, in a stream too."""

    type = "accent"

    class Controls(ControlModel):
        gate: Annotated[float, Control(0, 1, neutral=0, gradient="none")] = 0.0

    def initial_state(self, batch, channels, like):
        return {"open": like.new_zeros(batch, 1, 1)}

    def process(self, audio, controls, state, block):
        opened = (controls["gate"] == 1).to(audio["in"].dtype)
        line = torch.cat([self.before(state), opened], -1)
        begins = line[..., 1:] * (1 - line[..., :-1])
        return {"out": audio["in"] * (1 + begins)}, {"open": line[..., -1:]}

    def before(self, state):
        return state["open"]


class OpensWithEveryBlock(Accent):
    """Takes the gate for closed before each block: only a gate that stays at 1 shows it."""

    type = "opens_with_every_block"

    def before(self, state):
        return torch.zeros_like(state["open"])


# ---- tempos


class BeatEcho(TimeEffect):
    """Right: the input of one beat ago is added, down to 40 BPM."""

    type = "beat_echo"
    Controls = Level
    uses_clock = True
    SLOWEST = 40

    @property
    def longest(self):
        return 60 * self.environment.sample_rate // self.SLOWEST

    def tail(self):
        return self.longest

    def initial_state(self, batch, channels, like):
        return {"past": like.new_zeros(batch, channels, self.longest)}

    def process(self, audio, controls, state, block):
        line = torch.cat([state["past"], audio["in"]], -1)
        lag = (60 * block.sample_rate / block.clock.tempo).round().long()
        at = torch.arange(block.length, device=lag.device) + self.longest - lag
        late = line.gather(-1, at.clamp(min=0).expand(audio["in"].shape))
        return {"out": audio["in"] + controls["level"] * late}, {"past": line[..., -self.longest :]}


class BeatEchoFrom80(BeatEcho):
    """Its line is as long as a beat at 80 BPM."""

    type = "beat_echo_from_80"
    SLOWEST = 80


# ---- drift


class Swing(TimeEffect):
    """Right: a steady rate, and a phase that is added up in float64."""

    type = "swing"

    class Controls(ControlModel):
        rate: Annotated[float, Control(0.7, 0.8, unit="Hz")] = 0.7

    def initial_state(self, batch, channels, like):
        return {"phase": like.new_zeros(batch, 1, 1, dtype=torch.float64)}

    def process(self, audio, controls, state, block):
        phase = state["phase"] + self.step(controls["rate"], block.sample_rate).double().cumsum(-1)
        swing = torch.cos(2 * math.pi * torch.remainder(phase, 1)).to(audio["in"].dtype)
        return {"out": audio["in"] * swing}, {"phase": torch.remainder(phase[..., -1:], 1.0)}

    def step(self, rate, sample_rate):
        return rate.double() / sample_rate


class RoundedStep(Swing):
    """What is added up was rounded to float32: off by ever more, a hundred times less than where the sum is."""

    type = "rounded_step"

    def step(self, rate, sample_rate):
        return rate / sample_rate


# ---- ends


class PrettyLongTail(LongEcho):
    """Silent after 700 samples, and says so after a second."""

    type = "pretty_long_tail"
    LAG = KEPT = 700

    def tail(self):
        return 44100


class EndlessTail(PrettyLongTail):
    type = "endless_tail"

    def tail(self):
        return None


class Resonator(TimeEffect):
    """Right: a pole within the unit circle."""

    type = "resonator"
    TOP = 0.9998

    class Controls(ControlModel):
        pole: Annotated[float, Control(0, 1)] = 0.5

    def tail(self):
        return None

    def initial_state(self, batch, channels, like):
        return {"past": like.new_zeros(batch, channels, 2)}

    def process(self, audio, controls, state, block):
        out, last = first_order(audio["in"], 0.1, 0.0, -self.TOP * controls["pole"], state["past"])
        return {"out": out}, {"past": last}


class Explodes(Resonator):
    type = "explodes"
    TOP = 1.0005


class Swells(Resonator):
    """By 7.7 dB a second."""

    type = "swells"
    TOP = 1.00002


class Bounded(TimeEffect):
    """Right: what comes back is louder than what went out, but saturates."""

    type = "bounded"
    Controls = Amount
    LAG = 4000

    def tail(self):
        return None

    def initial_state(self, batch, channels, like):
        return {"line": like.new_zeros(batch, channels, self.LAG)}

    def process(self, audio, controls, state, block):
        line, parts = state["line"], []
        for start in range(0, block.length, self.LAG):  # in blocks of the loop's delay
            sound = audio["in"][..., start : start + self.LAG]
            count = sound.shape[-1]
            out = sound + 1.05 * torch.tanh(line[..., :count])
            line = torch.cat([line[..., count:], out], -1)
            parts.append(out * controls["amount"][..., start : start + self.LAG])
        return {"out": torch.cat(parts, -1)}, {"line": line}


# ---- latencies without a neutral value


class Late(TimeEffect):
    """Right: looks ahead, and says by how much."""

    type = "late"
    Controls = Amount
    LAG = 700

    def latency(self):
        return self.LAG

    def initial_state(self, batch, channels, like):
        return {"past": like.new_zeros(batch, channels, self.LAG)}

    def process(self, audio, controls, state, block):
        line = torch.cat([state["past"], audio["in"]], -1)
        out = controls["amount"] * line[..., : block.length]
        return {"out": out}, {"past": line[..., -self.LAG :]}


class LaterThanItSays(Late):
    type = "later_than_it_says"

    def latency(self):
        return 699


class LateInSilence(Late):
    type = "late_in_silence"

    def latency(self):
        return 0

    def tail(self):
        return self.LAG


class UnlikeItsInput(Late):
    type = "unlike_its_input"

    def process(self, audio, controls, state, block):
        out, after = super().process(audio, controls, state, block)
        return {"out": out["out"].square()}, after


# ---- loops


class Smooth(TimeEffect):
    """Right but for its speed: a recursion sample by sample."""

    type = "smooth"
    Controls = Amount

    def tail(self):
        return None

    def initial_state(self, batch, channels, like):
        return {"last": like.new_zeros(batch, channels)}

    def process(self, audio, controls, state, block):
        last, made = state["last"], []
        for sample in audio["in"].unbind(-1):
            last = 0.5 * last + 0.5 * sample
            made.append(last)
        return {"out": torch.stack(made, -1) * controls["amount"]}, {"last": last}


class SmoothFloats(Smooth):
    """The same on Python's numbers: hardly an operation of PyTorch."""

    type = "smooth_floats"

    def process(self, audio, controls, state, block):
        rows = []
        for row, last in zip(audio["in"].flatten(0, 1).tolist(), state["last"].flatten().tolist()):
            rows.append([last := 0.5 * last + 0.5 * sample for sample in row])
        out = audio["in"].new_tensor(rows).view(audio["in"].shape)
        return {"out": out * controls["amount"]}, {"last": out[..., -1]}


# ---- the host


class ByNumPy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, audio, gain):
        ctx.save_for_backward(audio, gain)
        return torch.from_numpy(audio.cpu().numpy() * gain.cpu().numpy()).to(audio.device)

    @staticmethod
    def backward(ctx, gradient):
        audio, gain = ctx.saved_tensors
        return gradient * gain, (gradient * audio).sum(1, keepdim=True)


class Wrapper(TimeEffect):
    """Right on a CPU: another library's gain, which takes arrays."""

    type = "wrapper"
    memoryless = True

    class Controls(ControlModel):
        gain: Annotated[float, Control(0, 2, neutral=1)] = 1.0

    def process(self, audio, controls, state, block):
        return {"out": ByNumPy.apply(audio["in"], controls["gain"])}, state


# ---- gradients with corners


class FractionalDelay(TimeEffect):
    """Right: read between two samples, so that its gradient jumps wherever the delay passes a whole number."""

    type = "fractional_delay"
    LONGEST = 0.4
    SHARE = 1.0

    class Controls(ControlModel):
        time: Annotated[float, Control(0, 0.4, neutral=0, unit="s")] = 0.0

    @property
    def longest(self):
        return round(self.LONGEST * self.environment.sample_rate) + 1

    def tail(self):
        return self.longest

    def initial_state(self, batch, channels, like):
        return {"past": like.new_zeros(batch, channels, self.longest)}

    def process(self, audio, controls, state, block):
        line = torch.cat([state["past"], audio["in"]], -1)
        delay = controls["time"] * block.sample_rate
        whole = delay.detach().floor().clamp(max=self.longest - 1)
        part = delay - whole
        part = self.SHARE * part + (1 - self.SHARE) * part.detach()
        at = torch.arange(block.length, device=line.device) + self.longest - whole.long()
        first, second = (line.gather(-1, place.expand(audio["in"].shape)) for place in (at, at - 1))
        return {"out": first + part * (second - first)}, {"past": line[..., -self.longest :]}


class WrongSlope(FractionalDelay):
    """One per cent too flat."""

    type = "wrong_slope"
    SHARE = 0.99


CAUGHT = [
    (ForgetsLongAgo, LongEcho, "check_long_stream", "of 8 s in blocks of 4093 against one call"),
    (OpensWithEveryBlock, Accent, "check_streaming", "against one call"),
    (BeatEchoFrom80, BeatEcho, "check_long_stream", "of 8 s in blocks of 4093 against one call"),
    (RoundedStep, Swing, "check_drift", "off by ever more, at this rate by .* after an hour"),
    (PrettyLongTail, LongEcho, "check_latency_and_tail", "tail() is 44100 samples, but .* silent after 700"),
    (Explodes, Resonator, "check_stability", "out with pole .* grows beyond all bounds"),
    (Swells, Bounded, "check_stability", "grows by 7.7 dB a second .* outside of the unit circle"),
    (LaterThanItSays, Late, "check_lag", "latency() is 699, but its output .* 700 samples late"),
    (WrongSlope, FractionalDelay, "check_gradients", "gradient of control time is"),
]


@pytest.mark.parametrize(
    ("wrong", "right", "check", "message"), CAUGHT, ids=[f"{wrong.type}" for wrong, *_ in CAUGHT]
)
def test_the_wrong_one_is_caught_and_the_right_one_passes(wrong, right, check, message):
    with pytest.raises(CheckFailed, match=message.replace("()", r"\(\)")):
        dict(effect_checks(wrong))[check]()
    dict(effect_checks(right))[check]()


@pytest.mark.slow
@pytest.mark.parametrize(
    "right", [LongEcho, Accent, BeatEcho, Swing, Resonator, Bounded, Late, FractionalDelay]
)
def test_the_right_ones_keep_the_whole_contract(right):
    outcomes = [outcome_of(name, check) for name, check in effect_checks(right)]
    assert [one for one in outcomes if one.result not in ("passed", "skipped")] == []


@pytest.mark.parametrize(
    ("slow", "message"),
    [
        (Smooth, "operations of PyTorch for each sample: a Python loop over samples"),
        (SmoothFloats, "lines of Python for each sample: a Python loop over samples"),
    ],
)
def test_a_loop_over_samples_is_slow(slow, message):
    check = dict(effect_checks(slow))["check_operations"]
    with pytest.raises(CheckSlow, match=message):
        check()
    assert outcome_of("check_operations", check).result == "slow"
    dict(effect_checks(Resonator))["check_operations"]()


def test_no_lines_are_counted_under_a_debugger():
    """Whoever traces goes on to: the operations of PyTorch are counted all the same."""
    import sys

    before = sys.gettrace()
    mine = lambda frame, event, argument: None  # noqa: E731
    sys.settrace(mine)
    try:
        checks = {one.type: dict(effect_checks(one))["check_operations"] for one in (Smooth, SmoothFloats)}
        checks["smooth_floats"]()
        with pytest.raises(CheckSlow):
            checks["smooth"]()
        assert sys.gettrace() is mine
    finally:
        sys.settrace(before)


@pytest.mark.skipif(torch.cuda.is_available(), reason="it is tried on the GPU")
@pytest.mark.parametrize("check", ["check_device", "check_host_synchronisation"])
def test_what_goes_by_the_host_could_not_be_checked(check):
    run = dict(effect_checks(Wrapper))[check]
    with pytest.raises(CheckInconclusive, match=r"it takes its signal to the host \(\.cpu\(\)\)"):
        run()
    assert outcome_of(check, run).result == "unchecked"


def test_the_rest_of_it_is_checked():
    outcomes = [outcome_of(name, check) for name, check in effect_checks(Wrapper)]
    assert not any(one.broken for one in outcomes)
    if not torch.cuda.is_available():
        unchecked = [one.check for one in outcomes if one.result == "unchecked"]
        assert unchecked == ["check_device", "check_host_synchronisation"]


def test_a_tail_that_is_none_and_ends():
    with pytest.raises(CheckInconclusive, match=r"tail\(\) is None, but .* silent 700 samples after"):
        dict(effect_checks(EndlessTail))["check_latency_and_tail"]()
    dict(effect_checks(Resonator))["check_latency_and_tail"]()


@pytest.mark.parametrize(
    ("unsure", "message"),
    [
        (LateInSilence, r"its input 700 samples late whatever its controls, and latency\(\) is 0"),
        (UnlikeItsInput, r"nothing tells whether latency\(\) 700 is right"),
    ],
)
def test_a_latency_that_nobody_can_tell(unsure, message):
    with pytest.raises(CheckInconclusive, match=message):
        dict(effect_checks(unsure))["check_lag"]()


# ---- slopes by differences


def along(function: Any, size: float = 1.0) -> Any:
    return lambda distances: (function(distances), size)


@pytest.mark.parametrize(
    ("function", "slope"),
    [
        (lambda x: torch.sin(3 * x + 0.5), 3 * math.cos(0.5)),
        (lambda x: 2 * x + 50 * (x - 3e-8).clamp(min=0), 2.0),  # a corner nearer than the first steps
        (lambda x: 2 * x + 1e4 * ((x - 1e-7).abs() + (x + 2e-6).abs()), 2.0),  # one on either side
        (lambda x: torch.full_like(x, 3.0), 0.0),
    ],
)
@pytest.mark.parametrize("one_sided", [False, True])
def test_the_step_is_found(function, slope, one_sided):
    found = slope_by_differences(along(function), one_sided)
    assert found.value == pytest.approx(slope, rel=1e-5, abs=1e-5)
    assert found.error < 1e-2


def test_no_step_is_believed_that_rounds_all_away():
    """At 1e6 + x steps below 1e-10 are lost: their zeros agree with each other, and are not believed."""
    found = slope_by_differences(along(lambda x: (1e6 + x) + 30 * (x - 1e-5).abs() ** 0.5, 1e6))
    truth = 1 - 15 / 1e-5**0.5
    assert found.value == pytest.approx(truth, rel=1e-3)
