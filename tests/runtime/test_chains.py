"""Calls that run in one pass: which they are, and that they are the same as one after the other."""

from __future__ import annotations

from typing import Annotated

import pytest
import torch
from djgraph_fx.eq3 import Eq3Twin
from djgraph_fx.gain import Gain

import djgraph
from djgraph.dsp.chain import Chain
from djgraph.effects import AmplitudeEffect, Control, ControlModel, TimeEffect
from djgraph.errors import EffectError
from djgraph.runtime.chains import chained_calls
from djgraph.runtime.executor import Executor
from djgraph.runtime.mixing import mix

STEMS = ("drums", "bass", "vocals", "other")


@pytest.fixture(scope="module")
def causal():
    return djgraph.compile("dj_mixer", lowering="causal")


def tracks(samples: int, batch: int = 1, dtype: torch.dtype = torch.float32):
    random = torch.Generator().manual_seed(0)
    return {
        track: {stem: (0.1 * torch.randn(batch, 2, samples, generator=random)).to(dtype) for stem in STEMS}
        for track in ("track_a", "track_b")
    }


def controls(mixer, frames: int, batch: int = 1) -> torch.Tensor:
    random = torch.Generator().manual_seed(1)
    low, high = mixer.layout.minimum, mixer.layout.maximum
    return low + (high - low) * torch.rand(batch, frames, len(mixer.layout), generator=random)


def types_of(mixer, taps: bool = False) -> list[list[str]]:
    plan = mixer.compiled.plan(taps)
    found = chained_calls(plan, mixer.compiled.modules, mixer.compiled.bank)
    return [[plan.ops[place].nodes[0].effect.type for place in calls.places] for calls in found]


def test_a_strip_of_the_default_mixer_is_one_chain(causal):
    assert types_of(causal) == [["gain", "eq3_causal", "lowpass_causal", "highpass_causal"]]
    plan = causal.compiled.stages(stream=True)[-1].plan
    (calls,) = chained_calls(plan, causal.compiled.modules, causal.compiled.bank)
    assert len(calls.places) == 4
    assert len(calls.sources) == 8


def test_masks_are_none():
    assert types_of(djgraph.compile("dj_mixer")) == []


@pytest.mark.parametrize(
    ("batch", "samples", "frames"), [(1, 3000, 9), (3, 1000, 1), (2, 700, 700), (1, 1, 4)]
)
def test_in_one_pass_and_one_after_the_other(causal, batch, samples, frames):
    inputs, params = tracks(samples, batch), controls(causal, frames, batch)
    plan = causal.compiled.plan()
    with torch.no_grad():
        (chained,) = mix(Executor(plan, causal.compiled), inputs, params).values()
        (alone,) = mix(Executor(plan, causal.compiled, chains=False), inputs, params).values()
        exact = causal(tracks(samples, batch, torch.float64), params.double())
    torch.testing.assert_close(chained, alone, rtol=0, atol=2e-6)
    torch.testing.assert_close(chained.double(), exact, rtol=0, atol=2e-6)


@pytest.mark.slow
def test_gradients_go_one_after_the_other(causal):
    inputs, params = tracks(500), controls(causal, 5).requires_grad_()
    out = causal(inputs, params)
    (gradient,) = torch.autograd.grad(out.square().sum(), params)
    assert gradient.abs().sum() > 0
    with torch.no_grad():
        torch.testing.assert_close(causal(inputs, params), out.detach(), rtol=0, atol=2e-6)


@pytest.mark.parametrize("size", [1, 100, 128, 1000])
def test_a_stream_is_the_whole_clip(causal, size):
    samples = 400 if size == 1 else 3000
    inputs, params = tracks(samples), controls(causal, 7)
    positions = [int(i * (samples - 1) / 6) for i in range(7)]
    with torch.no_grad():
        whole = causal(inputs, params, positions=positions)
        stream = causal.stream(score=(params, positions))
        played = [
            stream(
                {
                    track: {stem: audio[..., start : start + size] for stem, audio in each.items()}
                    for track, each in inputs.items()
                }
            )
            for start in range(0, samples, size)
        ]
        played.append(stream.finish())
    got = torch.cat(played, -1)[..., stream.latency :]
    torch.testing.assert_close(got, whole, rtol=0, atol=2e-6)


def test_a_state_goes_on_with_gradients_and_without(causal):
    """The states that a chain leaves are those of its effects."""
    inputs = tracks(900)

    def block(start: int):
        return {
            track: {stem: audio[..., start : start + 300] for stem, audio in each.items()}
            for track, each in inputs.items()
        }

    frames = controls(causal, 3)[0]
    with torch.no_grad():
        stream = causal.stream()
        want = [stream(block(300 * k), frames[k]) for k in range(3)]
    mixed = causal.stream()
    with torch.no_grad():
        got = [mixed(block(0), frames[0])]
    taken_up = causal.stream(state=mixed.state())
    watched = frames[1].clone().requires_grad_()
    got.append(taken_up(block(300), watched))
    assert got[1].requires_grad
    taken_up.detach()
    with torch.no_grad():
        got.append(taken_up(block(600), frames[2]))
    torch.testing.assert_close(
        torch.cat([one.detach() for one in got], -1), torch.cat(want, -1), rtol=0, atol=2e-6
    )


DOCUMENT = """
djgraph: 1
name: one_strip
inputs: [{name: a}]
mixer:
  - strip: a
    input: a
    chain: [{effect: gain, id: first}, {effect: gain, id: second}]
    to: master
  - bus: master
outputs: [master]
"""


def compiled(tmp_path, text: str):
    path = tmp_path / "graph.yaml"
    path.write_text(text)
    return djgraph.compile(djgraph.load(path), lowering="causal")


def test_what_somebody_else_reads_is_written(tmp_path):
    assert types_of(compiled(tmp_path, DOCUMENT)) == [["gain", "gain"]]
    tapped = DOCUMENT.replace(
        "    to: master\n", "    sends: [{to: record, tap: first, level: 1}]\n    to: master\n"
    )
    tapped = tapped.replace(
        "  - bus: master\noutputs: [master]", "  - bus: record\n  - bus: master\noutputs: [master, record]"
    )
    mixer = compiled(tmp_path, tapped)
    assert types_of(mixer) == []
    params = torch.tensor([[[0.5, 0.25]]])
    with torch.no_grad():
        heard = mixer({"a": torch.ones(1, 2, 10)}, params)
    torch.testing.assert_close(heard["record"], torch.full((1, 2, 10), 0.5))
    torch.testing.assert_close(heard["master"], torch.full((1, 2, 10), 0.125))


def test_a_subclass_is_not_the_kernel_of_its_base():
    class Squared(Gain):
        type = "squared_gain"

        def amplitude(self, controls):
            return controls["gain"] ** 2

    class Renamed(Gain):
        type = "renamed_gain"

    class Own(AmplitudeEffect):
        type = "own_amplitude"

        class Controls(ControlModel):
            level: Annotated[float, Control(0, 1, neutral=1, rate="sample")] = 1.0

        def amplitude(self, controls):
            return controls["level"]

    environment = djgraph.effects.Environment(44100)
    assert Squared(Squared.Settings(), environment).link() is None
    assert Own(Own.Settings(), environment).link() is None
    link = Renamed(Renamed.Settings(), environment).link()
    assert link is not None
    assert link.controls == ("gain",)
    assert Eq3Twin(Eq3Twin.Settings(order=2), environment).link() is None


def test_nor_is_one_that_a_mixin_changes():
    class Half:
        def amplitude(self, controls):
            return 0.5 * controls["gain"]

    class MixedIn(Half, Gain):
        type = "mixed_in"

    class Inverse(Gain):
        type = "inverse_gain"

        def amplitude(self, controls):
            return 1 - controls["gain"]

    class Renamed(Gain):
        type = "renamed_again"

    for changed in (MixedIn, Inverse):
        assert changed.link is TimeEffect.link
        assert changed.closed_by is None
    assert Renamed.link is Gain.link
    assert Renamed.closed_by == Gain.closed_by == "gain"

    with pytest.raises(EffectError, match="closed_by names no control of rate sample"):

        class Once(AmplitudeEffect):
            type = "once"
            closed_by = "level"

            class Controls(ControlModel):
                level: Annotated[float, Control(0, 1, neutral=1, rate="clip")] = 1.0

            def amplitude(self, controls):
                return controls["level"]


def test_a_switch_elsewhere_stops_no_chain(monkeypatch):
    """And where one of its nodes is left out, its calls run one by one, to the same end."""
    strip = {"chain": ["gain", "eq3", "lowpass"], "to": "master"}
    switched = [{"switch": "fx", "choices": {"off": [], "on": ["phaser"]}}]
    document = {
        "djgraph": 1,
        "name": "some",
        "sample_rate": 16000,
        "inputs": [{"name": "a"}, {"name": "b"}],
        "mixer": [
            {"strip": "a", "input": "a", "mute": True, **strip},
            {"strip": "b", "input": "b", **strip},
            {"bus": "master", "chain": switched},
        ],
        "outputs": ["master"],
    }
    mixer = djgraph.compile(document, lowering="causal")
    layout, ran = mixer.layout, []
    run = Chain.__call__

    def counting(self, *args):
        ran.append(len(self.kernels))
        return run(self, *args)

    random = torch.Generator().manual_seed(0)
    inputs = {name: 0.1 * torch.randn(1, 2, 4000, generator=random) for name in "ab"}
    frames = controls(mixer, 6)
    frames[..., layout.index("master.fx")] = torch.tensor([0.0, 0.0, 1.0, 1.0, 0.0, 0.0])
    frames[..., layout.index("a.mute")] = torch.tensor([0.0, 0.0, 0.0, 1.0, 1.0, 0.0])
    positions = [0, 1000, 1400, 2000, 2800, 3200]
    with torch.no_grad():
        whole = mixer(inputs, frames, positions=positions)
        monkeypatch.setattr(Chain, "__call__", counting)
        for unheard, least, most in (("exact", 40, 42), ("rest", 10, 39)):
            ran.clear()
            stream = mixer.stream(score=(frames, positions), unheard=unheard)
            played = [
                stream({name: x[..., start : start + 100] for name, x in inputs.items()})
                for start in range(0, 4000, 100)
            ]
            played.append(stream.finish())
            got = torch.cat(played, -1)[..., stream.latency :]
            # At rest the first strip begins anew behind the mute, which is closed from 2000 to 2800.
            heard = slice(0, 2700 if unheard == "rest" else 4000)
            torch.testing.assert_close(got[..., heard], whole[..., heard], rtol=0, atol=2e-6)
            assert least <= len(ran) <= most
            assert set(ran) == {3}
