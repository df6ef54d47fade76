"""ControlHead: neutral when untrained, trainable from there, and checkpoints that know their layout."""

from __future__ import annotations

import copy
import io
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from effort import few
from fake_layouts import column, layouts, mixed_layout, seed_layout
from hypothesis import given
from safetensors.torch import load_model, save_model
from torch import Tensor, nn

from djgraph.errors import InputError, LayoutError
from djgraph.layout import ParameterLayout
from djgraph.nn import ControlHead


def trained(layout: ParameterLayout, features: int = 3, seed: int = 0) -> ControlHead:
    """A head with any weights, small enough to keep most positions inside the range."""
    head = ControlHead(features, layout)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    return head


def fit(head: ControlHead, features: Tensor, target: Tensor, steps: int, lr: float = 0.02) -> float:
    """Adam on the mean square of the error in position; the largest error that is left."""
    optimiser = torch.optim.Adam(head.parameters(), lr=lr)
    position = head.layout.to_unit
    for _ in range(steps):
        optimiser.zero_grad()
        loss = (position(head(features)) - position(target)).square().mean()
        loss.backward()
        optimiser.step()
    return (position(head(features)) - position(target)).abs().max().item()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_untrained_head_is_neutral_for_any_features(dtype: torch.dtype) -> None:
    layout = seed_layout()
    head = ControlHead(16, layout).to(dtype)
    for shape in ((16,), (5, 16), (2, 5, 16), (0, 16)):
        out = head(100 * torch.randn(shape, dtype=dtype))
        assert out.shape == (*shape[:-1], 54)
        assert out.dtype == dtype
        assert torch.equal(out, layout.neutral.to(dtype).expand_as(out))


@given(layouts())
def test_an_untrained_head_is_neutral_for_any_layout(layout: ParameterLayout) -> None:
    size = torch.maximum(layout.minimum.abs(), layout.maximum.abs())
    difference = ControlHead(4, layout)(torch.randn(3, 4)) - layout.neutral
    assert (difference.abs() <= 5e-6 * size).all()


def test_an_untrained_head_has_a_gradient_for_every_control() -> None:
    for layout in (seed_layout(), mixed_layout()):
        head = ControlHead(4, layout)
        head(torch.rand(2, 5, 4) + 0.1).sum().backward()
        for parameter in head.parameters():
            assert parameter.grad is not None
            assert parameter.grad.isfinite().all()
            assert (parameter.grad != 0).all()


@pytest.mark.parametrize("layout", few([mixed_layout(), seed_layout()], 1))
@pytest.mark.parametrize("share", few([0.0, 0.1, 0.5, 0.9, 1.0], 1))
@pytest.mark.slow
def test_a_head_learns_every_part_of_every_range_from_neutral(layout: ParameterLayout, share: float) -> None:
    torch.manual_seed(0)
    head = ControlHead(8, layout)
    target = layout.minimum + share * (layout.maximum - layout.minimum)
    assert fit(head, torch.randn(20, 8), target, steps=400) < 0.02


def test_a_head_learns_a_target_that_depends_on_the_features() -> None:
    torch.manual_seed(0)
    layout = seed_layout()
    features = torch.randn(64, 8)
    target = layout.from_unit(torch.sigmoid(2 * features @ torch.randn(8, 54) / 8**0.5))
    head = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), ControlHead(32, layout))
    optimiser = torch.optim.Adam(head.parameters(), lr=0.01)
    losses = []
    for _ in range(300):
        optimiser.zero_grad()
        loss = (head(features) - target).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.02 * losses[0]
    assert head[0].weight.grad is not None


def test_plain_gradient_descent_leaves_the_end_of_a_range() -> None:
    layout = seed_layout()
    head = ControlHead(1, layout)
    target = layout.pack({name: 0.3 for name in layout.names})
    optimiser = torch.optim.SGD(head.parameters(), lr=0.05)
    for _ in range(100):
        optimiser.zero_grad()
        (head(torch.ones(1, 1)) - target).square().sum().backward()
        optimiser.step()
    assert torch.allclose(head(torch.ones(1, 1)), target, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("outside", few([-3.0, 3.0], 1))
def test_a_head_that_is_stuck_outside_its_ranges_comes_back(outside: float) -> None:
    layout = mixed_layout()
    head = ControlHead(4, layout)
    with torch.no_grad():
        head.bias.copy_(outside - head.origin)
    end = layout.minimum if outside < 0 else layout.maximum
    assert torch.equal(head(torch.zeros(1, 4))[0], end)
    target = layout.from_unit(torch.full((len(layout),), 0.5))
    assert fit(head, torch.zeros(1, 4), target, steps=600) < 0.02


def test_values_stay_in_range_whatever_the_weights_are() -> None:
    layout = mixed_layout()
    head = trained(layout, features=4)
    values = head(100 * torch.randn(200, 4))
    assert (values >= layout.minimum).all()
    assert (values <= layout.maximum).all()


def test_weight_decay_leads_to_neutral() -> None:
    layout = seed_layout()
    head = trained(layout)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.zero_()
    assert torch.equal(head(torch.ones(1, 3)), layout.neutral[None])
    head = trained(layout)
    head.reset_parameters()
    assert torch.equal(head(torch.ones(1, 3)), layout.neutral[None])


def test_snap_gives_values_that_the_control_may_take_and_still_learns() -> None:
    layout = ParameterLayout(
        [column("beats", 0.25, 4, scale="log", choices=(0.25, 0.5, 1.0, 2.0, 4.0), default=1.0)]
    )
    head = ControlHead(1, layout, snap=True)
    assert head(torch.ones(1, 1)).item() == 1
    assert fit(head, torch.ones(1, 1), torch.tensor([[4.0]]), steps=200) == 0


def test_wrong_arguments() -> None:
    with pytest.raises(InputError, match=r"features: expected \[..., 4\], got shape \[2, 5\]"):
        ControlHead(4, seed_layout())(torch.zeros(2, 5))
    with pytest.raises(InputError, match="features is 0; expected a whole number from 1"):
        ControlHead(0, seed_layout())
    with pytest.raises(LayoutError, match=r"expected mixer.layout"):
        ControlHead(4, 54)  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_head_is_an_ordinary_module() -> None:
    head = trained(mixed_layout())
    x = torch.randn(2, 5, 3)
    expected = head(x)
    assert torch.equal(copy.deepcopy(head)(x), expected)
    assert torch.equal(pickle.loads(pickle.dumps(head))(x), expected)
    compiled = torch.compile(head, backend="aot_eager", fullgraph=True)
    assert torch.equal(compiled(x), expected)
    compiled(x).sum().backward()
    assert head.weight.grad is not None
    gradient = head.weight.grad.clone()
    head.zero_grad()
    expected.sum().backward()
    assert torch.equal(head.weight.grad, gradient)
    assert set(dict(head.named_parameters())) == {"weight", "bias"}
    assert "controls=9" in repr(head)


# ── Checkpoints ─────────────────────────────────────────────────────────────────────────────────────────────


class Model(nn.Module):
    def __init__(self, layout: ParameterLayout) -> None:
        super().__init__()
        self.encoder = nn.Linear(2, 3)
        self.head = ControlHead(3, layout)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.encoder(x)))


def model(layout: ParameterLayout, seed: int) -> Model:
    torch.manual_seed(seed)
    made = Model(layout)
    made.head = trained(layout, seed=seed)
    return made


def through_torch(state: dict[str, Any]) -> dict[str, Any]:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def test_a_state_dict_survives_torch_load_with_weights_only() -> None:
    a, b = model(mixed_layout(), 1), model(mixed_layout(), 2)
    x = torch.randn(5, 2)
    assert not torch.equal(a(x), b(x))
    state = through_torch(a.state_dict())
    assert state["head._extra_state"].dtype == torch.uint8
    assert b.load_state_dict(state).missing_keys == []
    assert torch.equal(a(x), b(x))
    again = ParameterLayout.from_json(bytes(state["head._extra_state"].tolist()).decode())
    assert again == mixed_layout()


def test_a_state_dict_survives_safetensors(tmp_path: Path) -> None:
    a, b = model(mixed_layout(), 1), model(mixed_layout(), 2)
    save_model(a, str(tmp_path / "a.safetensors"))
    missing, unexpected = load_model(b, str(tmp_path / "a.safetensors"))
    assert (list(missing), list(unexpected)) == ([], [])
    x = torch.randn(5, 2)
    assert torch.equal(a(x), b(x))
    other = model(ParameterLayout(mixed_layout().columns[:-1]), 3)
    with pytest.raises(LayoutError, match=r"removed: deck.beats \(column 8\)"):
        load_model(other, str(tmp_path / "a.safetensors"))


def test_another_layout_is_refused_before_anything_is_loaded() -> None:
    old = ControlHead(3, seed_layout())
    columns = [
        column("track_a.drums.gain", 0, 2, neutral=1.0),
        *seed_layout().columns[1:53],
        column("master.gain"),
    ]
    new = trained(ParameterLayout(columns))
    before = {key: value.clone() for key, value in new.state_dict().items()}
    with pytest.raises(LayoutError) as caught:
        new.load_state_dict(old.state_dict())
    message = str(caught.value)
    assert old.layout.fingerprint in message
    assert new.layout.fingerprint in message
    assert "removed: track_b.delay_feedback (column 53)" in message
    assert "added: master.gain (column 53)" in message
    assert "changed: track_a.drums.gain: max 1 → 2" in message
    assert "remap" in message
    assert all(torch.equal(value, before[key]) for key, value in new.state_dict().items())


def test_labels_defaults_and_aliases_may_change() -> None:
    old = ParameterLayout([column("a", label="A", default=0.1)])
    new = ParameterLayout([column("a", label="Level", default=0.9, aliases=("z",))])
    a, b = trained(old), ControlHead(3, new)
    b.load_state_dict(a.state_dict())
    x = torch.randn(4, 3)
    assert torch.equal(a(x), b(x))  # although the neutral value from which it once started is another one


def test_remap_keeps_what_each_control_has_learned() -> None:
    old = ParameterLayout(
        [
            column("deck.low", 0, 2, neutral=1.0),
            column("deck.cutoff", 20, 20000, scale="log", neutral=20000.0),
            column("deck.level", scale="db", neutral=1.0),
            column("deck.gone"),
            column("deck.shape", scale="linear"),
            column("deck.drive", 1, 9, scale="power", exponent=2.0),
        ]
    )
    new = ParameterLayout(
        [
            column("deck.new", 0, 4, neutral=3.0),
            column("deck.level", scale="db", neutral=0.0),
            column("deck.cutoff", 10, 40000, scale="log", neutral=40000.0),
            column("deck.eq_low", -1, 3, neutral=1.0, aliases=("low",)),
            column("deck.shape", scale="db", neutral=0.25),
            column("deck.drive", 1, 9, scale="power", exponent=3.0, neutral=2.0),
        ]
    )
    a, b = model(old, 1).double(), model(new, 2).double()
    with torch.no_grad():  # into the middle of the ranges
        a.head.bias.copy_(0.5 - a.head.origin)
    state = through_torch(a.state_dict())
    b.load_state_dict(b.head.remap(state, prefix="head."))
    x = torch.randn(7, 2, dtype=torch.float64)
    before, after = old.unpack(a(x)), new.unpack(b(x))
    # Inside the old ranges the values are the same, even where the range has grown around them.
    for name, former in (
        ("deck.level", "deck.level"),
        ("deck.cutoff", "deck.cutoff"),
        ("deck.eq_low", "deck.low"),
    ):
        control = old[former].control
        inside = (before[former] > control.min) & (before[former] < control.max)
        assert inside.any()
        assert torch.allclose(after[name][inside], before[former][inside], rtol=1e-6)
    for name, neutral in (("deck.new", 3.0), ("deck.shape", 0.25), ("deck.drive", 2.0)):
        assert torch.allclose(after[name], torch.full((7,), neutral, dtype=torch.float64), rtol=1e-6)
    assert "head.weight" in state
    assert state["head.weight"].shape == (6, 3)  # the state itself is left alone


def test_remap_of_a_bare_head_and_of_the_same_layout_changes_nothing() -> None:
    head = trained(mixed_layout())
    remapped = head.remap(head.state_dict())
    assert set(remapped) == set(head.state_dict())
    for key, value in head.state_dict().items():
        assert torch.equal(remapped[key], value)


def test_remap_refuses_what_is_no_head() -> None:
    head = ControlHead(3, seed_layout())
    with pytest.raises(LayoutError, match=r"holds no ControlHead under 'head.': it lacks head.weight"):
        head.remap(head.state_dict(), prefix="head.")
    with pytest.raises(
        LayoutError, match=r"weight: expected \[54, 3\] \(controls, features\), got \[54, 5\]"
    ):
        head.remap(ControlHead(5, seed_layout()).state_dict())
    broken = head.state_dict() | {"_extra_state": torch.tensor([255, 254], dtype=torch.uint8)}
    with pytest.raises(LayoutError, match="is no text"):
        head.load_state_dict(broken)
    with pytest.raises(LayoutError, match="is a uint8 tensor"):
        head.load_state_dict(head.state_dict() | {"_extra_state": {"layout": 1}})


def test_heads_in_half_precision_stay_neutral_and_finite() -> None:
    layout = mixed_layout()
    for dtype in (torch.float16, torch.bfloat16):
        head = ControlHead(4, layout).to(dtype)
        out = head(torch.randn(3, 4, dtype=dtype))
        assert out.dtype == dtype
        error = (out.double() - layout.neutral.double()).abs() / layout.maximum.double()
        assert error.max() < 8 * 2.0**-8
        (out.float() / layout.maximum).sum().backward()
        assert head.bias.grad is not None
        assert head.bias.grad.isfinite().all()
