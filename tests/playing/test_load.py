"""How much of a block's length its making takes, and what takes it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from djgraph.playing.load import MEASURED, Load


def test_shares_are_those_of_the_last_blocks() -> None:
    load = Load()
    assert load.shares == (0.0, 0.0)
    assert load.waiting == 0.0
    for _ in range(MEASURED):
        load.add(9.0, 9.0, 1.0)  # which the next ones push out
    for took in range(1, MEASURED + 1):
        load.add(took / 1000, took / 4000, 0.5)
    middle, late = load.shares
    assert middle == pytest.approx(0.258)
    assert late == pytest.approx(0.506)
    assert load.waiting == pytest.approx(0.1935)


def test_causes_come_by_their_size_since_they_were_asked() -> None:
    load, mixer = Load(), SimpleNamespace(graph=SimpleNamespace(sample_rate=1000))
    line: Any = SimpleNamespace(now=1000, seconds={"small": 0.1, "large": 0.5}, mixer=mixer)
    assert load.causes(None) == {}
    assert list(load.causes(line).items()) == [("large", 0.5), ("small", 0.1)]
    line.now, line.seconds = 1500, {"small": 0.3, "large": 0.6}
    causes = load.causes(line)
    assert list(causes) == ["small", "large"]
    assert causes == pytest.approx({"small": 0.4, "large": 0.2})
    other: Any = SimpleNamespace(now=2000, seconds={"small": 0.2}, mixer=mixer)
    assert load.causes(other) == pytest.approx({"small": 0.1})
