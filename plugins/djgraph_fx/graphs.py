"""The graphs and recipes that ship with djgraph: every file of ``djgraph_graphs`` and ``djgraph_recipes``."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import as_file, files
from pathlib import Path, PurePath

from djgraph.plugins import GraphFile, RecipeFile, hookimpl


@hookimpl
def djgraph_graphs() -> list[GraphFile]:
    """One record for each YAML file, named after it."""
    return [GraphFile(path.stem, path) for path in _yaml("djgraph_graphs")]


@hookimpl
def djgraph_recipes() -> list[RecipeFile]:
    """One record for each YAML file, named after it."""
    return [RecipeFile(path.stem, path) for path in _yaml("djgraph_recipes")]


def _yaml(package: str) -> Iterator[Path]:
    for entry in files(package).iterdir():
        if PurePath(entry.name).suffix == ".yaml":
            # A real path: djgraph is installed as a folder, never run from a zip.
            with as_file(entry) as path:
                yield path.absolute()
