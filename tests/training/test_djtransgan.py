"""examples/djtransgan.py: runs, goes on bit by bit, and its listener learns to tell one sound from another."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from djgraph.data import make_corpus

from .conftest import QUICK, Script
from .test_train_transition import same, state_of

Scripts = Callable[[str], Script]


@pytest.fixture(scope="module")
def decks(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> Path:
    """Transitions of two whole tracks on the shipped graph."""
    root = tmp_path_factory.mktemp("gan") / "corpus"
    make_corpus(
        root, tracks=corpus.parent / "tracks", graph="djtransgan", count=5, workers=1, seconds=1.0, curves=0.0,
        recipes=["equal_power", "bass_swap"],
    )  # fmt: skip
    return root


@pytest.mark.slow
def test_smoke_and_resume(script: Scripts, decks: Path, tmp_path: Path, capsys: Any) -> None:
    train = script("djtransgan")
    assert train(decks, tmp_path / "whole", *QUICK, "--epochs", 3) == 0
    lines = [json.loads(line) for line in (tmp_path / "whole" / "log.jsonl").read_text().splitlines()]
    assert len(lines) == 6
    assert set(lines[0]) == {"step", "epoch", "loss", "spectral", "adversarial", "listener"}
    assert "linear crossfade" in capsys.readouterr().out
    state = state_of(tmp_path / "whole")
    assert {"model", "model_optimizer", "listener", "listener_optimizer"} <= set(state)
    # Stopped after an epoch of three, and on.
    loop = sys.modules["djgraph.training.loop"]
    end = loop.Loop._end_epoch

    def stop(self: Any, *arguments: Any) -> None:
        end(self, *arguments)
        raise KeyboardInterrupt

    loop.Loop._end_epoch = stop
    assert train(decks, tmp_path / "parts", *QUICK, "--epochs", 3) == 130
    loop.Loop._end_epoch = end
    assert train(decks, tmp_path / "parts", *QUICK, "--epochs", 3, "--resume") == 0
    same(state, state_of(tmp_path / "parts"))


def test_the_listener_learns(script: Scripts) -> None:
    script("djtransgan")
    torch.manual_seed(0)
    listener = sys.modules["djtransgan"].Listener(8000, width=4)
    optimizer = torch.optim.Adam(listener.parameters(), lr=1e-2)
    noise = 0.1 * torch.randn(8, 2, 8000)
    dull = torch.nn.functional.avg_pool1d(noise, 9, 1, 4)
    for _ in range(40):
        loss = (listener(noise[:6]) - 1).square().mean() + listener(dull[:6]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert listener(noise[6:]).mean() > listener(dull[6:]).mean() + 0.5
