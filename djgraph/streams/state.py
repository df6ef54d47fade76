"""The state of a stream as one flat mapping of names to tensors, as safetensors holds it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

StreamState = Mapping[str, Tensor]


def prefixed(prefix: str, state: StreamState) -> dict[str, Tensor]:
    """The same with longer names."""
    return {f"{prefix}.{name}": tensor for name, tensor in state.items()}


def part(prefix: str, state: StreamState) -> dict[str, Tensor]:
    """The tensors under a prefix, by the rest of their names."""
    start = prefix + "."
    return {name.removeprefix(start): value for name, value in state.items() if name.startswith(start)}


def seal(state: StreamState) -> Tensor:
    """A digest of all names, dtypes, shapes and values: what was cut short or edited has another one."""
    parts = []
    for name, tensor in sorted(state.items()):
        parts.append(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        parts.append(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest(parts)


def digest(parts: Iterable[bytes]) -> Tensor:
    """SHA-256, ``[32]`` bytes."""
    digest = hashlib.sha256()
    for one in parts:
        digest.update(one)
    return torch.tensor(list(digest.digest()), dtype=torch.uint8, device="cpu")
