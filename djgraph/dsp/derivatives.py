"""Operations with a backward pass of their own, differentiable as often and in as many ways as any of PyTorch's.

Autograd differentiates a Function's backward pass by looking inside it, and finds nothing where that works in
compiled code, in place or tile by tile. So here the backward pass is a Function, too, whose own derivative is taken
of the operation written in plain operations: what a first derivative costs stays as it is, and every other one
(``create_graph=True``, ``hvp``, forward mode, ``torch.func``, ``vmap``) is right.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from djgraph.errors import DJGraphError

Plain = Callable[[Sequence[Tensor]], tuple[Tensor, ...]]
"""A function of tensors in operations that autograd knows."""


class Operation(ABC):
    """A function of tensors, its gradient, and the same function in operations that autograd knows."""

    kept = 0
    """How many of the last results of :meth:`forward` serve nobody but :meth:`backward`."""
    simple = False
    """The backward pass is a few of PyTorch's operations on what was kept: PyTorch's old vmap may go through it."""

    @abstractmethod
    def forward(self, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The results, then what is kept for the backward pass. Autograd does not look inside."""

    @abstractmethod
    def backward(
        self,
        tensors: Sequence[Tensor],
        kept: Sequence[Tensor],
        gradients: Sequence[Tensor],
        needed: Sequence[bool],
    ) -> Sequence[Tensor | None]:
        """The gradients of the tensors, None where not needed, from those of the results. Nor here."""

    @abstractmethod
    def plainly(self, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The results alone, by operations that autograd knows."""

    def plain_gradients(
        self, tensors: Sequence[Tensor], gradients: Sequence[Tensor], needed: Sequence[bool]
    ) -> tuple[Tensor | None, ...]:
        """The gradients by :meth:`plainly`: of an operator of ``torch.compile``, which autograd does not look into."""
        with torch.enable_grad():
            given = [tensor.detach().requires_grad_(need) for tensor, need in zip(tensors, needed)]
            results = self.plainly(given)
            wanted = [tensor for tensor in given if tensor.requires_grad]
            obtained = iter(torch.autograd.grad(results, wanted, gradients, materialize_grads=True))
        return tuple(next(obtained) if need else None for need in needed)

    def __call__(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        results = _Forward.apply(self, *tensors) if followed(tensors) else self.forward(tensors)
        return results[: len(results) - self.kept]


class LinearMap(ABC):
    """A linear map along the last dimension, ``[…, n]`` → ``[…, m]``, and its adjoint."""

    @abstractmethod
    def compute(self, values: Tensor) -> Tensor:
        """The map. Autograd does not look inside."""

    @abstractmethod
    def adjoint(self) -> LinearMap:
        """The map ``[…, m]`` → ``[…, n]`` that takes gradients back."""

    def __call__(self, values: Tensor) -> Tensor:
        if not followed((values,)):
            return self.compute(values)
        function = _Linear if torch.compiler.is_compiling() else _LinearForward
        return function.apply(values, self)


def followed(tensors: Sequence[Tensor]) -> bool:
    """Whether any kind of derivative, vmap or trace looks at what is computed.

    A Function that nobody looks at costs a tenth of a millisecond: much for the short blocks of a stream.
    """
    return (
        torch.compiler.is_compiling()
        or torch._C._are_functorch_transforms_active()
        or forward_ad._current_level >= 0
        or (torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors))
    )


def unwatched() -> bool:
    """Whether no kind of derivative is taken of what is computed here, so that memory may be written to again.

    With gradients enabled autograd may keep any tensor, also one that needs no gradient.
    """
    return not torch.is_grad_enabled() and not followed(())


def _refuse_old_vmap(gradients: Sequence[Tensor | None]) -> None:
    if any(g is not None and torch._C._functorch.is_legacy_batchedtensor(g) for g in gradients):
        raise DJGraphError(
            "is_grads_batched=True and vectorize=True use PyTorch's old vmap, which no custom backward pass can follow;"
            " use torch.func.jacrev or torch.func.vmap of torch.func.vjp, or take the gradients one by one"
        )


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(values: Tensor, mapping: LinearMap) -> Tensor:
        return mapping.compute(values)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, LinearMap], output: Tensor) -> None:
        ctx.mapping = inputs[1]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        _refuse_old_vmap((gradient,))
        return ctx.mapping.adjoint()(gradient), None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], values: Tensor, mapping: LinearMap) -> Any:
        assert in_dims[0] is not None
        return mapping(values.movedim(in_dims[0], 0)), 0


class _LinearForward(_Linear):
    """With forward mode, at which torch.compile stops."""

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, _: None) -> Tensor:
        return ctx.mapping(tangent)


class _Forward(torch.autograd.Function):
    @staticmethod
    def forward(operation: Operation, *tensors: Tensor) -> tuple[Tensor, ...]:
        return operation.forward(tensors)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        operation, *tensors = inputs
        kept = output[len(output) - operation.kept :]
        ctx.mark_non_differentiable(*kept)
        ctx.save_for_backward(*tensors, *kept)
        ctx.save_for_forward(*tensors)
        ctx.operation, ctx.results = operation, len(output) - operation.kept

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        needed = tuple(ctx.needs_input_grad[1:])
        if ctx.operation.simple and not torch.is_grad_enabled():
            count = len(ctx.saved_tensors) - ctx.operation.kept
            tensors, kept = ctx.saved_tensors[:count], ctx.saved_tensors[count:]
            return None, *ctx.operation.backward(tensors, kept, gradients[: ctx.results], needed)
        _refuse_old_vmap(gradients)
        gradients_of_arguments = iter(
            _Backward.apply(ctx.operation, needed, *gradients[: ctx.results], *ctx.saved_tensors)
        )
        return None, *(next(gradients_of_arguments) if need else None for need in needed)

    @staticmethod
    def jvp(ctx: Any, _: None, *tangents: Tensor | None) -> tuple[Tensor | None, ...]:
        tangents_of_results = _push_forward(ctx.operation.plainly, ctx.saved_tensors, tangents)
        return *tangents_of_results, *(None,) * ctx.operation.kept

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], operation: Operation, *tensors: Tensor) -> Any:
        return _one_by_one(lambda *some: _Forward.apply(operation, *some), info, in_dims[1:], tensors)


class _Backward(torch.autograd.Function):
    """``(operation, needed, gradients…, tensors…, kept…)`` → the gradients that are needed."""

    @staticmethod
    def forward(operation: Operation, needed: tuple[bool, ...], *arguments: Tensor) -> tuple[Tensor, ...]:
        gradients, tensors, kept = _parted(operation, needed, arguments)
        parts = operation.backward(tensors, kept, gradients, needed)
        given = {id(argument) for argument in arguments}
        return tuple(
            # What came in may not go out as it is.
            torch.zeros_like(tensor) if part is None else part.view_as(part) if id(part) in given else part
            for part, tensor, need in zip(parts, tensors, needed)
            if need
        )

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        ctx.operation, ctx.needed, *arguments = inputs
        ctx.save_for_backward(*arguments)
        ctx.save_for_forward(*arguments)

    @staticmethod
    def backward(ctx: Any, *seconds: Tensor) -> tuple[Tensor | None, ...]:
        gradients, tensors, kept = _parted(ctx.operation, ctx.needed, ctx.saved_tensors)
        wanted = ctx.needs_input_grad[2 : 2 + len(gradients) + len(tensors)]
        plainly = _Backward._plainly(ctx.operation, ctx.needed, len(gradients))
        parts = iter(_pull_back(plainly, (*gradients, *tensors), wanted, seconds))
        return None, None, *(next(parts) if want else None for want in wanted), *(None for _ in kept)

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> tuple[Tensor, ...]:
        gradients, tensors, _ = _parted(ctx.operation, ctx.needed, ctx.saved_tensors)
        plainly = _Backward._plainly(ctx.operation, ctx.needed, len(gradients))
        given = (*gradients, *tensors)
        return _push_forward(plainly, given, tangents[2 : 2 + len(given)])

    @staticmethod
    def _plainly(operation: Operation, needed: Sequence[bool], results: int) -> Plain:
        """The gradients as a function of ``(gradients…, tensors…)`` in operations that autograd knows."""
        return lambda given: _pull_back(operation.plainly, given[results:], needed, given[:results])

    @staticmethod
    def vmap(
        info: Any,
        in_dims: tuple[Any, ...],
        operation: Operation,
        needed: tuple[bool, ...],
        *arguments: Tensor,
    ) -> Any:
        return _one_by_one(
            lambda *some: _Backward.apply(operation, needed, *some), info, in_dims[2:], arguments
        )


def _parted(
    operation: Operation, needed: Sequence[bool], arguments: Sequence[Tensor]
) -> tuple[Sequence[Tensor], Sequence[Tensor], Sequence[Tensor]]:
    """``arguments`` as gradients, tensors, and what was kept."""
    kept = len(arguments) - operation.kept
    first = kept - len(needed)
    return arguments[:first], arguments[first:kept], arguments[kept:]


def _pull_back(
    function: Plain,
    tensors: Sequence[Tensor],
    wanted: Sequence[bool],
    gradients: Sequence[Tensor],
) -> tuple[Tensor, ...]:
    """Gradients of the wanted tensors from those of the function's results, in operations that autograd knows."""
    if torch._C._are_functorch_transforms_active():  # which know no requires_grad_()

        def of_wanted(*some: Tensor) -> tuple[Tensor, ...]:
            given = iter(some)
            return function([next(given) if want else one for one, want in zip(tensors, wanted)])

        some = [tensor for tensor, want in zip(tensors, wanted) if want]
        return torch.func.vjp(of_wanted, *some)[1](tuple(gradients))
    with torch.enable_grad():
        # Tensors of their own in the graph: one may have been computed from another, and each wants its own part only.
        aliases = [tensor.view_as(tensor) for tensor in tensors]
        aliases = [
            alias.detach().requires_grad_() if want and not alias.requires_grad else alias
            for alias, want in zip(aliases, wanted)
        ]
        some = [alias for alias, want in zip(aliases, wanted) if want]
        results = function(aliases)
        pairs = [(one, gradient) for one, gradient in zip(results, gradients) if one.requires_grad]
        if not pairs:
            return tuple(torch.zeros_like(tensor) for tensor in some)
        ends, starts = zip(*pairs)
        return torch.autograd.grad(ends, some, starts, create_graph=True, materialize_grads=True)


def _push_forward(
    function: Plain,
    tensors: Sequence[Tensor],
    tangents: Sequence[Tensor | None],
) -> tuple[Tensor, ...]:
    """Tangents of the results: the gradient is linear in the results' gradients, and this is its adjoint."""
    moved = [tangent is not None for tangent in tangents]
    with torch.no_grad():
        zeros = [torch.zeros_like(one) for one in function(tensors)]
    return _pull_back(
        lambda gradients: _pull_back(function, tensors, moved, gradients),
        zeros,
        [True] * len(zeros),
        [tangent for tangent in tangents if tangent is not None],
    )


def _one_by_one(
    function: Callable[..., tuple[Tensor, ...]],
    info: Any,
    in_dims: Sequence[int | None],
    tensors: Sequence[Tensor],
) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
    """The rule for vmap: one item after another."""
    items = [
        function(*(t if dim is None else t.select(dim, item) for t, dim in zip(tensors, in_dims)))
        for item in range(info.batch_size)
    ]
    results = tuple(torch.stack(parts) for parts in zip(*items))
    return results, (0,) * len(results)
