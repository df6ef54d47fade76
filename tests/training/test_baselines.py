"""Flow matching in the unit cube, and the baselines' table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from small_model import LAYOUT
from torch import Tensor

from djgraph.training import baselines
from djgraph.transitions import FlowModel, TransformerModel, flow, load_player


def learned(steps: int = 300) -> tuple[FlowModel, Tensor, Tensor]:
    """A flow that has learned one thing: all knobs stand where the first feature says, but for a coin's toss of the
    last, which nothing tells."""
    torch.manual_seed(0)
    model = FlowModel(2, LAYOUT, hidden=32, layers=1)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    spread = torch.eye(4).expand(32, 4, 4)
    for _ in range(steps):
        features, positions = drawn(32)
        loss = model.matching_loss(LAYOUT.from_unit(positions), features, spread)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval(), *drawn(64)


def drawn(batch: int) -> tuple[Tensor, Tensor]:
    told = 0.1 + 0.8 * torch.rand(batch, 1, 1)
    features = torch.cat((told, torch.zeros_like(told)), -1).expand(batch, 4, 2)
    positions = told.expand(batch, 4, len(LAYOUT)).clone()
    positions[..., -1] = torch.randint(2, (batch, 1)).float() * 0.8 + 0.1
    return features, positions


@pytest.mark.slow
def test_a_flow_draws_what_it_learned_and_a_guide_chooses() -> None:
    model, features, positions = learned()
    spread = torch.eye(4).expand(64, 4, 4)
    noise = [torch.Generator().manual_seed(seed) for seed in range(8)]
    found = torch.stack(
        [LAYOUT.to_unit(model.sample(features, spread, generator=one, flow_steps=24)) for one in noise]
    )
    assert found.min() >= 0
    assert found.max() <= 1
    assert (found[..., :-1] - positions[..., :-1]).abs().mean() < 0.06
    # What nothing tells is drawn: both sides, and seldom what lies between, which a mean would be.
    last = found[..., 0, -1]
    assert 0.15 < (last > 0.5).float().mean() < 0.85
    assert ((last - 0.5).abs() > 0.25).float().mean() > 0.7

    def low(params: Tensor) -> Tensor:
        return LAYOUT.to_unit(params)[..., -1].mean(-1)

    guided = LAYOUT.to_unit(model.sample(features, spread, flow_steps=24, guide=low, strength=0.3))
    assert guided[..., -1].mean() < 0.2
    assert (guided[..., :-1] - positions[..., :-1]).abs().mean() < 0.08


@pytest.mark.parametrize("kind", [TransformerModel, FlowModel])
def test_what_pads_a_short_clip_is_not_heard(kind: type[TransformerModel] | type[FlowModel]) -> None:
    torch.manual_seed(1)
    model = kind(3, LAYOUT, hidden=8, layers=2).eval()
    torch.nn.init.normal_(model.head.weight)
    features = torch.randn(2, 6, 3)
    spread = torch.rand(2, 5, 6).softmax(-1)
    spread[1, :, 4:] = 0
    spread[1] /= spread[1].sum(-1, keepdim=True)
    steps = torch.tensor([6, 4])
    first = model(features, spread, steps)
    noisy = features.clone()
    noisy[1, 4:] = 100
    torch.testing.assert_close(model(noisy, spread, steps), first)
    alone = model(features[1:, :4], spread[1:, :, :4])
    torch.testing.assert_close(first[1:], alone, rtol=1e-4, atol=1e-5)


def test_a_flow_begins_neutral_and_draws_the_same_again() -> None:
    model = FlowModel(2, LAYOUT, hidden=8, layers=1).eval()
    features, spread = torch.randn(3, 4, 2), torch.eye(4).expand(3, 4, 4)
    drawn = model(features, spread)
    assert torch.equal(drawn, model(features, spread))
    torch.testing.assert_close(drawn, LAYOUT.neutral.expand_as(drawn))
    assert model.matching_loss(drawn, features, spread, torch.tensor([4, 2, 1])).item() < 1e-9


def test_a_flow_learns_positions_at_steps() -> None:
    """Frames lie evenly between steps: a straight line of positions is the same line at the steps."""
    spread = torch.zeros(1, 9, 3)
    for frame in range(9):
        place = frame / 4
        for step in range(3):
            spread[0, frame, step] = max(0.0, 1 - abs(place - step))
    line = torch.linspace(0.2, 0.6, 9).expand(1, 2, 9).mT
    found = flow._at_steps(line, spread)
    torch.testing.assert_close(found[0, 1], line[0, 4])
    torch.testing.assert_close(flow._at_steps(torch.full((1, 9, 2), 0.7), spread), torch.full((1, 3, 2), 0.7))


@pytest.mark.slow
def test_the_suite_makes_its_table_and_goes_on(tmp_path: Path) -> None:
    small = {
        "LSTM": {"model": "lstm", "hidden": 8},
        "flow": {"model": "flow", "hidden": 8, "layers": 1},
    }
    sizes = {"count": 7, "seconds": 1.0, "sample_rate": 11025, "models": small, "workers": 1}
    results = baselines.run(tmp_path, epochs=1, **sizes)
    assert list(results["players"]) == [
        "linear crossfade", "recipe as it ships", "LSTM", "flow", "flow, guided", "truth"
    ]  # fmt: skip
    assert results["players"]["truth"]["loss"] < 1e-3
    flow, guided = results["players"]["flow"], results["players"]["flow, guided"]
    assert guided["loss"] < flow["loss"]  # an untrained flow, pulled by what it hears
    assert json.loads((tmp_path / "results.json").read_text()) == results
    text = (tmp_path / "results.md").read_text()
    assert text.count("\n") == 2 + len(results["players"])
    longer = baselines.run(tmp_path, epochs=2, **{**sizes, "models": {"LSTM": small["LSTM"]}})
    assert longer["players"]["LSTM"]["steps"] == 2
    assert isinstance(load_player(tmp_path / "flow").model, FlowModel)
