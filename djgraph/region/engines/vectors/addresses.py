"""Rows of the tables of sources and targets, for tensors ``[items, channels, samples]``.

The tables hold addresses: whoever makes them keeps the tensors.
"""

from __future__ import annotations

from torch import Tensor

from djgraph.region.clip import Stretch
from djgraph.simd import rows

ANALYSIS, SYNTHESIS, BACK = range(3)
"""The windows: of what is transformed, of what comes out and of its gradient, of the gradient of what went in."""


def dense(tensor: Tensor) -> Tensor:
    """The tensor outside autograd, its samples side by side."""
    tensor = tensor.detach()
    return tensor if tensor.stride(-1) == 1 or tensor.shape[-1] == 1 else tensor.contiguous()


def first_item(tensor: Tensor, stretch: Stretch | None) -> int:
    """Where item 0 would be, for a tensor that holds the items of a stretch."""
    items = 0 if stretch is None else stretch.items.start
    return tensor.data_ptr() - items * tensor.stride(0) * tensor.element_size()


def first_sample(tensor: Tensor, stretch: Stretch) -> int:
    """Where sample 0 of item 0 would be, for a tensor that holds the samples and items of a stretch."""
    return first_item(tensor, stretch) - stretch.lo * tensor.element_size()


def _channels(tensor: Tensor, stretch: Stretch | None, origin: int) -> list[int]:
    """Left, right (0 for mono), and the step from item to item, where the tensor begins with sample ``origin``."""
    left = first_item(tensor, stretch) - origin * tensor.element_size()
    right = left + tensor.stride(1) * tensor.element_size() if tensor.shape[1] == 2 else 0
    return [left, right, tensor.stride(0)]


def source(
    audio: Tensor, window: int, stretch: Stretch | None = None, mirrored: bool = True, origin: int = 0
) -> list[int]:
    """Audio from sample ``origin`` on, or of a stretch; ``mirrored`` at the clip's ends, else silent there."""
    row = [0] * rows.SOURCE_COLUMNS
    row[: rows.ITEM + 1] = _channels(audio, stretch, origin)
    row[rows.LO] = 0 if stretch is None else stretch.lo
    row[rows.MIRRORED], row[rows.WINDOW] = int(mirrored), window
    return row


def target(
    audio: Tensor | None,
    window: int,
    stretch: Stretch | None = None,
    folded: bool = False,
    origin: int = 0,
) -> list[int]:
    """Where results go, or, ``folded``, gradients of what was mirrored at the clip's ends."""
    row = [0] * rows.TARGET_COLUMNS
    if audio is not None:
        row[: rows.TO_ITEM + 1] = _channels(audio, stretch, origin)
    row[rows.TO_LO] = 0 if stretch is None else stretch.lo
    row[rows.FOLDED], row[rows.TO_WINDOW], row[rows.SOURCE] = int(folded), window, -1
    return row
