"""torchaudio's ``lfilter`` with a memory, and with coefficients that change from frame to frame.

``lfilter`` begins with silence and has one filter for the whole waveform. A stream needs the past of the block before;
a control that moves needs another filter every hop. Both come down to a filter that begins with what was before: the
part without feedback reads the samples before the block as they are, and of the part with feedback, what the outputs
before the first sample bring along is added to the first inputs. Then ``lfilter`` does the rest.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchaudio.functional import lfilter


def initial_history(batch: int, channels: int, order: int, like: Tensor) -> Tensor:
    """Silence before the first sample: ``[batch, channels, 2, order]``, inputs and outputs, latest last; float64."""
    return like.new_zeros(batch, channels, 2, order, dtype=torch.float64)


def filtered(sound: Tensor, b: Tensor, a: Tensor, history: Tensor, hop: int) -> tuple[Tensor, Tensor]:
    """A signal through filters of which each works for one hop.

    sound: ``[batch, channels, samples]``. b, a: ``[batch or 1, filters, order + 1]`` with a[0] = 1; one filter, or one
    for each beginning hop. history: as :func:`initial_history`. Returns the output, float64, and the history after it.
    All is computed in float64: poles near the unit circle do not survive rounding to float32.
    """
    sound = sound.double()
    batch, channels, samples = sound.shape
    order = history.shape[-1]
    b, a = (one.expand(batch, *one.shape[1:]) for one in (b, a))
    count = b.shape[1]
    before = torch.cat((history[:, :, 0], sound), -1)
    pieces = [sound.new_zeros(batch, channels, 0)]
    past = history[:, :, 1]
    step = hop if count > 1 else samples
    # What of the last outputs, the latest first, is missing in the first inputs: a[n+1], a[n+2], … at sample n.
    padded = torch.nn.functional.pad(a[..., 1:], (0, order - 1))
    echoes = padded.unfold(-1, order, 1)
    only_feedback = torch.zeros_like(b[0, 0])
    only_feedback[0] = 1
    for number, start in enumerate(range(0, samples, step)):
        stop = min(start + step, samples)
        weights = b[:, min(number, count - 1)]
        taps = before[..., start : stop + order].unfold(-1, order + 1, 1).flip(-1)
        fed = torch.einsum("bcnk,bk->bcn", taps, weights)
        head = min(order, stop - start)
        echo = echoes[:, min(number, count - 1)][:, :head]
        late = torch.einsum("bcj,bnj->bcn", past.flip(-1), echo)
        fed = torch.cat((fed[..., :head] - late, fed[..., head:]), -1)
        out = _feedback(fed, a[:, min(number, count - 1)], only_feedback)
        past = torch.cat((past, out), -1)[..., -order:]
        pieces.append(out)
    return torch.cat(pieces, -1), torch.stack((before[..., samples:], past), 2)


def _feedback(fed: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """y[n] = fed[n] − Σ a[k]·y[n−k] from silence: ``[batch, channels, samples]`` by ``[batch, order + 1]``."""
    if fed.is_meta:  # a tensor without data, on which costs are counted: lfilter has no such form
        return fed + 0 * a[:, None, :1]
    made: Any = lfilter(fed.transpose(0, 1), a, b.expand_as(a), clamp=False)
    return made.transpose(0, 1)
