"""Code for the CPU's vector units, compiled by Numba at its first call and kept on disk from then on.

Nothing here knows of graphs or effects: signals, tables of addresses, and programs of a few operations on them.
Importing the modules imports Numba, which takes half a second; so whoever uses them does so where they are needed.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache

import torch
from torch import Tensor


@lru_cache(maxsize=1)
def available() -> bool:
    """Whether Numba is installed; without it PyTorch's operators do the work."""
    return importlib.util.find_spec("numba") is not None


def takes(tensor: Tensor) -> bool:
    """Whether compiled code can work on such a tensor: on the CPU, in single or double precision."""
    return tensor.device.type == "cpu" and tensor.dtype in (torch.float32, torch.float64) and available()


def transforms(size: int) -> bool:
    """Whether there is a Fourier transform of that many points."""
    return size >= 16 and size & (size - 1) == 0


@contextmanager
def compiling(begun: Callable[[], object], done: Callable[[], object]) -> Iterator[None]:
    """Calls ``begun`` when something has to be compiled, because it is not on disk, and ``done`` afterwards."""
    if not available():
        yield
        return
    from djgraph.simd.jit import watched

    with watched(begun, done):
        yield
