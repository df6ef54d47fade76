"""The API reference: a page for each public module, with all names of its ``__all__``."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType

import djgraph
from sitebuild.site import Nav, Site

FOLDER = "api"
FURTHER = ("djgraph.checkpoint", "djgraph.errors", "djgraph.features", "djgraph.nn", "djgraph.effects.checks")
"""Public modules beside the rooms that have an ``__all__``; where one has none, all that it defines counts."""
INTERNAL = {
    "djgraph.cli": "the command line is not called from Python",
    "djgraph.language": "validates text for graphs, automations, sets and mappings",
    "djgraph.scaffold": "what `djgraph new` writes",
}
"""Rooms that say what they have to other rooms only."""


@functools.cache
def modules() -> list[str]:
    """The public modules: each room with an ``__all__``, and what is listed above."""
    rooms = [
        name
        for one in pkgutil.iter_modules(djgraph.__path__)
        if not one.name.startswith("_")
        and (name := f"djgraph.{one.name}") not in INTERNAL
        and hasattr(importlib.import_module(name), "__all__")
    ]
    return ["djgraph", *sorted({*rooms, *FURTHER})]


def names(module: ModuleType) -> list[str]:
    """The public names of a module, but for modules: those of ``__all__``, or all that it defines."""
    listed = getattr(module, "__all__", None)
    if listed is None:
        listed = [name for name, value in vars(module).items() if _own(module, name, value)]
    return sorted(
        (
            name
            for name in listed
            if not inspect.ismodule(getattr(module, name)) and not name.startswith("__")
        ),
        key=str.lower,
    )


def _own(module: ModuleType, name: str, value: object) -> bool:
    if name.startswith("_"):
        return False
    return getattr(value, "__module__", None) == module.__name__ and (
        inspect.isclass(value) or inspect.isroutine(value)
    )


def write(site: Site) -> Nav:
    """Writes a page for each module."""
    for name in modules():
        site.page(f"{FOLDER}/{name}.md", page(name))
    return [{name: f"{FOLDER}/{name}.md"} for name in modules()]


def page(name: str) -> str:
    """A module's page: its docstring, then its names, which MkDocs' plugin fills in."""
    module = importlib.import_module(name)
    lines = [f"# {name}", "", f"::: {name}", "    options: {members: false, show_root_heading: false}", ""]
    elsewhere = []
    for public in names(module):
        path = path_of(name, public)
        if owner(path, public) not in (name, None):
            elsewhere.append((public, path))
            continue
        called = path.rpartition(".")[2]
        heading = "" if called == public else f", heading: {public}, toc_label: {public}"
        lines += [f"::: {path}", f"    options: {{heading_level: 2{heading}}}", ""]
    if elsewhere:
        lines += [
            "## Names of other modules",
            "",
            *(f"- [`{public}`][{path}]" for public, path in elsewhere),
            "",
        ]
    return "\n".join(lines)


def as_called(name: str, html: str) -> str:
    """A module's page, as it was made, with the public names of functions in their signatures."""
    module = importlib.import_module(name)
    for public in names(module):
        called = path_of(name, public).rpartition(".")[2]
        if called != public:
            html = html.replace(f'<span class="nf">{called}</span>', f'<span class="nf">{public}</span>')
    return html


def owner(path: str, public: str) -> str | None:
    """The module on whose page a name is that several modules have: the nearest one to where it is defined."""
    room = path.rpartition(".")[0]
    while room != "djgraph":
        if room in modules() and public in names(importlib.import_module(room)):
            return room
        room = room.rpartition(".")[0]
    others = [name for name in modules()[1:] if path in _paths(name)]
    return others[0] if others else None


@functools.cache
def _paths(module: str) -> frozenset[str]:
    return frozenset(path_of(module, name) for name in names(importlib.import_module(module)))


def path_of(module: str, name: str) -> str:
    """What a public name is called where it is defined; of a constant, its public name."""
    value = getattr(importlib.import_module(module), name)
    if (inspect.isclass(value) or inspect.isfunction(value)) and value.__module__.startswith("djgraph"):
        return f"{value.__module__}.{value.__qualname__}"
    return f"{module}.{name}"


def public() -> Iterator[str]:
    """All public names with their modules."""
    for name in modules():
        yield from (f"{name}.{one}" for one in names(importlib.import_module(name)))
