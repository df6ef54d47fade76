"""A model in the studio: what it proposes is what examples/play_transition.py writes; what does not fit is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import djgraph
from djgraph import checkpoint
from djgraph.errors import CheckpointError, InputError
from djgraph.features import BeatGrid
from djgraph.studio.session import Session
from djgraph.studio.target import Target
from djgraph.transitions import Plan, Senses, TransitionModel, load_player

from .small import GRAPH, RATE, SECONDS, say, session, tracks, until


def save_model(path: Path, graph: Any = GRAPH, sees: str = "plan", **about: Any) -> TransitionModel:
    """A model that has learned nothing, but plays something."""
    torch.manual_seed(5)
    mixer = djgraph.compile(graph)
    senses = Senses(sees, ("left", "right"), RATE, ("cut", "fade"), bands=3, per_beat=2)
    model = TransitionModel(senses.size, mixer.layout, 6)
    with torch.no_grad():
        for one in model.parameters():
            one.add_(0.4 * torch.randn_like(one))
    path.parent.mkdir(parents=True, exist_ok=True)
    told = {**vars(senses), "signals": list(senses.signals), "recipes": list(senses.recipes)}
    state = {"model": model.state_dict(), "about": {"senses": told, "hidden": 6, **about}}
    checkpoint.save(path, state, mixer)
    return model.eval()


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Session]:
    made = session()
    made.folders = (tmp_path,)
    yield made
    made.close()


def _proposed(opened: Session) -> Any:
    state = until(lambda: (s := opened.snapshot()["model"])["state"] == "ready" and s, "the model")
    assert state["message"] == "", state
    return until(lambda: opened.proposal, "the proposal")


@pytest.mark.slow
@pytest.mark.parametrize("sees", ["plan", "mix"])
def test_it_proposes_what_the_model_plays(opened: Session, tmp_path: Path, sees: str) -> None:
    model = save_model(tmp_path / "run" / "checkpoint.safetensors", sees=sees)
    opened.target = Target("mix.wav", 0.1 * torch.randn(2, round(SECONDS * RATE)))
    (name,) = opened.snapshot()["model_files"]
    say(opened, do="load_model", file=name)
    assert opened.snapshot()["model"]["sees"] == sees
    say(opened, do="ask_model", recipe="fade", start=1.0, length=3.0)  # 0.5 s on, 1.5 s
    proposal = _proposed(opened)
    # By hand, at 120 BPM.
    senses = load_player(tmp_path / "run").senses
    grid = BeatGrid.at_tempo(SECONDS, 120.0, per_beat=2)
    told = {"plan": Plan("fade", 0.5, 1.5)} if sees == "plan" else {"mix": opened.target.audio}
    features = senses(tracks(), grid, **told)  # type: ignore[arg-type]
    with torch.no_grad():
        expected = model(features[None], grid.spread(61)[None])[0]
    say(opened, do="take")
    course = opened.player.course
    rows = torch.stack([torch.from_numpy(course.row(round(i * RATE / 20))) for i in range(61)])
    torch.testing.assert_close(rows, expected, atol=0.021, rtol=0)  # gains of 0 to 2, thinned to a hundredth
    assert (expected - opened.mixer.layout.default).abs().max() > 0.05
    assert proposal.region == ((1.0, 4.0) if sees == "plan" else None)


def test_what_does_not_fit_is_told_and_offered(opened: Session, tmp_path: Path) -> None:
    other = {**GRAPH, "mixer": [{**GRAPH["mixer"][0], "chain": []}, *GRAPH["mixer"][1:]]}
    save_model(tmp_path / "a" / "checkpoint.safetensors", graph=other)
    slower = {**GRAPH, "sample_rate": 16000}
    save_model(tmp_path / "b" / "checkpoint.safetensors", graph=slower)
    save_model(tmp_path / "c" / "checkpoint.safetensors", hidden=10**9)
    (tmp_path / "d.safetensors").write_bytes(b"\x80\x04 a pickle")
    first, second, third, fourth = opened.snapshot()["model_files"]

    def load(name: str, **more: Any) -> dict[str, Any]:
        say(opened, do="load_model", file=name, **more)
        state: dict[str, Any] = opened.snapshot()["model"]
        return state

    state = load(first)
    assert (state["state"], state["offer"]) == ("refused", "remap")
    assert "left.gain" in state["message"]
    assert str(tmp_path) not in state["message"]
    state = load(first, remap=True)
    assert state["state"] == "ready"
    assert state["remapped"]
    state = load(second)
    assert (state["state"], state["offer"]) == ("refused", "other_sound")
    assert load(second, other_sound=True)["state"] == "ready"
    state = load(third)
    assert (state["state"], state["offer"]) == ("refused", None)
    assert "hidden" in state["message"]
    assert "damaged, or no safetensors" in load(fourth)["message"]
    with pytest.raises(InputError, match="no model is loaded"):
        say(opened, do="ask_model", recipe="cut")
    with pytest.raises(InputError, match="not in a folder"):
        load("../d.safetensors")


def test_what_cannot_be_asked(opened: Session, tmp_path: Path) -> None:
    save_model(tmp_path / "run" / "checkpoint.safetensors")
    save_model(tmp_path / "listener" / "checkpoint.safetensors", sees="mix")
    listener, run = opened.snapshot()["model_files"]
    say(opened, do="load_model", file=run)
    for asked, problem in (
        ({}, "choose one of cut, fade"),
        ({"recipe": "fadd"}, "did you mean 'fade'"),
        ({"recipe": "cut", "start": 4, "length": 8}, "do not fit"),
    ):
        with pytest.raises(InputError, match=problem):
            say(opened, do="ask_model", **asked)
    say(opened, do="load_model", file=listener)
    with pytest.raises(InputError, match="listens to a mix"):
        say(opened, do="ask_model")


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path) -> None:
    mixer = djgraph.compile(GRAPH)
    checkpoint.save(tmp_path / "x.safetensors", {"model": {}, "about": {"hidden": 3}}, mixer)
    with pytest.raises(CheckpointError, match=r"not written by a training of transitions: senses"):
        load_player(tmp_path / "x.safetensors")
