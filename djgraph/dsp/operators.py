"""Operations as operators that torch.compile calls without looking inside.

Our loops over tiles and blocks are few large calls already: tracing would unroll them one by one. So inside a
compiled program each stands as one operator, forward and backward, and there is no graph break.

An operator has the signature ``(Tensor[] tensors, SymInt[] numbers) -> Tensor[]``, with at least one number. Its
backward operator does with the arguments alone: what an operation would keep is computed again.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor

from djgraph.dsp.derivatives import Operation
from djgraph.errors import DJGraphError

Arrange = Callable[[list[Tensor], list[int]], tuple[Operation, list[Tensor]]]


_AUTOGRAD = ThreadPoolExecutor(1, thread_name_prefix="djgraph-autograd")
"""An operator's own code runs below autograd, but our backward passes differentiate the effects' code tile by
tile. What is below autograd is a matter of the thread, so they run in one of their own."""


def operator(
    name: str,
    arrange: Arrange,
    like: Callable[[list[Tensor], list[int]], list[Tensor]],
) -> Callable[[Sequence[Tensor], Sequence[int]], list[Tensor]]:
    """Registers ``djgraph::name`` for an operation.

    arrange: the operation and its tensors from the operator's tensors and numbers, tensors in the same order.
    like: empty tensors of the shapes that the operation returns.
    """

    def forward(tensors: list[Tensor], numbers: list[int]) -> list[Tensor]:
        operation, given = arrange(tensors, numbers)
        made = operation.forward(given)
        return list(made[: len(made) - operation.kept])

    def backward(
        gradients: list[Tensor], tensors: list[Tensor], numbers: list[int], needs: list[bool]
    ) -> list[Tensor]:
        operation, given = arrange(tensors, numbers)
        with torch.no_grad():
            found = operation.backward(given, (), gradients, needs)
        return [_own(part, tensor) for part, tensor in zip(found, tensors)]

    return _register(name, forward, backward, like)


def recomputed(
    name: str,
    function: Callable[[list[Tensor], list[int]], Sequence[Tensor]],
    like: Callable[[list[Tensor], list[int]], list[Tensor]],
) -> Callable[[Sequence[Tensor], Sequence[int]], list[Tensor]]:
    """Registers ``djgraph::name`` for a plain differentiable function; its backward pass runs it once more."""

    def forward(tensors: list[Tensor], numbers: list[int]) -> list[Tensor]:
        with torch.no_grad():
            return [tensor.clone() for tensor in function(tensors, numbers)]

    def backward(
        gradients: list[Tensor], tensors: list[Tensor], numbers: list[int], needs: list[bool]
    ) -> list[Tensor]:
        with torch.enable_grad():
            leaves = [tensor.detach().requires_grad_() for tensor in tensors]
            made = function(leaves, numbers)
        found = torch.autograd.grad(list(made), leaves, gradients, allow_unused=True)
        return [_own(part, tensor) for part, tensor in zip(found, tensors)]

    return _register(name, forward, backward, like)


def _own(part: Tensor | None, tensor: Tensor) -> Tensor:
    """A gradient as an operator has to return it: always there, and nobody else's."""
    return torch.zeros_like(tensor) if part is None else part.clone(memory_format=torch.contiguous_format)


def _register(
    name: str,
    forward: Callable[[list[Tensor], list[int]], list[Tensor]],
    backward: Callable[[list[Tensor], list[Tensor], list[int], list[bool]], list[Tensor]],
    like: Callable[[list[Tensor], list[int]], list[Tensor]],
) -> Callable[[Sequence[Tensor], Sequence[int]], list[Tensor]]:
    schema = "(Tensor[] tensors, SymInt[] numbers) -> Tensor[]"
    made = torch.library.custom_op(f"djgraph::{name}", forward, mutates_args=(), schema=schema)
    made.register_fake(like)
    back = torch.library.custom_op(
        f"djgraph::{name}_backward",
        lambda *arguments: _AUTOGRAD.submit(backward, *arguments).result(),
        mutates_args=(),
        schema="(Tensor[] gradients, Tensor[] tensors, SymInt[] numbers, bool[] needs) -> Tensor[]",
    )
    back.register_autograd(_refuse_second)
    back.register_fake(lambda gradients, tensors, numbers, needs: [torch.empty_like(t) for t in tensors])

    def setup(ctx: Any, inputs: tuple[list[Tensor], list[int]], output: list[Tensor]) -> None:
        tensors, ctx.numbers = inputs
        ctx.save_for_backward(*tensors)

    def differentiate(ctx: Any, gradients: list[Tensor]) -> tuple[list[Tensor], None]:
        tensors = list(ctx.saved_tensors)
        needs = list(ctx.needs_input_grad[0])
        found = back([g.contiguous() for g in gradients], tensors, ctx.numbers, needs)
        return found, None

    made.register_autograd(differentiate, setup_context=setup)
    return made


def _refuse_second(ctx: Any, *gradients: Any) -> Any:
    raise DJGraphError(
        "a program of torch.compile has no second derivatives; call the mixer itself where create_graph=True is wanted"
    )


class Handles:
    """Numbers that stand for objects in an operator's arguments, for as long as the objects live."""

    def __init__(self) -> None:
        self._objects: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
        self._next = itertools.count(1)

    def add(self, thing: Any) -> int:
        number = next(self._next)
        self._objects[number] = thing
        return number

    def __getitem__(self, number: int) -> Any:
        return self._objects[number]

    def __iter__(self) -> Iterator[Any]:
        return iter(list(self._objects.values()))
