"""Into which blocks a loop is cut: each ends before the first sample at which something of it comes round."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def block_lengths(rounds: Sequence[int | Tensor], samples: int) -> list[int]:
    """The lengths of blocks, as long as they can be, one behind the other.

    rounds: for each way back, and each effect that holds its signal back, the samples before which what comes out was
    at least in the loop: a number, 1 or above, or one for each sample, ``[samples]``, int64, on the CPU.
    """
    fixed = min((one for one in rounds if isinstance(one, int)), default=samples)
    curves = [one.clamp(min=1) for one in rounds if isinstance(one, Tensor)]
    shortest = min((int(curve.min()) for curve in curves if samples), default=fixed)
    if not curves or shortest >= fixed or all(bool((curve == curve[0]).all()) for curve in curves):
        length = max(1, min(fixed, shortest))
        return [min(length, samples - start) for start in range(0, samples, length)]
    # The latest sample that anything so far depends on: where it lies in a block, that block has to end before.
    place = torch.arange(samples, device="cpu")
    latest = (place - torch.stack(curves).amin(0)).cummax(0).values
    lengths = []
    start = 0
    while start < samples:
        stop = int(torch.searchsorted(latest, torch.tensor(start, device="cpu")))
        stop = min(stop, start + fixed, samples)
        lengths.append(stop - start)
        start = stop
    return lengths
