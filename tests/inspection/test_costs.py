"""Estimated costs against counts by hand, and against what is counted while a plan really runs."""

from __future__ import annotations

import math
from typing import Annotated, Any

import pytest
import torch
from effort import few
from torch import Tensor, nn

import djgraph
from djgraph import simd
from djgraph.effects import Control, ControlModel, SpectralEffect, State, TimeEffect
from djgraph.graph import load
from djgraph.inspection.costs import PlanCost, Work, Workload, estimate
from djgraph.inspection.meter import Meter
from djgraph.mixer import Mixer
from djgraph.plugins import Registry, hookimpl
from djgraph.region.schedule import REGIONS

SIZE, HOP, BINS = 64, 16, 33
SAMPLES, BATCH, FRAMES = 1000, 3, 8
T = 1 + SAMPLES // HOP
FFT = 2.5 * SIZE * math.log2(SIZE)
AUDIO = 2 * BATCH * SAMPLES * 4
"""Bytes of a stereo signal in float32."""
SPECTRUM = 2 * BATCH * T * BINS * 8
CURVE = BATCH * SAMPLES * 4
"""Bytes of one control at every sample."""
LOAD = Workload(SAMPLES, BATCH, FRAMES)


class Scale(TimeEffect):
    """One product for each sample."""

    type = "scale"
    memoryless = True

    class Controls(ControlModel):
        by: Annotated[float, Control(0, 2, neutral=1)] = 1.0

    def process(self, audio: Any, controls: Any, state: State, block: Any) -> Any:
        return {"out": audio["in"] * controls["by"]}, state


class Dim(SpectralEffect):
    """One sum for each bin."""

    type = "dim"

    class Controls(ControlModel):
        amount: Annotated[float, Control(0, 1, neutral=0, rate="frame")] = 0.0

    def constants(self) -> dict[str, Tensor]:
        return {"slope": torch.linspace(0, 1, self.environment.transform.bins, dtype=torch.float64)}

    def mask(self, controls: Any) -> Tensor:
        return controls["amount"] + self.constant("slope", controls["amount"])


class Nosy(TimeEffect):
    """Looks at values, so that it cannot be counted without any; has a weight of its own."""

    type = "nosy"

    def __init__(self, settings: Any, environment: Any) -> None:
        super().__init__(settings, environment)
        self.weight = nn.Parameter(torch.ones(()))

    def process(self, audio: Any, controls: Any, state: State, block: Any) -> Any:
        loud = float(audio["in"].detach().sum()) > 1e9
        return {"out": audio["in"] if loud else audio["in"] * self.weight}, state


class Plugin:
    @hookimpl
    def djgraph_effects(self) -> list[type]:
        return [Scale, Dim, Nosy]


@pytest.fixture(scope="module")
def registry() -> Registry:
    made = Registry()
    made.register(Plugin(), name="test", distribution="tests")
    return made


def mixer_of(registry: Registry, mixer: list[Any], optimize: Any = True, stems: int = 2) -> Mixer:
    document = {
        "djgraph": 1,
        "name": "test",
        "transform": {"size": SIZE, "hop": HOP},
        "inputs": [{"name": "in", "stems": [f"s{i}" for i in range(stems)]}],
        "mixer": [*mixer, {"bus": "mix"}],
        "outputs": ["mix"],
    }
    return Mixer(load(document, registry=registry), optimize=optimize)


def strip(name: str, chain: list[Any], stem: str = "s0", **more: Any) -> dict[str, Any]:
    return {"strip": name, "input": f"in.{stem}", "chain": chain, "to": "mix", **more}


def cost(mixer: Mixer, workload: Workload = LOAD) -> PlanCost:
    return estimate(mixer.plan, mixer.compiled.modules, workload)


def by_label(costs: PlanCost) -> dict[str, Any]:
    return {op.label: op for op in costs.operations}


def test_a_time_effect(registry: Registry) -> None:
    costs = by_label(cost(mixer_of(registry, [strip("a", ["scale"])])))
    scale = costs["scale × 1"]
    products, read = 2 * BATCH * SAMPLES, BATCH * SAMPLES
    # Audio and control are read, the result written; the control is written by its reading.
    assert scale.forward == Work(products + 3 * read, 2 * AUDIO + 2 * CURVE, AUDIO + CURVE)
    # Params want a gradient, audio does not: gradient times audio, summed over the channels.
    assert scale.backward.flops == products + products + 4 * read
    assert scale.calls == 1
    assert costs["input"].backward is None


def test_one_frame_needs_no_interpolation(registry: Registry) -> None:
    costs = by_label(cost(mixer_of(registry, [strip("a", ["scale"])]), Workload(SAMPLES, BATCH, 1)))
    assert costs["scale × 1"].forward.flops == 2 * BATCH * SAMPLES


def test_equal_bindings_are_read_once(registry: Registry) -> None:
    tied = {"effect": "scale", "controls": {"by": {"tie": "a.scale.by"}}}
    both = [strip("a", ["scale"]), strip("b", [tied], "s1")]
    (scale,) = [op for op in cost(mixer_of(registry, both)).operations if op.label == "scale × 2"]
    assert scale.forward.flops == 2 * (2 * BATCH * SAMPLES) + 3 * BATCH * SAMPLES


def test_transforms_and_masks_one_by_one(registry: Registry) -> None:
    costs = by_label(cost(mixer_of(registry, [strip("a", ["dim"])], optimize=False)))
    frames = 2 * BATCH * T
    assert costs["stft"].forward.flops == frames * (FFT + SIZE)
    assert costs["istft"].forward.flops == frames * (FFT + 2 * SIZE) + 2 * BATCH * SAMPLES
    assert (costs["stft"].forward_transforms, costs["istft"].inverse_transforms) == (2, 2)
    gains = BATCH * T * BINS
    # The mask's sum, each bin's complex value times a real one for two channels, the control read per frame.
    assert costs["mask dim"].forward.flops == gains + 2 * 2 * gains + 3 * BATCH * T
    assert costs["mask dim"].alive > costs["stft"].alive - AUDIO
    assert costs["stft"].backward is None
    assert costs["istft"].backward.flops == costs["istft"].forward.flops


def test_a_region(registry: Registry) -> None:
    strips = [strip("a", ["scale", "dim", {"effect": "dim", "id": "more"}]), strip("b", ["dim"], "s1")]
    costs = by_label(cost(mixer_of(registry, strips)))
    region = costs["region 2 → 1, 3 masks"]
    frames, gains = 2 * BATCH * T, BATCH * T * BINS
    assert region.forward.flops == (
        2 * frames * (FFT + SIZE)  # two strips there
        + frames * (FFT + 2 * SIZE)  # one result back
        + 2 * BATCH * SAMPLES
        + 3 * (gains + 3 * BATCH * T)  # three masks and their controls
        + gains  # the two gains of strip a, multiplied
        + 2 * 2 * 2 * gains  # each strip's spectrum scaled
        + 2 * 2 * gains  # their sum
        + 2 * BATCH * SAMPLES  # the fader before the transform
        + 3 * BATCH * SAMPLES  # and its control
    )
    assert region.forward.moved == 3 * AUDIO
    assert (region.calls, region.forward_transforms, region.inverse_transforms) == (1, 4, 2)
    assert region.nodes == ("a.scale", "a.dim", "a.more", "b.dim")
    # Backward: strips there once more, the result's gradient there, strip gradients back, for the fader.
    assert region.backward.flops > 3 * frames * (FFT + SIZE) + 2 * frames * (FFT + 2 * SIZE)


def test_a_region_without_controls_before_it_needs_no_way_back(registry: Registry) -> None:
    costs = by_label(cost(mixer_of(registry, [strip("a", ["dim"])])))
    region, frames, gains = costs["region 1 → 1, 1 masks"], 2 * BATCH * T, BATCH * T * BINS
    assert region.backward.flops == pytest.approx(
        2 * frames * (FFT + SIZE)  # the strip and the result's gradient, into the STFT domain
        + 2 * BATCH * SAMPLES
        + gains  # the mask once more
        + gains  # its gradient, summed over bins
        + (2 + 4) * 2 * gains  # spectra times gains, and gains' gradients
        + (3 + 4) * BATCH * T  # the control's reading and its gradient
    )


def test_sums_and_what_is_alive(registry: Registry) -> None:
    strips = [strip("a", ["scale"]), strip("b", ["scale"], "s1")]
    costs = cost(mixer_of(registry, strips))
    found = by_label(costs)
    assert found["sum of 2"].forward == Work(2 * BATCH * SAMPLES, 3 * AUDIO, AUDIO)
    # Two inputs side by side for one call, two results, two controls; the inputs themselves are the caller's.
    assert found["scale × 2"].forward.memory == 4 * AUDIO + 2 * CURVE
    assert found["sum of 2"].alive == 3 * AUDIO
    assert costs.peak == 4 * AUDIO + 2 * CURVE
    assert costs.forward.flops == sum(op.forward.flops for op in costs.operations)
    assert costs.forward.memory == max(op.forward.memory for op in costs.operations)


def test_a_value_with_two_readers_adds_their_gradients(registry: Registry) -> None:
    one = mixer_of(registry, [strip("a", ["scale"])])
    two = mixer_of(
        registry, [strip("a", ["scale"]), {"strip": "b", "input": "a", "chain": [Nosy.type], "to": "mix"}]
    )
    first, second = (by_label(cost(m))["scale × 1"].backward for m in (one, two))
    assert second.flops - first.flops == 2 * BATCH * SAMPLES


def test_code_that_looks_at_values_is_counted_on_a_short_clip_and_scaled(registry: Registry) -> None:
    mixer = mixer_of(registry, [strip("a", ["nosy"])])
    long = Workload(10 * 8192, BATCH, FRAMES)
    nosy = by_label(cost(mixer, long))["nosy × 1"]
    samples = 2 * BATCH * long.samples
    assert nosy.forward.flops == 2 * samples  # the sum that it looks at, and the product
    assert nosy.backward is not None  # for its weight
    assert nosy.backward.flops >= samples


def test_costs_grow_with_the_work() -> None:
    mixer = djgraph.compile("dj_mixer")
    once = cost(mixer, Workload(44100))
    assert (once.calls, once.forward_transforms, once.inverse_transforms) == (3, 16, 4)
    assert once.calls == mixer.plan.calls()
    twice, double = cost(mixer, Workload(44100, batch=2)), cost(mixer, Workload(44100, dtype=torch.float64))
    assert twice.forward.flops == pytest.approx(2 * once.forward.flops)
    assert double.forward.flops == once.forward.flops
    assert double.forward.moved == pytest.approx(2 * once.forward.moved)
    assert cost(mixer, Workload(88200)).forward.flops > 1.9 * once.forward.flops


@pytest.mark.parametrize("name", few(["dj_mixer", "club_console", "djtransgan", "filter_knob"], 2))
@pytest.mark.parametrize("optimize", few([True, False], 1))
def test_estimates_agree_with_what_a_run_does(
    name: str, optimize: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Formulas against the operations that really run: flops within a tenth, peak memory within a third.

    Compiled code does the same work, but nobody can count in it.
    """
    monkeypatch.setattr(simd, "available", lambda: False)
    mixer = djgraph.compile(name, optimize=optimize)
    samples, batch = 44100, 2
    costs = cost(mixer, Workload(samples, batch, frames=16, simd=False))
    stems = mixer.graph.inputs
    inputs: Any = {
        track: torch.randn(batch, 2, samples)
        if names is None
        else {stem: torch.randn(batch, 2, samples) for stem in names}
        for track, names in stems.items()
    }
    params = mixer.layout.from_unit(torch.rand(batch, 16, len(mixer.layout)))
    with torch.no_grad():
        mixer(inputs, params)  # what is computed once and kept
        for schedule in list(REGIONS):
            schedule.kept.clear()  # room for tiles is kept, too, but it is part of what a run needs
        with Meter() as meter:
            mixer(inputs, params)
    assert costs.forward.flops == pytest.approx(meter.flops, rel=0.1)
    assert costs.peak == pytest.approx(meter.peak, rel=0.33)
    params.requires_grad_()
    made = mixer(inputs, params)
    outputs = list(made.values()) if isinstance(made, dict) else [made]
    with Meter() as meter:
        torch.autograd.grad(outputs, [params], [torch.ones_like(audio) for audio in outputs])
    # Autograd also adds up gradients of parts of stacks, which the estimate leaves out.
    assert 0.5 * meter.flops < costs.backward.flops < 1.15 * meter.flops
