"""``djgraph new``: from the shell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import djgraph

from .conftest import Run, listing


def test_a_plugin(run: Run, tmp_path: Path) -> None:
    text = run("new", "plugin", "acme_glue", "--kind", "ports", "--into", tmp_path).stdout
    files = listing(tmp_path)
    assert "acme_glue/src/acme_glue/effect.py" in files
    assert all(str(tmp_path / file) in text for file in files)
    assert "djgraph check acme_glue" in text


def test_a_plugin_as_json(run: Run, tmp_path: Path) -> None:
    data = json.loads(run("new", "plugin", "acme-glue", "-k", "delay", "--into", tmp_path, "--json").stdout)
    assert data["folder"] == str(tmp_path / "acme-glue")
    assert sorted(data["files"]) == sorted(str(tmp_path / file) for file in listing(tmp_path))


def test_a_graph(run: Run, tmp_path: Path) -> None:
    run("new", "graph", "mine", "--decks", 3, "--stems", "drums, bass", "--into", tmp_path)
    graph = djgraph.load(tmp_path / "mine.yaml")
    assert graph.inputs == {f"deck_{n}": ("drums", "bass") for n in (1, 2, 3)}
    file = json.loads(run("new", "graph", "other", "--into", tmp_path, "--json").stdout)["file"]
    run("validate", "--strict", file)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("plugin", "acme"), 2, "--kind"),
        (("plugin", "acme", "--kind", "spectrl"), 2, "spectral"),
        (("plugin", "../acme", "--kind", "delay"), 1, "did you mean: acme"),
        (("plugin", "gain", "--kind", "delay"), 1, "there is an effect 'gain' already"),
        (("graph", "a/b"), 1, "did you mean: a_b"),
        (("graph", "mine", "--decks", "0"), 2, "--decks"),
        (("graph", "mine", "--stems", "drums,"), 1, "stem '' is no name"),
    ],
)
def test_what_is_wrong(run: Run, arguments: tuple[str, ...], code: int, message: str, tmp_path: Path) -> None:
    assert message in run("new", *arguments, "--into", tmp_path, code=code).stderr
    assert not listing(tmp_path)


@pytest.mark.parametrize("command", ["plugin", "graph"])
def test_help_has_an_example(run: Run, command: str) -> None:
    assert f"djgraph new {command}" in run("new", command, "--help").stdout
