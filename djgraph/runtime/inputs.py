"""Checks and prepares what a caller hands to a mixer: audio by input and stem, params and their positions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from djgraph.arguments import is_whole, shown
from djgraph.errors import InputError, did_you_mean
from djgraph.graph.ir import Graph, InputNode

Inputs = Mapping[str, Tensor | Mapping[str, Tensor]]


def prepare_audio(graph: Graph, inputs: Inputs) -> tuple[dict[str, Tensor], int, int | None]:
    """Audio of every input node as ``[batch, channels, samples]``, with the batch size and the length.

    ``[batch, samples]`` and mono are up-mixed to the node's channels; a batch of 1 is repeated to the others';
    an optional stem that is missing is silence. Inputs that source effects play are left out; where there are no
    others, the length is None. Raises InputError for anything else.
    """
    nodes = [node for node in graph.nodes if isinstance(node, InputNode) and node.input not in graph.sources]
    _check_names(graph, inputs)
    prepared: dict[str, Tensor] = {}
    missing = []
    for node in nodes:
        audio = _pick(inputs, node)
        if audio is not None:
            prepared[node.id] = shaped(node, audio)
        elif not node.optional:
            missing.append(_name(node))
    if missing:
        raise InputError(f"missing audio: {', '.join(missing)}")
    if not prepared and graph.sources:
        return {}, 1, None
    if not prepared:
        raise InputError("no audio: every input of this graph is optional, but at least one must be given")
    reference = next(iter(prepared.values()))
    names = input_names(graph)
    first = names[next(iter(prepared))]
    batch = max(audio.shape[0] for audio in prepared.values())
    samples = reference.shape[-1]
    for key, audio in prepared.items():
        if audio.shape[-1] != samples:
            raise InputError(
                f"{names[key]} has {audio.shape[-1]} samples, but {first} has {samples}: all stems must be as long"
            )
        if audio.shape[0] not in (1, batch):
            raise InputError(f"{names[key]} has a batch of {audio.shape[0]}, but another stem has {batch}")
        if audio.dtype != reference.dtype or audio.device != reference.device:
            raise InputError(
                f"{names[key]} is {audio.dtype} on {audio.device}, but {first} is {reference.dtype} on "
                f"{reference.device}: all stems must agree"
            )
    for node in nodes:
        if node.id not in prepared:
            prepared[node.id] = reference.new_zeros(1, node.channels, samples)
    return prepared, batch, samples


def input_names(graph: Graph) -> dict[str, str]:
    """What a caller calls each input node: the input, and its stem if it has any."""
    return {node.id: _name(node) for node in graph.nodes if isinstance(node, InputNode)}


def prepare_params(
    layout: Any, params: Tensor, audio: Tensor, batch: int, out_of_range: str, check: bool
) -> Tensor:
    """Params as ``[batch, frames, columns]`` in the audio's dtype, within their ranges.

    ``[frames, columns]`` serves every item of the batch.
    """
    columns = len(layout)
    if not isinstance(params, Tensor):
        raise InputError(
            f"params must be a torch.Tensor, not {type(params).__name__}; layout.pack makes one from names"
        )
    if params.ndim not in (2, 3) or params.shape[-1] != columns or params.shape[-2] == 0:
        raise InputError(
            f"params must be [frames, {columns}] or [batch, frames, {columns}] with at least one frame, "
            f"but have the shape {list(params.shape)}"
        )
    if not params.is_floating_point():
        raise InputError(f"params must be floating point, not {params.dtype}")
    if params.device != audio.device:
        raise InputError(f"params are on {params.device}, but the audio is on {audio.device}")
    if params.ndim == 2:
        params = params.unsqueeze(0)
    if params.shape[0] not in (1, batch) and batch != 1:
        raise InputError(f"params have a batch of {params.shape[0]}, but the audio has {batch}")
    if check:
        layout.check(params, out_of_range=out_of_range == "error")
    return layout.clamp(params.to(audio.dtype))


def prepare_positions(positions: Tensor | Sequence[int] | None, params: Tensor, check: bool) -> Tensor | None:
    """Positions as an int64 tensor ``[frames]`` beside params ``[batch, frames, columns]``; None stays None.

    check: whether tensors may be looked into. Raises InputError for what is no strictly ascending list of whole
    samples, one for each frame, within ±2⁴⁰.
    """
    if positions is None:
        return None
    wanted = (
        "positions must be a 1-D tensor of whole numbers, or a sequence of them, one for each frame of params"
    )
    if isinstance(positions, Tensor):
        if positions.is_floating_point() or positions.is_complex() or positions.dtype == torch.bool:
            raise InputError(f"{wanted}, not {positions.dtype}")
        if positions.ndim != 1:
            raise InputError(f"{wanted}; they have the shape {list(positions.shape)}")
        placed = positions.to(torch.int64)
    else:
        if not isinstance(positions, Iterable) or isinstance(positions, str | bytes):
            raise InputError(f"{wanted}, not {type(positions).__name__}")
        positions = list(positions)
        for index, place in enumerate(positions):
            if not is_whole(place):
                raise InputError(f"{wanted}; positions[{index}] is {shown(place)}")
            _check_reach(index, int(place))
        placed = torch.tensor([int(place) for place in positions], dtype=torch.int64, device="cpu")
    if placed.shape[0] != params.shape[1]:
        raise InputError(f"there are {placed.shape[0]} positions, but params have {params.shape[1]} frames")
    if check:
        _check_places(placed)
    return placed.to(params.device)


FARTHEST = 1 << 40
"""Most samples that a frame may be away from the clip's start: nine months at 48 kHz."""


def _check_places(placed: Tensor) -> None:
    for index in ((placed > FARTHEST) | (placed < -FARTHEST)).nonzero()[:1, 0].tolist():
        _check_reach(index, int(placed[index]))
    for index in (placed.diff() <= 0).nonzero()[:1, 0].tolist():
        before, after = placed[index : index + 2].tolist()
        raise InputError(
            f"positions must ascend, but positions[{index}] is {before} and positions[{index + 1}] is {after}"
        )


def _check_reach(index: int, place: int) -> None:
    if abs(place) > FARTHEST:
        raise InputError(f"positions[{index}] is {place}; expected samples within ±2^40 ({FARTHEST})")


def _check_names(graph: Graph, inputs: Inputs) -> None:
    if not isinstance(inputs, Mapping):
        raise InputError(
            f"inputs must be a mapping of {', '.join(graph.inputs)} to audio, not {type(inputs).__name__}"
        )
    for name, value in inputs.items():
        if name not in graph.inputs:
            raise InputError(f"the graph has no input {name!r}{did_you_mean(name, graph.inputs)}")
        if name not in graph.sources:
            check_stems(name, graph.inputs[name], value)


def check_stems(name: str, stems: Sequence[str] | None, value: object) -> None:
    """Raises InputError where an input's audio has other stems than it."""
    if stems is None and isinstance(value, Mapping):
        raise InputError(f"input {name} has no stems: give it a tensor [batch, channels, samples]")
    if stems is not None and not isinstance(value, Mapping):
        raise InputError(
            f"input {name} has the stems {', '.join(stems)}: give it a mapping of stem to tensor"
        )
    if stems is not None and isinstance(value, Mapping):
        for stem in value:
            if stem not in stems:
                raise InputError(f"input {name} has no stem {stem!r}{did_you_mean(str(stem), stems)}")


def _pick(inputs: Inputs, node: InputNode) -> Tensor | None:
    value = inputs.get(node.input)
    if isinstance(value, Mapping):
        return value.get(node.stem) if node.stem is not None else None
    return value


def shaped(node: InputNode, audio: Tensor) -> Tensor:
    """Audio as ``[batch, channels, samples]`` of an input node. Raises InputError for what is none."""
    wanted = f"[batch, {node.channels}, samples]" + (" or mono" if node.channels > 1 else "")
    if not isinstance(audio, Tensor):
        raise InputError(f"{_name(node)} must be a tensor {wanted}, not {type(audio).__name__}")
    if not audio.is_floating_point():
        raise InputError(f"{_name(node)} must be floating point (full scale ±1), not {audio.dtype}")
    if audio.ndim not in (2, 3):
        raise InputError(
            f"{_name(node)} must be {wanted} or [batch, samples], but has the shape {list(audio.shape)}"
        )
    if audio.device.type == "meta":
        raise InputError(
            f"{_name(node)} is on the meta device, where there are no samples to mix; torch.export.export and "
            f"torch.compile trace a mixer without running it"
        )
    if audio.shape[0] == 0 or audio.shape[-1] == 0:
        raise InputError(f"{_name(node)} is empty: its shape is {list(audio.shape)}")
    _check_order(node, audio)
    if audio.ndim == 2:
        audio = audio.unsqueeze(1)
    if audio.shape[1] == node.channels:
        return audio
    if audio.shape[1] != 1:
        raise InputError(f"{_name(node)} must be {wanted}, but has {audio.shape[1]} channels")
    return audio.expand(-1, node.channels, -1)


def _check_order(node: InputNode, audio: Tensor) -> None:
    """InputError where the dimensions may mean something else than they would be taken for.

    ``[2, samples]`` is one stereo clip as files hold it, and a batch of two mono clips as mixers take it; the wrong
    choice is another sound, and no error. ``[samples, channels]`` is how other libraries lay audio out.
    """
    first, last, shape = audio.shape[-2], audio.shape[-1], list(audio.shape)
    if first >= MANY and last <= FEW:
        turned = "audio.T[None]" if audio.ndim == 2 else "audio.transpose(1, 2)"
        raise InputError(
            f"{_name(node)} has the shape {shape}, which looks like [samples, channels]; expected "
            f"[batch, {node.channels}, samples]: {turned}"
        )
    if audio.ndim == 2 and first == node.channels > 1:
        what = "one stereo clip" if node.channels == 2 else f"one clip of {node.channels} channels"
        raise InputError(
            f"{_name(node)} has the shape {shape}, which may be {what} or a batch of {first} mono clips; say which: "
            f"[1, {first}, {last}] is {what} (audio.unsqueeze(0)), [{first}, 1, {last}] a batch of mono "
            f"(audio.unsqueeze(1))"
        )


MANY, FEW = 1000, 8
"""Clips are rarely as short as FEW samples; that there are MANY of them, or MANY channels, as well is a mistake."""


def _name(node: InputNode) -> str:
    return node.input if node.stem is None else f"{node.input}.{node.stem}"
