"""examples/train_transition.py: learns, stops, goes on bit by bit, divides its work, refuses what does not fit."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from interrupts import interruptible

import djgraph
from djgraph import checkpoint
from djgraph.data import make_corpus

from .conftest import EXAMPLES, GRAPH, QUICK, Script, write_tracks

Scripts = Callable[[str], Script]


def state_of(run: Path) -> dict[str, Any]:
    return checkpoint.load(run / "checkpoint.safetensors").state


def same(first: Any, second: Any, where: str = "") -> None:
    """Equal, bit by bit."""
    assert type(first) is type(second), where
    if isinstance(first, torch.Tensor):
        assert torch.equal(first, second), where
    elif isinstance(first, dict):
        assert first.keys() == second.keys(), where
        for key in first:
            if key != "seconds":  # of the clock
                same(first[key], second[key], f"{where}.{key}")
    elif isinstance(first, (list, tuple)):
        assert len(first) == len(second), where
        for i, (a, b) in enumerate(zip(first, second)):
            same(a, b, f"{where}[{i}]")
    else:
        assert first == second, where


def log_of(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("sees", ["plan", "mix"])
def test_it_learns(script: Scripts, corpus: Path, tmp_path: Path, sees: str, capsys: Any) -> None:
    run = tmp_path / "run"
    assert (
        script("train_transition")(corpus, run, *QUICK, "--sees", sees, "--epochs", 20, "--rate", 0.02) == 0
    )
    log = log_of(run)
    assert [line["step"] for line in log] == list(range(1, 61))
    first, last = (sum(line["spectral"] for line in part) / 6 for part in (log[:6], log[-6:]))
    assert last < 0.7 * first
    (report,) = json.loads((run / "report.json").read_text())["tests"]
    assert report["items"] == 1
    players = report["players"]
    assert players["truth"]["loss"] < 1e-3
    assert players["truth"]["moved"] == 0
    assert players["truth"]["si_sdr_db"] > 60
    assert set(players) == {"model", "linear crossfade", "recipe as it ships", "truth"}
    margin = report["margin"]
    assert margin["loss"] == pytest.approx(1 - players["model"]["loss"] / players["linear crossfade"]["loss"])
    shown = capsys.readouterr()
    assert "the model's loss is" in shown.out
    assert "epoch 20 of 20" in shown.err
    assert "0:00 left" in shown.err


def test_stopped_anywhere_it_goes_on_bit_by_bit(
    script: Scripts, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    train = script("train_transition")
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert train(corpus, whole, *QUICK, "--epochs", 3) == 0
    # Ctrl-C in the middle of an epoch, at its very end, and a kill that leaves lines beyond the checkpoint.
    loop = sys.modules["djgraph.training.loop"]
    step = loop.Loop._step
    for stop in (2, 3, 7):

        def stopped(self: Any, *arguments: Any, stop: int = stop) -> None:
            step(self, *arguments)
            if self.place.step == stop:
                os.kill(os.getpid(), signal.SIGINT)

        monkeypatch.setattr(loop.Loop, "_step", stopped)
        assert train(corpus, parts, *QUICK, "--epochs", 3, *(["--resume"] if stop > 2 else [])) == 130
        assert state_of(parts)["progress"]["step"] == stop
        assert "--resume goes on" in capsys.readouterr().err
    monkeypatch.setattr(loop.Loop, "_step", step)
    with open(parts / "log.jsonl", "a") as file:
        file.write('{"step": 8, "loss": 1000}\n{"step": 9, "lo')
    assert train(corpus, parts, *QUICK, "--epochs", 3, "--resume") == 0
    same(state_of(whole), state_of(parts))
    assert log_of(whole) == log_of(parts)
    assert (whole / "report.json").read_text() == (parts / "report.json").read_text()
    # Workers that read ahead change nothing either, and a run that is done is only judged again.
    (parts / "report.json").unlink()
    assert train(corpus, parts, *QUICK, "--epochs", 3, "--resume") == 0
    same(state_of(whole), state_of(parts))
    assert (whole / "report.json").read_text() == (parts / "report.json").read_text()


def test_a_second_interrupt_ends_at_once(
    script: Scripts, corpus: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    train = script("train_transition")
    loop = sys.modules["djgraph.training.loop"]
    step = loop.Loop._step

    def stopped(self: Any, *arguments: Any) -> None:
        step(self, *arguments)
        if self.place.step == 4:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(loop.Loop, "_step", stopped)
    before = signal.getsignal(signal.SIGINT)
    assert train(corpus, tmp_path / "run", *QUICK, "--epochs", 3) == 130
    assert signal.getsignal(signal.SIGINT) is before
    assert state_of(tmp_path / "run")["progress"]["step"] == 3  # of the epoch's end


def test_what_is_heard_is_blurred_by_epoch_and_number(script: Scripts, corpus: Path) -> None:
    script("train_transition")
    data = sys.modules["djgraph.training.clips"]
    read = djgraph.data.Corpus(corpus)
    senses = data.senses_for(read, "mix", 4, 2)
    plain, blurred = (data.Transitions(read, [0, 3, 5], senses, blur, seed=7) for blur in (0.0, 0.3))
    first = plain[1]["features"]
    assert torch.equal(first, plain[3, 1]["features"])
    found = blurred[3, 1]["features"]
    assert torch.equal(found, blurred[3, 1]["features"])
    assert not torch.equal(found, blurred[4, 1]["features"])
    off = (found - first)[:, :16]  # four signals in four bands
    assert torch.equal(found[:, 16:], first[:, 16:])
    assert float(off.std()) == pytest.approx(0.3 * 1.25**0.5, rel=0.35)


def test_other_settings_and_folders_are_refused(
    script: Scripts, corpus: Path, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, run = script("train_transition"), tmp_path / "run"

    def refused(*arguments: object) -> str:
        assert train(*arguments) == 1
        text: str = capsys.readouterr().err
        assert text.startswith("error: ")
        return text

    assert "nothing to go on with" in refused(corpus, run, *QUICK, "--resume")
    assert "no corpus" in refused(tmp_path, run, *QUICK)
    assert "expected cpu, cuda or auto" in refused(corpus, run, *QUICK, "--device", "gpu")
    with monkeypatch.context() as patch:
        patch.setattr("torch.cuda.is_available", lambda: False)
        assert "finds no GPU" in refused(corpus, run, *QUICK, "--device", "cuda")
    assert "expected a whole number" in refused(corpus, run, *QUICK, "--batch", 0)
    assert "make more" in refused(corpus, run, *QUICK, "--held-out", 0.99)
    assert "expected a number above 0 and below 1" in refused(corpus, run, *QUICK, "--held-out", 1)
    assert not run.exists()
    assert train(corpus, run, *QUICK, "--epochs", 1) == 0
    capsys.readouterr()
    before = (run / "checkpoint.safetensors").read_bytes()
    assert "holds a run already" in refused(corpus, run, *QUICK)
    assert "seed: 0 → 1" in refused(corpus, run, *QUICK, "--epochs", 2, "--resume", "--seed", 1, "--remap")
    text = refused(corpus, run, *QUICK, "--epochs", 2, "--resume", "--hidden", 9, "--seed", 1)
    assert "hidden: 8 → 9" in text
    assert "seed: 0 → 1" in text
    assert (run / "checkpoint.safetensors").read_bytes() == before
    (run / "checkpoint.safetensors").write_bytes(before[:-9])
    assert "damaged" in refused(corpus, run, *QUICK, "--epochs", 2, "--resume")


def test_a_loss_that_runs_away_is_told(
    script: Scripts, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    train, run = script("train_transition"), tmp_path / "run"
    assert train(corpus, run, *QUICK, "--epochs", 1) == 0
    before = (run / "checkpoint.safetensors").read_bytes()
    losses = sys.modules["djgraph.losses"]
    monkeypatch.setattr(losses, "neutral_sparsity", lambda params, _: params.sum() * math.nan)
    assert train(corpus, run, *QUICK, "--epochs", 2, "--resume") == 1
    assert "no longer finite at step 4" in capsys.readouterr().err
    assert (run / "checkpoint.safetensors").read_bytes() == before


def test_curves_have_no_plan(script: Scripts, corpus: Path, tmp_path: Path, capsys: Any) -> None:
    mixed = tmp_path / "mixed"
    tracks = corpus.parent / "tracks"
    make_corpus(mixed, tracks=tracks, graph=GRAPH, count=4, workers=1, seconds=1.0, curves=1.0)
    train = script("train_transition")
    assert train(mixed, tmp_path / "run", *QUICK, "--held-out", 0.5) == 1
    assert "train with sees: mix (--sees mix" in capsys.readouterr().err
    assert train(mixed, tmp_path / "run", *QUICK, "--held-out", 0.5, "--sees", "mix", "--epochs", 1) == 0
    (report,) = json.loads((tmp_path / "run" / "report.json").read_text())["tests"]
    assert "recipe as it ships" not in report["players"]


@pytest.fixture(scope="module")
def wider(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of the same tracks whose graph has a control more, in front."""
    graph = json.loads(json.dumps(GRAPH))
    (loop,) = graph["mixer"][0]["do"]
    loop["do"][0]["chain"].insert(
        0, {"effect": "eq3", "settings": {"high": 3000}, "controls": {"mid": 1, "high": 1}}
    )
    root = tmp_path_factory.mktemp("wider") / "corpus"
    make_corpus(
        root, tracks=corpus.parent / "tracks", graph=graph, count=4, workers=1, seconds=1.0, curves=0.0,
        recipes=["equal_power", "cut"],
    )  # fmt: skip
    return root


@pytest.mark.slow
def test_a_checkpoint_of_another_layout(
    script: Scripts, corpus: Path, wider: Path, tmp_path: Path, capsys: Any
) -> None:
    train, run = script("train_transition"), tmp_path / "run"
    assert train(corpus, run, *QUICK, "--epochs", 2) == 0
    start = run / "checkpoint.safetensors"
    capsys.readouterr()
    assert train(wider, tmp_path / "new", *QUICK, "--epochs", 1, "--from", start) == 1
    text = capsys.readouterr().err
    assert "added: left.drums.eq3.low" in text
    assert "--remap" in text
    assert not (tmp_path / "new").exists()
    assert train(wider, tmp_path / "new", *QUICK, "--epochs", 1, "--from", start, "--remap") == 0
    # The run itself goes on with the other graph, too, once told so.
    assert train(wider, run, *QUICK, "--epochs", 3, "--resume") == 1
    assert "added: left.drums.eq3.low" in capsys.readouterr().err
    assert train(wider, run, *QUICK, "--epochs", 3, "--resume", "--remap") == 0
    found = checkpoint.load(start)
    assert "left.drums.eq3.low" in found.layout
    assert found.state["progress"]["epoch"] == 3


def test_judged_on_other_tracks(
    script: Scripts, corpus: Path, wider: Path, tmp_path: Path, capsys: Any
) -> None:
    other = tmp_path / "other"
    make_corpus(
        other, tracks=write_tracks(tmp_path / "t"), graph=GRAPH, count=2, workers=1, seconds=1.0, curves=0.0,
        recipes=["equal_power", "cut"], seed=5,
    )  # fmt: skip
    train = script("train_transition")
    assert train(corpus, tmp_path / "run", *QUICK, "--epochs", 1, "--test", other) == 0
    tests = json.loads((tmp_path / "run" / "report.json").read_text())["tests"]
    assert [(test["corpus"], test["items"]) for test in tests] == [(str(corpus), 1), (str(other), 2)]
    capsys.readouterr()
    assert train(corpus, tmp_path / "run2", *QUICK, "--test", wider) == 1
    assert "another parameter layout" in capsys.readouterr().err


def test_tensorboard_where_it_is(
    script: Scripts, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[tuple[Any, ...]] = []

    class SummaryWriter:
        def __init__(self, folder: str, purge_step: int) -> None:
            written.append(("open", Path(folder).parent.name, purge_step))

        def add_scalar(self, name: str, value: float, step: int) -> None:
            written.append((name, value, step))

        def close(self) -> None:
            written.append(("close",))

    module = types.ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = SummaryWriter  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    assert script("train_transition")(corpus, tmp_path / "run", *QUICK, "--epochs", 1) == 0
    assert (written[0], written[-1]) == (("open", "run", 1), ("close",))
    log = log_of(tmp_path / "run")
    assert [(name, step) for name, _, step in written[1:-1] if name == "loss"] == [
        ("loss", s) for s in (1, 2, 3)
    ]
    assert [value for name, value, _ in written[1:-1] if name == "loss"] == [line["loss"] for line in log]


GRADIENTS = """
import sys
sys.path.insert(0, {examples!r})
import torch
import common
import train_transition
torch.set_num_threads(1)
found = []
adam = torch.optim.Adam.step
def step(self, *a, **k):
    found.append([p.grad.clone() for g in self.param_groups for p in g["params"]])
    return adam(self, *a, **k)
torch.optim.Adam.step = step
code = common.script(train_transition.main, sys.argv[2:])
assert code == 0, code
torch.save(found, sys.argv[1] + str(__import__("os").environ.get("RANK", "")))
"""


@pytest.mark.slow
def test_two_processes_have_the_gradients_of_one(corpus: Path, tmp_path: Path) -> None:
    """Over gloo, with batches of three that do not divide by two."""
    code = tmp_path / "gradients.py"
    code.write_text(GRADIENTS.format(examples=str(EXAMPLES)))
    options = [str(corpus), *QUICK, "--batch", "3", "--epochs", "2"]
    one = [sys.executable, str(code), str(tmp_path / "one"), options[0], str(tmp_path / "run1"), *options[1:]]
    two = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(code)]
    two += [str(tmp_path / "two"), options[0], str(tmp_path / "run2"), *options[1:]]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for command in (one, two):
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
        assert done.returncode == 0, done.stderr
    alone, *shared = (torch.load(tmp_path / name) for name in ("one", "two0", "two1"))
    assert len(alone) == 4
    for ranks in shared:
        # The first step is the same but for rounding; later ones start from weights that have been rounded.
        for a, b in zip(alone[0], ranks[0]):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-7)
        for a, b in zip(alone[-1], ranks[-1]):
            torch.testing.assert_close(a, b, rtol=1e-2, atol=1e-4)
    for a, b in zip(shared[0][-1], shared[1][-1]):
        assert torch.equal(a, b)
    for first, second in zip(log_of(tmp_path / "run1"), log_of(tmp_path / "run2")):
        assert first["loss"] == pytest.approx(second["loss"], rel=1e-3)


@pytest.mark.slow
def test_ctrl_c_of_a_script_in_a_shell(corpus: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    command = [sys.executable, str(EXAMPLES / "train_transition.py"), str(corpus), str(run), *QUICK]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with interruptible():
        process = subprocess.Popen(
            [*command, "--epochs", "100000"], stderr=subprocess.PIPE, text=True, env=environment
        )
    while not (run / "checkpoint.safetensors").exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, text = process.communicate(timeout=60)
    assert process.returncode == 130, text
    assert "--resume goes on" in text
    assert log_of(run)[-1]["step"] == state_of(run)["progress"]["step"]
    assert sorted(path.name for path in run.iterdir() if path.is_file()) == [
        "checkpoint.safetensors",
        "log.jsonl",
    ]
