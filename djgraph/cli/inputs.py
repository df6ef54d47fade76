"""Audio files and folders of stems for the inputs that a graph names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from djgraph.cli.progress import Steps
from djgraph.errors import InputError, did_you_mean
from djgraph.guard import reading

if TYPE_CHECKING:
    from djgraph.graph.ir import Graph


def read_inputs(
    graph: Graph, given: dict[str, Path], pad: bool, steps: Steps
) -> tuple[dict[str, Any], float]:
    """Audio for every input that the graph needs, as the mixer takes it, and its length in seconds.

    Raises InputError for unknown and missing inputs and where the command is to write one of the files to read,
    AudioFileError for the files.
    """
    from djgraph.audio import find_stems, match_lengths
    from djgraph.audio.stems import find_signal, read_as, sum_of
    from djgraph.graph.ir import InputNode

    for name in given:
        if name not in graph.inputs:
            raise InputError(f"the graph has no input {name!r}{did_you_mean(name, graph.inputs)}")
    nodes = [node for node in graph.nodes if isinstance(node, InputNode)]
    needed = {node.input for node in nodes if not node.optional}
    missing = [name for name in graph.inputs if name in needed and name not in given]
    if missing:
        wanted = " ".join(f"--input {name}=PATH" for name in missing)
        raise InputError(f"the graph needs audio for {', '.join(missing)}; give {wanted}")
    if not given:
        raise InputError(
            f"no audio: give at least one of {', '.join(graph.inputs) or 'no inputs'} with --input"
        )
    files: dict[tuple[str, str | None], list[Path]] = {}
    for name, path in given.items():
        stems = graph.inputs[name]
        if stems is None:
            files[name, None] = find_signal(path)
        else:
            optional = [node.stem or "" for node in nodes if node.input == name and node.optional]
            found = find_stems(path, stems, optional)
            files |= {(name, stem): [file] for stem, file in found.items()}
    every = [file for several in files.values() for file in several]
    for file in every:
        reading(file)
    channels = {(node.input, node.stem): node.channels for node in nodes}
    steps.begin("reading", len(every))
    signals = {}
    for key, several in files.items():
        parts = {}
        for file in several:
            parts[file.name] = read_as(file, graph.sample_rate, channels[key])
            steps.advance()
        name = ".".join(filter(None, key))
        signals[name] = sum_of(match_lengths(parts, graph.sample_rate, pad, where=name))
    signals = match_lengths(signals, graph.sample_rate, pad)
    inputs: dict[str, Any] = {}
    for (name, stem), signal in zip(files, signals.values()):
        if stem is None:
            inputs[name] = signal
        else:
            inputs.setdefault(name, {})[stem] = signal
    length = next(iter(signals.values())).shape[-1]
    return inputs, length / graph.sample_rate
