"""Names that the docs write as code are names of the code."""

from __future__ import annotations

import dataclasses
import importlib
import re
from pathlib import Path
from typing import Any

import pytest

import djgraph

ROOT = Path(__file__).parent.parent
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
MODULES = (
    "audio",
    "automation",
    "checkpoint",
    "data",
    "effects",
    "errors",
    "features",
    "losses",
    "nn",
    "plugins",
    "reports",
)
_FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`([^`\n]+)`")
_DOTTED = re.compile(r"(?<![\w./\\-])([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)(?![\w/-]|\.\w)")
_FILES = (
    "py",
    "json",
    "yaml",
    "yml",
    "md",
    "npy",
    "jsonl",
    "safetensors",
    "csv",
    "wav",
    "flac",
    "svg",
    "html",
    "txt",
)


def roots() -> dict[str, Any]:
    """What a dotted name may begin with: djgraph, its modules, and the public classes of each."""
    found: dict[str, Any] = {"djgraph": djgraph}
    for name in MODULES:
        module = importlib.import_module(f"djgraph.{name}")
        if name != "nn":  # plain ``nn`` is PyTorch's
            found[name] = module
        for public in getattr(module, "__all__", ()):
            if isinstance(getattr(module, public), type):
                found[public] = getattr(module, public)
    found |= {name: getattr(djgraph, name) for name in djgraph.__all__ if name[0].isupper()}
    found["Checkpoint"] = importlib.import_module("djgraph.checkpoint").Checkpoint
    return found


def has(owner: Any, name: str) -> bool:
    if hasattr(owner, name):
        return True
    if isinstance(owner, type):
        fields = dataclasses.fields(owner) if dataclasses.is_dataclass(owner) else ()
        known = {field.name for field in fields}
        for base in owner.__mro__:
            known |= set(getattr(base, "__annotations__", {}))
        # What __init__ sets is an attribute, too.
        init = getattr(owner.__init__, "__code__", None)
        return name in known or (init is not None and name in init.co_names)
    try:
        importlib.import_module(f"{owner.__name__}.{name}")
    except (ImportError, AttributeError):
        return False
    return True


def lost(text: str) -> list[str]:
    """The dotted names of a text that lead nowhere, as far as their first part is known."""
    known, wrong = roots(), []
    for name in _DOTTED.findall(text):
        first, *rest = name.split(".")
        if first not in known or rest[-1] in _FILES:
            continue
        owner = known[first]
        for part in rest:
            if not has(owner, part):
                wrong.append(name)
                break
            owner = getattr(owner, part, None)
            if owner is None or (callable(owner) and not isinstance(owner, type)):
                break  # of what a call gives back, nothing is known here
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_names_in_the_docs_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    spans = _INLINE.findall(_FENCE.sub("", text))
    assert lost("\n".join(spans)) == []


def test_wrong_names_would_be_found() -> None:
    assert lost("djgraph.data.Track.files") == ["djgraph.data.Track.files"]
    assert lost("Track.files, Track.parts, djgraph.compile, data.make_corpora") == [
        "Track.files",
        "data.make_corpora",
    ]
    assert lost("Mixer.graph, Corpus.layout, ParameterLayout.from_json, djgraph.nn.ControlHead") == []


def test_what_a_track_is_said_to_have() -> None:
    """docs/data.md lists a track's attributes in a comment of its first snippet."""
    (listed,) = re.findall(r"find_tracks\(\"stems\"\)  # (.*)", (ROOT / "docs" / "data.md").read_text())
    assert listed.split(", ") == [
        field.name for field in dataclasses.fields(djgraph.data.Track) if field.name != "folder"
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tests_that_a_page_names_are_there(page: Path) -> None:
    for name in re.findall(r"(?<![\w/])tests/[\w/]+(?:\.py)?", page.read_text(encoding="utf-8")):
        # The plugin guide is about the tests of a plugin.
        assert page.name == "plugins.md" or (ROOT / name).exists(), f"{page.name} names {name}"


def test_no_merge_has_doubled_lines_of_the_changelog() -> None:
    """Lines that two sides add are merged by taking both, which doubles what one of them moved."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    said = [line for line in text.splitlines() if line]
    assert [line for number, line in enumerate(said) if line in said[:number]] == []
