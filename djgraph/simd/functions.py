"""More functions of vectors of the CPU: numbers on all lanes, choices, inverses, exponentials, sine and cosine."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from djgraph.simd.lanes import BYTES, Lanes, _called


def _constant(vector: Any, number: float) -> Any:
    return ir.Constant(vector, [ir.Constant(vector.element, number)] * vector.count)


def _is_double(vector: Any) -> bool:
    return isinstance(vector.element, ir.DoubleType)


def _fused(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """a·b + c, one instruction where the CPU has it."""
    product = builder.fmul(a, b, flags=("contract",))
    return builder.fadd(product, c, flags=("contract",))


def _polynomial(builder: Any, vector: Any, x: Any, coefficients: Sequence[float]) -> Any:
    """Horner's scheme; the coefficient of the lowest power comes first."""
    total = _constant(vector, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        total = _fused(builder, total, x, _constant(vector, coefficient))
    return total


@intrinsic
def fill(typing_context: Any, like: Any, value: Any) -> Any:
    """A number on every lane, of the array's type, or as other lanes are."""
    lanes = like if isinstance(like, Lanes) else Lanes(like.dtype)

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        scalar = context.cast(builder, arguments[1], sig.args[1], lanes.scalar)
        vector = context.get_value_type(lanes)
        number = ir.IntType(32)
        first = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, ir.Constant(number, 0))
        places = ir.Constant(ir.VectorType(number, vector.count), [0] * vector.count)
        return builder.shuffle_vector(first, first, places)

    return lanes(like, value), generate


@intrinsic
def where_greater(typing_context: Any, a: Any, b: Any, then: Any, otherwise: Any) -> Any:
    """On each lane ``then`` where a > b, else ``otherwise``."""

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        first, second, chosen, other = arguments
        return builder.select(builder.fcmp_ordered(">", first, second), chosen, other)

    return then(a, b, then, otherwise), generate


@intrinsic
def differs(typing_context: Any, a: Any, b: Any) -> Any:
    """Whether a and b are unequal, or no numbers, on any lane: then what was computed of b has to be computed of a.

    Controls that stand still are the rule, and the branch is foreseen by the CPU.
    """

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        unequal = builder.fcmp_unordered("!=", *arguments)
        bits = ir.IntType(context.get_value_type(sig.args[0]).count)
        return builder.icmp_unsigned("!=", builder.bitcast(unequal, bits), ir.Constant(bits, 0))

    return types.boolean(a, b), generate


@intrinsic
def unknown(typing_context: Any, like: Any) -> Any:
    """NaN on every lane, of the array's type: it differs from every control that may come first."""
    lanes = Lanes(like.dtype)

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        return _constant(context.get_value_type(lanes), math.nan)

    return lanes(like), generate


def _estimate(builder: Any, name: str, value: Any) -> Any:
    """A function of AVX-512 that is right to 14 bits, on all lanes; name: ``rsqrt`` or ``rcp``."""
    count, whole = 16, value.type
    vector, mask, number = ir.VectorType(whole.element, count), ir.IntType(count), ir.IntType(32)
    kind = ir.FunctionType(vector, [vector, vector, mask])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.x86.avx512.{name}14.ps.512")

    def places(*lanes: int) -> Any:
        return ir.Constant(ir.VectorType(number, len(lanes)), list(lanes))

    parts = []
    for first in range(0, whole.count, count):
        part = builder.shuffle_vector(value, value, places(*range(first, first + count)))
        parts.append(builder.call(function, (part, part, ir.Constant(mask, -1))))
    while len(parts) > 1:
        both = places(*range(2 * parts[0].type.count))
        parts = [builder.shuffle_vector(a, b, both) for a, b in zip(parts[::2], parts[1::2])]
    return parts[0]


def _estimates(lanes: Any) -> bool:
    """Whether the CPU has such estimates. In double precision two steps would have to follow, and nothing is saved."""
    return BYTES == 64 and lanes.itemsize == 4


@intrinsic
def inverse_root(typing_context: Any, value: Any) -> Any:
    """1/√x on all lanes, of normal numbers above 0, to a rounding or two.

    A root and a division keep the CPU's divider busy for some 40 cycles of 16 numbers. Where there is an estimate y,
    one of Newton's steps, y + y·(½ − x·y·y/2), leaves 1.5 times its error squared.
    """

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        x, vector = arguments[0], context.get_value_type(sig.args[0])
        if not _estimates(sig.args[0]):
            return builder.fdiv(_constant(vector, 1.0), _called(builder, "sqrt", vector, x))
        y = _estimate(builder, "rsqrt", x)
        half = builder.fmul(y, _constant(vector, -0.5))
        lost = _fused(builder, builder.fmul(x, y), half, _constant(vector, 0.5))
        return _fused(builder, y, lost, y)

    return value(value), generate


@intrinsic
def reciprocal(typing_context: Any, value: Any) -> Any:
    """1/x on all lanes, of normal numbers, to a rounding or two: an estimate y, and y + y·(1 − x·y)."""

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        x, vector = arguments[0], context.get_value_type(sig.args[0])
        one = _constant(vector, 1.0)
        if not _estimates(sig.args[0]):
            return builder.fdiv(one, x)
        y = _estimate(builder, "rcp", x)
        lost = _fused(builder, builder.fmul(x, _constant(vector, -1.0)), y, one)
        return _fused(builder, y, lost, y)

    return value(value), generate


Series = Callable[[int], float]


def _of_half_turns(terms: dict[bool, int], series: Series, odd: bool) -> Any:
    """Sine or cosine of π·x on all lanes for 0 ≤ x ≤ ½, by as many terms of the Taylor series as the type can tell."""

    @intrinsic
    def function(typing_context: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
            vector = context.get_value_type(sig.args[0])
            coefficients = [series(term) for term in range(terms[_is_double(vector)])]
            square = builder.fmul(arguments[0], arguments[0])
            polynomial = _polynomial(builder, vector, square, coefficients)
            return builder.fmul(polynomial, arguments[0]) if odd else polynomial

        return value(value), generate

    return function


sine = _of_half_turns(
    {False: 7, True: 11}, lambda k: (-1) ** k * math.pi ** (2 * k + 1) / math.factorial(2 * k + 1), odd=True
)
"""sin(π·x) on all lanes, for 0 ≤ x ≤ ½, to a rounding or two."""
cosine = _of_half_turns(
    {False: 8, True: 12}, lambda k: (-1) ** k * math.pi ** (2 * k) / math.factorial(2 * k), odd=False
)
"""cos(π·x) on all lanes, for 0 ≤ x ≤ ½, to a rounding or two of 1."""


@intrinsic
def approach(typing_context: Any, value: Any) -> Any:
    """1 − e^−x on all lanes for x ≥ 0, to a rounding or two: also where x is so small that e^−x is next to 1.

    e^−x = 2^−n·e^−r with n the whole number next to x/ln 2, and the series of e^−r for |r| ≤ ½·ln 2. Where n is 0, the
    series has no 1 that would have to be taken away again.
    """

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        vector = context.get_value_type(sig.args[0])
        bits, mantissa, bias, terms = (64, 52, 1023, 14) if _is_double(vector) else (32, 23, 127, 8)
        # Beyond 64 doublings no type can tell the result from 1.
        largest = _constant(vector, 64 * math.log(2))
        x = builder.select(builder.fcmp_ordered("<", arguments[0], largest), arguments[0], largest)
        # ln 2 in two parts, the first with so few digits that its products with n are exact.
        high = math.floor(math.log(2) * 2**14) / 2**14
        low = math.log(2) - high
        scaled = _fused(builder, x, _constant(vector, 1 / math.log(2)), _constant(vector, 0.5))
        whole = builder.fptosi(scaled, ir.VectorType(ir.IntType(bits), vector.count))
        n = builder.sitofp(whole, vector)
        rest = _fused(builder, n, _constant(vector, -high), x)
        rest = _fused(builder, n, _constant(vector, -low), rest)
        series = [-((-1) ** k) / math.factorial(k) for k in range(1, terms)]
        lost = builder.fmul(rest, _polynomial(builder, vector, rest, series))  # 1 − e^−r

        def integer(number: int) -> Any:
            return ir.Constant(whole.type, [number] * vector.count)

        power = builder.bitcast(builder.shl(builder.sub(integer(bias), whole), integer(mantissa)), vector)
        one = _constant(vector, 1.0)
        # 1 − 2^−n·(1 − lost)
        return _fused(builder, power, lost, builder.fsub(one, power))

    return value(value), generate


def _doublings(builder: Any, vector: Any, x: Any) -> tuple[Any, Any]:
    """n, the whole number next to x/ln 2, and 2^n."""
    double = _is_double(vector)
    bits, mantissa, bias = (64, 52, 1023) if double else (32, 23, 127)
    integers = ir.VectorType(ir.IntType(bits), vector.count)

    def integer(number: int) -> Any:
        return ir.Constant(integers, [number] * vector.count)

    turns = _constant(vector, 1 / math.log(2))
    if double:
        # Without AVX-512 there is no conversion to 64-bit integers. Behind a sum that is this large are no fractions,
        # and n stands in the lowest bits.
        large = _constant(vector, 1.5 * 2.0**mantissa)
        total = _fused(builder, x, turns, large)
        n, whole = builder.fsub(total, large), builder.bitcast(total, integers)
    else:
        below = builder.fcmp_ordered("<", x, _constant(vector, 0.0))
        half = builder.select(below, _constant(vector, -0.5), _constant(vector, 0.5))
        whole = builder.fptosi(_fused(builder, x, turns, half), integers)
        n = builder.sitofp(whole, vector)
    return n, builder.bitcast(builder.shl(builder.add(integer(bias), whole), integer(mantissa)), vector)


@intrinsic
def exponential(typing_context: Any, value: Any) -> Any:
    """e^x on all lanes to a rounding or two; held where the result would be no normal number. e^0 is exactly 1.

    e^x = 2^n·e^r with n the whole number next to x/ln 2, and the series of e^r for |r| ≤ ½·ln 2.
    """

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        vector = context.get_value_type(sig.args[0])
        bias, terms = (1023, 14) if _is_double(vector) else (127, 8)
        highest, lowest = (_constant(vector, (bias - 1) * math.log(2) * side) for side in (1, -1))
        x = builder.select(builder.fcmp_ordered("<", arguments[0], highest), arguments[0], highest)
        x = builder.select(builder.fcmp_ordered(">", x, lowest), x, lowest)
        high = math.floor(math.log(2) * 2**14) / 2**14
        # With what double precision leaves of ln 2: n may be a thousand.
        low = math.log(2) - high + 2.3190468138462996e-17
        n, power = _doublings(builder, vector, x)
        rest = _fused(builder, n, _constant(vector, -high), x)
        rest = _fused(builder, n, _constant(vector, -low), rest)
        polynomial = _polynomial(builder, vector, rest, [1 / math.factorial(k) for k in range(terms)])
        return builder.fmul(power, polynomial)

    return value(value), generate
