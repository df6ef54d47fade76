"""What players on cards play."""

from __future__ import annotations

import pytest

import djgraph


@pytest.fixture(scope="package")
def mixer() -> djgraph.Mixer:
    """The mixer for sound cards, compiled once."""
    return djgraph.compile("dj_mixer_live", lowering="causal")
