"""Ways to run the command, and stems to run it on."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import typer.main
import typer.testing
from typer.testing import CliRunner, Result

from djgraph import demo
from djgraph.cli import app

RATE = 44100
STEMS = ("drums", "bass", "vocals", "other")
FREQUENCIES = {"track_a": (220.0, 330.0, 440.0, 550.0), "track_b": (260.0, 390.0, 520.0, 650.0)}

Run = Callable[..., Result]


@pytest.fixture(autouse=True, scope="session")
def commands_built_once() -> Iterator[None]:
    """Typer builds all commands anew whenever an app is called: once in a process of a user, but hundreds of times
    here, where it takes longer than most commands."""
    build = functools.cache(typer.main.get_command)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.main, "get_command", build)
        patch.setattr(typer.testing, "_get_command", build)
        yield


@pytest.fixture(autouse=True, scope="session")
def demo_tracks_made_once() -> Iterator[None]:
    """The tracks of the demo take seconds to make, and are the same for all tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "demo_tracks", functools.cache(demo.demo_tracks))
        yield


@pytest.fixture
def run() -> Run:
    """Runs the command in this process; checks the exit code."""

    def call(*arguments: object, code: int = 0) -> Result:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result

    return call


def tones(track: str, seconds: float = 1.0, amplitude: float = 0.1) -> dict[str, np.ndarray]:
    """A sine for each stem, ``[samples, 2]``, the right channel at half."""
    t = np.arange(round(seconds * RATE)) / RATE
    return {
        stem: amplitude * np.stack([np.sin(2 * math.pi * f * t), 0.5 * np.sin(2 * math.pi * f * t)], 1)
        for stem, f in zip(STEMS, FREQUENCIES[track])
    }


def write_track(folder: Path, track: str, suffix: str = ".wav", **kwargs: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for stem, audio in tones(track, **kwargs).items():
        soundfile.write(folder / f"{stem}{suffix}", audio, RATE, subtype="FLOAT")
    return folder


@pytest.fixture
def tracks(tmp_path: Path) -> list[str]:
    """``--input`` options for two tracks of a second."""
    a = write_track(tmp_path / "in" / "a", "track_a")
    b = write_track(tmp_path / "in" / "b", "track_b")
    return ["--input", f"track_a={a}", "--input", f"track_b={b}"]


def listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
