"""pack, unpack and check: values by name, shapes, gradients, and errors that say what came."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from fake_layouts import column, mixed_layout, seed_layout
from hypothesis import given
from hypothesis import strategies as st

from djgraph.errors import InputError, LayoutError
from djgraph.layout import ParameterLayout


def test_pack_of_nothing_is_the_default() -> None:
    layout = seed_layout()
    assert torch.equal(layout.pack(), layout.default[None])
    assert torch.equal(layout.pack({}, n_frames=5, batch=2), layout.default.expand(2, 5, 54))
    packed = layout.pack(n_frames=3)
    packed.zero_()  # its own memory
    assert layout.pack(n_frames=3)[0, 0] == 1


def test_pack_takes_numbers_curves_and_batches() -> None:
    layout = ParameterLayout([column("a"), column("b"), column("c", default=0.0), column("d")])
    params = layout.pack(
        {"b": [0.1, 0.2, 0.3], "d": torch.tensor([[1.0, 2, 3], [4, 5, 6]]), "a": np.float32(0.75)}
    )
    expected = np.zeros((2, 3, 4))
    expected[..., 0] = 0.75
    expected[..., 1] = [0.1, 0.2, 0.3]
    expected[..., 3] = [[1, 2, 3], [4, 5, 6]]
    assert params.dtype == torch.float32
    assert np.allclose(params.numpy(), expected, atol=1e-7)
    assert layout.pack({"b": np.linspace(0, 1, 7)}).shape == (7, 4)
    assert layout.pack({"b": np.linspace(0, 1, 7)}).dtype == torch.float32
    assert layout.pack({"b": torch.zeros(7, dtype=torch.float64)}).dtype == torch.float64
    assert layout.pack({"b": torch.zeros(7, dtype=torch.float64)}, dtype=torch.float32).dtype == torch.float32
    assert layout.pack({"b": [0.5]}, batch=3).shape == (3, 1, 4)
    assert layout.pack({"b": True, "a": 1}, n_frames=2)[:, :2].tolist() == [[1, 1], [1, 1]]


def test_gradients_flow_through_pack() -> None:
    layout = ParameterLayout([column("a"), column("b")])
    curve = torch.rand(4, requires_grad=True)
    level = torch.tensor(0.5, requires_grad=True)
    params = layout.pack({"b": curve, "a": level}, batch=3)
    (params * torch.arange(2.0)).sum().backward()
    assert curve.grad is not None
    assert curve.grad.tolist() == [3.0] * 4
    assert level.grad is not None
    assert level.grad.item() == 0
    pieces = [torch.tensor(0.1, requires_grad=True), torch.tensor(0.2)]
    layout.pack({"a": pieces}).sum().backward()
    assert pieces[0].grad is not None
    assert pieces[0].grad.item() == 1


def test_pack_refuses_what_it_does_not_know() -> None:
    layout = seed_layout()
    with pytest.raises(
        LayoutError, match=r"no control 'track_a.drums.gian'; did you mean 'track_a.drums.gain'"
    ):
        layout.pack({"track_a.drums.gian": 1.0})
    alias = ParameterLayout([column("a", aliases=("old",)), column("b")])
    with pytest.raises(LayoutError, match="'a' and 'old' are the same control"):
        alias.pack({"a": 1.0, "old": 0.5})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            torch.zeros(4),
            r"expected a number, \[8\] \(frames\) or \[2, 8\] \(batch, frames\), got shape \[4\]",
        ),
        ([0.5], r"got shape \[1\]"),
        (torch.zeros(3, 8), r"got shape \[3, 8\]"),
        (torch.zeros(1, 1, 8), r"got shape \[1, 1, 8\]"),
        ("loud", r"expected a number, or numbers of shape \[frames\] or \[batch, frames\], got str 'loud'"),
        ([[1.0], [1.0, 2.0]], "got list"),
        (None, "got NoneType None"),
        (torch.zeros(8, dtype=torch.complex64), r"real numbers, got torch.complex64"),
    ],
)
def test_pack_says_what_it_expected_and_what_came(value: object, message: str) -> None:
    with pytest.raises(LayoutError, match=message):
        seed_layout().pack({"track_a.drums.gain": value}, n_frames=8, batch=2)  # type: ignore[dict-item]


def test_pack_compares_values_with_each_other_and_sizes_with_sense() -> None:
    layout = ParameterLayout([column("a"), column("b")])
    with pytest.raises(LayoutError, match=r"'b': expected a number, \[3\] \(frames\) or \[batch, 3\]"):
        layout.pack({"a": [1.0, 2.0, 3.0], "b": [1.0, 2.0]})
    for wrong in (0, -1, 2.5, True):
        with pytest.raises(LayoutError, match="n_frames is"):
            layout.pack(n_frames=wrong)  # type: ignore[arg-type]
    with pytest.raises(LayoutError, match=r"\[0\]"):
        layout.pack({"a": [], "b": [1.0]}, n_frames=1)


@given(st.integers(1, 3), st.integers(1, 5), st.integers(0, 1000))
def test_unpack_undoes_pack(batch: int, frames: int, seed: int) -> None:
    layout = mixed_layout()
    values = torch.rand(batch, frames, len(layout), generator=torch.Generator().manual_seed(seed))
    unpacked = layout.unpack(values)
    assert list(unpacked) == list(layout.names)
    assert torch.equal(layout.pack(unpacked), values)
    assert torch.equal(layout.pack(layout.unpack(values[0])), values[0])
    assert unpacked["deck.trim"].data_ptr() == values[..., 4].data_ptr()


def test_check_passes_what_is_right() -> None:
    layout = mixed_layout()
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        for params in (layout.pack(n_frames=4, dtype=dtype), layout.pack(n_frames=1, batch=2, dtype=dtype)):
            layout.check(params, out_of_range=True)
            layout.check(params + 1e4)
        layout.check(layout.maximum.to(dtype)[None], out_of_range=True)
        layout.check(layout.minimum.to(dtype)[None], out_of_range=True)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("out_of_range", [False, True])
def test_check_names_control_frame_and_item(value: float, out_of_range: bool) -> None:
    layout = seed_layout()
    params = layout.pack(n_frames=9, batch=4)
    params[2, 7, 8] = value
    params[3, 0, 0] = value
    with pytest.raises(InputError) as caught:
        layout.check(params, out_of_range)
    assert str(caught.value) == (
        f"params: control 'track_a.bass.eq_mid' (column 8) at frame 7 of batch item 2 is {value}; "
        "expected a finite number (frames and batch items count from 0); 1 more value is wrong"
    )
    with pytest.raises(
        InputError, match=r"at frame 7 is .*; expected a finite number \(frames count from 0\)$"
    ):
        layout.check(params[2], out_of_range)


def test_check_of_the_range_is_an_option() -> None:
    layout = seed_layout()
    params = layout.pack(n_frames=3)
    params[1, 1:4] = 2.5
    layout.check(params)
    message = r"eq_low' \(column 1\) at frame 1 is 2.5; its range is 0 … 2 .*; 2 more values are wrong"
    with pytest.raises(InputError, match=message):
        layout.check(params, out_of_range=True)


@pytest.mark.parametrize(
    ("params", "came"),
    [
        (torch.zeros(3, 53), r"got shape \[3, 53\]"),
        (torch.zeros(54), r"got shape \[54\]"),
        (torch.zeros(0, 54), r"one frame or more, got shape \[0, 54\]"),
        (torch.zeros(1, 2, 3, 54), r"got shape \[1, 2, 3, 54\]"),
        (torch.zeros(3, 54, dtype=torch.long), "got torch.int64"),
        (np.zeros((3, 54)), "got ndarray"),
    ],
)
def test_check_of_the_shape(params: object, came: str) -> None:
    with pytest.raises(InputError, match=r"expected \[batch, frames, 54\] or \[frames, 54\].*" + came):
        seed_layout().check(params)  # type: ignore[arg-type]
