"""The page's mapping is one, its example runs, and all that it names is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import djgraph
from djgraph.live.mapping import ACTIONS, BUTTONS, KINDS, RELATIVE, TAKEOVER, EntryModel, load_mapping

TEXT = (Path(__file__).parents[2] / "docs" / "live.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


def test_the_mapping_is_one() -> None:
    layout = djgraph.ParameterLayout.from_graph(djgraph.load("dj_mixer_live"))
    (block,) = blocks("yaml")
    assert {entry.kind for entry in load_mapping(block, layout).entries} == set(KINDS)


def test_every_key_and_word_is_told() -> None:
    for word in (*EntryModel.model_fields, *ACTIONS, *BUTTONS, *RELATIVE, *TAKEOVER):
        assert f"`{word}`" in TEXT or f"do: {word}`" in TEXT or f"`{word}:" in TEXT, word


@pytest.mark.slow
def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = blocks("python")
    space: dict[str, Any] = {}
    exec(compile(block, "live.md", "exec"), space)
    assert "'card'" in capsys.readouterr().out
    assert space["engine"].error is None
