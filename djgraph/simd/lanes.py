"""Vectors of the CPU as a type of Numba's: ``load``, ``store``, ``splat`` and + − · / on all lanes at once.

Numba has no such type and leaves it to LLVM to find loops that can be vectorised, which it does not for an FFT in
place. Here every operation is one on ``<WIDTH x float>``: LLVM splits or widens it to what the CPU has.
"""

from __future__ import annotations

import math
import operator
import struct
from typing import Any

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, models, register_model

BYTES = 64 if binding.get_host_cpu_features().get("avx512f") else 32
"""A vector's size: with AVX-512 there are registers enough for this much at once."""


def width(itemsize: int) -> int:
    """Lanes of a vector of numbers of that many bytes."""
    return BYTES // itemsize


class Lanes(types.Type):
    """A vector of ``scalar`` numbers, or ``times`` of them side by side.

    An operation on several is as many instructions, none of which waits for another. Of a long chain of operations a
    CPU otherwise sees too little ahead to find the next sample's, which it could begin meanwhile.
    """

    def __init__(self, scalar: Any, times: int = 1) -> None:
        self.scalar, self.times = scalar, times
        self.itemsize = scalar.bitwidth // 8
        super().__init__(name=f"Lanes({scalar}, {times})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, fe_type: Lanes) -> None:
        scalar = manager.lookup(fe_type.scalar).get_value_type()
        super().__init__(manager, fe_type, ir.VectorType(scalar, width(fe_type.itemsize) * fe_type.times))


def _element(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [index], inbounds=True)


def _spread(builder: Any, scalar: Any, vector: Any) -> Any:
    undefined = ir.Constant(vector, ir.Undefined)
    number = ir.IntType(32)
    first = builder.insert_element(undefined, scalar, ir.Constant(number, 0))
    places = ir.Constant(ir.VectorType(number, vector.count), [0] * vector.count)
    return builder.shuffle_vector(first, undefined, places)


@intrinsic
def load(typing_context: Any, array: Any, index: Any) -> Any:
    """The lanes ``array[index], array[index + 1], …``; no bounds are checked."""
    lanes = Lanes(array.dtype)

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        place = _element(context, builder, sig.args[0], *arguments)
        vector = builder.load(builder.bitcast(place, context.get_value_type(lanes).as_pointer()))
        vector.align = lanes.itemsize
        return vector

    return lanes(array, types.intp), generate


SIDE_BY_SIDE = 4
"""Vectors that :func:`load_several` reads: twice as many would need more registers than there are."""


@intrinsic
def load_several(typing_context: Any, array: Any, index: Any) -> Any:
    """The lanes of ``SIDE_BY_SIDE`` vectors from ``array[index]`` on; no bounds are checked."""
    lanes = Lanes(array.dtype, SIDE_BY_SIDE)

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        place = _element(context, builder, sig.args[0], *arguments)
        vector = builder.load(builder.bitcast(place, context.get_value_type(lanes).as_pointer()))
        vector.align = lanes.itemsize
        return vector

    return lanes(array, types.intp), generate


@intrinsic
def store(typing_context: Any, array: Any, index: Any, value: Any) -> Any:
    """Writes the lanes to ``array[index], array[index + 1], …``; no bounds are checked."""

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        place = _element(context, builder, sig.args[0], *arguments[:2])
        vector = context.get_value_type(sig.args[2])
        stored = builder.store(arguments[2], builder.bitcast(place, vector.as_pointer()))
        stored.align = sig.args[2].itemsize
        return context.get_dummy_value()

    return types.void(array, types.intp, value), generate


@intrinsic
def pick(typing_context: Any, array: Any, index: Any) -> Any:
    """``array[index]``; no bounds are checked, and an index below 0 does not count from the end."""

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        return builder.load(_element(context, builder, sig.args[0], *arguments))

    return array.dtype(array, types.intp), generate


@intrinsic
def put(typing_context: Any, array: Any, index: Any, value: Any) -> Any:
    """Writes a number, as the array's type, to place ``index`` of the array's memory; no bounds are checked."""

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        number = context.cast(builder, arguments[2], sig.args[2], sig.args[0].dtype)
        builder.store(number, _element(context, builder, sig.args[0], *arguments[:2]))
        return context.get_dummy_value()

    return types.void(array, types.intp, value), generate


@intrinsic
def splat(typing_context: Any, array: Any, index: Any) -> Any:
    """``array[index]`` on every lane."""
    lanes = Lanes(array.dtype)

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        scalar = builder.load(_element(context, builder, sig.args[0], *arguments))
        return _spread(builder, scalar, context.get_value_type(lanes))

    return lanes(array, types.intp), generate


@intrinsic
def zeros(typing_context: Any, array: Any) -> Any:
    """Lanes of zeros, of the array's type, or as other lanes are."""
    lanes = array if isinstance(array, Lanes) else Lanes(array.dtype)

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        vector = context.get_value_type(lanes)
        return ir.Constant(vector, [ir.Constant(vector.element, 0.0)] * vector.count)

    return lanes(array), generate


@intrinsic
def peek(typing_context: Any, like: Any, address: Any, index: Any) -> Any:
    """The number at that place of memory, ``index`` numbers of the array's type on."""

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        scalar = context.get_value_type(sig.args[0].dtype)
        start = builder.inttoptr(arguments[1], scalar.as_pointer())
        return builder.load(builder.gep(start, [arguments[2]]))

    return like.dtype(like, types.intp, types.intp), generate


@intrinsic
def poke(typing_context: Any, like: Any, address: Any, index: Any, value: Any) -> Any:
    """Writes a number of the array's type there."""

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        scalar = context.get_value_type(sig.args[0].dtype)
        start = builder.inttoptr(arguments[1], scalar.as_pointer())
        builder.store(arguments[3], builder.gep(start, [arguments[2]]))
        return context.get_dummy_value()

    return types.void(like, types.intp, types.intp, like.dtype), generate


@intrinsic
def load_at(typing_context: Any, like: Any, address: Any, index: Any) -> Any:
    """The lanes at that place of memory, ``index`` numbers of the array's type on."""
    lanes = Lanes(like.dtype)

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        vector = builder.load(_memory(context, builder, sig.args[0], lanes, *arguments[1:3]))
        vector.align = lanes.itemsize
        return vector

    return lanes(like, types.intp, types.intp), generate


@intrinsic
def store_at(typing_context: Any, like: Any, address: Any, index: Any, value: Any) -> Any:
    """Writes lanes there."""

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        lanes = sig.args[3]
        stored = builder.store(arguments[3], _memory(context, builder, sig.args[0], lanes, *arguments[1:3]))
        stored.align = lanes.itemsize
        return context.get_dummy_value()

    return types.void(like, types.intp, types.intp, value), generate


def _memory(context: Any, builder: Any, array_type: Any, lanes: Any, address: Any, index: Any) -> Any:
    scalar = context.get_value_type(array_type.dtype)
    start = builder.inttoptr(address, scalar.as_pointer())
    return builder.bitcast(builder.gep(start, [index]), context.get_value_type(lanes).as_pointer())


@intrinsic
def transpose(
    typing_context: Any, source: Any, at: Any, step: Any, target: Any, to: Any, to_step: Any
) -> Any:
    """A square of as many rows as a vector has lanes, with rows and columns exchanged.

    Row r begins at ``source[at + r·step]``, and goes to column r of the square at ``target[to]``, whose rows are
    ``to_step`` apart.
    """
    lanes = Lanes(source.dtype)

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        array, start, apart, place, to_start, to_apart = arguments
        vector = context.get_value_type(lanes)
        count = vector.count

        def at_row(array_type: Any, value: Any, first: Any, distance: Any, row: int) -> Any:
            index = builder.add(first, builder.mul(distance, ir.Constant(distance.type, row)))
            element = _element(context, builder, array_type, value, index)
            return builder.bitcast(element, vector.as_pointer())

        rows = []
        for row in range(count):
            loaded = builder.load(at_row(sig.args[0], array, start, apart, row))
            loaded.align = lanes.itemsize
            rows.append(loaded)
        # Exchange the halves of pairs of rows that lie half a square apart, then a quarter, and so on.
        reach = count // 2
        while reach:
            first = [c if not c & reach else c - reach + count for c in range(count)]
            second = [c + reach if not c & reach else c + count for c in range(count)]
            for row in range(count):
                if not row & reach:
                    a, b = rows[row], rows[row + reach]
                    rows[row] = builder.shuffle_vector(a, b, _places(first))
                    rows[row + reach] = builder.shuffle_vector(a, b, _places(second))
            reach //= 2
        for row, column in enumerate(rows):
            stored = builder.store(column, at_row(sig.args[3], place, to_start, to_apart, row))
            stored.align = lanes.itemsize
        return context.get_dummy_value()

    return types.void(source, types.intp, types.intp, target, types.intp, types.intp), generate


def _places(numbers: list[int]) -> Any:
    return ir.Constant(ir.VectorType(ir.IntType(32), len(numbers)), numbers)


def _define(function: Any, instruction: str) -> None:
    @infer_global(function)
    class _Both(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            if len(args) == 2 and isinstance(args[0], Lanes) and args[0] == args[1]:
                return signature(args[0], *args)
            return None

    @lower_builtin(function, Lanes, Lanes)
    def _lower(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        # A product and a sum may become one instruction; nothing else may be rearranged.
        return getattr(builder, instruction)(*arguments, flags=("contract",))


def _called(builder: Any, name: str, vector: Any, *arguments: Any) -> Any:
    """One of LLVM's own functions of vectors that are an instruction of the CPU's."""
    number = "f64" if isinstance(vector.element, ir.DoubleType) else "f32"
    kind = ir.FunctionType(vector, [vector] * len(arguments))
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{vector.count}{number}")
    return builder.call(function, arguments)


@intrinsic
def root(typing_context: Any, value: Any) -> Any:
    """The square root on all lanes."""

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        return _called(builder, "sqrt", context.get_value_type(sig.args[0]), arguments[0])

    return value(value), generate


@intrinsic
def floor(typing_context: Any, value: Any) -> Any:
    """The next whole number below, or the number itself, on all lanes."""

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        return _called(builder, "floor", context.get_value_type(sig.args[0]), arguments[0])

    return value(value), generate


@intrinsic
def absolute(typing_context: Any, value: Any) -> Any:
    """The absolute value on all lanes."""

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        return _called(builder, "fabs", context.get_value_type(sig.args[0]), arguments[0])

    return value(value), generate


@intrinsic
def sign(typing_context: Any, value: Any) -> Any:
    """1, −1, or 0 for 0, on all lanes."""

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        vector = context.get_value_type(sig.args[0])
        none, one, less = (_constant(vector, number) for number in (0.0, 1.0, -1.0))
        above = builder.select(builder.fcmp_ordered(">", arguments[0], none), one, none)
        return builder.select(builder.fcmp_ordered("<", arguments[0], none), less, above)

    return value(value), generate


@intrinsic
def logarithm(typing_context: Any, value: Any) -> Any:
    """The natural logarithm on all lanes, of normal numbers above 0, to a rounding or two.

    x = m·2^e with m between √½ and √2, and ln m = 2·artanh s = 2·(s + s³/3 + s⁵/5 + …) with s = (m − 1)/(m + 1), below
    0.172.
    """
    bits, mantissa, terms = (64, 52, 11) if value.itemsize == 8 else (32, 23, 6)

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        vector = context.get_value_type(sig.args[0])
        whole = ir.VectorType(ir.IntType(bits), vector.count)

        def integer(number: int) -> Any:
            return ir.Constant(whole, [number] * vector.count)

        def times(a: Any, b: Any) -> Any:
            return builder.fmul(a, b, flags=("contract",))

        def plus(a: Any, b: Any) -> Any:
            return builder.fadd(a, b, flags=("contract",))

        raw = builder.bitcast(arguments[0], whole)
        half = struct.unpack(
            "<q" if bits == 64 else "<i", struct.pack("<d" if bits == 64 else "<f", 0.5**0.5)
        )[0]
        # Counted from √½, the exponent is a shift away.
        above = builder.sub(raw, integer(half))
        power = builder.ashr(above, integer(mantissa))
        number = builder.bitcast(builder.sub(raw, builder.shl(power, integer(mantissa))), vector)
        one = _constant(vector, 1.0)
        s = builder.fdiv(builder.fsub(number, one), builder.fadd(number, one))
        square = times(s, s)
        series = _constant(vector, 2 / (2 * terms - 1))
        for term in range(terms - 2, -1, -1):
            series = plus(times(series, square), _constant(vector, 2 / (2 * term + 1)))
        exponent = builder.sitofp(power, vector)
        return plus(times(exponent, _constant(vector, math.log(2))), times(s, series))

    return value(value), generate


def _constant(vector: Any, number: float) -> Any:
    return ir.Constant(vector, [ir.Constant(vector.element, number)] * vector.count)


_define(operator.add, "fadd")
_define(operator.sub, "fsub")
_define(operator.mul, "fmul")
_define(operator.truediv, "fdiv")
