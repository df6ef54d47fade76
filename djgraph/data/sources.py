"""What a corpus is made from: the text of a graph, and the demo tracks as files."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from djgraph.atomic import write_text
from djgraph.errors import CorpusError
from djgraph.graph import load
from djgraph.graph.ir import Graph
from djgraph.language.source import plain
from djgraph.reading import read_text

GraphSource = str | os.PathLike[str] | Mapping[str, Any]
"""What :func:`djgraph.load` takes: a shipped name, a path, text, a mapping."""


def read_graph(source: GraphSource, args: Mapping[str, Any]) -> tuple[str, Graph, str]:
    """A graph document's text, the graph, and the name of its file in a corpus."""
    from djgraph.plugins import registry

    graph = load(source, **args)
    if isinstance(source, Mapping):
        return json.dumps(plain(source).data, indent=1, ensure_ascii=False) + "\n", graph, "graph.json"
    if isinstance(source, str) and ("\n" in source or source.lstrip().startswith("{")):
        return source, graph, "graph.yaml"
    shipped = registry().graphs
    path = Path(shipped[source].path) if isinstance(source, str) and source in shipped else Path(source)
    return read_text(path, CorpusError), graph, f"graph{path.suffix}"


def plain_args(args: Mapping[str, Any]) -> dict[str, Any]:
    """A graph's arguments as JSON can hold them: NumPy's numbers as Python's. DocumentError for what is no data."""
    data = plain(args).data
    assert isinstance(data, dict)
    return data


def demo_folder(folder: Path, sample_rate: int, seconds: float) -> Path:
    """The demo tracks as files, with their tempo and beats, three times as long as an item."""
    from djgraph.audio import write
    from djgraph.demo import BPM, SECONDS, demo_tracks

    length = min(600.0, max(SECONDS, 3 * seconds))
    names = {name: folder / name for name in BPM}
    if all((path / "track.json").is_file() for path in names.values()):
        return folder
    for name, stems in demo_tracks(sample_rate, length).items():
        names[name].mkdir(parents=True, exist_ok=True)
        for stem, audio in stems.items():
            write(names[name] / f"{stem}.flac", audio, sample_rate)
        beat = 60 / BPM[name]
        about = {"tempo": BPM[name], "beats": [round(i * beat, 6) for i in range(int(length / beat))]}
        write_text(names[name] / "track.json", json.dumps(about) + "\n", CorpusError)  # last: all is there
    return folder
