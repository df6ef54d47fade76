"""The verdict's figures, each by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from djgraph import losses, metrics
from djgraph.training import begin, load_training, verdict
from djgraph.training.clips import collate


def test_figures_by_hand(corpus: Path, tmp_path: Path) -> None:
    config = {"training": 1, "corpus": str(corpus), "run": str(tmp_path / "run"), "device": "cpu"}
    session = begin(load_training({**config, "held_out": 0.4}))
    data, layout = session.tests[0], session.corpus.layout
    batch = collate([data[number] for number in range(len(data))])
    default, true = layout.to_unit(layout.default), layout.to_unit(batch["params"])
    moves = (true - default).abs().amax(1, keepdim=True) > 1e-6

    def model(given: dict[str, Any]) -> Tensor:
        """The default: right for controls that the truth leaves alone, and for no others."""
        return layout.default.expand_as(given["params"])

    def truth(given: dict[str, Any]) -> Tensor:
        return given["params"]

    loss = losses.MultiResolutionSTFT((256,), reduction="none")
    report = verdict.judge(
        {"model": model, verdict.LINEAR: truth},
        session.mixer,
        data,
        loss,
        batch_size=2,
        device=session.device,
    )
    mine, right = report["players"]["model"], report["players"][verdict.LINEAR]
    assert mine["idle"] == pytest.approx(0, abs=1e-6)
    each = [(true - default).abs()[item].mean(0)[moves[item, 0]].mean() for item in range(len(data))]
    assert mine["moved"] == pytest.approx(float(torch.stack(each).mean()), rel=1e-4)
    assert right["moved"] == right["idle"] == 0
    mix = session.mix(batch, model(batch)).detach()
    louder = metrics.loudness_difference(mix, batch["mix"], session.corpus.sample_rate).abs()
    assert mine["loudness_lu"] == pytest.approx(float(louder.mean()), rel=1e-3)
    assert mine["loss"] == pytest.approx(float(loss(mix, batch["mix"]).mean()), rel=1e-3)
    assert report["margin"]["closer"] == 0
    swapped = verdict.judge(
        {"model": truth, verdict.LINEAR: model},
        session.mixer,
        data,
        loss,
        batch_size=2,
        device=session.device,
    )
    assert swapped["margin"]["closer"] == len(data)
    assert swapped["margin"]["loss"] == pytest.approx(1, abs=0.01)
