"""``djgraph check``: the conformance kit from the shell."""

from __future__ import annotations

import json
from pathlib import Path

import djgraph_fx.polarity
import pytest

from .conftest import Run


@pytest.mark.slow
def test_an_effect_that_keeps_its_contract(run: Run) -> None:
    text = run("check", "gain").stdout
    assert "check_gradients " in text
    assert "does not apply" in text
    assert text.endswith("checks, none failed\n")


def test_one_that_does_not(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a sample's worth too loud at rest: identity fails and says so, the rest goes on."""
    right = djgraph_fx.polarity.Polarity.process

    def wrong(self: object, audio: object, controls: object, state: object, block: object) -> object:
        result, state = right(self, audio, controls, state, block)  # type: ignore[arg-type]
        return {"out": result["out"] * 1.5}, state

    monkeypatch.setattr(djgraph_fx.polarity.Polarity, "process", wrong)
    data = json.loads(run("check", "polarity", "--json", code=1).stdout)
    results = {one["check"]: one for one in data["checks"]}
    assert results["check_identity_at_neutral"]["result"] == "failed"
    assert results["check_identity_at_neutral"]["why"]
    assert results["check_determinism"]["result"] == "passed"


WRONG_NAME = """
def process(self, audio, controls, state, block):
    gain = controls["invret"]
    return {"out": audio["in"] * gain}, state
"""


def test_an_exception_is_told_once_with_its_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The line is that of the file; the traceback comes under --debug only."""
    file = tmp_path / "wrong_name.py"
    file.write_text(WRONG_NAME)
    module = {"__name__": djgraph_fx.polarity.__name__}
    exec(compile(WRONG_NAME, file, "exec"), module)
    monkeypatch.setattr(djgraph_fx.polarity.Polarity, "process", module["process"])
    text = run("check", "polarity", code=1).stdout
    debugged = run("--debug", "check", "polarity", code=1).stdout
    data = json.loads(run("check", "polarity", "--json", code=1).stdout)
    spoilt = sum(one["result"] == "failed" for one in data["checks"])
    assert spoilt > 10
    assert text.count("KeyError") == 1
    assert f"(1) KeyError: 'invret', in {spoilt} of {len(data['checks'])} checks\n" in text
    assert f'  at: {file}:3, in process: gain = controls["invret"]\n' in text
    assert "  did you mean: invert\n" in text
    assert "Traceback" not in text
    assert "djgraph --debug check" in text
    assert debugged.count("Traceback (most recent call last)") == 1
    assert "djgraph --debug" not in debugged
    (fault,) = data["faults"]
    assert len(fault["checks"]) == spoilt
    assert fault["at"] == {
        "file": str(file),
        "line": 3,
        "in": "process",
        "text": 'gain = controls["invret"]',
    }
    assert "Traceback" in fault["traceback"]


def test_what_several_checks_say_in_the_same_words_is_told_once(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    def nothing(self: object, audio: object, controls: object, state: object, block: object) -> object:
        return {"left": torch.zeros(1)}, state

    monkeypatch.setattr(djgraph_fx.polarity.Polarity, "process", nothing)
    text = run("check", "polarity", code=1).stdout
    assert text.count("gives ports ['left'] instead of ['out']") == 1


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("eqq3",), "did you mean: eq3"),
        (("echo", "--set", "synk=beats"), "echo has no setting 'synk'"),
        (("echo", "--set", "sync=beat"), "did you mean: beats"),
        (("echo", "--set", "sync"), "--set takes NAME=VALUE"),
        (("delay", "--set", "feedback=0.3"), "feedback is a control"),
    ],
)
def test_what_is_wrong_with_the_question(run: Run, args: tuple[str, ...], message: str) -> None:
    outcome = run("check", *args, code=2 if "takes" in message else 1)
    assert message in outcome.stderr
    assert "Traceback" not in outcome.stderr


@pytest.mark.slow
def test_what_could_not_be_checked_and_what_is_slow(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through NumPy and back, sample by sample: each has a word of its own, and only the loop counts as broken."""
    import numpy
    import torch

    right = djgraph_fx.polarity.Polarity.process

    def by_numpy(self: object, audio: object, controls: object, state: object, block: object) -> object:
        result, state = right(self, audio, controls, state, block)  # type: ignore[arg-type]
        numpy.asarray(result["out"].detach().cpu())
        return result, state

    def in_a_loop(self: object, audio: object, controls: object, state: object, block: object) -> object:
        result, state = right(self, audio, controls, state, block)  # type: ignore[arg-type]
        return {"out": torch.cat([part * 1 for part in result["out"].split(1, -1)], -1)}, state

    monkeypatch.setattr(djgraph_fx.polarity.Polarity, "process", by_numpy)
    text = run("check", "polarity").stdout
    if not torch.cuda.is_available():
        assert "could not be checked it takes its signal to the" in " ".join(text.split())
        assert text.endswith("none failed, 2 could not be checked\n")
    monkeypatch.setattr(djgraph_fx.polarity.Polarity, "process", in_a_loop)
    text = run("check", "polarity", code=1).stdout
    assert "SLOW" in text
    assert text.endswith("none failed, 1 slow\n")
