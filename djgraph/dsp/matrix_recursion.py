"""The general linear recursion of two states: what a filter of second order is whose form is one's own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from djgraph.dsp.checked import check_signal
from djgraph.dsp.frames import Curve
from djgraph.dsp.recursion import Recursion, register
from djgraph.dsp.scan import scan
from djgraph.errors import DJGraphError

Matrix = tuple[tuple[Curve, Curve], tuple[Curve, Curve]]
"""By rows."""


def matrix_recursion(drive: Tensor, matrix: Matrix, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """``s[n] = A[n]·s[n−1] + u[n]``: two states that a 2×2 matrix mixes, which may change at every sample.

    Any filter of second order is one, in whatever form: u[n] = B·x[n], y[n] = C·s[n] + D·x[n]. So is a rotation, an
    oscillator, or a coupled pair of envelopes. Where no matrix lengthens a vector the states stay bounded however the
    matrices change. Two steps are one of the same form, so that elsewhere than on a CPU it is a parallel scan (G. E.
    Blelloch, "Prefix sums and their applications", 1990; S. Särkkä and Á. F. García-Fernández, "Temporal
    parallelization of Bayesian smoothers", IEEE TAC 66(1), 2021).

    drive: u, ``[…, 2, samples]``, any number of samples from 0 up. matrix: ``((a11, a12), (a21, a22))``: numbers,
    tensors of shape ``[…, 1]`` or ``[…, samples]`` that broadcast to the drive without its pair, or :class:`Frames`.
    state: s before the first sample, ``[…, 2]``; None is 0.

    Returns s, ``[…, 2, samples]``, and the state that the next block starts from. Differentiable in all arguments.
    DJGraphError where shapes, types or devices do not fit.
    """
    check_signal("matrix_recursion", "drive", drive)
    if drive.ndim < 2 or drive.shape[-2] != 2 or len(matrix) != 2 or {len(row) for row in matrix} != {2}:
        raise DJGraphError(
            f"matrix_recursion: takes a drive [..., 2, samples] and a matrix of two rows of two, not a drive of shape "
            f"{list(drive.shape)} and {[len(row) for row in matrix]}"
        )
    first, second = drive.unbind(-2)
    one, other, last = _RECURSION(first, (second, *matrix[0], *matrix[1]), state)
    return torch.stack((one, other), dim=-2), last


def _plain(curves: Sequence[Tensor], state: Tensor, numbers: Sequence[float]) -> tuple[Tensor, ...]:
    first, second, *entries = curves
    matrices = torch.stack([entry.expand(first.shape) for entry in entries], dim=-2).unflatten(-2, (2, 2))
    states = scan(matrices, torch.stack((first, second), dim=-2), state)
    return states[..., 0, 1:], states[..., 1, 1:], states[..., -1]


_RECURSION = register(
    Recursion(
        "matrix_recursion",
        "matrix_recursion.KERNEL",
        ("drive", "the drive's second row", "a11", "a12", "a21", "a22"),
        outputs=2,
        states=2,
        plain=_plain,
        flops=(8, 20),
    )
)
