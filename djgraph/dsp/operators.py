"""Operations as operators that torch.compile calls without looking inside.

Our loops over tiles and blocks are few large calls already: tracing would unroll them one by one. So inside a
compiled program each stands as one operator, forward and backward, and there is no graph break. On tensors without
data (the device ``meta``), where effects' code is counted, it does so, too, and within :func:`counted`: an operator
says what it computes.

An operator has the signature ``(Tensor[] tensors, SymInt[] numbers, str owner) -> Tensor[]``, with at least one
number; ``owner`` says in words whose operator it is. Its backward operator does with the arguments alone: what an
operation would keep is computed again.
"""

from __future__ import annotations

import hashlib
import uuid
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor

from djgraph import simd
from djgraph.dsp.derivatives import Operation
from djgraph.errors import CompileError, DJGraphError
from djgraph.version import __version__ as VERSION

Arrange = Callable[[list[Tensor], list[int]], tuple[Operation, list[Tensor]]]
Operator = Callable[..., list[Tensor]]
"""``(tensors, numbers, owner)``"""


Flops = tuple[float, float]
"""Floating point operations for each number of the first tensor, forward and backward."""

_FLOPS: dict[str, Callable[[Sequence[Tensor]], Flops]] = {}
_BACKWARD = "_backward"
_counted: ContextVar[bool] = ContextVar("kernels are called as operators", default=False)

_AUTOGRAD = ThreadPoolExecutor(1, thread_name_prefix="djgraph-autograd")
"""An operator's own code runs below autograd, but our backward passes differentiate the effects' code tile by
tile. What is below autograd is a matter of the thread, so they run in one of their own."""


def operator(
    name: str,
    arrange: Arrange,
    like: Callable[[list[Tensor], list[int]], list[Tensor]],
    flops: Flops | Callable[[Sequence[Tensor]], Flops] = (0, 0),
) -> Operator:
    """Registers an operation as one operator: ``name`` is ``namespace::name``, or, without one, ``djgraph::name``.

    Called once, when a module is imported: a name cannot be registered twice. The operator is called with a list of
    contiguous tensors and at least one whole number, where :func:`as_operator` says so.

    arrange: the operation and its tensors from the operator's tensors and numbers, tensors in the same order; it may
    take the last ones for the operation itself, and these get no gradient.
    like: empty tensors of the shapes that the operation returns. flops: floating point operations for each number of
    the first tensor, forward and backward; where they depend on how many tensors there are, a function of those.
    """
    name = _full(name)
    _FLOPS[name] = flops if callable(flops) else lambda tensors: flops

    def forward(tensors: list[Tensor], numbers: list[int]) -> list[Tensor]:
        operation, given = arrange(tensors, numbers)
        results = operation.forward(given)
        return list(results[: len(results) - operation.kept])

    def backward(
        gradients: list[Tensor], tensors: list[Tensor], numbers: list[int], needs: list[bool]
    ) -> list[Tensor]:
        operation, given = arrange(tensors, numbers)
        with torch.no_grad():
            parts = operation.backward(given, (), gradients, needs[: len(given)])
        return [_own(part, tensor) for part, tensor in zip_longest(parts, tensors)]

    return _register(name, forward, backward, like)


def as_operator(tensor: Tensor) -> bool:
    """Whether a kernel is called as its operator."""
    return torch.compiler.is_compiling() or tensor.is_meta or _counted.get()


def run(
    operation: Operation,
    tensors: Sequence[Tensor],
    registered: Operator,
    numbers: Sequence[int],
    fixed: float | None = None,
) -> tuple[Tensor, ...]:
    """A kernel's results: by its operator where :func:`as_operator` says so, by compiled code where that takes all
    tensors, else plainly.

    numbers: the operator's. fixed: a number that it takes as one more tensor.
    """
    if as_operator(tensors[0]):
        more = [] if fixed is None else [torch.tensor([fixed], dtype=torch.float64, device="cpu")]
        return tuple(registered([*tensors, *more], list(numbers)))
    return operation(*tensors) if all(map(simd.takes, tensors)) else operation.plainly(tensors)


def flops_of_operator(name: str, arguments: Sequence[Any]) -> float | None:
    """Of ``namespace::name``, forward or backward, called with these. None where it is no operator of ours."""
    count = _FLOPS.get(name.removesuffix(_BACKWARD))
    if count is None:
        return None
    backward = name.endswith(_BACKWARD)
    tensors = arguments[int(backward)]
    return float(count(tensors)[int(backward)] * tensors[0].numel())


@contextmanager
def counted() -> Iterator[None]:
    """Within, kernels are called as operators on any tensors, so that whoever looks at operators sees them."""
    token = _counted.set(True)
    try:
        yield
    finally:
        _counted.reset(token)


def recomputed(
    name: str,
    function: Callable[[list[Tensor], list[int]], Sequence[Tensor]],
    like: Callable[[list[Tensor], list[int]], list[Tensor]],
) -> Operator:
    """Registers ``djgraph::name`` for a plain differentiable function; its backward pass runs it once more."""

    def forward(tensors: list[Tensor], numbers: list[int]) -> list[Tensor]:
        with torch.no_grad():
            return [tensor.clone() for tensor in function(tensors, numbers)]

    def backward(
        gradients: list[Tensor], tensors: list[Tensor], numbers: list[int], needs: list[bool]
    ) -> list[Tensor]:
        with torch.enable_grad():
            given = [tensor.detach().requires_grad_(tensor.is_floating_point()) for tensor in tensors]
            results = function(given, numbers)
        leaves = [tensor for tensor in given if tensor.requires_grad]
        parts = iter(torch.autograd.grad(list(results), leaves, gradients, allow_unused=True))
        return [_own(next(parts) if tensor.requires_grad else None, tensor) for tensor in given]

    return _register(_full(name), forward, backward, like)


def _full(name: str) -> str:
    return name if "::" in name else f"djgraph::{name}"


def _own(part: Tensor | None, tensor: Tensor) -> Tensor:
    """A gradient as an operator has to return it: always there, and nobody else's."""
    return torch.zeros_like(tensor) if part is None else part.clone(memory_format=torch.contiguous_format)


def _register(
    name: str,
    forward: Callable[[list[Tensor], list[int]], list[Tensor]],
    backward: Callable[[list[Tensor], list[Tensor], list[int], list[bool]], list[Tensor]],
    like: Callable[[list[Tensor], list[int]], list[Tensor]],
) -> Operator:
    op = torch.library.custom_op(
        name,
        lambda tensors, numbers, owner="": _for(owner, forward, tensors, numbers),
        mutates_args=(),
        schema='(Tensor[] tensors, SymInt[] numbers, str owner="") -> Tensor[]',
    )
    op.register_fake(lambda tensors, numbers, owner="": _for(owner, like, tensors, numbers))
    back = torch.library.custom_op(
        f"{name}{_BACKWARD}",
        lambda *given, owner="": _AUTOGRAD.submit(_for, owner, backward, *given).result(),
        mutates_args=(),
        schema='(Tensor[] gradients, Tensor[] tensors, SymInt[] numbers, bool[] needs, *, str owner="")'
        " -> Tensor[]",
    )
    back.register_fake(
        lambda gradients, tensors, numbers, needs, owner="": [torch.empty_like(t) for t in tensors]
    )
    back.register_autograd(_refuse_second)

    def setup(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
        tensors, ctx.numbers, ctx.owner = inputs
        ctx.save_for_backward(*tensors)

    def differentiate(ctx: Any, gradients: list[Tensor]) -> tuple[list[Tensor], None, None]:
        tensors = list(ctx.saved_tensors)
        needs = list(ctx.needs_input_grad[0])
        parts = back([g.contiguous() for g in gradients], tensors, ctx.numbers, needs, owner=ctx.owner)
        return parts, None, None

    op.register_autograd(differentiate, setup_context=setup)
    return op


def _refuse_second(ctx: Any, *gradients: Any) -> Any:
    raise DJGraphError(
        "a program of torch.compile has no second derivatives; call the mixer itself where create_graph=True is wanted"
    )


def _for(owner: str, function: Callable[..., list[Tensor]], *arguments: Any) -> list[Tensor]:
    """What a function makes; CompileError where it needs what only another process, or a mixer that is gone, has."""
    try:
        return function(*arguments)
    except Unknown:
        raise CompileError(
            f"this program was exported or compiled from {owner or 'a mixer'}, and no mixer like it is compiled in "
            f"this process: compile it here, from the same graph with the same settings, options and versions of "
            f"djgraph and its plugins, and keep it"
        ) from None


class Unknown(LookupError):
    """No object of a handle lives in this process."""


class Handles:
    """Numbers that stand for objects in an operator's arguments, for as long as the objects live.

    An exported program carries them into other processes. So they are digests of what says all about an object,
    its ``identity``: whatever has the same one computes the same. An object that has none gets a number that no other
    process will ever use.
    """

    def __init__(self) -> None:
        self._objects: dict[int, weakref.WeakSet[Any]] = {}

    def add(self, thing: Any, identity: str | None = None) -> int:
        text = uuid.uuid4().hex if identity is None else f"djgraph {VERSION} {identity}"
        number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
        self._objects.setdefault(number, weakref.WeakSet()).add(thing)
        return number

    def __getitem__(self, number: int) -> Any:
        for thing in self._objects.get(number, ()):
            return thing
        self._objects.pop(number, None)
        raise Unknown(number)

    def __iter__(self) -> Iterator[Any]:
        return (thing for things in list(self._objects.values()) for thing in list(things))
