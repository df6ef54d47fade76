"""The default mixer, compiled once for all."""

from __future__ import annotations

import pytest

import djgraph
from djgraph.mixer import Mixer


@pytest.fixture(scope="session")
def mixer() -> Mixer:
    return djgraph.compile("dj_mixer")
