"""The conformance kit: every check catches the breakage that it is for, and sound effects pass."""

from __future__ import annotations

import math
import random
from typing import Annotated, Any

import numpy as np
import pytest
import torch
from pydantic import BaseModel

from djgraph.dsp import first_order, scale_link
from djgraph.effects import (
    AmplitudeEffect,
    CausalTwin,
    Control,
    ControlModel,
    Environment,
    Link,
    NoControls,
    Port,
    SettingModel,
    SpectralEffect,
    TimeEffect,
    checks,
    is_silent,
)
from djgraph.effects.checks import (
    CheckFailed,
    CheckSkipped,
    check_effect,
    effect_checks,
    faults,
    outcome_of,
    parametrize_with_checks,
)
from djgraph.errors import DJGraphError, EffectError


class GainControls(ControlModel):
    gain: Annotated[float, Control(0, 2, neutral=1)] = 1.0


class FrameControls(ControlModel):
    level: Annotated[float, Control(0, 2, neutral=1, rate="frame")] = 1.0


class Gain(TimeEffect):
    """Right in everything; the broken ones below change one thing."""

    type = "gain"
    Controls = GainControls
    memoryless = True

    def process(self, audio, controls, state, block):
        return {"out": audio["in"] * controls["gain"]}, state


class Level(SpectralEffect):
    """Right in everything, as a spectral effect."""

    type = "level"
    Controls = FrameControls

    def mask(self, controls):
        return controls["level"]


class Echo(TimeEffect):
    """Right in everything, with state: the input of ``LAG`` samples ago is added."""

    type = "echo"
    LAG = 700

    class Controls(ControlModel):
        level: Annotated[float, Control(0, 1, neutral=0)] = 0.0

    def tail(self):
        return self.LAG

    def initial_state(self, batch, channels, like):
        return {"past": like.new_zeros(batch, channels, self.LAG)}

    def process(self, audio, controls, state, block):
        line = torch.cat([state["past"], audio["in"]], -1)
        out = audio["in"] + controls["level"] * line[..., : block.length]
        return {"out": out}, {"past": line[..., -self.LAG :]}


class Lookahead(Echo):
    """Right in everything, with latency: all that comes out is ``LAG`` samples late."""

    type = "lookahead"
    Controls = GainControls

    def latency(self):
        return self.LAG

    def tail(self):
        return 0

    def initial_state(self, batch, channels, like):
        return {
            "past": like.new_zeros(batch, channels, self.LAG),
            "gain": like.new_zeros(batch, 1, self.LAG),
        }

    def process(self, audio, controls, state, block):
        line = torch.cat([state["past"], audio["in"]], -1)
        gain = torch.cat([state["gain"], controls["gain"]], -1)
        out = line[..., : block.length] * gain[..., : block.length]
        return {"out": out}, {"past": line[..., -self.LAG :], "gain": gain[..., -self.LAG :]}


class Splitter(TimeEffect):
    """Right in everything, with two outputs and a fixed number of channels."""

    type = "splitter"
    inputs = (Port("in", 2),)
    outputs = (Port("left", 1), Port("right", 1))
    memoryless = True

    def process(self, audio, controls, state, block):
        return {"left": audio["in"][:, :1], "right": audio["in"][:, 1:]}, state


class Weighted(Gain):
    """Right in everything, with weights that start at random."""

    type = "weighted"

    def __init__(self, settings, environment):
        super().__init__(settings, environment)
        self.weight = torch.nn.Parameter(torch.randn(1))

    def process(self, audio, controls, state, block):
        return {"out": audio["in"] * (1 + self.weight * (controls["gain"] - 1))}, state


@parametrize_with_checks([(Weighted, {})])
def test_an_effect_with_weights_passes(check):
    check()


# ---- broken effects, each with the check that has to catch it


class WrongDeclaration(Gain):
    type = "wrong_declaration"
    Controls = FrameControls  # per frame and memoryless

    def process(self, audio, controls, state, block):
        return {"out": audio["in"]}, state


class MisspeltAttribute(Gain):
    type = "misspelt_attribute"
    memoryless = False
    use_clock = True


class MisspeltMethod(Echo):
    type = "misspelt_method"
    tail = Gain.tail

    def latencies(self):
        return 0


class MisspeltInside(Gain):
    """The one attribute that ``__init__`` may set."""

    type = "misspelt_inside"
    memoryless = False

    def __init__(self, settings, environment):
        super().__init__(settings, environment)
        self.use_clock = True


class ChangeableSettings(Gain):
    type = "changeable_settings"

    class Settings(BaseModel):
        amount: float = 1.0


class WrongPort(Gain):
    type = "wrong_port"

    def process(self, audio, controls, state, block):
        return {"output": audio["in"]}, state


class MonoOnly(Gain):
    type = "mono_only"

    def process(self, audio, controls, state, block):
        return {"out": audio["in"].mean(1, keepdim=True)}, state


class MaskOfWrongShape(Level):
    type = "mask_of_wrong_shape"

    def mask(self, controls):
        return controls["level"].expand(-1, -1, 7)


class NeedsTwoSamples(Gain):
    type = "needs_two_samples"

    def process(self, audio, controls, state, block):
        return {
            "out": torch.cat([audio["in"][..., :2], audio["in"][..., 2:]], -1) + audio["in"][..., 1:2] * 0
        }, state


class AlwaysSingle(Gain):
    type = "always_single"

    def process(self, audio, controls, state, block):
        return {"out": (audio["in"] * controls["gain"]).float()}, state


class NotNeutral(Gain):
    type = "not_neutral"

    def process(self, audio, controls, state, block):
        return {"out": audio["in"] * (controls["gain"] + 1e-5)}, state


class NotNeutralMask(Level):
    type = "not_neutral_mask"

    def mask(self, controls):
        return controls["level"] * (1 - 1e-5)


class Turned(Gain):
    """An all-pass of first order: (a + z⁻¹)/(1 + a·z⁻¹) at a gain of 1."""

    type = "turned"
    memoryless = False
    at_neutral = "allpass"
    a = 0.5

    def tail(self):
        return None

    def initial_state(self, batch, channels, like):
        return {"past": like.new_zeros(batch, channels, 2)}

    def process(self, audio, controls, state, block):
        sound = audio["in"] * controls["gain"]
        out, last = first_order(sound, self.a, 1.0, 0.5, state["past"])
        return {"out": out}, {"past": last}


class NotAllpass(Turned):
    type = "not_allpass"
    a = 0.501


class BatchNormaliser(Gain):
    type = "batch_normaliser"

    def process(self, audio, controls, state, block):
        return {
            "out": audio["in"] * controls["gain"] / (1 + audio["in"].abs().amax((0, 1, 2), keepdim=True))
        }, state


class BatchGradient(Gain):
    """Values are independent; only the gradients leak."""

    type = "batch_gradient"

    def process(self, audio, controls, state, block):
        leak = audio["in"].mean() - audio["in"].mean().detach()
        return {"out": audio["in"] * controls["gain"] + leak}, state


class WritesInput(Gain):
    type = "writes_input"

    def process(self, audio, controls, state, block):
        return {"out": audio["in"].mul_(controls["gain"])}, state


class WritesState(Echo):
    type = "writes_state"

    def process(self, audio, controls, state, block):
        out, after = super().process(audio, controls, state, block)
        state["past"].copy_(after["past"])
        return out, state


class Noisy(Gain):
    type = "noisy"

    def process(self, audio, controls, state, block):
        return {"out": audio["in"] + 1e-3 * torch.randn_like(audio["in"])}, state


class DrawsFromTorch(Gain):
    type = "draws_from_torch"

    def process(self, audio, controls, state, block):
        torch.randn(1)
        return super().process(audio, controls, state, block)


class DrawsFromNumpy(Gain):
    type = "draws_from_numpy"

    def __init__(self, settings, environment):
        super().__init__(settings, environment)
        np.random.rand()


class DrawsFromPython(Gain):
    type = "draws_from_python"

    def process(self, audio, controls, state, block):
        random.random()
        return super().process(audio, controls, state, block)


class Unpicklable(Gain):
    type = "unpicklable"

    def __init__(self, settings, environment):
        super().__init__(settings, environment)
        self.function = lambda x: x


class ForgetsOnCopy(Gain):
    type = "forgets_on_copy"

    def __init__(self, settings, environment):
        super().__init__(settings, environment)
        self.calls = 0

    def process(self, audio, controls, state, block):
        self.calls += 1
        return {"out": audio["in"] * controls["gain"] * self.calls}, state


class StaysOnTheCpu(Gain):
    type = "stays_on_the_cpu"

    def process(self, audio, controls, state, block):
        return {"out": audio["in"] * torch.ones(block.length, dtype=audio["in"].dtype)}, state


class ReadsValues(Gain):
    type = "reads_values"

    def process(self, audio, controls, state, block):
        gain = controls["gain"] if controls["gain"].max() > 0 else controls["gain"] * 1
        return {"out": audio["in"] * gain}, state


class IndexesByMask(Gain):
    type = "indexes_by_mask"

    def process(self, audio, controls, state, block):
        gain = controls["gain"].clone()
        gain[gain < 0] = 0
        return {"out": audio["in"] * gain}, state


class InfiniteAtSilence(Gain):
    type = "infinite_at_silence"

    def process(self, audio, controls, state, block):
        power = audio["in"].square().mean(1, keepdim=True)
        return {"out": audio["in"] * controls["gain"] * power / power}, state


class SteepAtSilence(Gain):
    """Values are finite; the gradient of a root at 0 is not."""

    type = "steep_at_silence"

    def process(self, audio, controls, state, block):
        return {"out": audio["in"].square().sqrt() * audio["in"].sign() * controls["gain"]}, state


class SteepAtRangeEnd(Gain):
    type = "steep_at_range_end"

    def process(self, audio, controls, state, block):
        return {"out": audio["in"] * controls["gain"].sqrt()}, state


class WrongGradient(Gain):
    type = "wrong_gradient"

    def process(self, audio, controls, state, block):
        gain = controls["gain"]
        return {"out": audio["in"] * (gain.detach() + 0.99 * (gain - gain.detach()))}, state


class NoGradient(Level):
    type = "no_gradient"

    def mask(self, controls):
        return controls["level"].detach()


class Clamps(Gain):
    """The trap itself: a margin inside the range, beyond which nothing pulls back."""

    type = "clamps"

    def process(self, audio, controls, state, block):
        gain = 2 * _Dead.apply(controls["gain"] / 2)
        return {"out": audio["in"] * gain}, state


class _Dead(torch.autograd.Function):
    """The identity on 0…1, with no gradient at 0 and 1, as clamps of old had it."""

    @staticmethod
    def forward(ctx, value):
        ctx.save_for_backward((value > 0) & (value < 1))
        return value.clamp(0, 1)

    @staticmethod
    def backward(ctx, gradient):
        return gradient * ctx.saved_tensors[0]


class FractionalLatency(Gain):
    type = "fractional_latency"

    def latency(self):
        return 0.5


class LateThoughMemoryless(Gain):
    """The compiler refuses it."""

    type = "late_though_memoryless"

    def latency(self):
        return 64


class LongerTail(Echo):
    type = "longer_tail"

    def tail(self):
        return 100


class StateWithoutBatch(Echo):
    type = "state_without_batch"

    def initial_state(self, batch, channels, like):
        return {"past": like.new_zeros(channels, self.LAG)}

    def process(self, audio, controls, state, block):
        past = state["past"].expand(len(audio["in"]), -1, -1)
        line = torch.cat([past, audio["in"]], -1)
        return {"out": audio["in"] + controls["level"] * line[..., : block.length]}, {
            "past": line[0, :, -self.LAG :]
        }


class CountsInIntegers(Echo):
    type = "counts_in_integers"

    def initial_state(self, batch, channels, like):
        count = torch.zeros(batch, 1, dtype=torch.int64, device=like.device)
        return super().initial_state(batch, channels, like) | {"count": count}

    def process(self, audio, controls, state, block):
        out, after = super().process(audio, controls, state, block)
        return out, after | {"count": state["count"] + block.length}


class CountsInDoubles(CountsInIntegers):
    """The right way."""

    type = "counts_in_doubles"

    def initial_state(self, batch, channels, like):
        first = super().initial_state(batch, channels, like)
        return first | {"count": first["count"].double()}


class Forgetful(Echo):
    type = "forgetful"

    def process(self, audio, controls, state, block):
        out, _ = super().process(audio, controls, state, block)
        return out, {"past": torch.zeros_like(state["past"])}


class RestsWhileItRings(Echo):
    type = "rests_while_it_rings"

    def at_rest(self, state, quiet):
        return True


class HardlyClosed(AmplitudeEffect):
    """A fader that lets a little through, and says that it closes."""

    type = "hardly_closed"
    closed_by = "level"

    class Controls(ControlModel):
        level: Annotated[float, Control(0, 1, neutral=1)] = 1.0

    def amplitude(self, controls):
        return 0.001 + 0.999 * controls["level"]


class StandsStill(Echo):
    """Says that it is at rest when it is, and loses what goes on then."""

    type = "stands_still"

    def initial_state(self, batch, channels, like):
        return {**super().initial_state(batch, channels, like), "count": like.new_zeros(batch, 1, 1)}

    def process(self, audio, controls, state, block):
        out, after = super().process(audio, controls, state, block)
        gone = state["count"] + torch.arange(block.length, device=state["count"].device)
        swing = 1 + 0.1 * controls["level"] * torch.sin(gone / 1000)
        return {"out": out["out"] * swing}, {**after, "count": state["count"] + block.length}

    def at_rest(self, state, quiet):
        return is_silent(state["past"], below=quiet)


class DetachesState(Echo):
    type = "detaches_state"

    def process(self, audio, controls, state, block):
        out, after = super().process(audio, controls, state, block)
        return out, {"past": after["past"].detach()}


class LooksBack(Gain):
    """Says it is memoryless, and reads the sample before."""

    type = "looks_back"

    def process(self, audio, controls, state, block):
        before = torch.nn.functional.pad(audio["in"], (1, 0))[..., :-1]
        return {"out": audio["in"] + (controls["gain"] - 1) * before}, state


class NegativeMask(Level):
    type = "negative_mask"

    def mask(self, controls):
        return controls["level"] * 2 - 1


class ComplexMask(Level):
    type = "complex_mask"

    def mask(self, controls):
        return torch.complex(controls["level"], controls["level"] - 1)


class SmoothsFrames(Level):
    type = "smooths_frames"

    def mask(self, controls):
        level = controls["level"]
        return (level + level.roll(1, 1)) / 2


class OtherTwin(Level):
    """Its twin is half as loud."""

    type = "other_twin"


class HalfAsLoud(CausalTwin, of=OtherTwin):
    memoryless = True

    def process(self, audio, controls, state, block):
        return {"out": audio["in"] * controls["level"] / 2}, state


class FloatPosition(TimeEffect):
    """A position in samples that becomes float32 before it is wrapped."""

    type = "float_position"
    memoryless = True

    def process(self, audio, controls, state, block):
        sound = audio["in"]
        place = block.start + torch.arange(block.length, dtype=sound.dtype, device=sound.device)
        return {"out": sound * torch.cos(6 * math.pi * place / block.sample_rate)}, state


class SaysHalf(TimeEffect):
    """Doubles, and says that it halves."""

    type = "says_half"

    def process(self, audio, controls, state, block):
        return {"out": 2 * audio["in"]}, state

    def magnitude(self, controls):
        return torch.full((1, 1, 1), 0.5, dtype=torch.float64)


class FloatPhase(TimeEffect):
    """A phase that is added up in the audio's dtype."""

    type = "float_phase"

    def initial_state(self, batch, channels, like):
        return {"phase": like.new_zeros(batch, 1, 1)}

    def process(self, audio, controls, state, block):
        sound = audio["in"]
        step = torch.full_like(sound[:, :1], 3.7 / block.sample_rate)
        travelled = state["phase"] + step.cumsum(-1)
        swing = torch.cos(2 * math.pi * travelled)
        return {"out": sound * swing}, {"phase": torch.remainder(travelled[..., -1:], 1.0)}


SOUND = [Gain, Level, Echo, Lookahead, Splitter, CountsInDoubles]


@parametrize_with_checks(SOUND)
def test_sound_effects_pass(check):
    check()


class LinksTwice(Gain):
    """Says that it is a fader, and is one squared."""

    type = "links_twice"

    def process(self, audio, controls, state, block):
        return {"out": audio["in"] * controls["gain"] ** 2}, state

    def link(self):
        return Link(scale_link(), ("gain",))


BROKEN = [
    (WrongDeclaration, "check_declaration", "read per frame"),
    (MisspeltAttribute, "check_declaration", "'use_clock' that nothing reads; did you mean 'uses_clock'?"),
    (MisspeltMethod, "check_declaration", "did you mean 'latency'?"),
    (MisspeltInside, "check_declaration", "'use_clock' that nothing reads; did you mean 'uses_clock'?"),
    (ChangeableSettings, "check_settings", "keys that it does not have"),
    (WrongPort, "check_output_shape", "gives ports ['output'] instead of ['out']"),
    (MonoOnly, "check_output_shape", "(1, 1, 1593) instead of (1, 2, 1593)"),
    (MaskOfWrongShape, "check_output_shape", "does not broadcast"),
    (NeedsTwoSamples, "check_short_signals", "shape (2, 1, 0)"),
    (FloatPosition, "check_late_in_time", "an hour in"),
    (FloatPhase, "check_drift", "rounding adds up in its state"),
    (AlwaysSingle, "check_dtype", "torch.float32 for torch.float64"),
    (NotNeutral, "check_identity_at_neutral", "output against input"),
    (NotAllpass, "check_identity_at_neutral", "magnitudes of output against input"),
    (NotNeutralMask, "check_identity_at_neutral", "0.99999 instead of 1"),
    (BatchNormaliser, "check_batch_independence", "in a batch of 3 against alone"),
    (BatchGradient, "check_batch_independence", "gradient"),
    (WritesInput, "check_inputs_unchanged", "input in was changed"),
    (WritesState, "check_inputs_unchanged", "state past was changed"),
    (Noisy, "check_determinism", "from run to run"),
    (DrawsFromTorch, "check_global_random_state", "torch's"),
    (DrawsFromNumpy, "check_global_random_state", "NumPy's"),
    (DrawsFromPython, "check_global_random_state", "Python's"),
    (Unpicklable, "check_copies", "cannot be pickled"),
    (ForgetsOnCopy, "check_copies", "differs"),
    (StaysOnTheCpu, "check_device", "device meta"),
    (ReadsValues, "check_host_synchronisation", "_local_scalar_dense"),
    (IndexesByMask, "check_host_synchronisation", "by a mask"),
    (InfiniteAtSilence, "check_finite_output", "silence"),
    (SteepAtSilence, "check_finite_gradients", "gradient of input in is not finite"),
    (SteepAtRangeEnd, "check_finite_gradients", "every control at its minimum"),
    (WrongGradient, "check_gradients", "gradient of control gain"),
    (NoGradient, "check_gradients", "gradient of control level is 0"),
    (Clamps, "check_gradients_at_range_ends", "control gain at 0 is 0"),
    (FractionalLatency, "check_latency_and_tail", "latency() is 0.5"),
    (LateThoughMemoryless, "check_latency_and_tail", "memoryless, but latency() is 64"),
    (LongerTail, "check_latency_and_tail", "100 samples of tail"),
    (StateWithoutBatch, "check_state", "not batch first"),
    (CountsInIntegers, "check_dtype", "state count is torch.int64"),
    (RestsWhileItRings, "check_at_rest", "at_rest() was True, but out answers silence with"),
    (HardlyClosed, "check_closed_by", "closed_by is level, but at 0 the amplitude is 0.001"),
    (StandsStill, "check_at_rest", "of what comes after asleep() against process()"),
    (Forgetful, "check_streaming", "in two halves against one call"),
    (DetachesState, "check_streaming_gradients", "in blocks against one call"),
    (LooksBack, "check_memoryless", "of samples 1…700 alone"),
    (LinksTwice, "check_link", "what its kernel makes against what process() makes"),
    (SaysHalf, "check_magnitude", "spectrum of an impulse against magnitude()"),
    (NegativeMask, "check_mask_range", "goes down to -"),
    (ComplexMask, "check_mask_range", "complex"),
    (SmoothsFrames, "check_mask_frames", "alone against in the clip"),
    (OtherTwin, "check_causal_twin", "gain is -6.02 dB instead of 0.00 dB"),
]


@pytest.mark.parametrize(
    ("broken", "check", "message"), BROKEN, ids=lambda value: getattr(value, "type", None)
)
def test_the_check_catches_it(broken, check, message):
    with pytest.raises(CheckFailed) as caught:
        dict(effect_checks(broken))[check]()
    assert message in str(caught.value)


ELSEWHERE = {"check_operations", "check_lag", "check_stability", "check_long_stream"} | {
    "check_channels",
    "check_sample_rates",
    "check_held_back",
}
"""Those of ``test_checks_late.py`` and ``test_checks_meets.py``."""


def test_every_check_has_a_breakage():
    everything = {check.__name__ for check in (*checks.EVERY, *checks.TIME, *checks.SPECTRAL)}
    assert everything == {name for _, name, _ in BROKEN} | ELSEWHERE


def test_every_check_says_what_it_is_for():
    for check in (*checks.EVERY, *checks.TIME, *checks.SPECTRAL):
        assert check.__doc__


# ---- the runners


def test_the_error_lists_everything_that_fails():
    with pytest.raises(CheckFailed) as caught:
        check_effect(Noisy)
    text = str(caught.value)
    assert "Noisy breaks the effect contract" in text
    for name in (
        "check_identity_at_neutral",
        "check_determinism",
        "check_global_random_state",
        "check_memoryless",
    ):
        assert f"  {name}: " in text
    assert "check_settings" not in text
    assert isinstance(caught.value, DJGraphError)


def test_an_effect_that_raises_fails_its_checks():
    class Raises(Gain):
        type = "raises"

        def process(self, audio, controls, state, block):
            raise RuntimeError("out of tune")

    with pytest.raises(CheckFailed) as caught:
        check_effect(Raises)
    text = str(caught.value)
    assert text.count("RuntimeError: out of tune, in ") == 1
    line = Raises.process.__code__.co_firstlineno + 1
    assert f'test_checks.py:{line}, in process: raise RuntimeError("out of tune")' in text
    assert "    check_output_shape, check_short_signals, check_dtype" in text


def test_an_init_that_does_not_call_its_base():
    class NoSuper(Gain):
        type = "no_super"

        def __init__(self, settings, environment):
            self.louder = 2

    with pytest.raises(CheckFailed) as caught:
        check_effect(NoSuper)
    text = str(caught.value)
    assert text.count("__init__() does not call super().__init__(settings, environment)") == 1
    assert f"test_checks.py:{NoSuper.__init__.__code__.co_firstlineno}, in __init__" in text
    assert "AttributeError" not in text


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (lambda audio: {"out": audio}, "process() returned a mapping with 'out', not (outputs, state)"),
        (lambda audio: ({"out": audio}, None), "process() returned None for its state"),
        (lambda audio: (audio, {}), "for its outputs, not a mapping of ports to tensors"),
        (lambda audio: ({"out": audio[..., 1:]}, {}), "instead of (1, 1, 1593)"),
        (lambda audio: ({"out": None}, {}), "output out is None, not a tensor"),
    ],
)
def test_what_is_returned_wrongly_is_told_once_and_in_words(returned, message):
    class Returns(Gain):
        type = "returns"

        def process(self, audio, controls, state, block):
            return returned(audio["in"])

    with pytest.raises(CheckFailed) as caught:
        check_effect(Returns)
    text = str(caught.value)
    assert message in text
    assert (
        text.count("instead of (1, 1, 1593)") + text.count("process() returned") + text.count("not a tensor")
        == 1
    )
    assert "Error: " not in text
    assert f"test_checks.py:{Returns.process.__code__.co_firstlineno}, in process" in text
    assert faults(Returns, [outcome_of(*one) for one in effect_checks(Returns)])[0].raised is False


def test_the_report_says_what_does_not_apply():
    report = check_effect(Echo)
    assert "check_streaming" in report.passed
    assert report.skipped == {
        "check_at_rest": "it does not tell when it is at rest",
        "check_closed_by": "it names no control that closes it",
        "check_lag": "its latency is seen at neutral (check_identity_at_neutral)",
        "check_held_back": "it does not say that it holds its signal back",
        "check_memoryless": "it does not say that it is memoryless",
        "check_link": "it is no single kernel",
        "check_magnitude": "it has no magnitude()",
    }
    assert "check_memoryless: it does not say" in str(report)


def test_an_all_pass_may_be_what_is_neutral():
    for check in ("check_declaration", "check_identity_at_neutral"):
        dict(effect_checks(Turned))[check]()

    class Undeclared(Turned):
        type = "undeclared"
        at_neutral = "identity"

    class Misspelt(Turned):
        type = "misspelt"
        at_neutral = "all-pass"

    with pytest.raises(CheckFailed, match="output against input"):
        dict(effect_checks(Undeclared))["check_identity_at_neutral"]()
    with pytest.raises(CheckFailed, match="at_neutral is 'all-pass', none of identity, allpass"):
        dict(effect_checks(Misspelt))["check_declaration"]()


def test_no_neutral_value_is_a_reason_to_skip():
    class Fixed(Level):
        type = "fixed"

        class Controls(ControlModel):
            level: Annotated[float, Control(0.5, 0.7, rate="frame")] = 0.6

    with pytest.raises(CheckSkipped, match="no neutral value: level"):
        dict(effect_checks(Fixed))["check_identity_at_neutral"]()


class Scaled(Gain):
    type = "scaled"

    class Settings(SettingModel):
        scale: float

    def process(self, audio, controls, state, block):
        return {"out": audio["in"] * controls["gain"] * self.settings.scale}, state


def test_settings_without_defaults_have_to_be_given():
    with pytest.raises(CheckFailed, match="hand over `settings=…`"):
        check_effect(Scaled)
    check_effect(Scaled, settings={"scale": 1.0})
    check_effect(Scaled, settings=Scaled.Settings(scale=1.0))
    with pytest.raises(CheckFailed, match="check_identity_at_neutral"):
        check_effect(Scaled, {"scale": 1.5})


def test_surrogate_gradients_and_steps_are_not_compared():
    class Surrogate(NoGradient):
        type = "surrogate"

        class Controls(ControlModel):
            level: Annotated[float, Control(0, 2, neutral=1, rate="frame", gradient="surrogate")] = 1.0

    class Stepped(NoGradient):
        type = "stepped"

        class Controls(ControlModel):
            level: Annotated[float, Control(0, 2, neutral=1, rate="frame", step=0.5)] = 1.0

    for effect in (Surrogate, Stepped):
        with pytest.raises(CheckSkipped, match="no control with an exact gradient"):
            dict(effect_checks(effect))["check_gradients"]()


def test_the_environment_reaches_the_effect():
    seen = set()

    class Watcher(Gain):
        type = "watcher"

        def process(self, audio, controls, state, block):
            seen.add((block.sample_rate, self.environment.sample_rate))
            return super().process(audio, controls, state, block)

    dict(effect_checks(Watcher, environment=Environment(8000)))["check_output_shape"]()
    assert seen == {(8000, 8000)}


class Frequencies(SpectralEffect):
    """Without controls: nothing says how long the clip is, or in which dtype."""

    type = "frequencies"

    def mask(self, controls):
        return 1 / (1 + self.environment.frequencies() / 1000)


class Bell(TimeEffect):
    """A generator that has controls read per clip and per frame."""

    type = "bell"
    inputs = ()
    outputs = (Port("out", 1),)

    class Controls(ControlModel):
        pitch: Annotated[float, Control(100, 1000, unit="Hz", scale="log", rate="clip")] = 200.0
        level: Annotated[float, Control(0, 1, rate="frame")] = 1.0
        voices: Annotated[float, Control(1, 4, rate="clip", choices=(1, 2, 4), gradient="none")] = 1.0

    def process(self, audio, controls, state, block):
        level = controls["level"]
        n = torch.arange(block.start, block.start + block.length, device=level.device)
        now = level[..., (n - block.start) // self.environment.transform.hop]
        cycles = torch.remainder(controls["pitch"].double() * n / block.sample_rate, 1).to(level.dtype)
        return {"out": now * torch.sin(2 * math.pi * cycles) / controls["voices"]}, state


@parametrize_with_checks([Frequencies, Bell])
def test_unusual_effects_pass(check):
    check()


def test_an_effect_without_input_must_state_its_channels():
    class Vague(Bell):
        type = "vague"
        outputs = (Port("out"),)

    with pytest.raises(CheckFailed, match="must say how many channels"):
        dict(effect_checks(Vague))["check_declaration"]()


# ---- the decorator


def parameters(decorator):
    return {parameter.id: parameter for parameter in decorator.args[1]}


def test_parametrize_names_and_marks():
    found = parameters(
        parametrize_with_checks(
            [Noisy, (Scaled, {"scale": 2.0})], {Noisy: {"check_determinism": "it is a noise"}}
        )
    )
    (mark,) = found["noisy-check_determinism"].marks
    assert (mark.name, mark.kwargs) == ("xfail", {"reason": "it is a noise", "strict": True})
    assert not found["noisy-check_settings"].marks
    assert "scaled-check_streaming" in found


def test_parametrize_counts_one_class_with_several_settings():
    found = parameters(parametrize_with_checks([Gain, (Scaled, {"scale": 1.0}), (Scaled, {"scale": 2.0})]))
    assert {key.split("-")[0] for key in found} == {"gain", "scaled", "scaled2"}


def test_parametrize_turns_a_skipped_check_into_a_skipped_test():
    found = parameters(parametrize_with_checks([Echo]))
    with pytest.raises(pytest.skip.Exception, match="memoryless"):
        found["echo-check_memoryless"].values[0]()


def test_an_expected_failure_may_be_tied_to_one_setting():
    found = parameters(
        parametrize_with_checks(
            [
                (Scaled, {"scale": 1.0}),
                (Scaled, {"scale": 2.0}, {"check_identity_at_neutral": "twice as loud"}),
            ],
            {Scaled: {"check_settings": "whatever the settings"}},
        )
    )
    expected = {name for name, parameter in found.items() if parameter.marks}
    assert expected == {
        "scaled-check_settings",
        "scaled2-check_settings",
        "scaled2-check_identity_at_neutral",
    }
    with pytest.raises(EffectError, match="no check 'check_identity'; did you mean"):
        parametrize_with_checks([(Scaled, {"scale": 2.0}, {"check_identity": "typo"})])


def test_names_that_are_near_those_of_the_contract_are_free_where_these_are_taken():
    class Taken(Echo):
        type = "taken"
        tails = (1, 2)
        _use_clock = True

        def __init__(self, settings, environment):
            super().__init__(settings, environment)
            self.output = torch.nn.Identity()

    dict(effect_checks(Taken))["check_declaration"]()


def test_expected_failures_are_checked_themselves():
    with pytest.raises(EffectError, match="no check 'check_determinsm'; did you mean 'check_determinism'"):
        parametrize_with_checks([Noisy], {Noisy: {"check_determinsm": "typo"}})
    with pytest.raises(EffectError, match="Gain, which is not among the effects"):
        parametrize_with_checks([Noisy], {Gain: {"check_determinism": "other"}})


def test_no_controls_is_no_neutral():
    assert Splitter.Controls is NoControls
    with pytest.raises(CheckSkipped, match="no controls"):
        dict(effect_checks(Splitter))["check_identity_at_neutral"]()


class Learned(SpectralEffect):
    type = "learned_curve"

    class Controls(ControlModel):
        amount: Annotated[float, Control(0, 1, neutral=0, rate="frame")] = 0.0

    def __init__(self, settings: Any, environment: Any) -> None:
        super().__init__(settings, environment)
        self.curve = torch.nn.Parameter(torch.zeros(environment.transform.bins))

    def mask(self, controls: Any) -> Any:
        return 1 - controls["amount"] * torch.sigmoid(self.curve)


def test_a_mask_with_weights_passes_without_a_warning(recwarn: pytest.WarningsRecorder) -> None:
    check_effect(Learned)
    assert [str(one.message) for one in recwarn] == []


class Rounded(TimeEffect):
    """Its input's gradient is that before rounding, where it says so; a control has an exact one all the same."""

    type = "rounded"
    inputs = (Port("in", gradient="surrogate"),)

    class Controls(ControlModel):
        mix: Annotated[float, Control(0, 1, neutral=0)] = 0.0

    def process(self, audio: Any, controls: Any, state: Any, block: Any) -> Any:
        sound = audio["in"]
        rounded = sound + ((sound * 8).round() / 8 - sound).detach()
        return {"out": sound + controls["mix"] * (rounded - sound)}, state


class RoundedExactly(Rounded):
    type = "rounded_exactly"
    inputs = (Port("in"),)


class RoundedControl(Rounded):
    """What the input declares is no excuse for a control."""

    type = "rounded_control"

    def process(self, audio: Any, controls: Any, state: Any, block: Any) -> Any:
        return {"out": audio["in"] * (1 - controls["mix"].detach())}, state


def test_an_input_that_declares_a_stand_in_is_not_compared_with_differences() -> None:
    check_effect(Rounded)
    with pytest.raises(CheckFailed, match="gradient of input in is"):
        dict(effect_checks(RoundedExactly))["check_gradients"]()
    with pytest.raises(CheckFailed, match="gradient of control mix is"):
        dict(effect_checks(RoundedControl))["check_gradients"]()


def test_gradients_of_ports_are_checked_when_a_class_is_made() -> None:
    for ports, message in (
        ({"inputs": (Port("in", gradient="exakt"),)}, "gradient 'exakt' is none of exact, surrogate, none"),  # type: ignore[arg-type]
        ({"outputs": (Port("out", gradient="none"),)}, "inputs declare it, outputs do not"),
    ):
        with pytest.raises(EffectError, match=message):
            type("Wrong", (Rounded,), {"type": "wrong", **ports})


class Elsewhere(TimeEffect):
    """A running sum in a Python object, as a plugin of another library keeps it; the state holds its number."""

    type = "elsewhere"
    foreign_memory = True

    def __init__(self, settings: Any, environment: Any) -> None:
        super().__init__(settings, environment)
        self.sums: list[torch.Tensor] = []

    def tail(self) -> None:
        return None

    def initial_state(self, batch: int, channels: int, like: Any) -> Any:
        return {"number": like.new_zeros(batch, dtype=torch.float64)}

    def process(self, audio: Any, controls: Any, state: Any, block: Any) -> Any:
        sound, numbers = audio["in"], state["number"].clone()
        if sound.is_meta:
            return {"out": sound.cumsum(-1)}, {"number": numbers}
        summed = []
        for item, number in enumerate(numbers.tolist()):
            if not number:
                self.sums.append(sound.new_zeros(sound.shape[1], 1))
                numbers[item] = number = len(self.sums)
            run = self.sums[int(number) - 1] + sound[item].cumsum(-1)
            self.sums[int(number) - 1] = run[:, -1:]
            summed.append(run)
        return {"out": torch.stack(summed)}, {"number": numbers}


def test_a_state_that_is_not_all_of_a_memory_is_not_compared() -> None:
    checks = dict(effect_checks(Elsewhere))
    for name in ("check_state", "check_streaming", "check_streaming_gradients"):
        checks[name]()
    hidden = type("Hidden", (Elsewhere,), {"type": "hidden", "foreign_memory": False})
    with pytest.raises(CheckFailed, match="last state number"):
        dict(effect_checks(hidden))["check_streaming"]()
