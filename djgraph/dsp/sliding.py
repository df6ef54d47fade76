"""The largest and the mean value of the last samples: what a limiter that looks ahead is made of."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from djgraph.dsp.checked import check_signal, checked_state
from djgraph.dsp.derivatives import followed
from djgraph.errors import DJGraphError


def sliding_max(signal: Tensor, length: int, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """``y[n] = max(x[n − length + 1], …, x[n])``: the largest of the last ``length`` samples.

    signal: ``[…, samples]``, floating point, any number of samples from 0 up. length: a whole number from 1 up.
    state: the ``length − 1`` samples before, ``[…, length − 1]``; None is −∞, so that the largest of what has come so
    far is found.

    Returns the maxima, shaped as the signal, and the state that the next block starts from. The gradient goes to the
    sample that won; of equal ones, to one of them. Differentiable as often as one likes. DJGraphError where shapes or
    types do not fit. The work per sample grows with log₂(length) without a gradient, and not at all with one: maxima
    from both ends of stretches of ``length`` samples (van Herk 1992; Gil, Werman 1993).
    """
    extended, last = _extended(signal, length, state, "sliding_max", -torch.inf)
    if not followed((extended,)):
        return _doubled(extended, length), last
    with torch.no_grad():
        winners = _winners(extended.detach(), length)
    return extended.gather(-1, winners), last


def sliding_mean(signal: Tensor, length: int, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """``y[n] = (x[n − length + 1] + … + x[n]) / length``: the mean of the last ``length`` samples, a box filter.

    Arguments and results as of :func:`sliding_max`, but that None is silence before the signal. Sums run in float64
    and begin anew in each call, so that no rounding adds up in a stream. The mean of zeros is exactly 0.
    """
    extended, last = _extended(signal, length, state, "sliding_mean", 0.0)
    total = pad(extended.cumsum(-1, dtype=torch.float64), (1, 0))
    sums = total[..., length:] - total[..., : total.shape[-1] - length]
    return (sums / length).to(signal.dtype), last


def _extended(
    signal: Tensor, length: int, state: Tensor | None, name: str, rest: float
) -> tuple[Tensor, Tensor]:
    """The state followed by the signal, and the state of the next block, which owns its memory."""
    check_signal(name, "signal", signal)
    if not isinstance(length, int) or length < 1:
        raise DJGraphError(f"{name}: length has to be a whole number of samples from 1 up, not {length!r}")
    state = checked_state(name, state, signal, length - 1, rest=rest)
    extended = torch.cat((state, signal), dim=-1)
    return extended, extended[..., signal.shape[-1] :].clone()


def _doubled(extended: Tensor, length: int) -> Tensor:
    """Maxima of 2, 4, 8, … samples, then of two such stretches that overlap and cover ``length``."""
    largest, span = extended, 1
    while 2 * span <= length:
        largest = torch.maximum(largest[..., span:], largest[..., :-span])
        span *= 2
    rest = length - span
    return torch.maximum(largest[..., rest:], largest[..., : largest.shape[-1] - rest]) if rest else largest


def _winners(extended: Tensor, length: int) -> Tensor:
    """Where in ``extended`` the largest of each ``length`` samples is, ``[…, extended − length + 1]``.

    In stretches of ``length`` samples the maxima from the left end and from the right end are found. A window that
    begins within a stretch ends in the next one: it is the right part of the first and the left part of the second.
    """
    size = extended.shape[-1]
    stretches = -(-size // length)
    padded = pad(extended, (0, stretches * length - size), value=-torch.inf).unflatten(
        -1, (stretches, length)
    )
    start = length * torch.arange(stretches, device=extended.device)[:, None]
    from_left, left = padded.cummax(-1)
    from_right, right = padded.flip(-1).cummax(-1)
    last, from_last = (left + start).flatten(-2), from_left.flatten(-2)
    first = (length - 1 - right + start).flip(-1).flatten(-2)
    from_first = from_right.flip(-1).flatten(-2)
    windows = size - length + 1
    begin, end = slice(0, windows), slice(length - 1, size)
    return torch.where(from_first[..., begin] > from_last[..., end], first[..., begin], last[..., end])
