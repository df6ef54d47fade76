"""Tracks as they are given, as material of decks; what they sound like in the mix's time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from djgraph.alignment import Passage
from djgraph.decks import MemoryMaterial, PassageDeck, Tape, Warp
from djgraph.errors import InputError, did_you_mean
from djgraph.graph.ir import Graph, InputNode
from djgraph.unmixing.follow import pieces, read_pieces

BLOCK = 1 << 19
"""Samples of the mix that are read at a time."""

MOMENT = 1 << 14
"""Samples that have one gain where others are taken away."""

Tracks = Mapping[str, Tape]
"""By input of the graph. Signals are named ``track_a.drums``, or ``deck`` where the input has no stems."""


def materials(graph: Graph, tracks: Mapping[str, Any]) -> dict[str, Tape]:
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


def _material(name: str, given: Any) -> Tape:
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
    material: Tape = given
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


def played(tracks: Tracks, warp: Warp, recording: Tensor) -> dict[str, Any]:
    """All signals in the mix's time, as a mixer takes them: ``[channels, samples]`` each, silence where a track does
    not play.

    recording: ``[channels, samples]``, which passages with key lock are fitted to piece by piece
    (:mod:`djgraph.unmixing.follow`): of two tracks that play together each is compared with what the other leaves.
    """
    read = {name: _resampled(material, passages_of(warp, name), warp) for name, material in tracks.items()}
    locked = [name for name in tracks if any(one.key_locked for one in passages_of(warp, name))]
    for turn in range(2 if locked else 0):
        left = {name: recording - _share(read, name, recording) if turn else recording for name in locked}
        read |= {
            name: _resampled(tracks[name], passages_of(warp, name), warp)
            + _followed(tracks[name], passages_of(warp, name), left[name], warp.sample_rate)
            for name in locked
        }
    signals: dict[str, Tensor] = {}
    for name, material in tracks.items():
        signals |= dict(zip(material.widths, read[name].split(list(material.widths.values()))))
    return nested(signals)


def _resampled(material: Tape, passages: Sequence[Passage], warp: Warp) -> Tensor:
    """``[channels of all signals, samples]`` of the passages without key lock."""
    samples = warp.samples
    deck = PassageDeck(material, [one for one in passages if not one.key_locked], warp.sample_rate)
    audio = torch.zeros(sum(material.widths.values()), samples, dtype=torch.float32, device="cpu")
    for first in range(0, samples if deck.passages else 0, BLOCK):
        last = min(first + BLOCK, samples)
        audio[:, first:last] = deck.read_all(first, last - first)
    return audio


def _followed(material: Tape, passages: Sequence[Passage], recording: Tensor, sample_rate: int) -> Tensor:
    """The same of those with key lock."""
    samples = recording.shape[-1]
    audio = torch.zeros(sum(material.widths.values()), samples, dtype=torch.float32, device="cpu")
    for one in passages:
        if one.key_locked:
            found = pieces(material, one, recording, sample_rate)
            audio += read_pieces(material, found, samples, sample_rate)
    return audio


def _share(read: Mapping[str, Tensor], name: str, recording: Tensor) -> Tensor:
    """What all tracks but one make of the recording, ``[1, samples]``: gains of least squares, moment by moment."""
    names = list(read)
    heard = recording.mean(0)
    signals = torch.stack([*(read[one].mean(0) for one in names), heard])
    count = -(-len(heard) // MOMENT)
    blocks = torch.nn.functional.pad(signals, (0, count * MOMENT - len(heard))).unflatten(-1, (count, MOMENT))
    gram = torch.einsum("itn,jtn->tij", blocks, blocks).double()
    gram = torch.nn.functional.avg_pool1d(gram.flatten(1).T[None], 3, 1, 1)[0].T.unflatten(1, gram.shape[1:])
    own = torch.diagonal(gram, dim1=1, dim2=2)[:, :-1]
    ridge = torch.diag_embed(1e-3 * own + 1e-6 * own.sum(1, keepdim=True) + 1e-9)
    gains = torch.linalg.solve(gram[:, :-1, :-1] + ridge, gram[:, :-1, -1]).clamp(min=0).float()
    gains[:, names.index(name)] = 0
    made = (gains.T[:, :, None] * blocks[:-1]).sum(0)
    return made.flatten()[: len(heard)][None]


def mono(material: Tape) -> Tensor:
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
