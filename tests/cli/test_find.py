"""``djgraph find``: passages as a table and as JSON; what it cannot use is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from alignment_mixes import RATE, play, track
from typer.testing import CliRunner

from djgraph.audio import write
from djgraph.cli.app import app


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("find")
    audio = track("track_a")
    write(root / "one.wav", audio[None], RATE)
    write(root / "mix.wav", play(audio, [(0, 12 * RATE, 2 * RATE, 1.01)], 12 * RATE)[None], RATE)
    write(root / "silence.wav", torch.zeros(1, 3 * RATE), RATE)
    return root


@pytest.mark.slow
def test_passages_are_printed(folder: Path) -> None:
    told = CliRunner().invoke(
        app, ["find", str(folder / "mix.wav"), str(folder / "one.wav"), "--rates", "0.97:1.03"]
    )
    assert told.exit_code == 0, told.output
    assert "0:00.000 to 0:12.000" in told.output
    assert "0:02.000 to 0:14.120" in told.output
    assert "1.010000" in told.output
    assert "+1.00 %" in told.output


@pytest.mark.slow
def test_json_has_all_digits(folder: Path) -> None:
    told = CliRunner().invoke(app, ["find", str(folder / "mix.wav"), str(folder / "one.wav"), "--json"])
    answer = json.loads(told.output)
    assert answer["sample_rate"] == RATE
    (found,) = answer["tracks"]
    (passage,) = found["passages"]
    assert passage["start"] == pytest.approx(2 * RATE, abs=0.1)
    assert passage["rate"] == pytest.approx(1.01, rel=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mix.wav", "silence.wav"), "silence' is silent"),
        (("silence.wav", "one.wav"), "the recording is silent"),
        (("mix.wav", "nothing.wav"), "does not exist"),
        (("mix.wav", "one.wav", "one.wav", "one.wav"), "is given twice"),
        (("mix.wav", "one.wav", "--rates", "fast"), "is no range"),
        (("mix.wav", "one.wav", "--rates", "0.1:1"), "the lowest rate is 0.1"),
    ],
)
def test_what_cannot_be_used(folder: Path, arguments: tuple[str, ...], message: str) -> None:
    given = [str(folder / one) if one.endswith(".wav") else one for one in arguments]
    told = CliRunner().invoke(app, ["find", *given])
    assert told.exit_code != 0
    assert message in " ".join(told.output.split()) + str(told.exception)
