"""What a mixer hands back: outputs that own their memory, and a look at whether they are finite."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch._C._functorch import TransformType, get_interpreter_stack

from djgraph.compiler.plan import Add, Load, Plan, Process
from djgraph.errors import InputError
from djgraph.region.stacks import Stacks

Copy = Literal["always", "where shared", "with gradients", "never"]


def copies(plan: Plan) -> dict[str, Copy]:
    """For each output of a plan whether it has to be copied for the caller to own it.

    ``always``: it is audio that came in, or an output that was handed out before. ``where shared``: an effect made it,
    which may have handed on its input or something of its own. ``with gradients``: an operation keeps it for the
    backward pass, so writing to it would spoil that. Taps are never copied for that: there are many, and they are
    for looking at.
    """
    makers = {name: op for op in plan.ops for name in op.writes}
    kept = Counter(name for op in plan.ops if not isinstance(op, Add) for name in op.reads)
    when: dict[str, Copy] = {}
    taken: set[str] = set()
    for output, name in plan.outputs.items():
        whole = not output.startswith("tap ")
        read = kept[name] > 0
        while isinstance(maker := makers[name], Add) and len(maker.sources) == 1:
            name = maker.sources[0]
            read = read or kept[name] > 0
        if name in taken or isinstance(maker, Load):
            when[output] = "always"
        elif whole and read:
            when[output] = "with gradients"
        else:
            when[output] = "where shared" if isinstance(maker, Process) else "never"
        taken.add(name)
    return when


def own(
    values: Stacks, plan: Plan, how: Mapping[str, Copy], foreign: Callable[[], Iterable[Tensor]]
) -> dict[str, Tensor]:
    """A plan's outputs, each in memory that is nobody else's. foreign: what an effect may have handed on."""
    known: list[Tensor] = []
    if not torch.compiler.is_compiling() and not {"where shared", "with gradients"}.isdisjoint(how.values()):
        known += foreign()
    owned = {}
    for name, value in plan.outputs.items():
        tensor, copy = values.get(value), how[name]
        if not name.startswith("tap ") and tensor.requires_grad:
            # Autograd forbids to write to one of several rows that were taken apart.
            training = copy == "with gradients" or not values.alone(value)
        else:
            training = False
        if copy == "always" or training or (copy != "never" and _shared(tensor, known)):
            tensor = tensor.clone(memory_format=torch.contiguous_format)
        owned[name] = tensor
        known.append(tensor)
    return owned


def _shared(tensor: Tensor, foreign: Sequence[Tensor]) -> bool:
    """Whether the tensor lies in the memory of another one, or in its own more than once."""
    if torch.compiler.is_compiling() or get_interpreter_stack() is not None:
        return True  # nobody can tell
    if any(stride == 0 and size > 1 for stride, size in zip(tensor.stride(), tensor.shape)):
        return True
    low, high = _span(tensor)
    return any(first < high and low < last for first, last in map(_span, foreign))


def _span(tensor: Tensor) -> tuple[int, int]:
    """The addresses that a tensor covers: its first byte, and the one after its last."""
    first = tensor.data_ptr()
    reach = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride()))
    return first, first + (reach + 1) * tensor.element_size() if tensor.numel() else first


def reads_values(device: torch.device, asked: bool = False) -> bool:
    """Whether Python looks at the numbers that tensors on this device hold.

    It cannot while they are traced, or in ``torch.vmap``. On a GPU the host would have to wait for all that was queued
    before, so it looks at them only where the caller asked for checks.
    """
    if torch.compiler.is_compiling() or not (asked or device.type == "cpu"):
        return False
    levels = get_interpreter_stack()
    return levels is None or all(level.key() != TransformType.Vmap for level in levels)


def check_finite(
    outputs: Mapping[str, Tensor], audio: Mapping[str, Tensor], names: Mapping[str, str]
) -> None:
    """InputError where an output is not finite because audio that came in is not.

    audio: by input node, ``[batch, channels, samples]``. names: what to call the nodes. A sum is finite only where all
    that it is of is, so one pass over the mix says whether to look at the inputs.
    """
    if not all(math.isfinite(float(tensor.detach().sum())) for tensor in outputs.values()):
        check_inputs_finite(audio, names)


def check_inputs_finite(audio: Mapping[str, Tensor], names: Mapping[str, str], start: int = 0) -> None:
    """InputError for NaN and infinity in audio, with the first place. start: the sample that it begins with."""
    # All at once, since short blocks are many.
    given = [tensor.detach() for tensor in audio.values()]
    if len({tensor.shape for tensor in given}) == 1 and math.isfinite(float(torch.stack(given).sum())):
        return
    for node, tensor in audio.items():
        if math.isfinite(float(tensor.detach().sum())):
            continue
        wrong = ~torch.isfinite(tensor.detach())
        places = wrong.nonzero()
        if len(places):
            item, channel, sample = places[0].tolist()
            value = float(tensor[item, channel, sample])
            more = len(places) - 1
            raise InputError(
                f"{names[node]} is {value} at sample {start + sample} of channel {channel}, batch item {item} "
                f"(all count from 0)"
                + (f"; {more} more value{'s are' if more > 1 else ' is'} not finite" if more else "")
            )
