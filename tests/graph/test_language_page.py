"""docs/graph-language.md: every example is a graph that loads, and what the page says is what the code does."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from djgraph.errors import GraphError
from djgraph.graph import load
from djgraph.language import limits, load_document
from djgraph.language.faults import keys_of
from djgraph.language.model import DocumentModel
from djgraph.language.parts import Node, Override
from djgraph.plugins import Registry

PAGE = (Path(__file__).parents[2] / "docs" / "graph-language.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(?:yaml|json)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
EXAMPLES = {match[1]: text for text in BLOCKS if (match := re.search(r'name"?: "?(\w+)', text))}


def test_every_block_is_an_example() -> None:
    assert len(EXAMPLES) == len(BLOCKS) >= 14
    assert all(text.startswith(("djgraph: 1", "{\n")) for text in BLOCKS)


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name: str, registry: Registry, validate: Callable[[Any], None]) -> None:
    graph = load(EXAMPLES[name], registry=registry)
    assert graph.outputs
    validate(load_document(EXAMPLES[name]).source.data)


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("smallest", ["voice.gain.gain"]),
        ("as_json", ["voice.gain.gain"]),
        ("controls", ["a.bass", "a.treble"]),
        ("crossfader", ["crossfader"]),
        ("filter", ["track.filter"]),
    ],
)
def test_columns_that_the_page_names(name: str, columns: list[str], registry: Registry) -> None:
    assert [column.name for column in load(EXAMPLES[name], registry=registry).columns] == columns


def test_columns_of_sends(registry: Registry) -> None:
    names = [column.name for column in load(EXAMPLES["sends"], registry=registry).columns]
    assert {"deck_1.reverb_send", "deck_1.cue"} < set(names)
    assert not any("record" in name for name in names)


def test_every_key_is_in_the_tables() -> None:
    for model in (DocumentModel, Node, Override):
        for key in keys_of(model):
            assert re.search(rf"^\|[^|]*`{key}`[^|]*\|", PAGE, re.MULTILINE), key


def test_the_limits_are_the_real_ones() -> None:
    table = PAGE[PAGE.index("| limit | |") :]
    for limit in (
        limits.FILE_BYTES,
        limits.VALUES,
        limits.DEPTH,
        limits.REPEATS,
        limits.STEPS,
        limits.NAME,
        limits.TEXT,
        limits.NODES,
        limits.COLUMNS,
    ):
        assert re.search(rf"\| {limits.readable(limit)}\b", table), limit
    assert f"after {limits.PROBLEMS} it only counts" in PAGE


def test_the_error_on_the_page_is_what_such_a_file_gets(tmp_path: Path) -> None:
    import djgraph_fx

    builtin = Registry()
    builtin.register(djgraph_fx)
    path = tmp_path / "mixer.yaml"
    path.write_text(
        "djgraph: 1\nname: x\ninputs: [{name: a}]\nmixer:\n  - strip: a\n    input: a\n    chain:\n      - gain\n"
        "      - {id: one, effect: eq3}\n      - {id: filter, effect: lowpas}\noutputs: [a]\n"
    )
    with pytest.raises(GraphError) as caught:
        load(path, registry=builtin)
    shown = PAGE[PAGE.index("    mixer.yaml:") :].partition("\n\n")[0].rstrip()
    expected = re.sub(r"^    ", "", shown, flags=re.MULTILINE)
    assert str(caught.value).replace(f"{tmp_path}/", "") == expected
