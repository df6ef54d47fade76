"""``djgraph check``: the conformance kit from the shell."""

from __future__ import annotations

import json

import djgraph_fx.polarity
import pytest

from .conftest import Run


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
        assert "could not be checked  it takes its signal to the host (.cpu())" in text
        assert text.endswith("none failed, 2 could not be checked\n")
    monkeypatch.setattr(djgraph_fx.polarity.Polarity, "process", in_a_loop)
    text = run("check", "polarity", code=1).stdout
    assert "SLOW" in text
    assert text.endswith("none failed, 1 slow\n")
