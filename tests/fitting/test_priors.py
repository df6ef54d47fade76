"""The quadratic bound of the priors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.fitting.priors import Priors, Rest


@given(st.integers(1, 6), st.integers(0, 10**6))
@settings(max_examples=examples(40), deadline=None)
def test_the_priors_quadratic_lies_above_and_touches(frames: int, seed: int) -> None:
    rng = np.random.RandomState(seed)
    cost = torch.tensor([1.0, 1.5, 2.0], dtype=torch.float64)
    rest = Rest(torch.from_numpy(rng.random_sample(3)), cost, torch.tensor([0.0, 1.0, 5.0]).double())
    u, v = torch.from_numpy(rng.random_sample((2, frames, 3)))
    priors = Priors(0.3, 0.2, 0.1, 0.05)
    leaf = u.clone().requires_grad_()
    value = priors.value(leaf, rest)
    (slope,) = torch.autograd.grad(value, leaf)
    matrix = priors.curvature(u, rest)
    step = v - u
    bound = (
        float(value.detach()) + float((slope * step).sum()) + 0.5 * float((step * matrix.times(step)).sum())
    )
    assert float(priors.value(v, rest)) <= bound + 1e-12
    assert float(priors.value(rest.position.expand(frames, -1), rest)) == pytest.approx(0, abs=1e-15)


def test_what_is_set_once_costs_its_mean_squared_slope() -> None:
    """Twice the weight on a line across the clip is twice the price, exact in the matrix, however many frames."""
    one = torch.ones(1, dtype=torch.float64)
    rest, priors = Rest(0 * one, one, 3 * one), Priors(0.0, 0.0, 0.0)
    for frames in (2, 5, 40):
        line = torch.linspace(0.2, 0.7, frames, dtype=torch.float64)[:, None]
        assert float(priors.value(line, rest)) == pytest.approx(3 * 0.5**2)
        assert 0.5 * float((line * priors.curvature(line, rest).times(line)).sum()) == pytest.approx(
            3 * 0.5**2
        )
