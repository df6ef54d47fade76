"""EQ: bands against their formula in logarithms, gains measured with sines, exactness at 0 and 1."""

import numpy as np
import pytest
import torch
from djgraph_fx import Eq3
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from djgraph.effects import Environment
from djgraph.errors import DJGraphError

from .bench import SMALL, build, mask, measured_gain, noise, unit

FULL = Environment(44100)


def formula(frequencies, low, mid, high, f_low=300.0, f_high=4000.0, order=4.0):
    """The gain by way of logistic curves over ln f, in another order of summation."""
    with np.errstate(divide="ignore", over="ignore"):
        log = np.log(frequencies)
        below = 1 / (1 + np.exp(order * (log - np.log(f_low))))
        above = 1 / (1 + np.exp(-order * (log - np.log(f_high))))
    return low * below + mid * (1 - below - above) + high * above


@pytest.mark.parametrize("gains", [(0, 1, 1), (1, 0, 1), (1, 1, 0), (2, 0.3, 1.7), (0.5, 2, 0)])
@pytest.mark.parametrize("setting", [{}, {"low": 100, "high": 1000, "order": 2}, {"order": 12}])
def test_gain_follows_the_formula(gains, setting):
    effect = build(Eq3, FULL, **setting)
    names = {"low": "f_low", "high": "f_high", "order": "order"}
    renamed = {names[key]: value for key, value in setting.items()}
    want = formula(FULL.frequencies().numpy(), *gains, **renamed)
    np.testing.assert_allclose(mask(effect, **dict(zip(("low", "mid", "high"), gains))), want, atol=3e-7)


@settings(max_examples=examples(100), deadline=None)
@given(
    gains=st.lists(st.floats(0, 2, width=32), min_size=3, max_size=3),
    order=st.floats(1, 12),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_never_negative_and_exact_where_all_are_equal(gains, order, dtype):
    effect = build(Eq3, FULL, order=order)
    assert (mask(effect, dtype, **dict(zip(("low", "mid", "high"), gains))) >= 0).all()
    for value in (0.0, 1.0, 2.0):
        assert (mask(effect, dtype, low=value, mid=value, high=value) == value).all()


def test_bands_add_up_to_exactly_one_and_are_not_negative():
    bands = build(Eq3, FULL).constant("above", torch.zeros((), dtype=torch.float32))
    assert torch.equal(bands[0] + bands[1] + bands[2], torch.ones(1025))
    assert (bands >= 0).all()
    assert bands[:, 0].tolist() == [1, 0, 0]


def test_half_at_the_crossovers():
    effect = build(Eq3, Environment(16384, SMALL.transform), low=640, high=4096)  # both on a bin
    assert mask(effect, low=0.0, mid=1.0, high=1.0)[10] == pytest.approx(0.5, abs=1e-3)
    assert mask(effect, low=1.0, mid=1.0, high=0.0)[64] == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize(
    ("gains", "frequency", "level"),
    [
        ((0, 1, 1), 75.0, -48), ((0, 1, 1), 1100.0, -0.05), ((1, 0, 1), 1095.4, -39), ((1, 1, 0), 16000.0, -48),
        ((2, 1, 1), 75.0, 6), ((1, 1, 2), 16000.0, 6), ((1, 1, 1), 440.0, 0), ((1, 1, 0), 75.0, 0),
    ],
)  # fmt: skip
def test_isolates_measured_with_sines(gains, frequency, level):
    effect = build(Eq3, FULL)
    got = measured_gain(effect, frequency, **dict(zip(("low", "mid", "high"), map(float, gains))))
    assert 20 * np.log10(got) == pytest.approx(level, abs=2.5 if level < -20 else 0.1)


def test_a_band_is_the_gradient_of_its_control():
    effect = build(Eq3)
    controls = {
        name: torch.ones(1, 1, 1, dtype=torch.float64, requires_grad=True) for name in ("low", "mid", "high")
    }
    weight = noise(129)
    (effect.mask(controls)[0, 0] * weight).sum().backward()
    frequencies = SMALL.frequencies().numpy()
    for number, name in enumerate(("low", "mid", "high")):
        want = (formula(frequencies, *np.eye(3)[number]) * weight.numpy()).sum()
        assert controls[name].grad.item() == pytest.approx(want, abs=1e-5)


def test_frames_and_items_have_gains_of_their_own():
    effect = build(Eq3)
    controls = {name: 2 * unit(2, 3, 1, seed=seed) for seed, name in enumerate(("low", "mid", "high"))}
    result = effect.mask(controls)
    assert result.shape == (2, 3, 129)
    for item in range(2):
        for frame in range(3):
            values = {name: control[item, frame].item() for name, control in controls.items()}
            np.testing.assert_allclose(result[item, frame].numpy(), mask(effect, **values), atol=1e-15)


def test_crossovers_are_checked():
    with pytest.raises(ValidationError, match=r"low \(5000 Hz\) has to be below high \(4000 Hz\)"):
        Eq3.Settings(low=5000)
    with pytest.raises(DJGraphError, match=r"eq3: setting high is 4000 Hz.*8000 Hz holds.*below 4000 Hz"):
        build(Eq3, Environment(8000), high=4000)
