"""The curve of a clipper on the recording, against the functions that made it, and fits behind one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

import djgraph
from djgraph.fitting import listen
from djgraph.fitting.bands import Bands, bands_of
from djgraph.fitting.clipping import Clipping, _loudest, find_clipping, undo
from djgraph.fitting.parts import Parts

from .conftest import RATE, noise, play

SECONDS = 4.0


@pytest.fixture(scope="module")
def bands() -> Bands:
    from djgraph.effects import Transform

    return bands_of(RATE, Transform(256, 64))


@pytest.fixture(scope="module")
def sources() -> list[Tensor]:
    return [noise(1, SECONDS, colour=0.7), noise(2, SECONDS), noise(3, SECONDS, colour=0.3)]


def test_the_loudest_stretch_is_found_behind_what_is_not_known() -> None:
    target = torch.full((2, 1000), 0.1)
    target[:, 600:700] = 0.5
    target[:, 50:150] = 0.9
    valid = torch.ones(1000)
    assert _loudest(target, valid, 100) == (50, 150)
    valid[:300] = 0
    assert _loudest(target, valid, 100) == (600, 700)
    assert _loudest(target, valid, 5000) == (300, 1000)
    assert _loudest(target, 0 * valid, 100) == (0, 0)


def mixed(sources: list[Tensor]) -> Tensor:
    """With a fade and a constant gain; the loudest sample at 1."""
    fade = torch.linspace(1, 0.3, sources[0].shape[-1])
    mix = sources[0] * fade + 0.8 * sources[1] + sources[2] * fade.flip(0)
    return mix / mix.abs().max()


def found(sources: list[Tensor], target: Tensor, bands: Bands) -> Clipping | None:
    return find_clipping(sources, target, torch.ones(target.shape[-1]), bands, 0)


CURVES: dict[str, tuple[Callable[[Tensor], Tensor], float]] = {
    "tanh": (torch.tanh, 2.0),
    "cubic": (lambda x: x.clamp(-1, 1) - x.clamp(-1, 1) ** 3 / 3, 0.95),
    "above zero alone": (lambda x: torch.where(x > 0, torch.tanh(x), x), 2.0),
}


@pytest.mark.parametrize("name", CURVES)
def test_the_curve_is_that_which_was_used(name: str, sources: list[Tensor], bands: Bands) -> None:
    curve, drive = CURVES[name]
    inside = drive * mixed(sources)
    target = curve(inside)
    clipping = found(sources, target, bands)
    assert clipping is not None
    assert not clipping.hard
    # Up to a gain, which levels and faders take.
    back = undo(clipping, sources, target, bands, 0)
    gain = float((back * inside).sum() / inside.square().sum())
    assert float((back - gain * inside).norm() / back.norm()) < 0.12 * float(
        (target - inside).norm() / inside.norm()
    )
    np.testing.assert_allclose(clipping(back), target, atol=1e-5)
    assert clipping.described()["kind"] == "soft"


def test_a_plateau_is_told_and_filled(sources: list[Tensor], bands: Bands) -> None:
    inside = 2 * mixed(sources)
    target = inside.clamp(-1, 0.9)
    clipping = found(sources, target, bands)
    assert clipping is not None
    assert (clipping.low, clipping.high) == pytest.approx((-1, 0.9))
    back = undo(clipping, sources, target, bands, 0)
    between = (target < 0.899) & (target > -0.999)
    np.testing.assert_allclose(back[between], inside[between], atol=1e-6)
    assert float((back - inside).norm()) < 0.4 * float((target - inside).norm())
    told = clipping.described()
    assert told["kind"] == "hard"
    assert told["peak_db"] == 0
    assert told["most_db"] == pytest.approx(6, abs=1.5)


def test_none_is_invented(sources: list[Tensor], bands: Bands) -> None:
    mix = mixed(sources)
    random = np.random.RandomState(5)
    hiss = torch.from_numpy(random.standard_normal(mix.shape)).float() * mix.std() * 0.03
    cubes = torch.round(mix * 32) / 32  # as a codec, errors that hang on the signal
    for target in (mix, mix + hiss, cubes, hiss):
        assert found(sources, target, bands) is None
    # Samples of a source that is clipped itself are as they should be.
    square = mix.clamp(-0.4, 0.4)
    assert found([*sources, square], square, bands) is None


def test_silence_and_short_clips_have_no_curve(bands: Bands) -> None:
    for samples in (1, 200, 2000):
        assert found([torch.zeros(2, samples)], torch.zeros(2, samples), bands) is None
    # What is not known is not looked at.
    one = noise(1)
    assert find_clipping([one], one.clamp(-0.1, 0.1), torch.zeros(one.shape[-1]), bands, 0) is None


def test_curve_and_inverse_are_monotone_and_differentiable() -> None:
    points = torch.tensor([-3.0, -0.5, 0.0, 0.5, 2.0], dtype=torch.float64)
    out = torch.tensor([-1.0, -0.5, 0.0, 0.5, 1.0], dtype=torch.float64)
    clipping = Clipping(points, out, -np.inf, np.inf, 0.1, 6.0)
    x = torch.linspace(-4, 4, 801, dtype=torch.float64)
    assert bool((clipping(x).diff() > 0).all())
    np.testing.assert_allclose(clipping.undone(clipping(x)), x, atol=1e-12)
    known = x[(x > -3) & (x < 2)]
    np.testing.assert_allclose(clipping(known), np.interp(known, points, out), atol=1e-12)
    inside = torch.tensor([-2.9, -0.2, 0.3, 1.7], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(clipping, (inside,))


def test_parts_are_least_squares(bands: Bands) -> None:
    a, b = noise(1, 1.0), noise(2, 1.0)
    parts = Parts([a, b], bands, 0)
    mix = 0.3 * a - 1.2 * b
    np.testing.assert_allclose(parts.model(mix), mix, atol=2e-5)
    other = noise(7, 1.0)
    left, whole = parts.left(torch.stack([other, mix]))
    assert float(left[1, 1]) < 1e-5 * float(whole[1, 1])
    # Two free gains of hundreds of numbers in a cell take next to nothing off what has to do with none.
    assert 0.7 < float(left[0, 0] / whole[0, 0]) < 1
    # A quarter turn is a source of its own only where it is asked for.
    spectrum = torch.fft.rfft(a)
    turned = torch.fft.irfft(1j * spectrum, a.shape[-1])
    alone, both = (Parts([a], bands, turning).left(turned[None]) for turning in (0, 1))
    assert float(both[0] / both[1]) < 0.1 < 0.5 < float(alone[0] / alone[1])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["soft", "hard"])
def test_a_clipper_is_not_taken_for_moves(
    name: str, mixer: djgraph.Mixer, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracks = {"a": {"low": noise(1, 6.0, colour=0.7), "high": noise(2, 6.0)}, "b": noise(3, 6.0, colour=0.3)}
    truth = mixer.layout.pack(
        {"a.low.gain": torch.linspace(1, 0.4, 40), "b.gain": torch.linspace(0.5, 1, 40)}
    )
    clean = play(mixer, tracks, truth)
    level = float(2.5 / clean.abs().max())  # noise that fades says nothing of it
    loud = level * clean
    target = torch.tanh(loud) if name == "soft" else loud.clamp(-1, 1)

    def off(result: djgraph.fitting.FitResult) -> float:
        return float(result.report["heard_error"]["mean"])

    found = djgraph.fit(mixer, tracks, target, frames=40, steps=2, delay=0.0, level=level, truth=truth)
    master = found.report["master"]
    assert master["clipping"]["kind"] == name
    assert master["threshold_db"] is None
    assert any("clipper" in note for note in found.report["notes"])
    monkeypatch.setattr(listen, "find_clipping", lambda *given: None)
    plain = djgraph.fit(mixer, tracks, target, frames=40, steps=2, delay=0.0, level=level, truth=truth)
    assert off(found) < 0.5 * off(plain)
    assert found.report["si_sdr_db"] > plain.report["si_sdr_db"] + 4
