"""torchaudio's ``lfilter`` with a memory, and with coefficients that change from frame to frame.

``lfilter`` begins with silence and has one filter for the whole waveform. A stream needs the past of the block before;
a control that moves needs another filter every hop. Both come down to a filter that begins with what was before: the
part without feedback reads the samples before as they are, and to the part with feedback the echo of the outputs before
is added, which is linear in them. So all hops run at once, as if there were silence before each; and the outputs before
each hop, two numbers, follow from hop to hop.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad
from torchaudio.functional import lfilter

from djgraph.dsp import matrix_recursion


def initial_history(batch: int, channels: int, order: int, like: Tensor) -> Tensor:
    """Silence before the first sample: ``[batch, channels, 2, order]``, inputs and outputs, latest last; float64."""
    return like.new_zeros(batch, channels, 2, order, dtype=torch.float64)


def filtered(sound: Tensor, b: Tensor, a: Tensor, history: Tensor, hop: int) -> tuple[Tensor, Tensor]:
    """A signal through filters of which each works for one hop.

    sound: ``[batch, channels, samples]``. b, a: ``[batch or 1, filters, order + 1]`` with a[0] = 1; one filter, or, of
    order 1 or 2, one for each beginning hop. history: as :func:`initial_history`. Returns the output, float64, and the
    history after it. All is computed in float64: poles near the unit circle do not survive rounding to float32.
    """
    sound = sound.double()
    batch, _, samples = sound.shape
    order = history.shape[-1]
    hops = -(-samples // hop) if b.shape[1] > 1 else 1
    length = hop if b.shape[1] > 1 else samples
    b, a = (one.expand(batch, *one.shape[1:])[:, :hops] for one in (b, a))
    heard = torch.cat((history[:, :, 0], sound), -1)
    padded = pad(heard, (0, hops * length - samples))
    taps = padded.unfold(-1, order + 1, 1).flip(-1).unflatten(2, (hops, length))
    out = _feedback(torch.einsum("bchnk,bhk->bchn", taps, b), a)  # each hop as if there were silence before
    ringing = _ringing(a, length)  # what one output before a hop adds to it
    begins = _begins(out, ringing, history[:, :, 1], order)
    out = (out + torch.einsum("bchj,bhjn->bchn", begins, ringing)).flatten(2)[..., :samples]
    return out, torch.stack((heard[..., samples:], torch.cat((history[:, :, 1], out), -1)[..., samples:]), 2)


def _ringing(a: Tensor, length: int) -> Tensor:
    """What of each hop is the echo of the output j samples before it, were that 1: ``[batch, hops, order, length]``,
    the latest first. An output before adds −a[n + j] to the input n of what has feedback only."""
    order = a.shape[-1] - 1
    late = pad(a[..., 1:], (0, order - 1)).unfold(-1, order, 1)  # [n, j]: a[n + 1 + j], the same for [j, n]
    fed = pad(-late, (0, max(length - order, 0)))[..., :length]
    return _feedback(fed.transpose(1, 2), a).transpose(1, 2)


def _begins(out: Tensor, ringing: Tensor, past: Tensor, order: int) -> Tensor:
    """The outputs before each hop, ``[batch, channels, hops, order]``, the latest first.

    Each hop leaves what it makes of silence, and what its filter makes of the outputs that it began with: a recursion
    over hops, with a matrix for each.
    """
    past = past.flip(-1)
    hops = out.shape[2]
    if hops == 1:
        return past[:, :, None]
    left = out[:, :, :-1].flip(-1)[..., :order].mT  # [batch, channels, order, hops − 1]
    matrix = ringing[:, :-1].flip(-1)[..., :order]  # [batch, hops − 1, from, to]
    if order == 1:  # beside a second state that is 0
        left, past, matrix = pad(left, (0, 0, 0, 1)), pad(past, (0, 1)), pad(matrix, (0, 1, 0, 1))
    (aa, ab), (ba, bb) = (
        one.unbind(-1) for one in matrix[:, None].unbind(-2)
    )  # from the first, from the second
    after, _ = matrix_recursion(left, ((aa, ba), (ab, bb)), past)
    return torch.cat((past[:, :, None], after.mT), 2)[..., :order]


def _feedback(fed: Tensor, a: Tensor) -> Tensor:
    """y[n] = fed[n] − Σ a[k]·y[n−k] from silence: ``[batch, signals, hops, samples]``, ``[batch, hops, order + 1]``."""
    if fed.is_meta:  # a tensor without data, on which costs are counted: lfilter has no such form
        return fed + 0 * a[:, None, :, :1]
    # lfilter takes a filter for each of the last signals: those of all items and hops at once.
    a = a.flatten(0, 1)
    b = torch.zeros_like(a)
    b[:, 0] = 1
    made: Any = lfilter(fed.transpose(0, 1).flatten(1, 2), a, b, clamp=False)
    return made.unflatten(1, (fed.shape[0], fed.shape[2])).transpose(0, 1)
