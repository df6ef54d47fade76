"""Constants where they are needed: what a GPU reads is copied there once, so that no later call waits for it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

_COPIES = WeakTensorKeyDictionary()
"""By constant, its copies by device and dtype, for as long as the constant lives."""


def resident(constant: Tensor, device: torch.device, dtype: torch.dtype | None = None) -> Tensor:
    """A constant of the CPU on a device, in a dtype (its own where left out); not to be written to.

    A copy from the CPU's memory makes the host wait, and cannot be part of a CUDA graph: it is made once and kept.
    """
    if device.type == "cpu":
        return constant if dtype is None or dtype == constant.dtype else constant.to(dtype)
    if torch.compiler.is_compiling():
        return constant.to(device, dtype)
    copies = _COPIES.get(constant)
    if copies is None:
        copies = _COPIES[constant] = {}
    key = (device, dtype or constant.dtype)
    if key not in copies:
        with torch.inference_mode(False), torch.no_grad():
            copies[key] = constant.to(device="cpu", dtype=key[1]).to(device)
    return copies[key]


def numbers_like(values: Sequence[float], like: Tensor) -> Tensor:
    """Fixed numbers as a tensor of the dtype and on the device of another one, ``[numbers]``; not to be written to."""
    return resident(_numbers(tuple(values)), like.device, like.dtype)


@lru_cache(maxsize=256)
def _numbers(values: tuple[float, ...]) -> Tensor:
    with torch.inference_mode(False):
        return torch.tensor(values, dtype=torch.float64, device="cpu")


def one_like(value: float, like: Tensor) -> Tensor:
    """One number as a tensor without dimensions, of the dtype and on the device of another one."""
    return torch.full((), value, dtype=like.dtype, device=like.device)
