"""The effects' learnable tensors as arguments: a backward pass uses those that the forward pass was given.

``functional_call``, ``torch.func`` and code that swaps weights put other tensors in a module's place for the time
of a call. Whatever runs a module's code once more has to put them there again.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

_SWAPPING = threading.RLock()


class Weights:
    """The learnable tensors of some modules as they are now, each once, and where they stand."""

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        self.tensors: list[Tensor] = []
        self._places: list[tuple[dict[str, Any], str, int]] = []
        self._buffers: list[tuple[dict[str, Any], str, Tensor]] = []
        numbers: dict[int, int] = {}
        for module in dict.fromkeys(part for root in modules for part in root.modules()):
            for name, weight in module._parameters.items():
                if weight is None:
                    continue
                if id(weight) not in numbers:
                    numbers[id(weight)] = len(self.tensors)
                    self.tensors.append(weight)
                self._places.append((module._parameters, name, numbers[id(weight)]))
            self._buffers += [
                (module._buffers, name, buffer)
                for name, buffer in module._buffers.items()
                if buffer is not None
            ]

    @contextmanager
    def holding(self, tensors: Sequence[Tensor]) -> Iterator[None]:
        """For the time of a ``with`` block the modules hold ``tensors``, and the buffers that they held when asked.

        Nothing is touched where they do anyway, as in any training loop. Where something is swapped, other threads
        must not use the modules meanwhile, as with :func:`torch.func.functional_call` itself.
        """
        wanted = [(home, name, tensors[number]) for home, name, number in self._places] + self._buffers
        moves = [(home, name, tensor) for home, name, tensor in wanted if home[name] is not tensor]
        if not moves:
            yield
            return
        with _SWAPPING:
            before = [(home, name, home[name]) for home, name, _ in moves]
            try:
                for home, name, tensor in moves:
                    home[name] = tensor
                yield
            finally:
                for home, name, tensor in before:
                    home[name] = tensor
