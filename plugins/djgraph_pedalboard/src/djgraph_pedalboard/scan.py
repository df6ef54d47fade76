"""Scans a folder of plugins, and writes down what they declare.

Each is loaded in a process of its own, since it may crash, or never come back.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from djgraph.atomic import atomic_writer
from djgraph.errors import PluginError
from djgraph.reading import read_json
from djgraph.text import clip, printable
from djgraph_pedalboard.declaration import Parameter, free, parameters_of
from djgraph_pedalboard.folder import CATALOGUE_VARIABLE, ENDINGS, MOST_PLUGINS, VARIABLE, Catalogue, Entry

from djgraph_pedalboard.folder import catalogue_path, mark, within  # isort: skip

SECONDS = 120
"""That a plugin may take to load and to tell its parameters."""

RATE, TRIED = 44100, 64
"""Hz and samples of the silence by which a plugin is asked how many channels it takes."""

Say = Callable[[str], None]
Told = list[dict[str, Any]]
"""Of a file, for each plugin in it: ``name``, ``parameters``, ``left_out``, ``channels`` and ``notes``."""
_SIDECHAIN = re.compile(r"side_?chain|(^|_)(ext(ernal)?_(key|sc|input|side)|sc_|key_input)|_sc$")
"""Names of parameters that are about a second signal."""


def scan(inside: Path, say: Say = print, describe: Callable[[Path], Told] | None = None) -> Path:
    """Writes the catalogue of a folder and returns its path; what cannot be loaded is left out, and said.

    describe: how a file is described; in a child process where left out. Raises PluginError where the catalogue cannot
    be written.
    """
    describe = describe or in_a_child
    entries: list[Entry] = []
    taken: set[str] = set()
    for path in _files(inside):
        shown = clip(printable(path.relative_to(inside).as_posix()), 120)
        try:
            within(inside, path.relative_to(inside).as_posix())
            told = describe(path)
        except (PluginError, OSError) as fault:
            say(f"  {shown}: left out: {fault}")
            continue
        for one in told:
            if one.get("instrument"):
                say(f"  {shown}: left out: it is an instrument, which has no input")
                continue
            kind = free(f"plugin_{one['name'] or path.stem}", taken)
            taken.add(kind)
            try:
                entry = Entry.model_validate(
                    {
                        "type": kind,
                        "path": path.relative_to(inside).as_posix(),
                        "name": one["name"] if len(told) > 1 else "",
                        "mark": mark(path),
                        "channels": one.get("channels"),
                        "parameters": one["parameters"],
                    }
                )
            except ValueError as fault:
                say(f"  {shown}: left out: {' '.join(str(fault).split())[:300]}")
                continue
            entries.append(entry)
            width = {None: "", 1: ", mono", 2: ", stereo only"}[entry.channels]
            say(f"  {shown}: {entry.type}, {len(entry.parameters)} controls{width}")
            for left_out in one["left_out"]:
                say(f"    no control of {left_out}")
            for note in one.get("notes", ()):
                say(f"    {note}")
    path = catalogue_path(inside)
    text = Catalogue(djgraph_pedalboard=1, plugins=entries).model_dump_json(indent=1)
    with atomic_writer(path, PluginError) as file:
        file.write((text + "\n").encode())
    return path


def in_a_child(path: Path) -> Told:
    """What a file declares, by ``python -m djgraph_pedalboard describe`` in a process of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        answer = Path(scratch) / "answer.json"
        command = [sys.executable, "-m", "djgraph_pedalboard", "describe", str(path), str(answer)]
        try:
            done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise PluginError(f"it took longer than {SECONDS} s") from None
        if done.returncode:
            lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
            said = printable(lines[-1]) if lines else ""
            how = f"signal {-done.returncode}" if done.returncode < 0 else f"status {done.returncode}"
            raise PluginError(f"its process ended with {how}{': ' + clip(said, 300) if said else ''}")
        data = read_json(answer, PluginError).data
    if not isinstance(data, list) or not all(isinstance(one, dict) for one in data):
        raise PluginError("its process gave no answer")
    return data


def describe(path: Path) -> Told:
    """What a file declares; loads the plugins in it. Raises what Pedalboard does."""
    import pedalboard

    names = [""]
    for kind in ("VST3Plugin", "AudioUnitPlugin"):
        cls = getattr(pedalboard, kind, None)
        if cls is not None:
            names = list(cls.get_plugin_names_for_file(str(path))) or names
    return [_described(pedalboard.load_plugin(str(path), plugin_name=name or None), name) for name in names]


def _described(plugin: Any, name: str) -> dict[str, Any]:
    if not getattr(plugin, "is_effect", True):
        return {"name": name, "parameters": [], "left_out": [], "instrument": True}
    parameters, left_out = parameters_of(plugin)
    return {
        "name": name or str(getattr(plugin, "name", "")),
        "parameters": [one.model_dump(mode="json") for one in parameters],
        "left_out": left_out,
        "channels": channels_of(plugin),
        "notes": notes(parameters),
    }


def channels_of(plugin: Any) -> int | None:
    """The number of channels that a plugin takes, of one and two; None where it takes either.

    Raises what the plugin does with two where it takes neither.
    """
    taken, refused = [], None
    for count in (1, 2):
        try:
            plugin.process(np.zeros((count, TRIED), np.float32), RATE, TRIED, reset=True)
            taken.append(count)
        except ValueError as fault:  # which Pedalboard raises, before the plugin hears anything
            refused = fault
    if refused is not None and not taken:
        raise refused
    return taken[0] if len(taken) == 1 else None


def notes(parameters: Iterable[Parameter]) -> list[str]:
    """What of a plugin cannot be used, although it has controls for it: Pedalboard gives it one signal."""
    keyed = [one.id for one in parameters if _SIDECHAIN.search(one.id)]
    if not keyed:
        return []
    return [f"a sidechain is not connected, and hears nothing: leave {', '.join(keyed[:8])} as it is"]


def _files(inside: Path) -> Iterator[Path]:
    """Plugins of the folder and its folders, in the order of their names; a bundle is not looked into."""
    count = 0
    for place, folders, files in os.walk(inside):
        bundles = [name for name in folders if name.lower().endswith(ENDINGS)]
        folders[:] = sorted(name for name in folders if name not in bundles)
        for name in sorted((*bundles, *(name for name in files if name.lower().endswith(ENDINGS)))):
            count += 1
            if count > MOST_PLUGINS:
                raise PluginError(f"{inside} holds more than {MOST_PLUGINS} plugins")
            yield Path(place) / name


def main(arguments: list[str]) -> int:
    """``scan [FOLDER]``, and ``describe FILE ANSWER`` for the scan's own use."""
    if len(arguments) == 3 and arguments[0] == "describe":
        Path(arguments[2]).write_text(json.dumps(describe(Path(arguments[1]))), encoding="utf-8")
        return 0
    if arguments[:1] != ["scan"] or len(arguments) > 2:
        print(
            f"usage: python -m djgraph_pedalboard scan [FOLDER]   (else {VARIABLE} names it)", file=sys.stderr
        )
        return 2
    named = arguments[1] if len(arguments) == 2 else os.environ.get(VARIABLE, "")
    if not named or not Path(named).is_dir():
        print(f"error: {named!r} is no folder; name one, or set {VARIABLE}", file=sys.stderr)
        return 1
    inside = Path(named).resolve()
    print(inside)
    try:
        path = scan(inside)
    except PluginError as fault:
        print(f"error: {fault}; {CATALOGUE_VARIABLE} may name another file", file=sys.stderr)
        return 1
    print(f"wrote {path}; with {VARIABLE}={inside} djgraph has these effects")
    return 0
