"""What all recursions share: their arguments, and who runs them.

On a CPU, in single or double precision and with Numba, compiled code runs (:mod:`djgraph.simd.recursion`), one
signal on each lane of the vectors. Everything else (GPUs, other types, a computer without Numba) is PyTorch's
operations, by scans. Both are the same function, and further derivatives are taken of the second one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from djgraph import simd
from djgraph.dsp.checked import check_signal, checked_control, checked_state, one_number
from djgraph.dsp.derivatives import Operation, followed
from djgraph.dsp.frames import Curve, at_samples
from djgraph.dsp.operators import as_operator, operator

if TYPE_CHECKING:
    from djgraph.simd.recursion import Kernel, Short
    from djgraph.simd.tile import Input

Plain = Callable[[Sequence[Tensor], Tensor, Sequence[float]], tuple[Tensor, ...]]
"""``(signals and curves at every sample, first state, numbers)`` → the outputs and the last state; plain operations."""


@dataclass(frozen=True)
class Recursion:
    """A recursion in time.

    name: in errors. compiled: its compiled code in ``djgraph.simd``, as module.name. inputs: the names of its signal
    and controls, in order. outputs, states: how many. plain: the same by PyTorch's operations. flops: floating point
    operations of the compiled code for each sample, forward and backward; elementary functions and choices are one.
    """

    name: str
    compiled: str
    inputs: tuple[str, ...]
    outputs: int
    states: int
    plain: Plain
    flops: tuple[int, int]
    _prepared: dict[Any, _Prepared | None] = field(default_factory=dict, repr=False, compare=False)
    """By sizes and strides, for :meth:`_quickly`; None for what goes the long way."""

    def __call__(
        self,
        signal: Tensor,
        controls: Sequence[Curve],
        state: Tensor | None,
        numbers: Sequence[float] = (),
    ) -> tuple[Tensor, ...]:
        """The outputs, shaped as the signal, and the state after its last sample."""
        quick = self._quickly(signal, controls, state, tuple(numbers))
        if quick is not None:
            return quick
        values, hops = self.values(signal, controls)
        state = checked_state(self.name, state, signal, self.states)
        if as_operator(signal):
            given = [*values, state, torch.tensor(list(numbers), dtype=torch.float64, device="cpu")]
            return tuple(_OPERATORS[self.name](given, [*hops, 0]))
        operation = Run(self, hops, tuple(numbers))
        if not simd.takes(signal):  # all others have its type and device
            return operation.plainly((*values, state))
        return operation(*values, state)

    def _quickly(
        self, signal: Tensor, controls: Sequence[Curve], state: Tensor | None, numbers: tuple[float, ...]
    ) -> tuple[Tensor, ...] | None:
        """A short run that no derivative is taken of, as a stream has at every block; None for any other.

        Checks and tables depend on sizes, strides and types alone: they are made once for each.
        """
        if as_operator(signal) or type(signal) is not Tensor or type(state) is not Tensor:
            return None
        tensors = [signal]
        for control in controls:
            if isinstance(control, (int, float)):
                control = one_number(float(control), signal.dtype)
            elif type(control) is not Tensor:
                return None
            tensors.append(control)
        tensors.append(state)
        if followed(tensors) or not simd.takes(signal):
            return None
        key = tuple([(one.shape, one.stride(), one.dtype, one.device) for one in tensors])
        if key not in self._prepared:
            if len(self._prepared) >= KEPT:  # another thread may look it up at any time
                self._prepared.clear()
            self._prepared[key] = self._prepare(signal, controls, tensors)
        prepared = self._prepared.get(key)
        return None if prepared is None else prepared.run(tensors, numbers_array(numbers))

    def _prepare(
        self, signal: Tensor, controls: Sequence[Curve], tensors: Sequence[Tensor]
    ) -> _Prepared | None:
        from djgraph.simd.recursion import prepare_short

        values, hops = self.values(signal, controls)
        checked_state(self.name, tensors[-1], signal, self.states)
        lead, samples = tuple(signal.shape[:-1]), signal.shape[-1]
        inputs = [as_input(tensor, lead, hop, samples) for tensor, hop in zip(values, hops)]
        in_place = all(one.address == given.data_ptr() for one, given in zip(inputs, tensors))
        if not in_place or not tensors[-1].is_contiguous() or not signal.numel():
            return None
        short = prepare_short(self.kernel(), inputs, lead, signal.element_size())
        return None if short is None else _Prepared(short, self.outputs)

    def values(self, signal: Tensor, controls: Sequence[Curve]) -> tuple[list[Tensor], tuple[int, ...]]:
        """Signal and controls as tensors of one type that broadcast, and the hop of each."""
        given = self.inputs[0]
        check_signal(self.name, given, signal)
        checked = [
            checked_control(self.name, name, control, signal, given, signal.dtype)
            for name, control in zip(self.inputs[1:], controls)
        ]
        return [signal, *(tensor for tensor, _ in checked)], (0, *(hop for _, hop in checked))

    def kernel(self) -> Kernel:
        """The compiled code, made or read from disk when it first runs."""
        return _kernel(self.compiled)


KEPT = 64
"""Kinds of short runs that a recursion keeps what it has prepared for."""


@dataclass(frozen=True)
class _Prepared:
    """A short run of a recursion on tensors of known sizes and strides."""

    short: Short
    outputs: int

    def run(self, tensors: Sequence[Tensor], numbers: NDArray[np.float64]) -> tuple[Tensor, ...]:
        """``(signal, controls…, state)`` → ``(outputs…, last state)``."""
        signal, state = tensors[0], tensors[-1]
        outputs = [
            torch.empty_like(signal, memory_format=torch.contiguous_format) for _ in range(self.outputs)
        ]
        last = self.short.run(
            [one.data_ptr() for one in tensors[:-1]],
            rows(state),
            numbers,
            [one.data_ptr() for one in outputs],
        )
        return *outputs, torch.from_numpy(last).view(state.shape)


@cache
def _kernel(compiled: str) -> Kernel:
    module, _, name = compiled.partition(".")
    kernel: Kernel = getattr(import_module(f"djgraph.simd.{module}"), name)
    return kernel


class Run(Operation):
    """One run of a recursion: ``(signal, controls…, state)`` → ``(outputs…, last state)``."""

    kept = 1

    def __init__(self, recursion: Recursion, hops: tuple[int, ...], numbers: tuple[float, ...]) -> None:
        self.recursion, self.hops, self.numbers = recursion, hops, numbers

    def forward(self, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        if not simd.takes(tensors[0]):
            return *self.plainly(tensors), tensors[0].new_empty(0)
        from djgraph.simd.recursion import run_forward

        signal, state = tensors[0], tensors[-1]
        outputs = [
            torch.empty_like(signal, memory_format=torch.contiguous_format)
            for _ in range(self.recursion.outputs)
        ]
        last, kept = run_forward(
            self.recursion.kernel(),
            self._inputs(tensors),
            rows(state),
            numbers_array(self.numbers),
            [rows(output) for output in outputs],
        )
        return *outputs, torch.from_numpy(last).view(state.shape), torch.from_numpy(kept)

    def backward(
        self,
        tensors: Sequence[Tensor],
        kept: Sequence[Tensor],
        gradients: Sequence[Tensor],
        needed: Sequence[bool],
    ) -> tuple[Tensor | None, ...]:
        from djgraph.simd.recursion import run_backward

        if not simd.takes(tensors[0]):
            return self.plain_gradients(tensors, gradients, needed)
        states = kept[0] if kept else self.forward(tensors)[-1]  # an operator keeps nothing
        lead, samples = tuple(tensors[0].shape[:-1]), tensors[0].shape[-1]
        of_inputs, first = run_backward(
            self.recursion.kernel(),
            self._inputs(tensors),
            states.numpy(),
            numbers_array(self.numbers),
            [as_input(gradient, lead, 0, samples) for gradient in gradients[:-1]],
            rows(gradients[-1]),
            list(needed[:-1]),
        )
        return *summed(of_inputs, tensors), torch.from_numpy(first).view(tensors[-1].shape)

    def plainly(self, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        samples = tensors[0].shape[-1]
        curves = [at_samples(values, hop, samples) for values, hop in zip(tensors, self.hops)]
        return self.recursion.plain(curves, tensors[-1], self.numbers)

    def _inputs(self, tensors: Sequence[Tensor]) -> list[Input]:
        lead, samples = tuple(tensors[0].shape[:-1]), tensors[0].shape[-1]
        return [as_input(tensor, lead, hop, samples) for tensor, hop in zip(tensors, self.hops)]


def rows(tensor: Tensor) -> NDArray[Any]:
    """``[signals, samples]``; the same memory where the tensor is contiguous."""
    return tensor.detach().reshape(tensor.shape[:-1].numel(), tensor.shape[-1]).contiguous().numpy()


def summed(gradients: Sequence[NDArray[Any] | None], tensors: Sequence[Tensor]) -> Iterator[Tensor | None]:
    """Gradients for each signal, ``[signals, samples or frames]``, as those of what was broadcast to the signals.

    tensors: what they are gradients of, the signal first.
    """
    lead = tensors[0].shape[:-1]
    for gradient, tensor in zip(gradients, tensors):
        if gradient is None:
            yield None
        else:
            full = torch.from_numpy(gradient).view(*lead, gradient.shape[-1])
            yield full.sum_to_size(tensor.shape).to(tensor.dtype)


def as_input(tensor: Tensor, lead: tuple[int, ...], hop: int, samples: int) -> Input:
    """A tensor as rows in memory for each signal; what is broadcast is not copied."""
    from djgraph.simd.tile import Input

    length, strides = tensor.shape[-1], tensor.stride()
    if length > 1 and strides[-1] != 1:
        tensor = tensor.contiguous()
        strides = tensor.stride()
    layout = (lead, tuple(tensor.shape[:-1]), strides[:-1])
    return Input(tensor, tensor.data_ptr(), layout, hop, length if hop else samples)


@lru_cache(maxsize=256)
def numbers_array(numbers: tuple[float, ...]) -> NDArray[np.float64]:
    return np.array(numbers, np.float64)


_OPERATORS: dict[str, Callable[..., list[Tensor]]] = {}


def register(recursion: Recursion) -> Recursion:
    """Makes a recursion one operator for ``torch.compile``."""

    def arrange(tensors: list[Tensor], numbers: list[int]) -> tuple[Operation, list[Tensor]]:
        fixed = tuple(tensors[-1].tolist())
        return Run(recursion, tuple(numbers[:-1]), fixed), tensors[:-1]

    def like(tensors: list[Tensor], numbers: list[int]) -> list[Tensor]:
        outputs = [torch.empty_like(tensors[0], memory_format=torch.contiguous_format)]
        return [
            *(torch.empty_like(outputs[0]) for _ in range(recursion.outputs)),
            torch.empty_like(tensors[-2]),
        ]

    _OPERATORS[recursion.name] = operator(recursion.name, arrange, like, recursion.flops)
    return recursion
