"""A project as a set file: a set as it was said, or two beat-matched tracks; what the controls do stands beside it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from djgraph.errors import InputError
from djgraph.studio.curves import identifier
from djgraph.studio.opening import Opened
from djgraph.studio.project import Project


def set_text(project: Project, opened: Opened, moves: str) -> str:
    """The file, as JSON, which is YAML, with an entry a line. moves: the name of the automation beside it. Raises
    InputError for what is no set."""
    if why := no_set(opened):
        raise InputError(why)
    data = _of_set(project, opened) if opened.plan is not None else _of_pair(project, opened)
    data["automation"] = moves
    tracks = data.pop("tracks")
    lines = [
        "# Written by djgraph studio. djgraph set plays it: tracks and tempo as here, controls as in automation."
    ]
    lines += [f"{key}: {_flow(value)}" for key, value in data.items()]
    lines += ["tracks:", *(f"  - {_flow(item)}" for item in tracks)]
    return "\n".join(lines) + "\n"


def no_set(opened: Opened) -> str:
    """Why a project cannot be a set file; empty where it can."""
    origin = opened.origin
    if opened.plan is not None:
        return "" if not origin.args else "set files say no arguments of graphs"
    synced = opened.synced
    if synced is None or origin.sync != "bar" or len(synced.places) != 2:
        return "a set file is of sets, and of two tracks that are beat-matched: -i … -i … --sync"
    return "set files say no arguments of graphs" if origin.args else ""


def _of_set(project: Project, opened: Opened) -> dict[str, Any]:
    """The file that was opened, its paths whole."""
    from djgraph.sets.load import load_set

    document = load_set(Path(opened.origin.set))
    said: Any = document.source.data
    data: dict[str, Any] = {key: value for key, value in said.items() if key != "$schema"}
    graph = document.path(data["graph"]) if "graph" in data else None
    if graph is not None and graph.is_file():
        data["graph"] = os.path.abspath(graph)
    data["tracks"] = [_whole(item, document.path) for item in data["tracks"]]
    return data


def _whole(item: Any, path: Any) -> Any:
    if isinstance(item, str):
        return os.path.abspath(path(item))
    if isinstance(item, dict) and isinstance(item.get("track"), str):
        return {**item, "track": os.path.abspath(path(item["track"]))}
    return item


def _of_pair(project: Project, opened: Opened) -> dict[str, Any]:
    """Two tracks, as they are placed."""
    synced, origin = opened.synced, opened.origin
    assert synced is not None
    first, second = synced.pair
    assert second is not None
    left = synced.places[first].mix_beat(synced.seconds[first]) - synced.start
    length = max(1, min(int(synced.length), int(left)))
    return {
        "set": 1,
        "name": identifier(project.name),
        "title": " ".join(project.name.split()),
        "graph": origin.graph,
        "decks": [first, second],
        "tempo": [list(entry) for entry in project.tempo],
        "key_lock": origin.key_lock,
        "gain": "none",
        "tracks": [
            {"track": origin.inputs[first]},
            {
                "transition": "equal_power",
                "at": f"{synced.start:g}beats",
                "length": f"{length}beats",
            },
            {"track": origin.inputs[second]},
        ],
    }


def _flow(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
