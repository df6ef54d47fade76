"""Transition recipes: automation files with arguments that plugins provide by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

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


def recipe(name: str) -> Recipe:
    """One recipe. PluginError with the nearest name where there is none; DocumentError for a broken file."""
    from djgraph.automation.curves import Curve, First
    from djgraph.plugins import registry

    entry = registry().recipe(name)
    found = template(entry.path)
    missing = {a.name: a.description or a.name for a in found.arguments if a.default is None}
    if missing:  # what it names cannot be said without them
        controls: tuple[str, ...] = ()
    else:
        items = found.fill().curves

        def words(item: Curve | First) -> str:
            if isinstance(item, First):
                return " or ".join(map(str, item.curves))
            return f"{item} (optional)" if item.optional else str(item)

        controls = tuple(map(words, items))
    return Recipe(name, found.model.title, entry.description, found.arguments, controls, entry.path)
