"""The state of a fit: what was written comes back; what is damaged, foreign or meant ill is refused in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from fake_layouts import column

from djgraph.errors import InputError
from djgraph.fitting.result import FitState
from djgraph.layout import ParameterLayout

LAYOUT = ParameterLayout([column("a.gain"), column("b.gain")])
OTHER = ParameterLayout([column("a.gain"), column("c.gain")])
STATE = FitState(torch.tensor([[0.0, 0.5], [1.0, 0.25], [0.1, 0.0]]).double(), -12.5, 0.5, 2, 7, [1.0, 2.0])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    STATE.save(tmp_path / "state.json", LAYOUT)
    return tmp_path / "state.json"


def test_what_goes_in_comes_out(path: Path) -> None:
    found = FitState.load(path, LAYOUT, [1.0, 2.0])
    assert torch.equal(found.positions, STATE.positions)
    assert (found.delay, found.level, found.rungs, found.steps) == (-12.5, 0.5, 2, 7)


def put(key: str, value: Any) -> Callable[[dict[str, Any]], object]:
    return lambda data: data.update({key: value})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (put("level", 0), "level"),
        (put("level", "1"), "expected a number"),
        (put("level", None), "expected a number"),
        (put("delay", 1e300), "delay"),
        (put("delay", []), "expected a number"),
        (put("rungs", -1), "rungs"),
        (put("rungs", 1.5), "expected a whole number"),
        (put("steps", 10**30), "steps"),
        (put("sounds", []), "another target"),
        (put("sounds", 3), "expected a list"),
        (put("sounds", ["x", "y"]), "expected a number"),
        (put("positions", {}), "missing there: a.gain"),
        (put("positions", []), "expected a mapping"),
        (put("positions", {"a.gain": [], "b.gain": []}), "at least 1 item"),
        (put("positions", {"a.gain": [0.5], "b.gain": [0.5, 0.5]}), "between 1 and 2 frames"),
        (put("positions", {"a.gain": [0.5], "b.gain": [1.5]}), "less than or equal to 1"),
        (put("positions", {"a.gain": [[0.5]], "b.gain": [0.5]}), "expected a number"),
        (put("positions", {"a.gain": 1, "b.gain": 1}), "expected a list"),
        (put("fingerprint", 3), "expected text"),
        (put("djgraph_fit", 1), "version is 1, not 2"),
        (put("djgraph_fit", [[]]), "version"),
        (lambda data: data.pop("delay"), "missing key 'delay'"),
        (lambda data: data.clear(), "version is None"),
    ],
)
def test_damage(path: Path, change: Callable[[dict[str, Any]], object], words: str) -> None:
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    with pytest.raises(InputError, match=r"state\.json") as caught:
        FitState.load(path, LAYOUT, [1.0, 2.0])
    assert words in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    "text", ["", "[]", "[" * 100_000, '{"djgraph_fit": NaN}', '{"djgraph_fit": 1e999}', "\0", "3"]
)
def test_no_states(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(InputError, match=r"state\.json"):
        FitState.load(path, LAYOUT, [1.0, 2.0])


def test_foreign_states(path: Path) -> None:
    with pytest.raises(InputError, match=r"another layout.*missing there: c\.gain; unknown here: b\.gain"):
        FitState.load(path, OTHER, [1.0, 2.0])
    with pytest.raises(InputError, match="of another target or of other stems"):
        FitState.load(path, LAYOUT, [1.0, 2.1])
    for missing in ("none.json", "."):
        with pytest.raises(InputError, match=r"does not exist|not an ordinary file"):
            FitState.load(path.parent / missing, LAYOUT, [1.0, 2.0])
