"""The state of a stream as one flat mapping of names to tensors, as safetensors holds it."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

State = Mapping[str, Tensor]


def prefixed(prefix: str, state: State) -> dict[str, Tensor]:
    """The same with longer names. Tensors are detached copies: the stream goes on with its own."""
    return {f"{prefix}.{name}": tensor.detach().clone().contiguous() for name, tensor in state.items()}


def part(prefix: str, state: State) -> dict[str, Tensor]:
    """The tensors under a prefix, by the rest of their names."""
    start = prefix + "."
    return {name.removeprefix(start): value for name, value in state.items() if name.startswith(start)}
