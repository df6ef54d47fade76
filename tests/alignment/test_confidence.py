"""How sure it is that a track is there, by what was found of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from djgraph.alignment.delays import Line
from djgraph.alignment.refine import Stretch
from djgraph.alignment.run import confidence

LOCKED = Stretch(Line(0, 0, 1), 0, 1, True, 1.0, False, 0.0, 1.0)


@pytest.mark.parametrize(("like", "low", "high"), [(0.5, 0.0, 0.1), (0.68, 0.499, 0.501), (0.9, 0.95, 1.0)])
def test_of_a_pitch_that_was_kept_features_tell(like: float, low: float, high: float) -> None:
    assert low <= confidence([replace(LOCKED, likeness=like)]) <= high


def test_waveforms_tell_more_the_more_agree() -> None:
    sure = [confidence([replace(LOCKED, waveform=True, beyond=by)]) for by in (6.0, 12.0, 48.0)]
    assert sure == sorted(sure)
    assert sure[0] > 0.5
    assert sure[-1] > 0.99


def test_of_what_nothing_is_found_is_absent() -> None:
    assert confidence([]) == 0.02
