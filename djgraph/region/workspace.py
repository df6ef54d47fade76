"""Buffers that are used again from tile to tile and from call to call."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor


class Workspace:
    """Buffers that are used again for every tile: fresh memory costs as much as the work done in it.

    A buffer holds until its name is asked for again. They are kept for each region from one call to the next, on a
    CPU only (PyTorch keeps a GPU's memory itself); calls that run at the same time each have their own.
    """

    def __init__(self) -> None:
        self._buffers: dict[tuple[str, torch.dtype], Tensor] = {}

    def take(self, name: str, shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> Tensor:
        """Uninitialised memory of that shape."""
        size = math.prod(shape)
        buffer = self._buffers.get((name, dtype))
        if buffer is None or buffer.numel() < size or buffer.device != device:
            with torch.inference_mode(False):
                buffer = self._buffers[name, dtype] = torch.empty(size, dtype=dtype, device=device)
        return buffer[:size].view(shape)

    def like(self, name: str, tensor: Tensor) -> Tensor:
        return self.take(name, tensor.shape, tensor.dtype, tensor.device)


@contextmanager
def borrowed(spare: list[Workspace], device: torch.device) -> Iterator[Workspace]:
    """One of the spare workspaces, or a new one; it is spare again afterwards."""
    spare = spare if device.type == "cpu" else []
    workspace = spare.pop() if spare else Workspace()
    try:
        yield workspace
    finally:
        spare.append(workspace)
