"""Transition recipes: automation files with arguments that plugins provide by name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from djgraph.automation.curves import Curve, First
from djgraph.automation.load import Argument, template


@dataclass(frozen=True)
class Recipe:
    """What a recipe says of itself. controls: what its curves name, ``or`` between alternatives."""

    name: str
    title: str
    description: str
    arguments: tuple[Argument, ...]
    controls: tuple[str, ...]
    path: Path


def recipes() -> Mapping[str, str]:
    """All recipes that are installed: name → title, sorted."""
    from djgraph.plugins import registry

    return {name: entry.title or entry.description for name, entry in registry().recipes.items()}


def is_file(name: str) -> bool:
    """Whether that is meant as a path, and not as the name of an installed recipe: it has an ending or a folder."""
    return bool(Path(name).suffix) or os.sep in name


def recipe(name: str | os.PathLike[str]) -> Recipe:
    """One recipe, by its name or by the path of its file.

    PluginError with the nearest name where there is none; DocumentError for a file that is not there or is broken.
    """
    from djgraph.plugins import registry

    text = os.fspath(name)
    entry = None if is_file(text) else registry().recipe(text)
    path = Path(text) if entry is None else entry.path
    source = template(path)
    missing = {a.name: a.description or a.name for a in source.arguments if a.default is None}
    if missing:  # what it names cannot be said without them
        controls: tuple[str, ...] = ()
    else:
        items = source.fill().curves

        def words(item: Curve | First) -> str:
            if isinstance(item, First):
                return " or ".join(map(str, item.curves))
            return f"{item} (optional)" if item.optional else str(item)

        controls = tuple(map(words, items))
    if entry is None:
        text, description = source.model.name, source.model.description
    else:
        description = entry.description
    return Recipe(text, source.model.title, description, source.arguments, controls, path)
