"""Inputs of a graph in blocks are the inputs that are read whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

import djgraph
from djgraph.cli.progress import Steps
from djgraph.errors import AudioFileError, InputError
from djgraph.rendering import InputBlocks, read_inputs


def put(path: Path, samples: int = 20_000, channels: int = 2, rate: int = 44100) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(
        path, 0.1 * np.random.default_rng(len(path.name)).standard_normal((samples, channels)), rate
    )


def stems(folder: Path, samples: int = 20_000, rate: int = 44100) -> Path:
    for stem in ("drums", "bass", "vocals", "other"):
        put(folder / f"{stem}.flac", samples, rate=rate)
    return folder


def flat(inputs: dict[str, Any]) -> dict[tuple[str, str | None], torch.Tensor]:
    return {
        (name, stem): audio
        for name, value in inputs.items()
        for stem, audio in (value.items() if isinstance(value, dict) else [(None, value)])
    }


@pytest.mark.parametrize("graph", ["dj_mixer", "club_console"])
def test_blocks_are_the_whole(tmp_path: Path, graph: str) -> None:
    loaded = djgraph.load(graph)
    names = list(loaded.inputs)[:2]
    given = {
        names[0]: stems(tmp_path / "one"),
        names[1]: stems(tmp_path / "two", 15_000, 48000),
    }
    with Steps() as steps:
        whole, seconds = read_inputs(loaded, given, True, steps)
    blocks = []
    with InputBlocks(loaded, given, True) as reader:
        assert reader.samples == round(seconds * loaded.sample_rate)
        for _ in range(0, reader.samples, 3000):
            blocks.append(flat(reader.read(3000)))
    expected = flat(whole)
    assert list(blocks[0]) == list(expected)
    for key, audio in expected.items():
        got = torch.cat([block[key] for block in blocks], dim=1)
        torch.testing.assert_close(got, audio, atol=1e-6, rtol=0)


def test_refusals_are_those_of_the_whole(tmp_path: Path) -> None:
    loaded = djgraph.load("dj_mixer")
    one, two = stems(tmp_path / "one"), stems(tmp_path / "two", 15_000)
    for given, kind in (
        ({"track_a": one, "track_b": two}, AudioFileError),
        ({"track_c": one}, InputError),
        ({}, InputError),
        ({"track_a": one, "track_b": tmp_path / "none"}, AudioFileError),
    ):
        with Steps() as steps, pytest.raises(kind) as whole:
            read_inputs(loaded, given, False, steps)
        with pytest.raises(kind) as blocks:
            InputBlocks(loaded, given, False)
        assert str(blocks.value) == str(whole.value)
