"""What all controls do over a clip: the frames of the renderer, read at any sample."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from djgraph.errors import InputError
from djgraph.layout import ParameterLayout


class Course:
    """Frames ``[frames, controls]`` in plain units at ascending samples ``positions``, as ``render_exact`` gives them.

    Between frames values go in a straight line, and those of controls with steps or choices stay, as in a mixer: a
    stream that is given rows of a course at any samples, all of its own positions among them, sounds as the mixer with
    these frames does. Raises InputError where shapes do not fit.
    """

    def __init__(self, layout: ParameterLayout, params: Tensor, positions: Tensor) -> None:
        if params.ndim != 2 or params.shape != (len(positions), len(layout)) or not len(positions):
            raise InputError(
                f"a course is [frames, {len(layout)}] with a position each, not {list(params.shape)}"
            )
        self.layout = layout
        self._rows: NDArray[np.float32] = params.detach().cpu().float().numpy()
        self._places: NDArray[np.int64] = positions.cpu().numpy()
        self._held = np.array([column.control.held for column in layout], dtype=bool)

    @classmethod
    def steady(cls, layout: ParameterLayout, values: Tensor | None = None) -> Course:
        """One frame, the default or ``values`` ``[controls]``, for all of a clip."""
        row = layout.default if values is None else values
        return cls(layout, row.reshape(1, -1), torch.zeros(1, dtype=torch.int64, device="cpu"))

    def row(self, sample: int) -> NDArray[np.float32]:
        """The values ``[controls]`` on a sample."""
        last = int(np.searchsorted(self._places, sample, side="right")) - 1
        if last < 0 or last + 1 == len(self._places):
            return self._rows[max(last, 0)].copy()
        begin, end = self._places[last], self._places[last + 1]
        share = np.float32((sample - begin) / (end - begin))
        here, there = self._rows[last], self._rows[last + 1]
        return np.where(self._held, here, here + share * (there - here)).astype(np.float32)

    def following(self, sample: int) -> int | None:
        """The position of the first frame behind a sample; None where there is none."""
        index = int(np.searchsorted(self._places, sample, side="right"))
        return None if index == len(self._places) else int(self._places[index])
