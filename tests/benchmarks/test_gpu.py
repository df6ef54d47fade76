"""The case of GPUs on the CPU, with stand-ins for what asks the driver: what it writes, not what it measures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import cli, machine, timing
from benchmarks.cases import gpu
from djgraph import replay


@pytest.fixture
def stood_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where results go."""
    answers: dict[str, Any] = {
        "is_available": True,
        "synchronize": None,
        "mem_get_info": (1 << 22, 1 << 23),
        "empty_cache": None,
        "reset_peak_memory_stats": None,
        "memory_allocated": 1,
        "max_memory_allocated": 1000,
        "get_device_name": "NVIDIA Card 9000 (80 GB)",
    }
    for name, answer in answers.items():
        monkeypatch.setattr(torch.cuda, name, lambda *given, answer=answer: answer)
    monkeypatch.setattr(torch.cuda, "make_graphed_callables", lambda step, samples, **options: step)
    monkeypatch.setattr(torch.Tensor, "cuda", lambda self: self)
    monkeypatch.setattr(torch.nn.Module, "cuda", lambda self: self)
    monkeypatch.setattr(gpu, "DEVICE", "cpu")
    monkeypatch.setattr(replay, "DEVICE", "cpu")
    monkeypatch.setattr(timing, "PAUSE", 0)
    monkeypatch.setattr(cli, "FOLDER", tmp_path)
    monkeypatch.setattr(cli, "FULL", cli.dataclasses.replace(cli.FULL, seconds=0.1, frames=3, clips=2))
    return tmp_path


@pytest.mark.slow
def test_results_bear_the_cards_name(stood_in: Path) -> None:
    assert cli.main(["gpu", "--rounds", "1", "--threads", "1"]) == 0
    (path,) = stood_in.iterdir()
    assert path.name == "gpu-nvidia-card-9000-80-gb.json"
    (case,) = json.loads(path.read_text(encoding="utf-8"))["cases"]
    bars = [result["bar"]["name"] for result in case["results"] if "bar" in result]
    assert sorted(bars) == ["gpu"] * 4 + ["gpu_floor"] * 4
    assert "On NVIDIA Card 9000" in case["notes"][0]
    # 2 clips of 0.1 s, 8 stems and a mix of two channels in single precision; with backward the stems twice, and the
    # mix four times: it, its square's gradient made and read.
    assert gpu._bytes({"t": {"s": torch.zeros(2, 2, 4410)}}) == {
        "forward": 2 * 70560,
        "forward + backward": 6 * 70560,
    }


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_one_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert machine.card() is None
    assert cli.main(["gpu"]) == 0
    assert "there is no CUDA device here" in capsys.readouterr().out
