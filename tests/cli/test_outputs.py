"""Files that the commands write: refused before the work, kept in balance; names as shells give them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from interrupts import interruptible

from .conftest import RATE, Run, listing

GRAPH = """
djgraph: 1
name: two_rooms
sample_rate: {rate}
inputs: [{{name: a}}]
mixer:
  - {{strip: near, input: a, chain: [{{effect: gain, controls: {{gain: {{default: 0.8}}}}}}], to: left}}
  - {{strip: far, input: a, chain: [{{effect: gain, controls: {{gain: {{default: 0.2}}}}}}], to: right}}
  - {{bus: left}}
  - {{bus: right}}
outputs: [left, right]
"""


@pytest.fixture
def song(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "a.wav", 0.9 * np.sin(np.arange(RATE // 2) / 20), RATE, subtype="FLOAT")
    return tmp_path / "a.wav"


def graph(folder: Path, rate: int = RATE) -> Path:
    path = folder / "graph.yaml"
    path.write_text(GRAPH.format(rate=rate))
    return path


def peaks(folder: Path) -> list[float]:
    return [float(np.abs(soundfile.read(folder / name)[0]).max()) for name in ("x.wav", "x.right.wav")]


def test_normalize_scales_several_outputs_by_one_factor(run: Run, song: Path, tmp_path: Path) -> None:
    options = [graph(tmp_path), "-i", f"a={song}", "--output", "all", "-o", tmp_path / "x.wav"]
    files = json.loads(run("render", *options, "--normalize", "--json").stdout)["files"]
    top = 10 ** (-1 / 20)
    assert peaks(tmp_path) == pytest.approx([top, top / 4], rel=1e-3)
    assert [file["gain_db"] for file in files] == pytest.approx(
        [20 * np.log10(top / (0.9 * 0.8))] * 2, abs=0.01
    )
    run("render", *options, "--normalize-each")
    assert peaks(tmp_path) == pytest.approx([top, top], rel=1e-3)


@pytest.mark.parametrize(("rate", "suffix"), [(250_000, "ogg"), (96_000, "mp3"), (700_000, "flac")])
def test_format_and_rate_are_checked_before_any_work(
    run: Run, song: Path, tmp_path: Path, rate: int, suffix: str
) -> None:
    path, out = graph(tmp_path, rate), tmp_path / f"x.{suffix}"
    missing = tmp_path / "not even looked at.wav"
    for command in (
        ["render", path, "-i", f"a={missing}", "-o", out],
        ["fit", path, "-i", f"a={missing}", "--target", song, "-o", tmp_path / "a.yaml", "--mix", out],
    ):
        result = run(*command, code=1)
        assert f"not at {rate} Hz" in result.stderr
    assert "a.yaml" not in listing(tmp_path)
    if suffix == "flac":
        result = run("dataset", "make", tmp_path / "corpus", "--tracks", missing, "--graph", path, code=1)
        assert "not at 700000 Hz" in result.stderr


def test_a_name_with_a_tilde_that_is_nobodys(run: Run, song: Path, tmp_path: Path) -> None:
    for command in (["render", "-o", tmp_path / "x.wav"], ["fit", "--target", song]):
        name, *rest = command
        result = run(name, graph(tmp_path), "-i", "a=~nobodyatall", *rest, code=1)
        assert "~nobodyatall does not exist" in result.stderr


def test_a_name_of_245_bytes(run: Run, song: Path, tmp_path: Path) -> None:
    out = tmp_path / f"{'ä' * 120}x.wav"
    run("render", graph(tmp_path), "-i", f"a={song}", "-o", out)
    assert out.is_file()
    result = run("render", graph(tmp_path), "-i", f"a={song}", "-o", tmp_path / f"{'x' * 252}.wav", code=1)
    assert "File name too long" in result.stderr


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGHUP", 129)])
def test_the_command_ends_with_the_signal(tmp_path: Path, name: str, code: int) -> None:
    program = "import sys; sys.argv[0] = 'djgraph'; from djgraph.cli import main; sys.exit(main())"
    arguments = [sys.executable, "-c", program, "demo", "-o", "x.mp3", "--stems", "stems"]
    with interruptible():
        child = subprocess.Popen(arguments, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while child.poll() is None and not (tmp_path / "stems").exists():
        time.sleep(0.01)
    child.send_signal(getattr(signal, name))
    _, errors = child.communicate(timeout=200)
    assert child.returncode == code, errors
    assert not [file for file in listing(tmp_path) if file.endswith(".part")]
