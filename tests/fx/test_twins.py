"""The causal twins of the built-in masks: their gain, their phases, and what they do wide open."""

from __future__ import annotations

import math

import djgraph_fx
import pytest
import torch
from djgraph_fx import Eq3, Highpass, Lowpass
from djgraph_fx.eq3 import Eq3Twin
from djgraph_fx.filters import HighpassTwin, LowpassTwin
from effort import few

from djgraph.effects import Block, Environment, SpectralEffect
from djgraph.effects.checks.twin_difference import twin_difference

RATE = 44100
SIZE = 2**16
BOUND = {4: 0.04, 2: 0.18}
"""In dB, by order."""


def response(twin, settings=None, rate=RATE, **controls):
    """The twin's spectrum with controls at rest."""
    effect = twin(settings or twin.Settings(), Environment(rate)).double()
    impulse = torch.zeros(1, 1, SIZE, dtype=torch.float64)
    impulse[..., 0] = 1
    read = {name: torch.full((1, 1, SIZE), value, dtype=torch.float64) for name, value in controls.items()}
    state = effect.initial_state(1, 1, impulse)
    made, _ = effect.process({"in": impulse}, read, state, Block(0, SIZE, rate))
    return torch.fft.rfft(made["out"][0, 0])


@pytest.mark.parametrize("rate", few([44100, 48000, 96000], 1))
@pytest.mark.parametrize(
    ("effect", "settings"),
    [
        # With the default settings the conformance kit measures them too.
        (Lowpass, {}),
        (Lowpass, {"order": 2}),
        (Highpass, {"order": 2}),
        (Lowpass, {"lowest": 100, "highest": 10000}),
        (Highpass, {"highest": 21000}),
        *(
            pytest.param(effect, settings, marks=pytest.mark.slow)
            for effect, settings in (
                (Highpass, {}),
                (Eq3, {}),
                (Eq3, {"order": 2}),
                (Eq3, {"low": 1000, "high": 1500}),
                (Eq3, {"low": 8000, "high": 16000}),
                (Eq3, {"low": 20, "high": 60}),
            )
        ),
    ],
)
def test_the_gain_is_that_of_the_mask(effect, settings, rate):
    made = effect.Settings(**settings)
    found = twin_difference(effect, made, Environment(rate))
    assert found.decibels < BOUND[made.order], found


@pytest.mark.slow
def test_every_mask_that_ships_has_a_twin_within_a_tenth_of_a_decibel():
    masks = [effect for effect in djgraph_fx.djgraph_effects() if issubclass(effect, SpectralEffect)]
    assert {Eq3, Lowpass, Highpass} <= set(masks)
    for mask in masks:
        assert twin_difference(mask, mask.Settings(), Environment(RATE)).decibels < 0.1


@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize(("twin", "open_"), [(LowpassTwin, 1.0), (HighpassTwin, 0.0)])
def test_wide_open_it_is_an_all_pass(twin, open_, order):
    gain = response(twin, twin.Settings(order=order), cutoff=open_).abs()
    torch.testing.assert_close(gain, torch.ones_like(gain))


def test_the_bands_of_the_equaliser_are_in_phase_and_add_up_to_an_all_pass():
    bands = [
        response(Eq3Twin, **{"low": 0.0, "mid": 0.0, "high": 0.0, band: 1.0})
        for band in ("low", "mid", "high")
    ]
    whole = response(Eq3Twin, low=1.0, mid=1.0, high=1.0)
    torch.testing.assert_close(sum(bands), whole)
    torch.testing.assert_close(whole.abs(), torch.ones_like(whole.abs()))
    for band in bands:
        assert (band / whole).imag.abs().max() < 1e-7


@pytest.mark.parametrize(("twin", "open_"), [(LowpassTwin, 1.0), (HighpassTwin, 0.0)])
def test_a_filter_that_is_wide_open_has_a_gradient_that_closes_it(twin, open_):
    effect = twin(twin.Settings(), Environment(RATE)).double()
    noise = torch.randn(1, 2, 3000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    cutoff = torch.full((1, 1, 3000), open_, dtype=torch.float64, requires_grad=True)
    state = effect.initial_state(1, 2, noise)
    made, _ = effect.process({"in": noise}, {"cutoff": cutoff}, state, Block(0, 3000, RATE))
    (found,) = torch.autograd.grad(made["out"].square().sum(), cutoff)
    assert found.isfinite().all()
    assert abs(float(found.sum())) > 1e-3


@pytest.mark.parametrize("twin", [LowpassTwin, HighpassTwin, Eq3Twin])
def test_orders_without_a_recursion_say_so(twin):
    environment = Environment(RATE)
    assert all(twin.fault(twin.Settings(order=order), environment) is None for order in (2, 4))
    said = twin.fault(twin.Settings(order=6.5), environment)
    assert said == "order 6.5 is no recursion; orders with a causal twin: 2 and 4, the nearest is 4"
    assert "the nearest is 2" in str(twin.fault(twin.Settings(order=1), environment))


def test_a_lowpass_halves_the_amplitude_of_a_sine_at_its_cutoff():
    cutoff = math.log(1000 / 20) / math.log(1000)
    gain = response(LowpassTwin, cutoff=cutoff).abs()
    place = round(1000 * SIZE / RATE)
    assert 20 * math.log10(gain[place]) == pytest.approx(-6.02, abs=0.05)
