"""Tracks as they are given, as material of decks; what they sound like in the mix's time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from djgraph.alignment import Passage
from djgraph.decks import MemoryMaterial, PassageDeck, Warp
from djgraph.decks.material import Material
from djgraph.errors import InputError, did_you_mean
from djgraph.graph.ir import Graph, InputNode

BLOCK = 1 << 19
"""Samples of the mix that are read at a time."""

Tracks = Mapping[str, Material]
"""By input of the graph. Signals are named ``track_a.drums``, or ``deck`` where the input has no stems."""


def materials(graph: Graph, tracks: Mapping[str, Any]) -> dict[str, Material]:
    """Tracks as material, in the graph's order of inputs.

    tracks: by input, a tensor ``[channels, samples]``, a mapping of stems to such tensors of one length, or material,
    whose signals are named as here. Raises InputError for unknown and missing inputs and for other shapes.
    """
    if not isinstance(tracks, Mapping):
        raise InputError(f"tracks: expected a mapping of names to audio, not {type(tracks).__name__}")
    for name in tracks:
        if name not in graph.inputs:
            raise InputError(f"the graph has no input {name!r}{did_you_mean(name, graph.inputs)}")
    needed = {node.input for node in graph.nodes if isinstance(node, InputNode) and not node.optional}
    if missing := [name for name in graph.inputs if name in needed and name not in tracks]:
        raise InputError(f"the graph needs audio for {', '.join(missing)}")
    found = {name: _material(name, tracks[name]) for name in graph.inputs if name in tracks}
    if not found:
        raise InputError("there are no tracks: give at least one")
    return found


def _material(name: str, given: Any) -> Material:
    if isinstance(given, Tensor):
        return MemoryMaterial({name: _clip(given, name)})
    if isinstance(given, Mapping):
        signals = {f"{name}.{stem}": _clip(audio, f"{name}.{stem}") for stem, audio in given.items()}
        lengths = {audio.shape[1] for audio in signals.values()}
        if len(lengths) != 1:
            several = ", ".join(map(str, sorted(lengths)))
            raise InputError(f"{name}: its stems have {several} samples; one length is due")
        return MemoryMaterial(signals)
    if not hasattr(given, "read") or not hasattr(given, "widths"):
        raise InputError(f"{name}: expected audio or a mapping of stems to audio, not {type(given).__name__}")
    material: Material = given
    return material


def _clip(audio: Any, name: str) -> Tensor:
    if not isinstance(audio, Tensor) or not audio.is_floating_point():
        raise InputError(f"{name} must be a floating-point tensor [channels, samples]")
    clip = audio[0] if audio.ndim == 3 and len(audio) == 1 else audio
    clip = clip[None] if clip.ndim == 1 else clip
    if clip.ndim != 2 or not clip.shape[1]:
        raise InputError(
            f"{name} must be one clip, [channels, samples], but has the shape {list(audio.shape)}"
        )
    return clip.detach().cpu().float()


def nested(signals: Mapping[str, Tensor]) -> dict[str, Any]:
    """Signals by input, and by stem where it has some."""
    inputs: dict[str, Any] = {}
    for name, audio in signals.items():
        track, _, stem = name.partition(".")
        if stem:
            inputs.setdefault(track, {})[stem] = audio
        else:
            inputs[track] = audio
    return inputs


def played(tracks: Tracks, warp: Warp) -> dict[str, Any]:
    """All signals in the mix's time, as a mixer takes them: ``[channels, samples]`` each, silence where a track does
    not play."""
    signals: dict[str, Tensor] = {}
    for name, material in tracks.items():
        deck = PassageDeck(material, passages_of(warp, name))
        rows = sum(material.widths.values())
        audio = torch.empty(rows, warp.samples, dtype=torch.float32, device="cpu")
        for first in range(0, warp.samples, BLOCK):
            last = min(first + BLOCK, warp.samples)
            audio[:, first:last] = deck.read_all(first, last - first)
        signals |= dict(zip(material.widths, audio.split(list(material.widths.values()))))
    return nested(signals)


def mono(material: Material) -> Tensor:
    """All signals of a track as one, ``[1, samples]``."""
    weights = torch.cat([torch.full((width,), 1 / width, device="cpu") for width in material.widths.values()])
    parts = [
        weights.float() @ material.read(first, min(BLOCK, material.samples - first))
        for first in range(0, material.samples, BLOCK)
    ]
    return torch.cat(parts)[None]


def passages_of(warp: Warp, name: str) -> tuple[Passage, ...]:
    """Of a track; none where the warp does not know it."""
    found = warp.tracks.get(name)
    return () if found is None else found.passages
