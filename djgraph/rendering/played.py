"""Tracks for inputs that sources play: handed to the mixer as they are, read where they sound."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from djgraph.errors import InputError
from djgraph.rendering.files import Key, channels_of, find_inputs, materials_of, name_of, nested
from djgraph.rendering.steps import Steps
from djgraph.rendering.synced import known_of

if TYPE_CHECKING:
    from djgraph.decks import FileMaterial
    from djgraph.graph.ir import Graph


class PlayedBlocks:
    """What a graph with sources is fed from: tracks as ``material``, and the audio of its other inputs in blocks. As
    :class:`djgraph.rendering.InputBlocks`.

    samples: as long as the other inputs are; without such as ``seconds`` says, or as long as the longest track.
    """

    def __init__(
        self,
        graph: Graph,
        given: dict[str, Path],
        pad: bool,
        seconds: float | None,
        steps: Steps,
        some: bool = False,
    ) -> None:
        """some: as of find_inputs. Raises InputError and AudioFileError as that and an analysis do."""
        from djgraph.audio import open_signals

        files = find_inputs(graph, given, some)
        channels, rate = channels_of(graph), graph.sample_rate
        tracks: dict[Key, list[Path]] = {
            key: several for key, several in files.items() if key[0] in graph.sources
        }
        grids = {}
        for name in dict.fromkeys(name for name, _ in tracks):
            node = graph.sources[name]
            if getattr(node.effect(node.settings, graph.environment), "needs_beats", False):
                steps.begin(f"analysing {name}")
                grids[name], _ = known_of(name, given[name])
        self.material: dict[str, FileMaterial] = materials_of(graph, tracks, pad, grids)
        plain = {key: several for key, several in files.items() if key[0] not in graph.sources}
        self._keys = list(plain)
        self._reader = None
        if plain:
            self._reader = open_signals(
                {name_of(key): several for key, several in plain.items()},
                rate,
                {name_of(key): channels[key] for key in plain},
                pad,
            )
            self.samples = self._reader.samples
            if seconds is not None:
                others = ", ".join(dict.fromkeys(name for name, _ in self._keys))
                raise InputError(
                    f"--seconds is for graphs of which sources play every input; this mix is as long as {others}"
                )
        elif seconds is not None:
            self.samples = max(1, round(seconds * rate))
        else:
            self.samples = max(one.samples for one in self.material.values())

    def read(self, samples: int) -> dict[str, Any]:
        """The next block of every input that no source plays; nothing where there is none."""
        return {} if self._reader is None else nested(self._keys, self._reader.read(samples))

    def __enter__(self) -> PlayedBlocks:
        return self

    def __exit__(self, *_: object) -> None:
        if self._reader is not None:
            self._reader.close()
