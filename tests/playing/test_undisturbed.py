"""What Python does beside the sound."""

from __future__ import annotations

import gc
import sys

from djgraph.playing import leave_alone, undisturbed


def test_the_collector_leaves_what_is_there_alone() -> None:
    before = sys.getswitchinterval()
    with undisturbed():
        assert gc.get_freeze_count() > 10_000
        assert sys.getswitchinterval() < before
    assert gc.get_freeze_count() == 0
    assert sys.getswitchinterval() == before


def test_what_comes_later_is_left_alone_too() -> None:
    with undisturbed():
        before = gc.get_freeze_count()
        later = [[index] for index in range(1000)]
        leave_alone(collect=False)
        assert gc.get_freeze_count() >= before + len(later)
    assert gc.get_freeze_count() == 0
