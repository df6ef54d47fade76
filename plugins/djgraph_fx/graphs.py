"""The graphs that ship with djgraph: every file of the package ``djgraph_graphs``."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import PurePath

from djgraph.plugins import GraphFile, hookimpl


@hookimpl
def djgraph_graphs() -> list[GraphFile]:
    """One record for each YAML file, named after it."""
    found = []
    for entry in files("djgraph_graphs").iterdir():
        if entry.name.endswith(".yaml"):
            with as_file(
                entry
            ) as path:  # a real path: djgraph is installed as a folder, never run from a zip
                found.append(GraphFile(PurePath(entry.name).stem, path.absolute()))
    return found
