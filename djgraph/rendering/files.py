"""Audio files and folders of stems for the inputs that a graph names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from djgraph.errors import InputError, did_you_mean
from djgraph.guard import reading, reading_folder
from djgraph.rendering.steps import Steps

if TYPE_CHECKING:
    from torch import Tensor

    from djgraph.analysis import Grid
    from djgraph.decks import FileMaterial
    from djgraph.graph.ir import Graph

Key = tuple[str, str | None]
"""An input of the graph, and its stem where it has some."""


def read_inputs(
    graph: Graph, given: dict[str, Path], pad: bool, steps: Steps
) -> tuple[dict[str, Any], float]:
    """Audio for every input that the graph needs, as the mixer takes it, and its length in seconds.

    Raises InputError for unknown and missing inputs and where the command is to write one of the files to read,
    AudioFileError for the files.
    """
    from djgraph.audio import match_lengths
    from djgraph.audio.stems import read_as, sum_of

    files = find_inputs(graph, given)
    channels = channels_of(graph)
    steps.begin("reading", sum(map(len, files.values())))
    signals = {}
    for key, several in files.items():
        parts = {}
        for file in several:
            parts[file.name] = read_as(file, graph.sample_rate, channels[key])
            steps.advance()
        name = name_of(key)
        signals[name] = sum_of(match_lengths(parts, graph.sample_rate, pad, where=name))
    signals = match_lengths(signals, graph.sample_rate, pad)
    length = next(iter(signals.values())).shape[-1]
    return nested(files, signals), length / graph.sample_rate


class InputBlocks:
    """The audio that :func:`read_inputs` reads, in blocks. A context manager that closes the files.

    samples: in each signal, at the graph's sample rate.
    """

    def __init__(self, graph: Graph, given: dict[str, Path], pad: bool) -> None:
        """Raises as :func:`read_inputs` does."""
        from djgraph.audio import open_signals

        self._keys = find_inputs(graph, given)
        channels = channels_of(graph)
        self._reader = open_signals(
            {name_of(key): files for key, files in self._keys.items()},
            graph.sample_rate,
            {name_of(key): channels[key] for key in self._keys},
            pad,
        )
        self.samples = self._reader.samples

    def read(self, samples: int) -> dict[str, Any]:
        """The next block of every input, nested as the mixer takes them: ``[channels, samples]``, fewer at the end, and
        then none. Raises AudioFileError for what only the audio tells."""
        return nested(self._keys, self._reader.read(samples))

    def __enter__(self) -> InputBlocks:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()


def find_inputs(graph: Graph, given: dict[str, Path], some: bool = False) -> dict[Key, list[Path]]:
    """The files of every signal that is given: those of an input without stems are added up.

    some: inputs that the graph needs may be missing. Raises InputError for unknown and missing inputs and where the
    command is to write one of the files, AudioFileError for folders without the stems.
    """
    from djgraph.audio import find_stems
    from djgraph.audio.stems import find_signal, is_part
    from djgraph.graph.ir import InputNode

    for name in given:
        if name not in graph.inputs:
            raise InputError(f"the graph has no input {name!r}{did_you_mean(name, graph.inputs)}")
    nodes = [node for node in graph.nodes if isinstance(node, InputNode)]
    needed = {node.input for node in nodes if not node.optional}
    missing = [name for name in graph.inputs if name in needed and name not in given]
    if missing and not some:
        wanted = " ".join(f"--input {name}=PATH" for name in missing)
        raise InputError(f"the graph needs audio for {', '.join(missing)}; give {wanted}")
    if not given:
        raise InputError(
            f"no audio: give at least one of {', '.join(graph.inputs) or 'no inputs'} with --input"
        )
    files: dict[Key, list[Path]] = {}
    for name, path in given.items():
        stems = graph.inputs[name]
        if stems is None:
            files[name, None] = find_signal(path)
        else:
            optional = [node.stem or "" for node in nodes if node.input == name and node.optional]
            files_of_stems = find_stems(path, stems, optional)
            files |= {(name, stem): [file] for stem, file in files_of_stems.items()}
        if path.is_dir():
            place = next(several[0].parent for key, several in files.items() if key[0] == name)
            reading_folder(path, place, partial(is_part, stems=stems))
    for several in files.values():
        for file in several:
            reading(file)
    return files


def channels_of(graph: Graph) -> dict[Key, int | None]:
    from djgraph.graph.ir import InputNode

    return {(node.input, node.stem): node.channels for node in graph.nodes if isinstance(node, InputNode)}


def name_of(key: Key) -> str:
    return ".".join(filter(None, key))


def materials_of(
    graph: Graph, files: Mapping[Key, list[Path]], pad: bool, grids: Mapping[str, Grid] | None = None
) -> dict[str, FileMaterial]:
    """By input, the track that files of :func:`find_inputs` are, each part read from disk when it is needed. grids: of
    those whose beats are known.

    Raises AudioFileError for the files, InputError for stems of a track of unequal lengths where they are not padded.
    """
    from djgraph.decks import FileMaterial

    channels, materials = channels_of(graph), dict[str, FileMaterial]()
    for name in dict.fromkeys(name for name, _ in files):
        own = {name_of(key): key for key in files if key[0] == name}
        materials[name] = FileMaterial(
            {signal: files[key] for signal, key in own.items()},
            graph.sample_rate,
            {signal: channels[key] for signal, key in own.items()},
            pad,
            grid=(grids or {}).get(name),
        )
    return materials


def nested(keys: Iterable[Key], signals: Mapping[str, Tensor]) -> dict[str, Any]:
    """Signals by input, and by stem where it has some."""
    inputs: dict[str, Any] = {}
    for key in keys:
        name, stem = key
        if stem is None:
            inputs[name] = signals[name_of(key)]
        else:
            inputs.setdefault(name, {})[stem] = signals[name_of(key)]
    return inputs
