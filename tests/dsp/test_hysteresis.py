"""A switch with two thresholds, against a loop over samples; where its gradients go."""

import numpy as np
import pytest
import torch
from dsp_recursions import between, noise
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.dsp import hysteresis
from djgraph.errors import DJGraphError


def sample_loop(level, rise, fall, state):
    out, now = np.zeros_like(level), state[..., 0].copy()
    rise, fall = np.broadcast_to(rise, level.shape), np.broadcast_to(fall, level.shape)
    for n in range(level.shape[-1]):
        x = level[..., n]
        now = np.where(x > rise[..., n], 1.0, np.where(x < fall[..., n], 0.0, now))
        out[..., n] = now
    return out


@settings(max_examples=examples(60), deadline=None)
@given(
    samples=st.integers(0, 300),
    open_before=st.booleans(),
    cut=st.integers(0, 300),
    crossed=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_equals_a_loop_over_samples_whole_and_in_blocks(samples, open_before, cut, crossed, seed):
    level = noise(2, 3, samples, seed=seed).round(decimals=1)
    rise = between(0, 1, 2, 1, samples, seed=seed + 1)
    fall = rise + (0.3 if crossed else -0.5)
    state = torch.full((2, 3, 1), float(open_before), dtype=torch.float64)
    want = sample_loop(level.numpy(), rise.numpy(), fall.numpy(), state.numpy())
    got, last = hysteresis(level, rise, fall, state)
    np.testing.assert_array_equal(got.numpy(), want)
    cut = min(cut, samples)
    first, carried = hysteresis(level[..., :cut], rise[..., :cut], fall[..., :cut], state)
    second, end = hysteresis(level[..., cut:], rise[..., cut:], fall[..., cut:], carried)
    np.testing.assert_array_equal(torch.cat((first, second), -1).numpy(), want)
    assert torch.equal(end, last)


def test_between_the_thresholds_it_stays_as_it_was():
    level = torch.tensor([0.0, 0.5, 1.5, 0.5, 0.2, -0.1, 0.5, 0.9])
    got, _ = hysteresis(level, 1.0, 0.0)
    assert got.tolist() == [0, 0, 1, 1, 1, 0, 0, 0]
    already, _ = hysteresis(level, 1.0, 0.0, torch.ones(1))
    assert already.tolist() == [1, 1, 1, 1, 1, 0, 0, 0]


def test_the_gradient_is_none_to_the_level_and_a_surrogate_to_the_thresholds():
    level = torch.tensor([2.0, 0.5, -0.5, 0.9], dtype=torch.float64, requires_grad=True)
    rise, fall = (torch.full((4,), v, dtype=torch.float64, requires_grad=True) for v in (1.0, 0.0))
    made, _ = hysteresis(level, rise, fall, softness=0.5)
    assert made.tolist() == [1, 1, 0, 0]
    of_level, of_rise, of_fall = torch.autograd.grad(made.sum(), (level, rise, fall), allow_unused=True)
    assert of_level is None
    # Closed before the first sample and before the last one, open before the second and the third.
    slope = [float(torch.sigmoid(torch.tensor(v)) * torch.sigmoid(torch.tensor(-v)) / -0.5) for v in
             (2.0, 1.0, -1.0, -0.2)]  # fmt: skip
    assert of_rise.tolist() == pytest.approx([slope[0], 0, 0, slope[3]])
    assert of_fall.tolist() == pytest.approx([0, slope[1], slope[2], 0])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((torch.zeros(2, 9, dtype=torch.int64), 1.0, 0.0), "floating point"),
        ((torch.zeros(2, 9), torch.zeros(3, 1), 0.0), "rise of shape"),
        ((torch.zeros(2, 9), 1.0, torch.zeros(8)), "fall of shape"),
        ((torch.zeros(2, 9), 1.0, 0.0, torch.zeros(2, 2)), "state has to be"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, said):
    with pytest.raises(DJGraphError, match=said):
        hysteresis(*arguments)
    with pytest.raises(DJGraphError, match="softness"):
        hysteresis(torch.zeros(3), 1.0, 0.0, softness=0.0)
