"""The imports under djgraph/ are those that docs/architecture.md allows, and go round in no circle."""

from __future__ import annotations

import ast
import functools
import re
import runpy
from pathlib import Path

import networkx as nx

ROOT = Path(__file__).parent.parent
OPEN = {"errors", "arguments"}
"""Rooms that all below them may import without being told so."""


def allowed() -> dict[str, set[str]]:
    """The page's rooms in its order, each with what it may import."""
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```rooms\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    rooms = {}
    for line in block.splitlines():
        name, _, others = line.partition(":")
        assert name not in rooms, f"{name} is there twice"
        rooms[name] = set(re.findall(r"\w+", others))
    return rooms


@functools.cache
def imports() -> nx.DiGraph:
    """All modules, and an edge to each that one imports, wherever in the file."""
    paths = {}
    for path in (ROOT / "djgraph").rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        paths[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    graph = nx.DiGraph()
    graph.add_nodes_from(paths)
    for module, path in paths.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for name in _names(node, paths):
                if name != module:
                    graph.add_edge(module, name)
    return graph


def _names(node: ast.AST, known: dict[str, Path]) -> list[str]:
    """The modules of djgraph that a statement imports."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        assert not node.level, "imports are absolute"
        names = [f"{node.module}.{alias.name}" for alias in node.names]
        names = [name if name in known else str(node.module) for name in names]
    else:
        return []
    return [name for name in names if name in known]


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else module


def between_rooms() -> dict[tuple[str, str], list[str]]:
    edges: dict[tuple[str, str], list[str]] = {}
    for module, other in imports().edges:
        if room(module) != room(other):
            edges.setdefault((room(module), room(other)), []).append(f"{module} imports {other}")
    return edges


def test_the_page_knows_every_room() -> None:
    assert set(allowed()) == set(map(room, imports()))


def test_a_room_stands_below_what_it_imports() -> None:
    seen: set[str] = set()
    for name, others in allowed().items():
        assert others <= seen, f"{name} stands above {others - seen}"
        seen.add(name)


def test_imports_are_those_that_the_page_allows() -> None:
    order = list(allowed())
    wrong = []
    for (here, there), places in between_rooms().items():
        free = there in OPEN and order.index(there) < order.index(here)
        if not free and there not in allowed()[here]:
            wrong += places
    assert not wrong, "\n".join(wrong)


def test_what_the_page_allows_is_used() -> None:
    listed = {(here, there) for here, others in allowed().items() for there in others}
    assert listed <= set(between_rooms())


def test_modules_import_one_another_in_no_circle() -> None:
    circles = [sorted(part) for part in nx.strongly_connected_components(imports()) if len(part) > 1]
    assert not circles


def test_the_picture_of_the_rooms() -> None:
    """docs/architecture.svg: each room in one band, no import that runs upwards, drawn by `.ci/architecture`."""
    script = runpy.run_path(str(ROOT / ".ci/architecture"))
    assert script["faults"]() == []
    assert (ROOT / "docs/architecture.svg").read_text(encoding="utf-8") == script["draw"]()
