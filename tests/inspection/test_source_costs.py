"""What sources are estimated to cost: by hand, to an order; for what is compiled nobody can count exactly."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

import djgraph
from djgraph import dsp
from djgraph.dsp.operators import counted
from djgraph.inspection.costs import PlanCost, Workload, estimate
from djgraph.inspection.meter import Meter
from djgraph.simd import sinc_lanes
from djgraph.simd.windowed_sinc import CROSSINGS

SAMPLES = 4410
READ = 3
"""Flops of a control at a sample."""


def document(source: Any, controls: dict[str, Any] | None = None, stems: int = 2) -> dict[str, Any]:
    played = source if isinstance(source, dict) else {"effect": source}
    names = [f"s{i}" for i in range(stems)]
    return {
        "djgraph": 1,
        "name": "played",
        "inputs": [{"name": "a", "stems": names, "source": {**played, "controls": controls or {}}}],
        "mixer": [
            *({"strip": name, "input": f"a.{name}", "chain": ["gain"], "to": "mix"} for name in names),
            {"bus": "mix"},
        ],
        "outputs": ["mix"],
    }


def made_alone(effect: Any) -> dict[str, Any]:
    strips = [{"strip": "tone", "chain": [effect], "to": "mix"}, {"strip": "b", "input": "b", "to": "mix"}]
    mixer = [*strips, {"bus": "mix"}]
    return {"djgraph": 1, "name": "x", "inputs": [{"name": "b"}], "mixer": mixer, "outputs": ["mix"]}


def cost(document: dict[str, Any], samples: int = SAMPLES, batch: int = 1, frames: int = 8) -> PlanCost:
    mixer = djgraph.compile(document)
    return estimate(mixer.plan, mixer.compiled.modules, Workload(samples, batch, frames))


def of(document: dict[str, Any], *load: int) -> Any:
    (source,) = cost(document, *load).sources
    return source


def read_by_hand(signals: int) -> float:
    """Flops of a sample that is read: of each of its taps a sinc and a window by Horner's scheme, and some twenty
    operations around them; then a product and a sum for each signal."""
    polynomials = len(sinc_lanes._SINE[False]) - 1 + len(sinc_lanes._WINDOW[False]) - 1
    return 2 * CROSSINGS * (2 * polynomials + 20 + 2 * signals)


@pytest.mark.parametrize("stems", [1, 4])
def test_a_deck(stems: int) -> None:
    source = of(document("deck", stems=stems))
    assert (source.input, source.effect) == ("a", "deck")
    each = source.forward.flops / SAMPLES
    assert 0.5 < each / read_by_hand(2 * stems) < 2
    # What it plays, and some float64 curves of positions and rates.
    played = 2 * stems * SAMPLES * 4
    assert played <= source.forward.memory < played + 8 * 8 * SAMPLES
    # Backward the weights and their slopes, of which either is about as much as a weight.
    assert 1 < source.backward.flops / source.forward.flops < 4


def test_it_grows_with_the_work() -> None:
    once = of(document("deck")).forward.flops
    assert of(document("deck"), 10 * SAMPLES).forward.flops == pytest.approx(10 * once, rel=1e-3)
    assert of(document("deck"), SAMPLES, 3).forward.flops == pytest.approx(3 * once, rel=1e-3)
    held = of(document("deck"), SAMPLES, 1, 1).forward.flops  # one frame: nothing is interpolated
    assert once - held == 2 * READ * SAMPLES


def test_a_sampler_is_two_voices() -> None:
    deck, sampler = of(document("deck")), of(document("sampler"))
    assert sampler.forward.flops == pytest.approx(2 * deck.forward.flops, rel=0.1)


def test_a_deck_in_time_with_the_clock() -> None:
    free, synced = of(document("deck")), of(document({"effect": "deck", "settings": {"sync": "beat"}}))
    assert free.forward.flops < synced.forward.flops < 1.1 * free.forward.flops


@pytest.mark.slow
def test_key_lock() -> None:
    """Counted on real samples, as its code looks at values: material read twice, and three transforms of each frame."""
    locked = document({"effect": "deck", "settings": {"key_lock": True}})
    source = of(locked, 1 << 16)
    cut = dsp.Cut.at(44100)
    frames, signals = (1 << 16) / cut.hop, 4
    transforms = 3 * frames * signals * 2.5 * cut.size * math.log2(cut.size)
    reading = cut.size / cut.hop * (1 << 16) * read_by_hand(signals)
    assert 0.5 < source.forward.flops / (transforms + reading) < 2
    assert of(locked, 1 << 17).forward.flops == pytest.approx(2 * source.forward.flops, rel=0.01)


def test_what_wants_a_gradient() -> None:
    still = {"start": 0.0, "rate": 1.0}
    costs = {name: cost(document("deck", given)) for name, given in (("moved", {}), ("still", still))}
    assert costs["still"].sources[0].backward is None
    fader = {
        name: next(op for op in one.operations if op.label.startswith("gain")) for name, one in costs.items()
    }
    # A fader behind a deck that learns hands a gradient on: a product for each sample of two stereo stems.
    more = fader["moved"].backward.flops - fader["still"].backward.flops  # type: ignore[union-attr]
    assert more == 4 * SAMPLES
    for one in costs.values():
        operations = sum(op.forward.flops for op in one.operations)
        assert one.forward.flops == one.sources[0].forward.flops + operations
        played = 4 * SAMPLES * 4
        assert one.peak >= played + fader["still"].forward.memory


@pytest.mark.parametrize("wave", ["sine", "triangle", "saw", "square"])
def test_an_oscillator(wave: str) -> None:
    """Phases are summed in whole numbers: a few operations a sample, whatever the length."""
    tone = made_alone({"effect": "oscillator", "settings": {"wave": wave}})
    each = {}
    for samples in (SAMPLES, 8 * SAMPLES):
        (op,) = [op for op in cost(tone, samples).operations if op.label == "oscillator × 1"]
        assert op.backward is not None
        each[samples] = op.forward.flops / samples, op.backward.flops / samples
    assert each[SAMPLES] == pytest.approx(each[8 * SAMPLES], rel=1e-3)
    # A sum of phases (4), a product by 2π, the sine, the level; two controls read. Of others a polynomial or two.
    least, most = {"sine": (8, 20), "saw": (15, 40), "square": (20, 60), "triangle": (25, 80)}[wave]
    assert least < each[SAMPLES][0] < most
    assert least / 2 < each[SAMPLES][1] < 2 * most


def test_kernels_count_alike_with_data_and_without() -> None:
    """Of a window of material as of all of it: what is read counts, not what there is."""
    flops = {}
    for device in ("meta", "cpu"):
        for length in (1000, 5000):
            material = torch.zeros(1, 2, length, device=device, dtype=torch.float32)
            place = torch.linspace(100, 600, 500, dtype=torch.float64, device=device)[None]
            with counted(), Meter() as meter:
                dsp.read_material(material, place)
            flops[device, length] = meter.flops
    assert len({round(value) for value in flops.values()}) == 1
    assert 0.5 < flops["meta", 1000] / (500 * read_by_hand(2)) < 2


def test_it_is_told() -> None:
    mixer = djgraph.compile(document("deck"))
    text = mixer.explain(seconds=0.1)
    (row,) = [line.split() for line in text.splitlines() if line.split()[:2] == ["deck", "a"]]
    assert float(row[2]) > 1
    (told,) = mixer.explain_dict(seconds=0.1, stage="lower")["stages"][0]["costs"]["sources"]
    assert (told["input"], told["effect"]) == ("a", "deck")
    assert told["backward"]["flops"] > told["forward"]["flops"] > 0
    assert "sources" not in djgraph.compile("filter_knob").explain_dict(seconds=0.1)["stages"][0]["costs"]
