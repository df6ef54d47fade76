"""How far controls may be off: against closed forms, and against curves and noise that are drawn again and again."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

import djgraph
from djgraph.effects import Transform
from djgraph.fitting.bands import bands_of
from djgraph.fitting.intervals import _around
from djgraph.fitting.knots import Tridiagonal
from djgraph.fitting.newton import gauss_newton
from djgraph.fitting.priors import Priors, Rest
from djgraph.fitting.problem import POOL, FitProblem
from djgraph.fitting.reaction import reaction
from djgraph.fitting.residue import Residue, residue
from djgraph.fitting.sketch import Sketch
from djgraph.fitting.spread import FORGOTTEN, PLAYED, STILL, _curves, _played, spread
from djgraph.fitting.statistics import gather

from .conftest import GAIN, RATE, noise, play

LINEAR = {
    "djgraph": 1,
    "name": "faders",
    "sample_rate": RATE,
    "transform": {"size": 256, "hop": 64},
    "inputs": [{"name": "a"}, {"name": "b"}],
    "mixer": [
        {
            "for": {"deck": "inputs"},
            "do": [{"strip": "$deck", "input": "$deck", "chain": [GAIN], "to": "master"}],
        },
        {"bus": "master"},
    ],
    "outputs": ["master"],
}
DRAWN = Priors(neutral=0, variation=0, smooth=1e-4)
"""Quadratic, so that the closed form is one."""


def tridiagonal(seed: int, n: int = 5, size: int = 3, heavy: float = 6.0) -> Tridiagonal:
    rng = np.random.RandomState(1000 + seed)
    diagonal = rng.standard_normal((n, size, size))
    diagonal = diagonal + diagonal.transpose(0, 2, 1) + heavy * np.eye(size)
    return Tridiagonal(torch.from_numpy(diagonal), torch.from_numpy(rng.standard_normal((n - 1, size, size))))


def dense(matrix: Tridiagonal) -> np.ndarray:
    n, size, _ = matrix.diagonal.shape
    full = np.zeros((n * size, n * size))
    for i in range(n):
        here = slice(i * size, (i + 1) * size)
        full[here, here] = matrix.diagonal[i]
        if i + 1 < n:
            there = slice((i + 1) * size, (i + 2) * size)
            full[here, there] = matrix.upper[i]
            full[there, here] = matrix.upper[i].T
    return full


def test_diagonals_of_inverses_are_numpys() -> None:
    a, b = tridiagonal(1, heavy=12), tridiagonal(2)
    inverse = np.linalg.inv(dense(a))
    np.testing.assert_allclose(a.inverse_diagonal().flatten(), np.diag(inverse), rtol=1e-10)
    np.testing.assert_allclose(
        a.inverse_diagonal(b).flatten(), np.diag(inverse @ dense(b) @ inverse), rtol=1e-9, atol=1e-12
    )
    one = Tridiagonal(a.diagonal[:1], a.upper[:0])
    np.testing.assert_allclose(one.inverse_diagonal()[0], np.diag(np.linalg.inv(a.diagonal[0])), rtol=1e-10)


@pytest.mark.parametrize("turning", [0, 2])
def test_a_residue_is_what_gathering_finds(turning: int) -> None:
    bands = bands_of(RATE, Transform(64, 16))
    a, b, left = torch.from_numpy(np.random.RandomState(3).standard_normal((3, 2, 3000))).float()
    valid = torch.ones(3000)
    valid[:500] = 0
    found = residue([a, b], left, valid, bands, 3, turning)
    known = gather([a, b], left, valid, bands, 3, turning)
    torch.testing.assert_close(found.cross, known.cross, atol=2e-3, rtol=1e-4)
    torch.testing.assert_close(found.energy, known.energy, atol=2e-3, rtol=1e-4)


def test_noise_that_is_independent_counts_once_and_what_is_like_a_source_more() -> None:
    bands = bands_of(RATE, Transform(256, 64))
    source, other = noise(1, 20), noise(2, 20)
    valid = torch.ones(source.shape[-1])
    own = gather([source], other, valid, bands, POOL).gram.diagonal(dim1=2, dim2=3)
    seconds = POOL * 64 / RATE
    plain = residue([source], other, valid, bands, POOL).correlation(own, bands, seconds)
    assert float(plain.mean()) < 1.3
    alike = residue([source], other + 0.3 * source, valid, bands, POOL).correlation(own, bands, seconds)
    assert float(alike.mean()) > 10


def stand(
    seed: int, level: float, frames: int
) -> tuple[FitProblem, Sketch, torch.Tensor, dict, torch.Tensor]:
    """A small problem of two faders with white noise of RMS ``level`` on the target, and its solution."""
    mixer = djgraph.compile(LINEAR)
    problem = FitProblem.of(mixer, "master", None, DRAWN, None)
    stems = {"a": noise(11), "b": noise(12)}
    truth = mixer.layout.pack({"a.gain": torch.linspace(0.8, 0.3, frames), "b.gain": 0.5})
    rng = np.random.RandomState(1000 + seed)
    clean = play(mixer, stems, truth)
    target = clean + level * torch.from_numpy(rng.standard_normal(clean.shape)).float()
    valid = torch.ones(clean.shape[-1])
    statistics = gather(list(stems.values()), target, valid, problem.bands, POOL)
    # Weights and their sum as for the clean target, so that every draw is the same problem.
    plain = gather(list(stems.values()), clean, valid, problem.bands, POOL)
    sketch = Sketch.make(problem.response, statistics, torch.ones_like(statistics.energy), clean.shape[-1])
    share = statistics.energy.sum() / plain.energy.sum()
    s = sketch.statistics
    scaled = type(s)(s.gram * share, s.cross * share, s.energy * share, s.positions)
    sketch = Sketch(problem.response, scaled, clean.shape[-1])
    u = torch.full((frames, 2), 0.5, dtype=torch.float64)
    u = gauss_newton(sketch, u, problem.rest, DRAWN, steps=30, tolerance=1e-9)
    left = target - play(mixer, stems, mixer.layout.from_unit(u).float())
    return problem, sketch, u, {"sources": list(stems.values()), "valid": valid, "plain": plain}, left


SECONDS = 1.5


def spread_of(
    level: float, frames: int, seed: int = 0
) -> tuple[torch.Tensor, FitProblem, Sketch, torch.Tensor]:
    problem, sketch, u, given, left = stand(seed, level, frames)
    found = residue(given["sources"], left, given["valid"], problem.bands, POOL)
    scale = torch.ones_like(found.energy) / given["plain"].energy.sum()
    return spread(sketch, u, found, scale, problem.rest, SECONDS), problem, sketch, u


def kernel(deviation: np.ndarray, seconds: float) -> np.ndarray:
    """Covariance of random curves whose values forget each other exponentially, ``[frames, frames]``."""
    at = np.linspace(0, seconds, len(deviation))
    return np.outer(deviation, deviation) * np.exp(-np.abs(at[:, None] - at) / FORGOTTEN)


def test_curves_of_which_nothing_is_known_have_the_covariance_that_is_said() -> None:
    deviation = torch.rand(7, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) + 0.1
    covariance = np.linalg.inv(dense(_curves(deviation, SECONDS)))
    for control in (0, 1):
        expected = kernel(deviation[:, control].numpy(), SECONDS)
        np.testing.assert_allclose(covariance[control::2, control::2], expected, rtol=1e-9)
    np.testing.assert_allclose(covariance[0::2, 1::2], 0, atol=1e-12)
    one = _curves(deviation[:1], SECONDS)
    np.testing.assert_allclose(np.linalg.inv(dense(one)), np.diag(deviation[0].square()), rtol=1e-9)


def test_a_control_counts_as_played_around_its_moves() -> None:
    u = torch.full((101, 2), 0.5, dtype=torch.float64)
    u[50, 0] = 0.9
    wide = _played(u, Rest(torch.tensor([0.5, 0.5]).double(), torch.ones(2).double()), 10.0)
    assert float(wide[50, 0]) == pytest.approx(STILL + PLAYED)
    assert float(wide[31, 0]) == pytest.approx(STILL + PLAYED)  # 1.9 s before
    assert float(wide[29, 0]) == pytest.approx(STILL)
    assert float(wide[:, 1].max()) == pytest.approx(STILL)
    u[:, 1] = 0.55
    wide = _played(u, Rest(torch.tensor([0.5, 0.5]).double(), torch.ones(2).double()), 10.0)
    assert float(wide[0, 1]) == pytest.approx(STILL + PLAYED / 4)


def test_ends_are_told_by_hand() -> None:
    u = torch.tensor([[0.5, 0.9], [0.6, 0.9], [0.6, 0.9]], dtype=torch.float64)
    wide, far = torch.full_like(u, 0.01), torch.full_like(u, 0.019)
    low, high = _around(u, wide, far, torch.tensor([0.2, 1.0], dtype=torch.float64))
    half = 2.4 * 0.01 + 0.5 * 0.019
    assert float(low[2, 0]) == pytest.approx(0.6 - half)
    assert float(high[1, 0]) == pytest.approx(0.6 + half + 0.5 * 0.05)  # it goes 0.1 in two frames
    assert float(high[0, 0]) == pytest.approx(0.5 + half + 0.5 * 0.1)
    assert float(high[0, 1]) == pytest.approx(0.9 + half)  # rest is more than five reactions away
    _, high = _around(u, wide, far * 1.1, torch.tensor([0.2, 1.0], dtype=torch.float64))
    assert float(high[0, 1]) == 1


def test_a_linear_problem_with_noise_has_the_closed_form() -> None:
    """y = X·u + noise of variance σ², curves of covariance C: σ²·(XᵀX + σ²·C⁻¹)⁻¹, from samples, without any
    transform."""
    level, frames = 0.05, 6
    found, problem, sketch, u = spread_of(level, frames)
    sources = [noise(11).double().numpy(), noise(12).double().numpy()]
    samples = sources[0].shape[-1]
    hats = np.stack(
        [np.interp(np.arange(samples), np.linspace(0, samples - 1, frames), e) for e in np.eye(frames)]
    )
    x = np.stack(
        [(h * s).ravel() for h in hats for s in sources], 1
    )  # [samples, frames·2], controls within a frame
    fisher = dense(sketch.linearize(u)[2])
    # The sketch's loss is in other units: the same matrix but for one factor.
    factor = np.trace(fisher) / np.trace(x.T @ x)
    np.testing.assert_allclose(fisher / factor, x.T @ x, rtol=0.2, atol=0.02 * (x.T @ x).max())
    wide = _played(u, problem.rest, SECONDS).numpy()
    prior = np.zeros((2 * frames, 2 * frames))
    for control in (0, 1):
        prior[control::2, control::2] = np.linalg.inv(kernel(wide[:, control], SECONDS))
    expected = np.sqrt(np.diag(np.linalg.inv(x.T @ x / level**2 + prior))).reshape(frames, 2)
    np.testing.assert_allclose(found, expected, rtol=0.25)


def linear(frames: int, controls: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Gram and noise of a problem in which two controls trade: what the first does the second does nearly, too."""
    rng = np.random.RandomState(seed)
    rows = rng.standard_normal((frames, 30, controls))
    rows[..., 1] = rows[..., 0] + 0.02 * rng.standard_normal((frames, 30))
    return torch.from_numpy(rows), torch.from_numpy(rng.standard_normal((frames, 30)))


def test_intervals_of_curves_that_are_drawn_hold_as_often_as_they_should(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Curves are drawn from what is taken for likely, then noise; the estimate is the posterior's mean, by dense linear
    algebra. Of 1.645 standard deviations nine in ten hold it, along the valley of controls that trade as elsewhere."""
    import djgraph.fitting.spread as module

    frames, controls, noisy = 12, 3, 0.5
    deviation = np.full((frames, controls), STILL + PLAYED)
    curves = [np.linalg.cholesky(kernel(deviation[:, c], SECONDS)) for c in range(controls)]
    prior = np.zeros((frames * controls, frames * controls))
    for c in range(controls):
        prior[c::controls, c::controls] = np.linalg.inv(curves[c] @ curves[c].T)
    rng, held, width = np.random.RandomState(5), [], []
    for seed in range(40):
        rows, drawn = linear(frames, controls, seed)
        gram = rows.mT @ rows
        nothing = torch.zeros(frames - 1, controls, controls, dtype=torch.float64)
        fisher = Tridiagonal(2 * gram, nothing)
        push = Tridiagonal(4 * noisy**2 * gram, nothing)
        monkeypatch.setattr(module, "_matrices", lambda *_, f=fisher, p=push: (f, p))
        rest = Rest(torch.zeros(controls).double(), torch.ones(controls).double())
        u = torch.full((frames, controls), 0.5, dtype=torch.float64)
        told = module.spread(None, u, None, None, rest, SECONDS).numpy()  # type: ignore[arg-type]
        truth = np.stack([root @ rng.standard_normal(frames) for root in curves], 1)
        heard = np.einsum("trc,tc->tr", rows.numpy(), truth) + noisy * drawn.numpy()
        right = np.einsum("trc,tr->tc", rows.numpy(), heard).ravel() / noisy**2
        mean = np.linalg.solve(dense(Tridiagonal(gram, nothing)) / noisy**2 + prior, right).reshape(
            frames, controls
        )
        held.append(np.abs(truth - mean) < 1.645 * told)
        width.append(told)
    share = np.mean(held, (0, 1))
    np.testing.assert_allclose(share, 0.9, atol=0.05)
    assert np.mean(width, (0, 1))[1] > 2 * np.mean(width, (0, 1))[2]  # the controls that trade


def test_a_control_at_rest_holds_the_one_that_it_trades_with() -> None:
    """Of a gain that fades nobody says that an EQ may have done it, unless that moved as well."""
    frames = 40
    u = torch.full((frames, 2), 0.5, dtype=torch.float64)
    u[:, 0] = torch.linspace(0.1, 0.9, frames).double()
    one = torch.ones(frames, 2, 2, dtype=torch.float64)
    rest = Rest(torch.tensor([0.5, 0.5]).double(), torch.ones(2).double())
    # gain and EQ do exactly the same
    matrices = [Tridiagonal(factor * one, torch.zeros(frames - 1, 2, 2).double()) for factor in (1.0, 1e-6)]
    import djgraph.fitting.spread as module

    def told(positions: torch.Tensor) -> torch.Tensor:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "_matrices", lambda *_: matrices)
            return module.spread(None, positions, None, None, rest, 4.0)  # type: ignore[arg-type]

    assert float(told(u).max()) < 2 * STILL
    u[:, 1] = torch.linspace(0.9, 0.1, frames).double()
    assert float(told(u).min()) > 0.1


def test_the_reaction_is_the_fit_of_a_louder_recording() -> None:
    """Two faders, and a recording of which a tenth of the energy is said to be gone in every band: both answers are a
    tenth higher, up to what the priors hold."""
    mixer = djgraph.compile(LINEAR)
    problem = FitProblem.of(mixer, "master", None, DRAWN, None)
    stems = {"a": noise(11), "b": noise(12)}
    truth = mixer.layout.pack({"a.gain": torch.linspace(0.8, 0.3, 6), "b.gain": 0.5})
    target = play(mixer, stems, truth)
    statistics = gather(list(stems.values()), target, torch.ones(target.shape[-1]), problem.bands, POOL)
    weights = torch.ones_like(statistics.energy)
    sketch = Sketch.make(problem.response, statistics, weights, target.shape[-1])
    u = mixer.layout.to_unit(truth.double())
    nothing = torch.zeros_like(statistics.energy)
    found = Residue(nothing, statistics.cross[..., :2] * 0, torch.ones(statistics.energy.shape[1]), 4.0)
    scale = weights / statistics.energy.sum()
    none = Priors(neutral=0, variation=0, smooth=0)
    gone = reaction(sketch, u, found, nothing + 0.1, scale, problem.rest, none, SECONDS)
    square = (0.1 * u).square()
    expected = torch.stack([square[max(0, i - 1) : i + 2].mean(0) for i in range(6)]).sqrt()
    torch.testing.assert_close(gone, expected, rtol=0.02, atol=1e-3)
    still = reaction(sketch, u, found, nothing, scale, problem.rest, none, SECONDS)
    assert float(still.max()) < 1e-6


def test_what_is_not_heard_may_be_anywhere() -> None:
    mixer = djgraph.compile(LINEAR)
    stems = {"a": noise(11), "b": torch.zeros(2, 12000)}
    target = play(mixer, stems, mixer.layout.pack({"a.gain": 0.6}))
    result = djgraph.fit(mixer, stems, target, frames=6, steps=0, level=1.0)
    silent, heard = mixer.layout.index("b.gain"), mixer.layout.index("a.gain")
    assert not bool(result.told[:, silent].any())
    assert float(result.low[:, silent].max()) == 0
    assert float(result.high[:, silent].min()) == 1
    assert result.report["controls"]["b.gain"]["cannot_be_told"] == 1
    assert bool(result.told[:, heard].all())
    assert result.report["controls"]["a.gain"]["interval"] < 0.1


def test_intervals_hold_the_params_and_are_written(mixer: djgraph.Mixer, stems: dict, tmp_path: Path) -> None:
    moves = {"a.low.gain": torch.linspace(1, 0.2, 16), "b.lowpass.cutoff": torch.linspace(1, 0.65, 16)}
    truth = mixer.layout.pack(moves)
    target = play(mixer, stems, truth) + 0.003 * noise(8)
    result = djgraph.fit(mixer, stems, target, frames=16, steps=2)
    assert bool((result.low <= result.params).all())
    assert bool((result.params <= result.high).all())
    assert bool((mixer.layout.minimum <= result.low).all())
    assert bool((result.high <= mixer.layout.maximum).all())
    column = mixer.layout.index("a.low.gain")
    held = (result.low <= truth) & (truth <= result.high)
    assert float(held[:, column].double().mean()) > 0.8
    result.save_intervals(tmp_path / "around.csv")
    rows = list(csv.DictReader((tmp_path / "around.csv").open()))
    assert len(rows) == 16 * len(mixer.layout)
    row = rows[16 * column + 5]
    assert row["control"] == "a.low.gain"
    assert float(row["seconds"]) == pytest.approx(0.5, abs=1e-3)
    assert float(row["low"]) == pytest.approx(float(result.low[5, column]), rel=1e-4)
    assert row["told"] == str(int(result.told[5, column]))
