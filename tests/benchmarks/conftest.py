"""Makes the package ``benchmarks`` of this checkout importable, which is no part of what is installed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from benchmarks.work import Scale  # noqa: E402 (the line above lets it be found)


@pytest.fixture
def tiny() -> Scale:
    """Work that takes no time; nothing of what is measured on it means anything."""
    return Scale(
        seconds=0.1,
        frames=8,
        threads=1,
        rounds=2,
        slow_rounds=1,
        memory_runs=1,
        many_stems=16,
        length_factor=2,
        clips=2,
        clip_seconds=0.05,
        step_clips=2,
        step_seconds=0.1,
        nodes=(30, 60),
    )
