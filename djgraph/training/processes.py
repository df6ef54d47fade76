"""One process or several (torchrun): each takes its share of every batch, gradients are those of one process."""

from __future__ import annotations

import os
from collections.abc import Iterable

import torch
from torch import Tensor, distributed, nn

from djgraph.errors import InputError


def begin(device: str) -> torch.device:
    """Join the processes that torchrun started, if it did; the device of this one.

    device: ``cpu``, ``cuda`` or ``auto``. Several processes on GPUs take one each. InputError for another device, and
    for ``cuda`` where there is none.
    """
    try:
        wanted = torch.device("cpu" if device == "auto" else device)
    except RuntimeError:
        raise InputError(f"--device is {device!r}; expected cpu, cuda or auto") from None
    found = torch.cuda.is_available()
    if wanted.type == "cuda" and not found:
        raise InputError(f"--device is {device}, and PyTorch finds no GPU here; leave it out, or say cpu")
    chosen = torch.device("cuda") if device == "auto" and found else wanted
    if "WORLD_SIZE" in os.environ and not distributed.is_initialized():
        distributed.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    if chosen.type == "cuda":
        if chosen.index is None:
            local = int(os.environ.get("LOCAL_RANK", "0"))
            chosen = torch.device("cuda", local % torch.cuda.device_count())
        torch.cuda.set_device(chosen)
    return chosen


def end() -> None:
    """Part from the others."""
    if distributed.is_initialized():
        distributed.destroy_process_group()


def rank() -> int:
    """Number of this process; 0 writes the files."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def count() -> int:
    """How many there are."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def share(batch: list[int]) -> list[int]:
    """This process's items of a batch."""
    return batch[rank() :: count()]


def weigh(loss: Tensor, items: int, batch: int) -> Tensor:
    """A mean over this process's ``items``, as its part of the mean over the whole batch."""
    return loss * (items / batch)


def sum_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Add up the gradients of all processes, in place. With losses that :func:`weigh` has weighed, every process
    then has the gradients that one process would have for the whole batch."""
    if count() == 1:
        return
    chosen = [parameter for parameter in parameters if parameter.requires_grad]
    flat = torch.cat(
        [(p.grad if p.grad is not None else torch.zeros_like(p)).flatten() for p in chosen]
    )  # one message instead of many
    distributed.all_reduce(flat)
    for parameter, part in zip(chosen, flat.split([p.numel() for p in chosen])):
        parameter.grad = part.view_as(parameter).clone()


def total(values: Tensor) -> Tensor:
    """The sum over all processes."""
    if count() > 1:
        distributed.all_reduce(values)
    return values


def any_of(flag: bool, device: torch.device) -> bool:
    """Whether it is true in any process."""
    return bool(total(torch.tensor([float(flag)], device=device)) > 0)


def same_start(module: nn.Module) -> None:
    """Give every process the weights of process 0."""
    if count() > 1:
        for tensor in (*module.parameters(), *module.buffers()):
            distributed.broadcast(tensor.data, 0)
