"""Items of different lengths in one batch: padded to be stacked, and each computed as if it were alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import default_collate

from djgraph.arguments import is_whole, shown
from djgraph.errors import InputError

__all__ = ["collate", "each_alone", "mix_alone", "pad"]


def pad(tensors: Sequence[Tensor], dim: int = -1, hold: bool = False) -> tuple[Tensor, Tensor]:
    """Tensors that differ along one dimension as one, ``[batch, …]``, and their lengths, ``[batch]`` int64 on the CPU.

    Zeros stand behind the shorter ones, or, with ``hold``, what is last in them. Raises InputError where they differ
    otherwise, or are none.
    """
    if not tensors or not all(isinstance(one, Tensor) and one.ndim for one in tensors):
        raise InputError("pad: expected tensors with at least a dimension")
    axis = dim % tensors[0].ndim
    rest = [[*one.shape[:axis], *one.shape[axis + 1 :]] for one in tensors]
    if any(shape != rest[0] for shape in rest):
        shapes = ", ".join(str(list(one.shape)) for one in tensors[:4])
        raise InputError(f"pad: tensors may differ in dimension {dim} alone, these do not: {shapes}")
    longest = max(one.shape[axis] for one in tensors)
    padded = []
    for one in tensors:
        missing = longest - one.shape[axis]
        if missing and hold and one.shape[axis]:
            tail = one.narrow(axis, one.shape[axis] - 1, 1)
            tail = tail.expand(*one.shape[:axis], missing, *one.shape[axis + 1 :])
            one = torch.cat((one, tail), axis)
        elif missing:
            one = torch.cat((one, one.new_zeros(*one.shape[:axis], missing, *one.shape[axis + 1 :])), axis)
        padded.append(one)
    lengths = torch.tensor([one.shape[axis] for one in tensors], dtype=torch.int64, device="cpu")
    return torch.stack(padded), lengths


def collate(items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A batch of items of different lengths, for a DataLoader's ``collate_fn``.

    items: as :class:`djgraph.data.Corpus` gives them: ``params`` ``[frames, controls]``; every other tensor with two
    dimensions, in mappings too, is audio ``[channels, samples]``. What is shorter is padded, audio with silence and
    params with their last frame; ``samples`` and ``frames``, each ``[batch]`` on the CPU, say what counts. All else
    is as PyTorch's own collate has it. Raises InputError where the audio of one item is not all as long.
    """
    if not items:
        raise InputError("collate: expected items, got none")
    samples = [_samples_of(item, number) for number, item in enumerate(items)]
    batch: dict[str, Any] = _joined(items)
    if any(count is not None for count in samples):
        batch["samples"] = torch.tensor([count or 0 for count in samples], dtype=torch.int64, device="cpu")
    if "params" in items[0]:
        batch["params"], batch["frames"] = pad([item["params"] for item in items], 0, hold=True)
    return batch


def each_alone(
    function: Callable[..., Any],
    *arguments: Any,
    lengths: Tensor | Sequence[int],
    dim: int = -1,
    **options: Any,
) -> Any:
    """What a function of a batch gives where each item is as long as it is: nothing of what pads it is seen.

    Items of one length are computed in one call, on their own ``lengths`` of the padded dimension, so the result and
    its gradients are those of the items alone, and what pads them has a gradient of 0.

    function: a loss or a metric, of this library or another. arguments: tensors ``[batch, …]`` (a batch of 1 goes with
    any), and lists and mappings of such, are cut; anything else is handed on, as ``options`` are. lengths: ``[batch]``.
    dim: the padded dimension: −1 of audio, −2 of params ``[batch, frames, controls]``.

    A scalar is taken for a mean over items, and the mean over all items is returned; tensors ``[items, …]`` are
    joined to ``[batch, …]``, with zeros behind shorter ones; mappings likewise by key. Raises InputError for lengths
    that do not fit, and what the function raises.

    >>> loss = each_alone(torch.nn.functional.l1_loss, mixed, target, lengths=[3000])
    """
    tensors = list(_tensors(arguments))
    batch = max((len(one) for one in tensors), default=0)
    longest = max((one.shape[dim] for one in tensors), default=0)
    counts = _lengths(lengths, batch, longest, "lengths")
    if not tensors:
        raise InputError("each_alone: expected a tensor among the arguments")

    def part(value: Any, chosen: list[int], count: int) -> Any:
        return _each(value, lambda one: _chosen(one, chosen, batch).narrow(dim, 0, count))

    results = []
    for count, chosen in _groups(counts).items():
        found = function(*(part(one, chosen, count) for one in arguments), **options)
        results.append((chosen, found))
    return _merge(results, batch)


def mix_alone(
    mixer: Callable[..., Tensor],
    inputs: Mapping[str, Any],
    params: Tensor,
    *,
    samples: Tensor | Sequence[int],
    frames: Tensor | Sequence[int],
    tempo: float | Tensor | None = None,
) -> Tensor:
    """A batch of clips of different lengths through a mixer, each as if it were alone; silence behind the shorter ones.

    mixer: a compiled one, or any function of ``inputs``, ``params`` and ``tempo``. inputs: padded, each ``[batch,
    channels, samples]``; params: ``[batch, frames, controls]``; samples, frames: how many of each count, ``[batch]``,
    as :func:`collate` gives them. tempo: BPM, one or ``[batch]``. Items that are equally long are mixed in one call.
    A mixer mirrors a clip at its end and reads its last frame there: so padded clips could not be mixed as they are.

    Raises InputError for lengths that do not fit, and what the mixer raises.
    """
    audio = list(_tensors([inputs]))
    batch = max(len(one) for one in (*audio, params))
    longest = max((one.shape[-1] for one in audio), default=0)
    long = _lengths(samples, batch, longest, "samples")
    deep = _lengths(frames, batch, params.shape[-2], "frames")
    results = []
    for (count, most), chosen in _groups(list(zip(long, deep))).items():

        def cut(one: Tensor, chosen: list[int] = chosen, count: int = count) -> Tensor:
            return _chosen(one, chosen, batch)[..., :count]

        beat = _chosen(tempo, chosen, batch) if isinstance(tempo, Tensor) and tempo.ndim else tempo
        mixed = mixer(_each(inputs, cut), _chosen(params, chosen, batch)[:, :most], tempo=beat)
        results.append((chosen, mixed))
    joined: Tensor = _merge(results, batch)
    return torch.nn.functional.pad(joined, (0, longest - joined.shape[-1]))


def _samples_of(item: Mapping[str, Any], number: int) -> int | None:
    lengths = {
        one.shape[-1]
        for one in _tensors([{key: value for key, value in item.items() if key != "params"}])
        if one.ndim == 2
    }
    if len(lengths) > 1:
        raise InputError(f"item {number} has audio of {sorted(lengths)} samples; expected all of it as long")
    return next(iter(lengths), None)


def _joined(items: Sequence[Any]) -> Any:
    first = items[0]
    if isinstance(first, Mapping):
        return {key: _joined([item[key] for item in items]) for key in first if key != "params"}
    if isinstance(first, Tensor) and first.ndim == 2:
        return pad(items)[0]
    return default_collate(list(items))


def _tensors(values: Any) -> list[Tensor]:
    if isinstance(values, Tensor):
        return [values]
    if isinstance(values, Mapping):
        values = values.values()
    elif not isinstance(values, list | tuple):
        return []
    return [tensor for value in values for tensor in _tensors(value)]


def _each(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, Mapping):
        return {key: _each(one, change) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_each(one, change) for one in value]
    return value


def _chosen(tensor: Tensor, items: list[int], batch: int) -> Tensor:
    """Some items; one that stands for all stays as it is."""
    if len(tensor) != batch or len(items) == batch:
        return tensor
    return tensor[items]


def _groups(keys: Sequence[Any]) -> dict[Any, list[int]]:
    groups: dict[Any, list[int]] = {}
    for number, key in enumerate(keys):
        groups.setdefault(key, []).append(number)
    return groups


def _lengths(lengths: Any, batch: int, longest: int, what: str) -> list[int]:
    if isinstance(lengths, Tensor):
        if lengths.ndim != 1 or lengths.is_floating_point() or lengths.is_complex():
            raise InputError(
                f"{what}: expected whole numbers [batch], got {list(lengths.shape)} ({lengths.dtype})"
            )
        lengths = lengths.tolist()
    if not isinstance(lengths, Sequence) or isinstance(lengths, str | bytes):
        raise InputError(f"{what}: expected a whole number for each item, got {shown(lengths)}")
    counts = list(lengths)
    if len(counts) != batch:
        raise InputError(f"{what}: there are {len(counts)}, but {batch} items")
    for number, count in enumerate(counts):
        if not is_whole(count) or not 1 <= count <= longest:
            raise InputError(
                f"{what}[{number}] is {shown(count)}; expected a whole number from 1 to {longest}"
            )
    return [int(count) for count in counts]


def _widened(tensor: Tensor, sizes: Sequence[int]) -> Tensor:
    """Zeros behind a tensor ``[items, …]``, as far as each of its other dimensions is to go."""
    missing = [size - there for size, there in zip(sizes, tensor.shape[1:])]
    return torch.nn.functional.pad(tensor, [n for one in reversed(missing) for n in (0, one)])


def _merge(results: Sequence[tuple[list[int], Any]], batch: int) -> Any:
    """What each group of items gave, for all of them in their order."""
    first = results[0][1]
    if isinstance(first, Mapping):
        return {key: _merge([(chosen, found[key]) for chosen, found in results], batch) for key in first}
    if not isinstance(first, Tensor):
        raise InputError(f"each_alone: the function gave {shown(first)}; expected a tensor")
    if not first.ndim:
        return torch.stack([found * (len(chosen) / batch) for chosen, found in results]).sum()
    for chosen, found in results:
        if len(found) != len(chosen):
            raise InputError(
                f"each_alone: of {len(chosen)} items the function gave {list(found.shape)}; expected a scalar, or a"
                " value for each item"
            )
    longest = [max(sizes) for sizes in zip(*(found.shape[1:] for _, found in results))]
    results = [(chosen, _widened(found, longest)) for chosen, found in results]
    order = [number for chosen, _ in results for number in chosen]
    back = sorted(range(batch), key=order.__getitem__)
    joined = torch.cat([found for _, found in results])
    return joined if order == sorted(order) else joined[back]
