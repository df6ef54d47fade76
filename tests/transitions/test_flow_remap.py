"""A flow that is given more controls runs the ones it knew as before; fewer would be another flow."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from fake_layouts import column
from torch import Tensor, nn

from djgraph import ParameterLayout, checkpoint
from djgraph.errors import InputError, LayoutError
from djgraph.layout.compare import origins
from djgraph.nn import ControlHead, ControlInput
from djgraph.transitions import FlowModel

OLD = ParameterLayout([column("a.gain", neutral=1.0), column("a.low", 0, 2, neutral=1.0), column("b.gain")])
NEW = ParameterLayout(
    [
        column("c.gain", neutral=0.25),
        column("b.volume", aliases=("b.gain",)),
        column("a.gain", neutral=1.0),
        column("c.low"),
        column("a.low", 0, 2, neutral=1.0),
    ]
)
FEATURES, STEPS = 5, 4


def trained(layout: ParameterLayout, seed: int = 0) -> FlowModel:
    """A flow whose weights are all drawn: a head's begin at zero."""
    generator = torch.Generator().manual_seed(seed)
    model = FlowModel(FEATURES, layout, hidden=8, layers=1)
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(0.3 * torch.randn(weight.shape, generator=generator))
    return model


def moved(old: FlowModel, new: ParameterLayout, folder: Path, strict: bool = True) -> FlowModel:
    checkpoint.save(folder / "c.safetensors", {"model": old.state_dict()}, old.layout)
    model = trained(new, seed=9)
    saved = checkpoint.load(folder / "c.safetensors")
    assert saved.load_model(model, new, remap=True, strict=strict) is (
        new.fingerprint != old.layout.fingerprint
    )
    return model


def drawn(*shape: int, seed: int = 1) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def test_trajectories_of_what_stayed(tmp_path: Path) -> None:
    """Followed by hand: Euler's method on each model's own estimates, the new controls elsewhere all the while."""
    old = trained(OLD).double()
    new = moved(trained(OLD), NEW, tmp_path).double()
    kept = [(j, i) for j, i in enumerate(origins(OLD, NEW)) if i is not None]
    here, there = [j for j, _ in kept], [i for _, i in kept]
    assert [(NEW.names[j], OLD.names[i]) for j, i in kept] == [
        ("b.volume", "b.gain"),
        ("a.gain", "a.gain"),
        ("a.low", "a.low"),
    ]
    features = drawn(2, STEPS, FEATURES).double()
    was, now = drawn(2, STEPS, 3, seed=2).double(), drawn(2, STEPS, 5, seed=3).double()
    now[..., here] = was[..., there]
    with torch.no_grad():
        for n in range(10):
            time = torch.full((2,), n / 10, dtype=torch.float64)
            ends = old.estimate(was, time, features), new.estimate(now, time, features)
            torch.testing.assert_close(ends[1][..., here], ends[0][..., there], atol=1e-12, rtol=0)
            was, now = (place + (end - place) / (10 - n) for place, end in zip((was, now), ends))
        assert (was - drawn(2, STEPS, 3, seed=2)).abs().max() > 0.1  # it does run
    torch.testing.assert_close(now[..., here], was[..., there], atol=1e-12, rtol=0)
    # The new ones run to neutral.
    neutral = NEW.to_unit(NEW.neutral.double())
    for column_of_new in (0, 3):
        torch.testing.assert_close(now[..., column_of_new], neutral[column_of_new].expand(2, STEPS))


def test_draws_of_what_stayed(tmp_path: Path) -> None:
    old, new = trained(OLD), moved(trained(OLD), NEW, tmp_path)
    features, spread = drawn(2, STEPS, FEATURES), torch.eye(STEPS).expand(2, -1, -1)
    noise = drawn(2, STEPS, 3, seed=2)
    wider = NEW.to_unit(NEW.remap(OLD.from_unit(noise), OLD))
    was, now = old.sample(features, spread, noise=noise), new.sample(features, spread, noise=wider)
    expected = NEW.remap(was, OLD)
    expected[..., [0, 3]] = NEW.neutral[[0, 3]]
    torch.testing.assert_close(now, expected, atol=1e-5, rtol=0)
    assert torch.equal(old.sample(features, spread), old.sample(features, spread, noise=noise_of(0)))
    assert torch.equal(old.sample(features, spread, noise=noise.double()), was)
    with pytest.raises(InputError, match=r"noise: expected \[4, 3\]"):
        old.sample(features, spread, noise=wider)


def noise_of(seed: int) -> Tensor:
    return torch.rand((STEPS, 3), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ([column("a.gain", neutral=1.0), column("b.gain")], "gone: a.low"),
        (
            [column("a.gain", neutral=1.0), column("a.low", 0, 4, neutral=1.0), column("b.gain")],
            "another range or scale: a.low",
        ),
        (
            [column("a.gain", neutral=1.0), column("a.low", -1, 3, neutral=1.0), column("b.gain")],
            "another range or scale: a.low",
        ),
    ],
)
def test_what_would_be_another_flow(tmp_path: Path, columns: list, told: str) -> None:  # type: ignore[type-arg]
    layout = ParameterLayout(columns)
    with pytest.raises(
        LayoutError, match=rf"(?s)c\.safetensors.*hears where all its controls stand.*{told}.*strict=False"
    ):
        moved(trained(OLD), layout, tmp_path)
    model = moved(trained(OLD), layout, tmp_path, strict=False)
    # By hand: what is gone stands in the middle of its travel; of another range the value is the same.
    features, time = drawn(2, STEPS, FEATURES), torch.tensor([0.0, 0.5])
    place = drawn(2, STEPS, len(layout), seed=4)
    was = OLD.to_unit(OLD.remap(layout.from_unit(place), layout))
    if "gone" in told:
        was[..., 1] = 0.5
    else:
        control = layout.columns[1].control  # the old one had 0 … 2; this one goes beyond that
        was[..., 1] = (control.min + (control.max - control.min) * place[..., 1]) / 2
    with torch.no_grad():
        ends = trained(OLD).estimate(was, time, features), model.estimate(place, time, features)
    torch.testing.assert_close(ends[1][..., 0], ends[0][..., 0], atol=1e-5, rtol=0)
    torch.testing.assert_close(ends[1][..., -1], ends[0][..., -1], atol=1e-5, rtol=0)


def test_a_model_of_another_width(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "c.safetensors", {"model": trained(OLD).state_dict()}, OLD)
    model = FlowModel(FEATURES, NEW, hidden=10, layers=1)
    before = model.encoder.weight.clone()
    saved = checkpoint.load(tmp_path / "c.safetensors")
    with pytest.raises(
        LayoutError, match=r"encoder\.weight: expected \[10, 8\] \(out, features and controls\), got \[8, 8\]"
    ):
        saved.load_model(model, NEW, remap=True)
    with pytest.warns(UserWarning, match=r"missing: encoder\.weight"):
        saved.load_model(model, NEW, remap=True, strict=False)
    assert torch.equal(model.encoder.weight, before)


def test_a_state_without_the_layer() -> None:
    ear = ControlInput(2, NEW, 4)
    state = ControlInput(2, OLD, 4).state_dict()
    assert set(ear.remap(state, OLD)) == {"weight", "bias"}
    for key in ("weight", "bias"):
        with pytest.raises(LayoutError, match=rf"^{key}: expected .* got NoneType"):
            ear.remap({name: held for name, held in state.items() if name != key}, OLD)


class Steps(nn.Module):
    """Controls step by step, each heard by the next."""

    def __init__(self, layout: ParameterLayout) -> None:
        super().__init__()
        self.ear = ControlInput(0, layout, 6)
        self.head = ControlHead(6, layout)

    def forward(self, place: Tensor) -> Tensor:
        return self.head.positions(self.ear(place[..., :0], place).tanh())


def test_a_model_of_ones_own(tmp_path: Path) -> None:
    old, new = Steps(OLD), Steps(NEW)
    nn.init.normal_(old.head.weight)
    checkpoint.save(tmp_path / "c", {"model": old.state_dict()}, OLD)
    checkpoint.load(tmp_path / "c").load_model(new, NEW, remap=True)
    was, now = drawn(7, 3), drawn(7, 5, seed=5)
    now[:, [1, 2, 4]] = was[:, [2, 0, 1]]
    torch.testing.assert_close(new(now)[:, [1, 2, 4]], old(was)[:, [2, 0, 1]])
    with pytest.raises(LayoutError, match=r"expected mixer\.layout"):
        ControlInput(3, 5, 2)  # type: ignore[arg-type]
