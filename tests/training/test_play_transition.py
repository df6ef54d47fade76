"""examples/play_transition.py: what it writes is what the model plays; what it lacks, it says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch

import djgraph
from djgraph import checkpoint
from djgraph.transitions import Plan, load_player

from .conftest import QUICK, RATE, Script

Scripts = Callable[[str], Script]


@pytest.fixture
def inputs(corpus: Path) -> list[str]:
    tracks = corpus.parent / "tracks"
    return ["-i", f"left={tracks / 'one'}", "-i", f"right={tracks / 'two'}"]


def test_it_writes_what_the_model_plays(
    script: Scripts, corpus: Path, inputs: list[str], tmp_path: Path
) -> None:
    run, out = tmp_path / "run", tmp_path / "moves.yaml"
    assert script("train_transition")(corpus, run, *QUICK, "--epochs", 10, "--rate", 0.02) == 0
    plan = ["--recipe", "equal_power", "--start", 0.5, "--length", 2, "--tempo", 120, "--beat", 0.1]
    assert script("play_transition")(run, *inputs, *plan, "--error", 0.001, "-o", out) == 0
    saved = checkpoint.load(run / "checkpoint.safetensors")
    found = djgraph.automation.load(out).render(saved.layout, n_frames=61, duration=3.0)
    # The same by hand.
    player = load_player(run)
    model, senses, layout = player.model, player.senses, player.layout
    sounds = {
        f"{deck}.{stem}": torch.from_numpy(soundfile.read(folder / f"{stem}.wav", dtype="float32")[0].T)
        for deck, folder in (pair.split("=") for pair in inputs[1::2])
        for stem in ("drums", "bass")
        for folder in [Path(folder)]
    }
    grid = djgraph.features.BeatGrid.at_tempo(3.0, 120, 0.1, senses.per_beat)
    features = senses(sounds, grid, plan=Plan("equal_power", 0.5, 2.0))
    with torch.no_grad():
        expected = model(features[None], grid.spread(61)[None])[0]
    assert (expected - layout.default).abs().max() > 0.05  # it has learned to do something
    torch.testing.assert_close(found.float(), expected, atol=2e-3, rtol=0)


def test_what_is_missing(
    script: Scripts, corpus: Path, inputs: list[str], tmp_path: Path, capsys: Any
) -> None:
    train, play = script("train_transition"), script("play_transition")
    assert train(corpus, tmp_path / "plan", *QUICK, "--epochs", 1) == 0
    assert train(corpus, tmp_path / "mix", *QUICK, "--epochs", 1, "--sees", "mix") == 0
    out = ["--tempo", 120, "-o", tmp_path / "moves.yaml"]

    def refused(*arguments: object) -> str:
        capsys.readouterr()
        assert play(*arguments, *out) == 1
        assert not (tmp_path / "moves.yaml").exists()
        text: str = capsys.readouterr().err
        return text

    run = tmp_path / "plan"
    assert "give --recipe (equal_power, cut)" in refused(run, *inputs)
    assert "did you mean 'cut'" in refused(run, *inputs, "--recipe", "cat", "--start", 1, "--length", 1)
    assert "tracks of 3.00 s" in refused(run, *inputs, "--recipe", "cut", "--start", 1, "--length", 5)
    whole = ["--recipe", "cut", "--start", 1, "--length", 0]
    assert "input 'right' is missing" in refused(run, *inputs[:2], *whole)
    assert "did you mean 'left'" in refused(run, "-i", "lefd=x", *whole)
    assert "is not there" in refused(tmp_path, *inputs, *whole)
    assert "give it with --mix" in refused(tmp_path / "mix", *inputs)
    short = tmp_path / "short.wav"
    soundfile.write(short, torch.zeros(RATE, 2).numpy(), RATE)
    assert "lasts 1.00 s, the stems 3.00 s" in refused(tmp_path / "mix", *inputs, "--mix", short)
    assert play(run, *inputs, *whole, *out) == 0
