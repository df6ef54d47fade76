"""Counts what tensor code does: floating point operations, bytes moved, memory held.

Works on real tensors and on those of the device ``meta``, which have a shape but no data: there the code of an
effect is counted at any length without computing anything.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterator
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from djgraph.dsp.operators import flops_of_operator

PER_ELEMENT = {"lerp": 3, "addcmul": 2, "addcdiv": 2}
"""Flops for each element where they are not 1; elementary functions (exp, sigmoid, log) count as 1."""
COMPLEX_PRODUCT = 6
PRODUCTS = {"mm": 0, "bmm": 0, "mv": 0, "dot": 0, "addmm": 1, "baddbmm": 1, "addmv": 1}
"""Matrix products, with the place of the factor whose last dimension is summed over."""
_MOVES = """clone copy _to_copy cat stack constant_pad_nd index index_put _unsafe_index index_select gather scatter
    take fill zero zeros ones full new_zeros new_ones new_full zeros_like ones_like full_like scalar_tensor
    arange linspace flip roll repeat repeat_interleave where masked_fill masked_select select_backward
    slice_backward unfold_backward select_scatter slice_scatter contiguous tril triu searchsorted bucketize
    replication_pad1d reflection_pad1d _local_scalar_dense lift_fresh lift_fresh_copy"""
MOVES = frozenset(_MOVES.split())
"""Operations that copy, choose or fill: bytes, but no flops."""


class Meter(TorchDispatchMode):
    """Within ``with Meter() as meter:`` every tensor operation is counted, those of a backward pass included.

    flops: floating point operations by the rules of :func:`flops_of`.
    moved: bytes that the operations read and wrote, each for itself, as if nothing stayed in a cache.
    held: bytes of the tensors made within that are alive now; peak: the most they were since :meth:`restart`.

    Scratch memory inside one operation of a library is not seen.
    """

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0.0
        self.moved = 0
        self.held = 0
        self.peak = 0
        self._sizes: dict[int, int] = {}

    def restart(self) -> None:
        """Begins a new stretch: nothing counted, the peak at what is held."""
        self.flops, self.moved, self.peak = 0.0, 0, self.held

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else the first operation imports the whole of torch.compile

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        read = list(_tensors([args, {key: value for key, value in kwargs.items() if key != "out"}]))
        results = list(_tensors(result))
        known = {tensor.untyped_storage()._cdata for tensor in (*read, *_tensors(kwargs.get("out")))}
        new = [tensor for tensor in results if tensor.untyped_storage()._cdata not in known]
        if new or func._schema.is_mutable:
            name = func.overloadpacket.__name__
            if not name.startswith(("empty", "new_empty")):
                flops = flops_of_operator(f"{func.namespace}::{name}", args)
                self.flops += flops_of(name.rstrip("_"), args, read, results) if flops is None else flops
                self.moved += sum(map(_bytes, read)) + sum(map(_bytes, results))
            for tensor in new:
                self._hold(tensor)
        return result

    def _hold(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._sizes:
            return
        self._sizes[key] = storage.nbytes()
        self.held += storage.nbytes()
        self.peak = max(self.peak, self.held)
        weakref.finalize(storage, self._release, key).atexit = False

    def _release(self, key: int) -> None:
        self.held -= self._sizes.pop(key)


def flops_of(name: str, args: tuple[Any, ...], read: list[Tensor], results: list[Tensor]) -> float:
    """Floating point operations of one tensor operation.

    A complex FFT of N points takes 5·N·log2 N, the usual count for a radix-2 transform (M. Frigo and
    S. G. Johnson, "The Design and Implementation of FFTW3", Proc. IEEE 93(2), 2005), a real one half of it. A
    matrix product takes 2 for each pair multiplied. Anything else takes one for each element of its largest
    operand: 2 if complex, 6 for a product of two complex numbers; copying takes none.
    """
    if name in MOVES or not results:
        return 0.0
    if name.startswith("_fft_"):
        return _fft(name, args)
    if name in PRODUCTS:
        return 2.0 * results[0].numel() * args[PRODUCTS[name]].shape[-1]
    if name == "convolution":
        weight = args[1]
        return 2.0 * results[0].numel() * weight.numel() / weight.shape[0]
    if name == "convolution_backward":
        weight = args[2]
        return 4.0 * args[0].numel() * weight.numel() / weight.shape[0]
    if not any(tensor.is_floating_point() or tensor.is_complex() for tensor in (*read, *results)):
        return 0.0
    elements = max(tensor.numel() for tensor in (*read, *results))
    complex_operands = sum(tensor.is_complex() for tensor in read)
    if name == "mul" and complex_operands == 2:
        return float(COMPLEX_PRODUCT * elements)
    return float(elements * PER_ELEMENT.get(name, 1) * (2 if complex_operands else 1))


def fft_flops(points: int, count: int = 1, real: bool = True) -> float:
    """Flops of ``count`` transforms of ``points`` points each."""
    return count * (2.5 if real else 5.0) * points * math.log2(points) if points > 1 else 0.0


def _fft(name: str, args: tuple[Any, ...]) -> float:
    signal, dims = args[0], args[1]
    along = math.prod(signal.shape[dim] for dim in dims)
    count = signal.numel() // max(along, 1)
    points = along if name != "_fft_c2r" else along // signal.shape[dims[-1]] * args[3]
    return fft_flops(points, count, real=name != "_fft_c2c")


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))


def _bytes(tensor: Tensor) -> int:
    """Bytes that reading a tensor touches: what it repeats or overlaps counts once."""
    distinct = math.prod(size for size, stride in zip(tensor.shape, tensor.stride()) if stride or not size)
    return min(distinct * tensor.element_size(), tensor.untyped_storage().nbytes())
