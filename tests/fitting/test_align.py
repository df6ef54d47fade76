"""Delays between recordings, found to a fraction of a sample."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from effort import few

from djgraph.fitting.align import advance, find_delay

from .conftest import noise as make_noise


@pytest.mark.parametrize("delay", few([0.0, 12.3, -40.75, 200.5], 2))
def test_a_delay_is_found_to_a_fraction_of_a_sample(delay: float) -> None:
    rng = np.random.RandomState(5)
    frequencies, phases = rng.uniform(0.01, 0.45, 400), rng.uniform(0, 2 * np.pi, 400)

    def tone(at: np.ndarray) -> torch.Tensor:
        inside = np.exp(-(((at - 4000) / 1500) ** 2))  # nothing at the ends, so that a shift loses nothing
        return torch.from_numpy(inside * np.cos(2 * np.pi * np.outer(at, frequencies) + phases).sum(1))

    time = np.arange(8000.0)
    found, peak = find_delay(tone(time - delay), tone(time))
    assert found == pytest.approx(delay, abs=0.02)
    assert peak > 0.95
    moved, valid = advance(tone(time - delay)[None], delay, 8000)
    inside = valid > 0
    assert int(inside.sum()) == 8000 - abs(round(delay))
    np.testing.assert_allclose(moved[0, inside], tone(time)[inside], atol=0.05)


def test_other_noise_has_no_delay_that_stands_out() -> None:
    _, peak = find_delay(make_noise(1)[0], make_noise(2)[0])
    assert peak < 0.1
    assert find_delay(torch.zeros(100), make_noise(2)[0]) == (0.0, 0.0)


def test_with_a_known_delay_polarity_is_told_by_the_loudest_stretch(monkeypatch: pytest.MonkeyPatch) -> None:
    from djgraph.fitting import orient

    monkeypatch.setattr(orient, "LONGEST", 800)
    audio = torch.from_numpy(np.random.RandomState(0).standard_normal(4000))
    audio[:2000] *= 0.1
    target = -torch.nn.functional.pad(audio, (50, 0))[None]
    there, reference = orient.excerpt(target, audio, 50)
    assert reference.shape == (800,)
    assert torch.equal(there[0], -reference)
    ((signs, delay, peak),) = orient.orientations(there, reference)
    assert signs == (-1,)
    assert abs(delay) < 0.01
    assert peak > 0.9
    whole, same = orient.excerpt(target[:, :100], audio, 50)
    assert whole.shape == (1, 100)
    assert same is audio
