"""Bands: every bin once, parts of an octave at most."""

from __future__ import annotations

import numpy as np
import pytest

from djgraph.effects import Transform
from djgraph.fitting.bands import bands_of


@pytest.mark.parametrize(("rate", "size"), [(44100, 2048), (8000, 256), (48000, 16), (44100, 1022)])
def test_bands_hold_every_bin_once(rate: int, size: int) -> None:
    bands = bands_of(rate, Transform(size, size // 2))
    assert bands.edges[0] == 0
    assert bands.edges[-1] == size // 2 + 1
    widths = np.diff(bands.edges)
    assert (widths >= 1).all()
    wide = [i for i, w in enumerate(widths) if w > 2]
    # Half a bin of rounding on a width of at least 2.5 bins.
    assert all(bands.edges[i + 1] / bands.edges[i] <= 2 ** (1 / 12) + 0.5 / bands.edges[i] for i in wide)
    centres = bands.frequencies.numpy()
    assert (np.diff(centres) > 0).all()
    assert centres[0] > 0
