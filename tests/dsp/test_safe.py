"""Roots, logarithms and quotients with a floor: values, and the gradients that are stated."""

import math

import pytest
import torch
from effort import examples, gradcheck, gradgradcheck
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.dsp import safe_divide, safe_log10, safe_sqrt
from djgraph.errors import DJGraphError

FLOOR = 1e-4


def slope(function, *values):
    given_tensors = [torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in values]
    made = function(*given_tensors)
    return float(made.detach()), [float(g) for g in torch.autograd.grad(made, given_tensors)]


@settings(max_examples=examples(60), deadline=None)
@given(value=st.one_of(st.just(0.0), st.floats(-10, 10), st.floats(0, 2 * FLOOR)))
def test_values_and_gradients_are_those_stated(value):
    made, (gradient,) = slope(lambda x: safe_sqrt(x, FLOOR), value)
    if value >= FLOOR:
        assert (made, gradient) == pytest.approx((math.sqrt(value), 0.5 / math.sqrt(value)))
    else:
        assert (made, gradient) == pytest.approx(
            (max(value, 0) / math.sqrt(FLOOR), (value >= 0) / math.sqrt(FLOOR))
        )
    made, (gradient,) = slope(lambda x: safe_log10(x, FLOOR), value)
    assert made == pytest.approx(math.log10(max(value, FLOOR)))
    assert gradient == pytest.approx(1 / value / math.log(10) if value >= FLOOR else 0)
    made, gradients = slope(lambda a, b: safe_divide(a, b, FLOOR), 3.0, value)
    divisor = value if abs(value) >= FLOOR else math.copysign(FLOOR, value) if value else FLOOR
    assert made == pytest.approx(3 / divisor)
    assert gradients == pytest.approx([1 / divisor, -3 / divisor**2 if divisor == value else 0])


def test_gradients_of_every_order():
    value = torch.tensor([0.0, 1e-5, 0.3, 2.0], dtype=torch.float64)
    above = torch.tensor([0.7, -1.0, 2.0, 0.1], dtype=torch.float64, requires_grad=True)
    away = (value + 3e-6).requires_grad_()  # no step across a corner
    for function in (
        lambda x, y: safe_sqrt(x, FLOOR) * y,
        lambda x, y: safe_log10(x, FLOOR) * y,
        lambda x, y: safe_divide(y, x, FLOOR),
    ):
        assert gradcheck(function, (away, above), eps=1e-7, atol=1e-4, rtol=1e-4)
    assert gradgradcheck(lambda x: safe_sqrt(x, FLOOR), (value[2:].clone().requires_grad_(),))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_silence_has_finite_gradients(dtype):
    silence = torch.zeros(3, 5, dtype=dtype, requires_grad=True)
    (safe_sqrt(silence) + safe_log10(silence) + safe_divide(silence, silence)).sum().backward()
    assert silence.grad.isfinite().all()
    assert safe_sqrt(silence).dtype == safe_divide(silence, silence).dtype == dtype
    assert not safe_sqrt(silence).any()


@pytest.mark.parametrize("function", [safe_sqrt, safe_log10, lambda x, floor: safe_divide(x, x, floor)])
def test_a_floor_is_above_0(function):
    for floor in (0.0, -1.0, float("nan")):
        with pytest.raises(DJGraphError, match="floor"):
            function(torch.ones(2), floor)
