"""Levels and all-passes that swing with a cycle: against closed forms by NumPy, and finite differences."""

import numpy as np
import pytest
import torch
from dsp_recursions import between, check_both_ways_agree, check_gradients, without_compiled_code
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.dsp import Frames, allpass_sweep, cycles, swing
from djgraph.errors import DJGraphError

RATE = 8000


def like(*shape, dtype=torch.float64):
    return torch.zeros(*shape, dtype=dtype)


def wave(cycle, shape):
    """s by its values at a quarter of a cycle, or as half of 1 − cos."""
    if shape == "triangle":
        return np.interp(np.asarray(cycle) % 1, [0, 0.5, 1], [0, 1, 0])
    return (1 - np.cos(2 * np.pi * np.asarray(cycle))) / 2


@settings(max_examples=examples(40), deadline=None)
@given(
    channels=st.integers(1, 3),
    samples=st.integers(0, 300),
    shape=st.sampled_from(["sine", "triangle"]),
    line=st.booleans(),
    double=st.booleans(),
    compiled=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_equals_the_formulas(channels, samples, shape, line, double, compiled, seed):
    dtype = torch.float64 if double else torch.float32
    signal = like(2, channels, samples, dtype=dtype)
    low, depth = between(1, 9, 2, 1, samples, seed=seed), between(-3, 3, 1, 1, 1, seed=seed + 1)
    if line:
        ends = between(-20, 20, 2, channels, 2, seed=seed + 2)
        cycle = Frames(ends, max(1, samples))
        places = np.arange(samples) / max(1, samples)
        exact = ends[..., :1].numpy() + places * (ends[..., 1:] - ends[..., :1]).numpy()
    else:
        cycle = between(-20, 20, 2, channels, samples, seed=seed + 2)
        exact = cycle.numpy()
    want = low.numpy() + depth.numpy() * wave(exact, shape)
    octaves = depth.numpy() * (wave(exact, "sine") - 0.5)
    turn = np.tan(np.pi * np.minimum(300 * low.numpy() * 2**octaves / RATE, 0.49))

    def run():
        return (
            swing(cycle, low, depth, signal, shape=shape),
            allpass_sweep(cycle, 300 * low, depth, signal, sample_rate=RATE),
        )

    if compiled:
        level, a = run()
    else:
        with without_compiled_code():
            level, a = run()
    assert (level.dtype, a.dtype) == (dtype, torch.float64)
    tolerance = 1e-11 if double else 1e-6
    np.testing.assert_allclose(level.numpy(), want, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(a.numpy(), (turn - 1) / (turn + 1), rtol=1e-11, atol=1e-11)


def test_sizes_are_those_of_the_curves():
    signal = like(2, 3, 50)
    assert swing(0.25, 1.0, 2.0, signal).shape == (50,)
    assert swing(between(0, 1, 2, 1, 50), 1.0, 2.0, signal).shape == (2, 1, 50)
    assert swing(between(0, 1, 2, 1, 50), between(0, 1, 3, 1), 2.0, signal).shape == (2, 3, 50)
    assert swing(0.5, 1.0, 2.0, signal, dtype=torch.float32).dtype == torch.float32
    got = swing(Frames(torch.tensor([0.0, 1.0, 0.0]), 25), 0.0, 1.0, signal)
    np.testing.assert_allclose(got.numpy(), wave(np.arange(50) / 25, "sine"), atol=1e-12)


@pytest.mark.parametrize("shape", ["sine", "triangle"])
@pytest.mark.parametrize("hop", [0, 9])
def test_gradients(shape, hop):
    def run(cycle, low, depth):
        given_cycle = Frames(cycle, hop) if hop else cycle
        return swing(given_cycle, low, depth, like(2, 2, 9), shape=shape), allpass_sweep(
            given_cycle, 900 * low, depth, like(2, 2, 9), sample_rate=RATE
        )

    curves = (
        between(0, 3, 2, 2, 2 if hop else 9, seed=1),
        between(0.5, 2, 2, 1, 9, seed=2),
        between(0, 3, 1, 1, 1, seed=3),
    )
    check_gradients(run, curves, second=shape == "sine" and not hop)
    check_both_ways_agree(run, curves)


def test_a_frequency_that_is_held_has_no_gradient():
    centre = torch.tensor([100.0, 3919.0, 3921.0, 1e5], dtype=torch.float64, requires_grad=True)
    a = allpass_sweep(0.25, centre, 0.0, like(4), sample_rate=RATE)
    a.sum().backward()
    assert (centre.grad != 0).tolist() == [True, True, False, False]
    assert a[2] == a[3]


def test_a_line_of_an_hour_is_as_exact_as_its_start():
    rate, hour = 19.7, 3600 * 44100
    line, _ = cycles(rate, hour, sample_rate=44100)
    # The same line, an hour on: its ends are those of the last second.
    ends = line.values
    rise = (ends[1] - ends[0]) / hour
    last = Frames(torch.stack((ends[1] - 44100 * rise, ends[1])), 44100)
    got = swing(last, 0.0, 1.0, like(44100))
    exact = (np.arange(44100, dtype=np.longdouble) + (hour - 44100)) * np.longdouble(rate) / 44100
    np.testing.assert_allclose(got.numpy(), wave((exact % 1).astype(float), "sine"), atol=1e-9)


def test_compiled_programs_and_no_data():
    curves = (between(0, 3, 2, 2, 9), between(0.5, 2, 2, 1, 9), between(0, 3, 1, 1, 1))

    def run(*given):
        return swing(*given, like(2, 2, 9)), allpass_sweep(*given, like(2, 2, 9), sample_rate=RATE)

    program = torch.compile(run, backend="aot_eager", fullgraph=True)
    for got, want in zip(program(*curves), run(*curves)):
        torch.testing.assert_close(got, want)
    meta = [curve.to("meta") for curve in curves]
    assert swing(*meta, torch.empty(2, 2, 9, device="meta")).shape == (2, 2, 9)


def test_what_does_not_fit_is_refused():
    with pytest.raises(DJGraphError, match=r"swing: shape is 'sin'; allowed: sine, triangle.*sine"):
        swing(0.0, 0.0, 1.0, like(5), shape="sin")
    with pytest.raises(DJGraphError, match="swing: depth of shape"):
        swing(0.0, 0.0, torch.ones(4), like(5))
    with pytest.raises(DJGraphError, match="allpass_sweep: cycle of shape"):
        allpass_sweep(torch.ones(4), 100.0, 1.0, like(5), sample_rate=RATE)
    with pytest.raises(DJGraphError, match="sample_rate"):
        allpass_sweep(0.0, 100.0, 1.0, like(5), sample_rate=0)
