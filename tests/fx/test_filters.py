"""Low-pass and high-pass: gain against its formula, sines, exact transparency, gradients at the open end."""

import numpy as np
import pytest
import torch
from djgraph_fx import Highpass, Lowpass
from effort import examples, gradcheck, gradgradcheck
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.effects import Environment

from .bench import SMALL, build, mask, measured_gain, unit

FULL = Environment(44100)
BOTH = pytest.mark.parametrize(
    ("filter_class", "wide_open", "into"), [(Lowpass, 1.0, -1), (Highpass, 0.0, 1)]
)


def formula(filter_class, frequencies, cutoff, order=4.0):
    """1/(1 + (f/fc)^k) in decibels' way, faded to 1 over the last tenth."""
    corner = 20 * np.exp(cutoff * np.log(1000))
    with np.errstate(divide="ignore", over="ignore"):
        octaves = np.log2(frequencies) - np.log2(corner)
        gain = 1 / (1 + 2 ** (order * (octaves if filter_class is Lowpass else -octaves)))
    distance = 1 - cutoff if filter_class is Lowpass else cutoff
    closed = min(distance / 0.1, 1)
    return 1 - (1 - (1 - closed) ** 2) * (1 - gain)


@settings(max_examples=examples(100), deadline=None)
@given(
    filter_class=st.sampled_from([Lowpass, Highpass]),
    cutoff=st.floats(0, 1),
    order=st.floats(1, 12),
    rate=st.sampled_from([8000, 44100, 192000]),
)
def test_gain_follows_the_formula(filter_class, cutoff, order, rate):
    environment = Environment(rate)
    effect = build(filter_class, environment, order=order)
    want = formula(filter_class, environment.frequencies().numpy(), cutoff, order)
    np.testing.assert_allclose(mask(effect, cutoff=cutoff), want, atol=1e-12)
    single = mask(effect, torch.float32, cutoff=cutoff)
    np.testing.assert_allclose(single, want, atol=2e-5)
    assert (single >= 0).all()
    assert (single <= 1).all()


@pytest.mark.parametrize("order", [1.0, 4.0, 12.0])
@BOTH
def test_half_at_the_cutoff(filter_class, wide_open, into, order):
    effect = build(filter_class, Environment(16384, SMALL.transform), order=order)
    cutoff = float(np.log(640 / 20) / np.log(1000))  # 640 Hz is bin 10
    assert mask(effect, cutoff=cutoff)[10] == pytest.approx(0.5, abs=1e-12)


@pytest.mark.parametrize(
    ("filter_class", "frequency", "level"),
    [
        (Lowpass, 250.0, 0), (Lowpass, 1000.0, -6.02), (Lowpass, 2000.0, -24.6), (Lowpass, 4000.0, -48.2),
        (Highpass, 4000.0, 0), (Highpass, 1000.0, -6.02), (Highpass, 500.0, -24.6), (Highpass, 250.0, -48.2),
    ],
)  # fmt: skip
def test_levels_measured_with_sines(filter_class, frequency, level):
    cutoff = float(np.log(50) / np.log(1000))  # 1 kHz
    got = measured_gain(build(filter_class, FULL), frequency, cutoff=cutoff)
    assert 20 * np.log10(got) == pytest.approx(level, abs=1.5 if level < -20 else 0.1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("order", [1.0, 4.0, 12.0])
@BOTH
def test_wide_open_is_exactly_transparent(filter_class, wide_open, into, order, dtype):
    assert (mask(build(filter_class, FULL, order=order), dtype, cutoff=wide_open) == 1).all()


@BOTH
def test_gradient_at_the_open_end(filter_class, wide_open, into):
    # There the fade's slope is 2 per tenth, times what the filter would take away.
    effect = build(filter_class, FULL)
    cutoff = torch.full((1, 1, 1), wide_open, dtype=torch.float64, requires_grad=True)
    weight = unit(1025)
    (effect.mask({"cutoff": cutoff})[0, 0] * weight).sum().backward()
    ratio = FULL.frequencies().numpy() / (20 * 1000**wide_open)
    kept = 1 / (1 + ratio**4)
    removed = 1 - kept if filter_class is Lowpass else kept
    want = -into * 20 * (removed * weight.numpy()).sum()
    assert cutoff.grad.item() == pytest.approx(want, rel=1e-9)
    assert abs(want) > 1


@BOTH
def test_the_fade_begins_smoothly(filter_class, wide_open, into):
    effect = build(filter_class, FULL)

    def slope(cutoff):
        step = 1e-7
        return (mask(effect, cutoff=cutoff + step) - mask(effect, cutoff=cutoff - step)) / (2 * step)

    begin = wide_open + into * 0.1
    np.testing.assert_allclose(slope(begin - 1e-5), slope(begin + 1e-5), atol=0.02)


@settings(max_examples=examples(50), deadline=None)
@given(
    filter_class=st.sampled_from([Lowpass, Highpass]),
    cutoff=st.one_of(st.floats(0, 1, width=32), st.sampled_from([0.0, 0.1, 0.9, 1.0])),
    order=st.floats(1, 12),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_gradients_are_finite_everywhere(filter_class, cutoff, order, dtype):
    control = torch.full((1, 1, 1), cutoff, dtype=dtype, requires_grad=True)
    build(filter_class, FULL, order=order).mask({"cutoff": control}).sum().backward()
    assert torch.isfinite(control.grad).all()


@pytest.mark.slow
@BOTH
def test_gradients(filter_class, wide_open, into):
    effect = build(filter_class)
    cutoff = unit(2, 4, 1).requires_grad_()
    assert gradcheck(lambda c: effect.mask({"cutoff": c}), cutoff)
    assert gradgradcheck(lambda c: effect.mask({"cutoff": c}), cutoff)


@BOTH
def test_frames_and_items_have_gains_of_their_own(filter_class, wide_open, into):
    effect = build(filter_class)
    cutoff = unit(2, 3, 1)
    result = effect.mask({"cutoff": cutoff})
    for item in range(2):
        for frame in range(3):
            alone = mask(effect, cutoff=cutoff[item, frame].item())
            np.testing.assert_allclose(result[item, frame].numpy(), alone, atol=1e-15)


@BOTH
def test_half_precision_stays_close(filter_class, wide_open, into):
    frequencies = SMALL.frequencies().numpy()
    got = mask(build(filter_class), torch.float16, cutoff=0.5)
    np.testing.assert_allclose(got, formula(filter_class, frequencies, 0.5), atol=0.02)
