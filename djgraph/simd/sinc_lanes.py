"""The kernel of :mod:`djgraph.simd.windowed_sinc` and its slope, on all lanes."""

from __future__ import annotations

import math
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.polynomial import Chebyshev, Polynomial

from djgraph.simd.functions import _constant, _fused, _is_double, _polynomial
from djgraph.simd.lanes import Lanes, _called, width
from djgraph.simd.windowed_sinc import SINE, WINDOW


def _economised(series: tuple[float, ...], degree: int) -> tuple[float, ...]:
    """A polynomial of lower degree that is near a series on 0…1: the one through Chebyshev's points."""
    near = Chebyshev.interpolate(Polynomial(series), degree, domain=[0, 1])
    return tuple(float(one) for one in near.convert(kind=Polynomial).coef)


_SINE = {False: _economised(SINE, 5), True: _economised(SINE, 9)}
"""Q by whether it is in double precision; off by 3·10⁻⁹ and 2·10⁻¹⁵."""
_WINDOW = {False: _economised(WINDOW, 8), True: _economised(WINDOW, 14)}
"""W(v)/v; off by 2·10⁻⁸ and 4·10⁻¹⁵."""


def _slope_of(coefficients: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(k * one for k, one in enumerate(coefficients))[1:]


class _Numbers:
    """Arithmetic on one type of vector, for short formulas."""

    def __init__(self, builder: Any, vector: Any) -> None:
        self.builder, self.vector = builder, vector

    def number(self, value: float) -> Any:
        return _constant(self.vector, value)

    def times(self, a: Any, b: Any) -> Any:
        return self.builder.fmul(a, b, flags=("contract",))

    def plus(self, a: Any, b: Any) -> Any:
        return self.builder.fadd(a, b, flags=("contract",))

    def fused(self, a: Any, b: Any, c: Any) -> Any:
        return _fused(self.builder, a, b, c)

    def series(self, x: Any, coefficients: tuple[float, ...]) -> Any:
        return _polynomial(self.builder, self.vector, x, coefficients)

    def choose(self, where: Any, a: Any, b: Any) -> Any:
        return self.builder.select(where, a, b)

    def above(self, a: Any, b: Any) -> Any:
        return self.builder.fcmp_ordered(">", a, b)


def _sine_parts(n: _Numbers, x: Any) -> tuple[Any, Any, Any]:
    """r, r² and whether |x| < 1."""
    half = n.fused(x, n.number(0.5), n.number(0.5))
    whole = _called(n.builder, "floor", n.vector, half)
    r = n.fused(whole, n.number(-2.0), x)
    inside = n.above(n.number(1.0), _called(n.builder, "fabs", n.vector, x))
    return r, n.times(r, r), inside


def _visible(n: _Numbers, x: Any, shrink: Any) -> Any:
    """v, 0 beyond the kernel's end."""
    square = n.times(n.times(x, x), shrink)
    v = n.builder.fsub(n.number(1.0), square, flags=("contract",))
    return n.choose(n.above(v, n.number(0.0)), v, n.number(0.0))


@intrinsic
def windowed_sinc(typing_context: Any, x: Any, shrink: Any) -> Any:
    """h(x) on all lanes. shrink: 1/crossings²."""

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        vector = context.get_value_type(sig.args[0])
        n, double = _Numbers(builder, vector), _is_double(vector)
        x, shrink = arguments
        r, t, inside = _sine_parts(n, x)
        one = n.number(1.0)
        # r·(1 − r²)·Q/x, where r is x near 0.
        top = n.times(builder.fsub(one, t, flags=("contract",)), n.series(t, _SINE[double]))
        v = _visible(n, x, shrink)
        window = n.times(v, n.series(v, _WINDOW[double]))
        away = n.choose(inside, one, builder.fdiv(r, x))
        return n.times(n.times(top, away), window)

    return x(x, shrink), generate


@intrinsic
def windowed_sinc_slope(typing_context: Any, x: Any, shrink: Any) -> Any:
    """h(x) and h'(x) on all lanes, the derivative of the very polynomials. shrink: 1/crossings².

    With S = r·(1 − r²)·Q(r²): h = S/x·W. Beyond 1 the slope of S/x is (S' − S/x)/x; within it S/x is (1 − x²)·Q(x²),
    and its slope has no quotient.
    """

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        vector = context.get_value_type(sig.args[0])
        n, double = _Numbers(builder, vector), _is_double(vector)
        x, shrink = arguments
        r, t, inside = _sine_parts(n, x)
        one, zero = n.number(1.0), n.number(0.0)
        q, dq = n.series(t, _SINE[double]), n.series(t, _slope_of(_SINE[double]))
        rest = n.fused(t, n.number(-1.0), one)
        top = n.times(rest, q)
        over = builder.fdiv(one, n.choose(inside, one, x))
        sinc = n.times(top, n.choose(inside, one, n.times(r, over)))
        curved = n.times(rest, dq)  # (1 − t)·Q'
        near = n.times(n.times(x, n.number(2.0)), builder.fsub(curved, q, flags=("contract",)))
        rising = n.fused(n.times(t, n.number(2.0)), curved, n.times(n.fused(t, n.number(-3.0), one), q))
        far = n.times(builder.fsub(rising, sinc, flags=("contract",)), over)
        slope = n.choose(inside, near, far)
        v = _visible(n, x, shrink)
        series = n.series(v, _WINDOW[double])
        window = n.times(v, series)
        falling = n.fused(v, n.series(v, _slope_of(_WINDOW[double])), series)
        falling = n.times(n.times(n.times(x, shrink), n.number(-2.0)), falling)
        falling = n.choose(n.above(v, zero), falling, zero)
        value = n.times(sinc, window)
        whole = n.fused(sinc, falling, n.times(slope, window))
        return context.make_tuple(builder, sig.return_type, (value, whole))

    return types.UniTuple(x, 2)(x, shrink), generate


@intrinsic
def ramp(typing_context: Any, like: Any) -> Any:
    """0, 1, 2, … on the lanes, of the array's type."""
    lanes = Lanes(like.dtype)

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        vector = context.get_value_type(lanes)
        return ir.Constant(vector, [ir.Constant(vector.element, float(k)) for k in range(vector.count)])

    return lanes(like), generate


@intrinsic
def lanes_of(typing_context: Any, like: Any) -> Any:
    """Lanes of a vector of the array's type: a number that the compiler knows, so that it divides by shifts."""

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        return context.get_constant(types.intp, width(sig.args[0].dtype.bitwidth // 8))

    return types.intp(like), generate


@intrinsic
def total(typing_context: Any, value: Any) -> Any:
    """The sum of all lanes: halves are added, then quarters, and so on."""

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        vector, number = arguments[0], ir.IntType(32)
        count = context.get_value_type(sig.args[0]).count
        assert math.log2(count).is_integer()
        while count > 1:
            count //= 2
            halves = [
                builder.shuffle_vector(
                    vector,
                    vector,
                    ir.Constant(ir.VectorType(number, count), list(range(first, first + count))),
                )
                for first in (0, count)
            ]
            vector = builder.fadd(*halves)
        return builder.extract_element(vector, ir.Constant(number, 0))

    return value.scalar(value), generate
