"""Fixed filters of any order as a cascade of biquads."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from djgraph.dsp.checked import checked_state
from djgraph.dsp.recursion import Recursion, register
from djgraph.dsp.scan import scan
from djgraph.errors import DJGraphError


def biquads(audio: Tensor, sections: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Filter with second-order sections in series, as ``scipy.signal.sosfilt`` does.

    Each section is (b0 + b1·z⁻¹ + b2·z⁻²)/(a0 + a1·z⁻¹ + a2·z⁻²), in the transposed direct form II. For filters that
    stand still: where coefficients move, a direct form may burst, and :func:`djgraph.dsp.svf` is the filter to take.
    In single precision a filter far below a hundredth of the sample rate loses digits in any direct form, too.

    audio: ``[…, samples]``, any number of samples from 0 up. sections: ``[…, sections, 6]``, rows of b0, b1, b2, a0,
    a1, a2 (SciPy's ``sos``), whose leading dimensions broadcast to those of the audio: one filter for all, or one for
    each item or channel. a0 is not 0; unstable filters are not refused. state: ``[…, sections, 2]`` with all of the
    audio's leading dimensions; None is rest.

    Returns the filtered audio, and the state that the next block starts from. Differentiable in audio, sections and
    state. DJGraphError where shapes, types or devices do not fit.
    """
    if sections.ndim < 2 or sections.shape[-1] != 6 or sections.dtype != audio.dtype:
        raise DJGraphError(
            f"biquads: sections have to be {audio.dtype} of shape [..., sections, 6], not {sections.dtype} of shape "
            f"{list(sections.shape)}"
        )
    count = sections.shape[-2]
    state = checked_state("biquads", state, audio, count, 2)
    scaled = sections / sections[..., 3:4]
    after = []
    for section in range(count):
        coefficients = [scaled[..., section, column, None] for column in (0, 1, 2, 4, 5)]
        audio, last = _BIQUAD(audio, coefficients, state[..., section, :])
        after.append(last)
    return audio, torch.stack(after, dim=-2) if after else state


def _plain(curves: Sequence[Tensor], state: Tensor, numbers: Sequence[float]) -> tuple[Tensor, Tensor]:
    audio, b0, b1, b2, a1, a2 = (torch.broadcast_to(curve, curves[0].shape) for curve in curves)
    one, none = torch.ones_like(a1), torch.zeros_like(a1)
    matrices = torch.stack((torch.stack((-a1, one), dim=-2), torch.stack((-a2, none), dim=-2)), dim=-3)
    drive = torch.stack(((b1 - a1 * b0) * audio, (b2 - a2 * b0) * audio), dim=-2)
    states = scan(matrices, drive, state)
    return b0 * audio + states[..., 0, :-1], states[..., -1]


_BIQUAD = register(
    Recursion(
        "biquad",
        "biquad.KERNEL",
        ("audio", "b0", "b1", "b2", "a1", "a2"),
        outputs=1,
        states=2,
        plain=_plain,
        flops=(9, 25),
    )
)
