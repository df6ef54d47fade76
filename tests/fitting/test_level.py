"""The level of a target, told by where faders rest."""

from __future__ import annotations

import pytest
import torch

from djgraph.effects import Transform
from djgraph.fitting.bands import bands_of
from djgraph.fitting.level import find_level
from djgraph.fitting.statistics import gather

from .conftest import RATE
from .conftest import noise as make_noise


@pytest.mark.parametrize("level", [1.0, 0.7, 0.3])
def test_the_level_is_where_faders_rest(level: float) -> None:
    bands = bands_of(RATE, Transform(256, 64))
    a, b = make_noise(1, 4), make_noise(2, 4)
    fade = torch.linspace(-0.5, 1.5, a.shape[-1]).clamp(0, 1)
    statistics = gather([a, b], level * (a * (1 - fade) + b * fade), torch.ones(len(fade)), bands)
    found = find_level(statistics, torch.ones_like(statistics.energy))
    assert found == pytest.approx(level, rel=0.01)


def test_a_level_that_nothing_tells_is_1() -> None:
    bands = bands_of(RATE, Transform(256, 64))
    a, b = make_noise(1, 4), make_noise(2, 4)
    fade = torch.linspace(0.1, 0.9, a.shape[-1])
    statistics = gather([a, b], a * (1 - fade) + b * fade, torch.ones(len(fade)), bands)
    assert find_level(statistics, torch.ones_like(statistics.energy)) == 1.0
