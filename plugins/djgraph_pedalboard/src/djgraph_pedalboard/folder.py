"""The folder of plugins that the user names, and the catalogue of what is in it.

``DJGRAPH_PEDALBOARD_FOLDER`` names the folder. Nothing outside of it is ever loaded, whatever a catalogue says, and
nothing at all before a graph uses it: the catalogue, which ``python -m djgraph_pedalboard scan`` writes, tells what a
plugin declares without a line of the plugin's code.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path, PurePosixPath
from typing import Self

from pydantic import Field, model_validator

from djgraph.errors import PluginError
from djgraph.reading import Stored, read_json
from djgraph_pedalboard.declaration import MOST_PARAMETERS, Parameter

VARIABLE = "DJGRAPH_PEDALBOARD_FOLDER"
CATALOGUE_VARIABLE = "DJGRAPH_PEDALBOARD_CATALOGUE"
"""Names the catalogue, where it is not in the folder."""
CATALOGUE = "djgraph-plugins.json"
MOST_PLUGINS = 1000
ENDINGS = (".vst3", ".component")


class Entry(Stored):
    """One plugin: ``path`` from the folder on, ``name`` where a file holds several, ``mark`` of the file's state;
    ``channels``, where it takes one number only."""

    type: str = Field(pattern=r"^plugin_[a-z0-9_]{1,80}$")
    path: str = Field(min_length=1, max_length=1000)
    name: str = Field("", max_length=200)
    mark: str = Field(pattern=r"^[0-9a-f]{64}$")
    channels: int | None = Field(None, ge=1, le=2)
    parameters: list[Parameter] = Field([], max_length=MOST_PARAMETERS)

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        ids = [parameter.id for parameter in self.parameters]
        if len(set(ids)) != len(ids):
            raise ValueError("two parameters have one id")
        return self


class Catalogue(Stored):
    """The file that a scan writes."""

    djgraph_pedalboard: int = Field(1, ge=1, le=1)
    plugins: list[Entry] = Field([], max_length=MOST_PLUGINS)


def folder() -> Path | None:
    """The user's folder, absolute; None where none is named. Raises PluginError where it is none."""
    named = os.environ.get(VARIABLE, "")
    if not named:
        return None
    path = Path(named)
    if not path.is_dir():
        raise PluginError(f"{VARIABLE} names {named!r}, which is no folder")
    return path.resolve()


def catalogue_path(inside: Path) -> Path:
    """Where the catalogue of a folder is."""
    named = os.environ.get(CATALOGUE_VARIABLE, "")
    return Path(named) if named else inside / CATALOGUE


def read_catalogue(inside: Path) -> Catalogue:
    """The catalogue of a folder. Raises PluginError, with line and column, for what is wrong in it."""
    path = catalogue_path(inside)
    if not path.exists():
        raise PluginError(
            f"{path} does not exist: python -m djgraph_pedalboard scan writes the catalogue of {inside}"
        )
    catalogue = read_json(path, PluginError).read_as(Catalogue)
    types = [entry.type for entry in catalogue.plugins]
    if len(set(types)) != len(types):
        raise PluginError(f"{path}: two plugins have one type")
    for entry in catalogue.plugins:
        within(inside, entry.path)
    return catalogue


def within(inside: Path, path: str) -> Path:
    """A path from a folder on, as an absolute one. Raises PluginError where it leaves the folder, also by a link."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or Path(path).is_absolute() or ".." in pure.parts or "\\" in path or "\0" in path:
        raise PluginError(f"{path!r} is no path from the folder of plugins on")
    try:
        whole = (inside / path).resolve()
    except (OSError, RuntimeError) as problem:  # a link that leads to itself
        raise PluginError(f"{path!r} cannot be followed: {problem}") from None
    if whole == inside or not whole.is_relative_to(inside):
        raise PluginError(f"{path!r} leads out of the folder of plugins, to {whole}")
    return whole


def mark(path: Path) -> str:
    """Tells a plugin from an updated one: the names, sizes and times of its files, hashed."""
    told = hashlib.sha256()
    files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
    for file in files:
        status = file.stat()
        name = file.relative_to(path.parent).as_posix()
        told.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
    return told.hexdigest()
