"""Tracks of the command line at places and tempos that a warp file tells, or that are found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from djgraph.rendering.files import Key, find_inputs, materials_of, nested

if TYPE_CHECKING:
    from torch import Tensor

    from djgraph.decks import FileMaterial, Warp
    from djgraph.graph.ir import Graph


def track_materials(
    graph: Graph, given: dict[str, Path], pad: bool
) -> tuple[dict[str, FileMaterial], dict[Key, list[Path]]]:
    """The material of every track, read from disk where it is needed, and its files.

    Raises InputError and AudioFileError as find_inputs does, and for stems of a track of unequal lengths.
    """
    files = find_inputs(graph, given)
    return materials_of(graph, files, pad), files


class WarpedBlocks:
    """The audio of a graph's inputs, each track where a warp puts it. As :class:`djgraph.rendering.InputBlocks`.

    samples: of the mix. warp: at the graph's sample rate.
    """

    def __init__(self, graph: Graph, given: dict[str, Path], pad: bool, path: Path) -> None:
        """Raises as :func:`track_materials` and :meth:`djgraph.decks.Warp.load` do."""
        from djgraph.decks import PassageDeck, Warp

        materials, files = track_materials(graph, given, pad)
        self.warp: Warp = Warp.load(path, graph.sample_rate, materials)
        self.samples = self.warp.samples
        self._keys = list(files)
        self._decks = [
            PassageDeck(material, self.warp.tracks[name].passages, graph.sample_rate)
            for name, material in materials.items()
        ]
        self._at = 0

    def read(self, samples: int) -> dict[str, Any]:
        """The next block of every input; fewer samples at the end, and then none."""
        samples = min(samples, self.samples - self._at)
        signals: dict[str, Tensor] = {}
        for deck in self._decks:
            signals |= deck.read(self._at, samples)
        self._at += samples
        return nested(self._keys, signals)

    def __enter__(self) -> WarpedBlocks:
        return self

    def __exit__(self, *_: object) -> None:
        """Files are open only while they are read."""


def places(warp: Warp) -> list[str]:
    """Where each track lies, in words for people."""
    rate, lines = warp.sample_rate, []
    for name, found in warp.tracks.items():
        if not found.passages:
            lines.append(f"{name}: not in the recording")
            continue
        for one in found.passages:
            change = (one.rate - 1) * 100
            how = ", key-locked" if one.key_locked else ""
            lines.append(
                f"{name}: {clock(one.begins / rate)} to {clock(one.ends / rate)} of the mix plays from "
                f"{clock(one.start / rate)} on, at {one.rate:.6f} ({change:+.2f} %){how}"
            )
    return lines


def clock(seconds: float) -> str:
    """``1:02.345``."""
    sign, thousandths = ("-" if seconds < -0.0005 else ""), round(abs(seconds) * 1000)
    return f"{sign}{thousandths // 60000}:{thousandths % 60000 / 1000:06.3f}"
