"""Positions and plain values: laws, inverses, ends, gradients, snapping, the clamp that points back."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from effort import gradcheck, gradgradcheck
from fake_layouts import column, controls, layouts, mixed_layout
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import Tensor

from djgraph.effects import Control
from djgraph.errors import LayoutError
from djgraph.layout import ParameterLayout, clamp_inward
from djgraph.layout.units import SLOPE

UNIT = st.floats(0, 1)


def single(control: Control) -> ParameterLayout:
    return ParameterLayout([column("a", control.min, control.max).__class__("a", control)])


def law(control: Control, u: float) -> float:
    """What the scales are documented to mean, in scalar Python."""
    low, high = control.min, control.max
    if control.scale == "linear":
        return low + (high - low) * u
    if control.scale == "log":
        return low * (high / low) ** u
    if control.scale == "db":
        return low + (high - low) * (10 ** (60 * u / 20) - 1) / (10 ** (60 / 20) - 1)
    return low + (high - low) * u**control.exponent


def inverse(control: Control, p: float) -> float:
    share = min(max((p - control.min) / (control.max - control.min), 0.0), 1.0)
    if control.scale == "linear":
        return share
    if control.scale == "log":
        return math.log(p / control.min) / math.log(control.max / control.min)
    if control.scale == "db":
        return 20 * math.log10(1 + share * 999) / 60
    return share ** (1 / control.exponent)


def at(function: Callable[[Tensor], Tensor], value: float) -> float:
    return function(torch.tensor([value], dtype=torch.float64)).item()


def slope(function: Callable[[Tensor], Tensor], value: float) -> float:
    x = torch.tensor([value], dtype=torch.float64, requires_grad=True)
    function(x).sum().backward()
    assert x.grad is not None
    return x.grad.item()


@given(controls(), UNIT)
def test_from_unit_follows_the_documented_law(control: Control, u: float) -> None:
    expected = law(control, u)
    size = max(abs(control.min), abs(control.max))
    assert at(single(control).from_unit, u) == pytest.approx(expected, rel=1e-12, abs=1e-12 * size)


@given(controls(), UNIT)
def test_to_unit_follows_the_documented_law(control: Control, share: float) -> None:
    p = min(max(control.min + (control.max - control.min) * share, control.min), control.max)
    # The share of the range is known no better than p itself is; near an infinitely steep end that shows.
    error = 4e-16 * max(abs(control.min), abs(control.max)) / (control.max - control.min)
    low, high = (
        inverse(control, min(max(p + s * error * (control.max - control.min), control.min), control.max))
        for s in (-9, 9)
    )
    assert low - 1e-12 <= at(single(control).to_unit, p) <= high + 1e-12


@given(controls(), UNIT)
def test_plain_to_position_and_back_is_the_identity(control: Control, share: float) -> None:
    layout = single(control)
    p = min(max(control.min + (control.max - control.min) * share, control.min), control.max)
    size = max(abs(control.min), abs(control.max))
    assert at(lambda x: layout.from_unit(layout.to_unit(x)), p) == pytest.approx(
        p, rel=1e-12, abs=1e-13 * size
    )


@given(controls(), UNIT)
def test_position_to_plain_and_back_is_the_identity(control: Control, u: float) -> None:
    layout = single(control)
    # Rounding of p, seen through the slope of the law there.
    p = law(control, u)
    rounding = 1e-15 * max(abs(control.min), abs(control.max))
    travel = abs(law(control, min(u + 1e-6, 1.0)) - law(control, max(u - 1e-6, 0.0)))
    assume(travel > 1e4 * rounding and p == p)
    assert at(lambda x: layout.to_unit(layout.from_unit(x)), u) == pytest.approx(u, abs=1e-9)


@given(layouts(), st.sampled_from([torch.float64, torch.float32, torch.float16, torch.bfloat16]))
def test_both_ends_are_reached_exactly_in_every_dtype(layout: ParameterLayout, dtype: torch.dtype) -> None:
    low = torch.tensor([c.control.min for c in layout], dtype=torch.float64)
    high = torch.tensor([c.control.max for c in layout], dtype=torch.float64)
    if dtype != torch.float64:
        low, high = low.float().to(dtype), high.float().to(dtype)
    assume(bool((low < high).all()))
    count = len(layout)
    assert torch.equal(layout.from_unit(torch.zeros(2, count, dtype=dtype)), low.expand(2, count))
    assert torch.equal(layout.from_unit(torch.ones(2, count, dtype=dtype)), high.expand(2, count))
    if dtype.itemsize >= 4:  # half precision cannot even say where the ends are
        assert torch.equal(layout.to_unit(low), torch.zeros(count, dtype=dtype))
        assert torch.equal(layout.to_unit(high), torch.ones(count, dtype=dtype))


@given(layouts(), st.integers(0, 2**32 - 1))
def test_values_stay_in_range_and_rise_with_the_position(layout: ParameterLayout, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    u = torch.rand(50, len(layout), generator=generator).sort(0).values
    p = layout.from_unit(u)
    assert (p >= layout.minimum).all()
    assert (p <= layout.maximum).all()
    size = torch.maximum(layout.minimum.abs(), layout.maximum.abs())
    assert (p.diff(dim=0) >= -2e-6 * size).all()


def test_columns_do_not_disturb_each_other() -> None:
    layout = mixed_layout()
    u = torch.rand(3, 4, len(layout), dtype=torch.float64)
    together = layout.from_unit(u)
    for i, c in enumerate(layout):
        alone = single(c.control)
        one = slice(i, i + 1)
        # A logarithm's last bit depends on which of PyTorch's loops takes it, and that on the strides.
        near = {"rtol": 1e-14, "atol": 1e-15}
        torch.testing.assert_close(together[..., one], alone.from_unit(u[..., one]), **near)
        torch.testing.assert_close(
            layout.to_unit(together)[..., one], alone.to_unit(together[..., one]), **near
        )


@pytest.mark.parametrize("name", mixed_layout().names)
def test_gradients_at_both_ends_by_finite_differences(name: str) -> None:
    control = mixed_layout()[name].control
    layout = single(control)
    step = 1e-7
    for function, low, high in (
        (layout.from_unit, 0.0, 1.0),
        (layout.to_unit, control.min, control.max),
    ):
        for end, inside in ((low, low + step * (high - low)), (high, high - step * (high - low))):
            measured = (at(function, inside) - at(function, end)) / (inside - end)
            gradient = slope(function, end)
            assert math.isfinite(gradient)
            assert gradient > 0
            scale = (control.max - control.min) ** (1 if function == layout.from_unit else -1)
            if control.scale == "power" and end == low:  # held: flat or infinitely steep by the law
                assert SLOPE * 0.999 <= gradient / scale <= 1.001 / SLOPE
                assert not SLOPE < measured / scale < 1 / SLOPE
            else:
                assert gradient == pytest.approx(measured, rel=1e-4)


@pytest.mark.parametrize("exponent", [0.01, 0.2, 0.5, 0.99, 1.0, 1.0001, 1.5, 3.0, 8.0, 100.0])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_power_law_never_loses_its_gradient(exponent: float, dtype: torch.dtype) -> None:
    layout = ParameterLayout([column("a", scale="power", exponent=exponent)])
    x = torch.tensor([[0.0], [1e-9], [1e-4], [0.5], [1.0]], dtype=dtype, requires_grad=True)
    (forward,) = torch.autograd.grad(layout.from_unit(x).sum(), x)
    (backward,) = torch.autograd.grad(layout.to_unit(x).sum(), x)
    for gradient in (forward, backward):
        assert gradient.isfinite().all()
        assert (gradient >= min(SLOPE, exponent, 1 / exponent) * 0.99).all()


def test_gradcheck_inside_the_range() -> None:
    layout = mixed_layout()
    u = (0.1 + 0.8 * torch.rand(3, len(layout), dtype=torch.float64)).requires_grad_()
    assert gradcheck(layout.from_unit, u)
    p = layout.from_unit(u.detach()).requires_grad_()
    assert gradcheck(layout.to_unit, p)
    assert gradgradcheck(layout.from_unit, u)


def test_positions_outside_are_clamped_and_nan_stays() -> None:
    layout = mixed_layout()
    count = len(layout)
    assert torch.equal(layout.from_unit(torch.full((count,), -3.0)), layout.minimum)
    assert torch.equal(layout.from_unit(torch.full((count,), math.inf)), layout.maximum)
    assert torch.equal(layout.to_unit(layout.maximum * 2), torch.ones(count))
    assert layout.from_unit(torch.full((count,), math.nan)).isnan().all()


def test_snap_gives_only_values_that_the_control_may_take() -> None:
    layout = ParameterLayout(
        [
            column("step", 2, 16, step=1.0),
            column("tenth", 0, 1, step=0.1),
            column("uneven", 0, 1, step=0.4),
            column("choice", 0.25, 4, scale="log", choices=(0.25, 0.5, 1.0, 4.0)),
            column("few", 0, 1, choices=(0.9, 0.1)),
            column("free"),
        ]
    )
    u = torch.linspace(0, 1, 1001, dtype=torch.float64)[:, None].expand(-1, 6)
    snapped = layout.from_unit(u, snap=True).numpy()
    assert {round(v, 9) for v in snapped[:, 0]} == set(range(2, 17))
    assert {round(v, 9) for v in snapped[:, 1]} == {round(i / 10, 9) for i in range(11)}
    assert {round(v, 9) for v in snapped[:, 2]} == {0.0, 0.4, 0.8}
    assert set(snapped[:, 3]) == {0.25, 0.5, 1.0, 4.0}
    assert set(snapped[:, 4]) == {0.1, 0.9}
    assert (snapped[:, 5] == u[:, 5].numpy()).all()
    # Nearest in position: on this log scale 1 and 4 lie at 0.5 and 1, so that 0.74 still belongs to 1.
    assert snapped[740, 3] == 1.0
    assert snapped[760, 3] == 4.0
    # A value that may be taken comes back from its position.
    for name, value in (("step", 7.0), ("choice", 0.5), ("few", 0.9)):
        packed = layout.pack({name: value}, dtype=torch.float64)
        again = layout.from_unit(layout.to_unit(packed), snap=True)
        assert again[0, layout.index(name)].item() == value


def test_snap_has_the_gradient_of_the_value_before_it() -> None:
    layout = mixed_layout()
    u = torch.rand(5, len(layout), dtype=torch.float64, requires_grad=True)
    (snapped,) = torch.autograd.grad(layout.from_unit(u, snap=True).sum(), u)
    (smooth,) = torch.autograd.grad(layout.from_unit(u).sum(), u)
    assert torch.equal(snapped, smooth)


@given(st.floats(-3, 3), st.floats(-5, 5))
def test_the_clamp_passes_what_brings_a_value_back(value: float, grad: float) -> None:
    layout = ParameterLayout([column("a", -1, 2)])
    x = torch.tensor([value], dtype=torch.float64, requires_grad=True)
    y = layout.clamp(x)
    assert y.item() == min(max(value, -1), 2)
    y.backward(torch.tensor([grad], dtype=torch.float64))
    after = value - (math.copysign(1e-3, grad) if grad else 0)  # a step of gradient descent
    outside = max(-1 - value, value - 2, 0)
    blocked = outside > 1e-3 and max(-1 - after, after - 2, 0) >= outside
    assume(outside == 0 or outside > 1e-3)
    assert x.grad is not None
    assert x.grad.item() == (0 if blocked else grad)


def test_the_clamp_at_the_bounds_and_with_infinite_gradients() -> None:
    bounds = torch.tensor(0.0), torch.tensor(1.0)
    x = torch.tensor([0.0, 1.0, 2.0, -2.0, math.nan, math.inf], requires_grad=True)
    y = clamp_inward(x, *bounds)
    assert y[:4].tolist() == [0, 1, 1, 0]
    assert y[4].isnan()
    assert y[5] == 1
    (gradient,) = torch.autograd.grad(y, x, torch.tensor([-1.0, 1.0, -math.inf, math.inf, 1.0, 3.0]))
    assert gradient.tolist() == [-1, 1, 0, 0, 1, 3]


def test_units_do_not_leak_the_mode_they_were_made_in() -> None:
    with torch.inference_mode(), torch.device("meta"):
        layout = mixed_layout()
        layout.from_unit(torch.rand(2, 9, device="cpu"))
    u = torch.rand(2, 9, requires_grad=True)
    layout.to_unit(layout.from_unit(u)).sum().backward()
    assert u.grad is not None
    assert u.grad.isfinite().all()


@pytest.mark.slow
def test_torch_compile_and_vmap_see_the_same_values_and_gradients() -> None:
    layout = mixed_layout()

    def work(u: Tensor) -> Tensor:
        return layout.clamp(layout.from_unit(u, snap=True)) + layout.to_unit(layout.from_unit(u))

    compiled = torch.compile(work, backend="aot_eager", fullgraph=True)
    u = (torch.rand(3, 4, 9, dtype=torch.float64) * 1.4 - 0.2).requires_grad_()
    expected = work(u)
    (gradient,) = torch.autograd.grad(expected.sum(), u)
    assert torch.equal(compiled(u), expected)
    assert torch.equal(torch.autograd.grad(compiled(u).sum(), u)[0], gradient)
    assert torch.equal(torch.func.vmap(work)(u), expected)
    assert torch.equal(torch.func.grad(lambda x: work(x).sum())(u), gradient)


def test_a_wrong_shape_says_what_was_expected() -> None:
    layout = mixed_layout()
    with pytest.raises(
        LayoutError, match=r"expected a tensor \[..., 9\], one value per control, got shape \[2, 8\]"
    ):
        layout.from_unit(torch.zeros(2, 8))
    with pytest.raises(LayoutError, match="got list"):
        layout.to_unit([0.0] * 9)  # type: ignore[arg-type]
    with pytest.raises(LayoutError, match=r"floating point, got torch.int64"):
        layout.clamp(torch.zeros(9, dtype=torch.long))
