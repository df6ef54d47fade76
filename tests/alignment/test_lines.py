"""Robust lines, against ones that are known."""

from __future__ import annotations

import numpy as np
import pytest

from djgraph.alignment.lines import fit_line


@pytest.mark.parametrize("wrong", [0.0, 0.3, 0.6])
def test_a_line_is_found_among_lags_that_are_anywhere(wrong: float) -> None:
    rng = np.random.default_rng(3)
    at = np.sort(rng.uniform(0, 1e6, 120))
    lag = 12.5 + 2e-5 * (at - 4e5) + 0.01 * rng.standard_normal(120)
    bad = rng.uniform(size=120) < wrong
    lag[bad] = rng.uniform(-200, 200, bad.sum())
    strength = np.where(bad, 0.3, 0.8)
    fit = fit_line(at, lag, strength, near=2.0, most=200.0, steepest=1e-4)
    assert fit is not None
    assert fit.lag + fit.slope * (4e5 - fit.at) == pytest.approx(12.5, abs=5 * 0.01 / np.sqrt(40))
    assert fit.slope == pytest.approx(2e-5, abs=2e-8)
    assert fit.beyond > 6
    assert not fit.agree[bad & (np.abs(lag - 12.5) > 20)].any()


def test_lags_by_chance_do_not_agree() -> None:
    beyond = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        at = np.linspace(0, 1e6, 128)
        fit = fit_line(at, rng.uniform(-200, 200, 128), rng.uniform(0.01, 0.05, 128), 2.0, 200.0, 1e-5)
        beyond.append(0 if fit is None else fit.beyond)
    assert max(beyond) < 6


def test_two_lags_are_no_line() -> None:
    assert fit_line(np.array([0.0, 1.0]), np.zeros(2), np.ones(2), 1.0, 10.0, 1.0) is None
