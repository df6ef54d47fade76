"""The parts of a fit, each against the same thing computed another way."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal as scipy_signal

import djgraph
from djgraph.effects import Transform
from djgraph.fitting.align import advance, find_delay
from djgraph.fitting.bands import bands_of
from djgraph.fitting.knots import Grid, Tridiagonal
from djgraph.fitting.level import find_level
from djgraph.fitting.losses import MixLoss, noise, weights
from djgraph.fitting.newton import refine
from djgraph.fitting.priors import Priors, Rest
from djgraph.fitting.response import Response
from djgraph.fitting.statistics import gather

from .conftest import RATE
from .conftest import noise as make_noise


@pytest.mark.parametrize(("rate", "size"), [(44100, 2048), (8000, 256), (48000, 16), (44100, 1022)])
def test_bands_hold_every_bin_once(rate: int, size: int) -> None:
    bands = bands_of(rate, Transform(size, size // 2))
    assert bands.edges[0] == 0
    assert bands.edges[-1] == size // 2 + 1
    widths = np.diff(bands.edges)
    assert (widths >= 1).all()
    wide = [i for i, w in enumerate(widths) if w > 2]
    # Half a bin of rounding on a width of at least 2.5 bins.
    assert all(bands.edges[i + 1] / bands.edges[i] <= 2 ** (1 / 12) + 0.5 / bands.edges[i] for i in wide)
    centres = bands.frequencies.numpy()
    assert (np.diff(centres) > 0).all()
    assert centres[0] > 0


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("samples", [1, 999, pytest.param(4000, marks=pytest.mark.slow)])
def test_statistics_are_sums_over_scipys_transform(samples: int, channels: int) -> None:
    transform, pool = Transform(64, 16), 3
    bands = bands_of(RATE, transform)
    rng = np.random.RandomState(0)
    x, y, z = rng.standard_normal((3, channels, samples)).astype(np.float32)
    valid = np.ones(samples, np.float32)
    if samples > 1:
        valid[: samples // 3] = 0
    found = gather(
        [torch.from_numpy(x), torch.from_numpy(y)], torch.from_numpy(z), torch.from_numpy(valid), bands, pool
    )

    def transformed(audio: np.ndarray) -> np.ndarray:
        padded = np.pad(audio, ((0, 0), (32, 32)), mode="reflect" if samples > 32 else "edge")
        window = scipy_signal.windows.hann(64, sym=False)
        frames = 1 + samples // 16
        return np.stack([np.fft.rfft(padded[:, 16 * t : 16 * t + 64] * window) for t in range(frames)], 1)

    spectra = [transformed(audio) for audio in (x, y, z)]
    frames = spectra[0].shape[1]
    known = [valid[max(0, 16 * t - 32) : min(samples, 16 * t + 32)].all() for t in range(frames)]
    for block in range(-(-frames // pool)):
        here = [t for t in range(block * pool, min(block * pool + pool, frames)) if known[t]]
        for band in range(len(bands)):
            bins = slice(bands.edges[band], bands.edges[band + 1])
            part = [s[:, here, bins] for s in spectra]
            gram = [[np.real(np.sum(np.conj(a) * b)) for b in part[:2]] for a in part[:2]]
            np.testing.assert_allclose(found.gram[block, band], gram, atol=2e-3)
            cross = [np.real(np.sum(np.conj(a) * part[2])) for a in part[:2]]
            np.testing.assert_allclose(found.cross[block, band], cross, atol=2e-3)
            np.testing.assert_allclose(found.energy[block, band], np.sum(np.abs(part[2]) ** 2), atol=2e-3)
    merged = found.merge(2)
    np.testing.assert_allclose(merged.energy.sum(0), found.energy.sum(0), rtol=1e-5)


def test_response_is_the_formula_of_the_effects(mixer: djgraph.Mixer) -> None:
    bands = bands_of(RATE, Transform(256, 64))
    response = Response(mixer.graph, mixer.graph.outputs["master"], bands)
    assert response.names == ["a.low", "a.high", "b"]
    assert response.unknown == []
    params = (
        mixer.layout.pack(
            {
                "a.low.gain": 0.3,
                "a.high.eq3.low": 0.2,
                "a.high.eq3.high": 1.7,
                "b.lowpass.cutoff": 0.6,
                "b.highpass.cutoff": 0.3,
            },
            dtype=torch.float64,
        )
        if "b.lowpass.cutoff" in mixer.layout
        else None
    )
    assert params is not None, mixer.layout.names
    made = response(params)[0].numpy()
    f = bands.frequencies.numpy()
    low, high = 1 / (1 + (f / 300) ** 4), (f / 2000) ** 4 / (1 + (f / 2000) ** 4)
    mid = 1 - low - high
    np.testing.assert_allclose(made[0], 0.3, atol=1e-9)
    np.testing.assert_allclose(made[1], 0.2 * low + mid + 1.7 * high, atol=1e-6)
    lowpass = 1 / (1 + (f / (20 * 1000**0.6)) ** 4)
    highpass = 1 / (1 + (20 * 1000**0.3 / f) ** 4)
    np.testing.assert_allclose(made[2], lowpass * highpass, atol=1e-6)
    _, slopes = response.slopes(params)
    column = mixer.layout.index("a.high.eq3.low")
    np.testing.assert_allclose(slopes[0, column, 1], low, atol=1e-6)
    assert float(slopes[0, column, [0, 2]].abs().max()) == 0


def test_what_the_response_does_not_know_is_named() -> None:
    graph = djgraph.load("dj_mixer")
    response = Response(graph, graph.outputs["master"], bands_of(44100, graph.transform))
    names = [graph.columns[i].name for i in response.unknown]
    assert names == [f"track_{t}.{c}" for t in "ab" for c in ("reverb_send", "delay_send", "delay_feedback")]
    for group in response.groups:
        inputs = [i for column in group for i in response.reach[column]]
        assert len(inputs) == len(set(inputs))


@given(st.integers(1, 9), st.integers(2, 50), st.integers(1, 40), st.integers(0, 10**6))
@settings(max_examples=examples(40), deadline=None)
def test_grid_reads_lines_and_collect_is_its_transpose(
    frames: int, samples: int, points: int, seed: int
) -> None:
    rng = np.random.RandomState(seed)
    positions = rng.uniform(0, samples - 1, points)
    grid = Grid.at(torch.from_numpy(positions), samples, frames)
    values = rng.standard_normal((frames, 2))
    expected = [np.interp(positions, np.linspace(0, samples - 1, frames), column) for column in values.T]
    read = grid.read(torch.from_numpy(values))
    np.testing.assert_allclose(read, np.stack(expected, 1), atol=1e-9)
    other = rng.standard_normal((points, 2))
    back = grid.collect(torch.from_numpy(other))
    assert float((read * torch.from_numpy(other)).sum()) == pytest.approx(
        float((values * back.numpy()).sum())
    )


@given(st.integers(1, 7), st.integers(1, 4), st.integers(0, 10**6))
@settings(max_examples=examples(40), deadline=None)
def test_tridiagonal_systems_as_numpy_solves_them(blocks: int, size: int, seed: int) -> None:
    rng = np.random.RandomState(seed)
    pieces = rng.standard_normal((blocks + 1, 2 * size, 2 * size))
    dense = np.zeros((blocks * size, blocks * size)) + np.eye(blocks * size)
    for i in range(blocks - 1):
        at = slice(i * size, (i + 2) * size)
        dense[at, at] += pieces[i] @ pieces[i].T
    grid = dense.reshape(blocks, size, blocks, size)
    matrix = Tridiagonal(
        torch.from_numpy(np.stack([grid[i, :, i] for i in range(blocks)])),
        torch.from_numpy(
            np.array([grid[i, :, i + 1] for i in range(blocks - 1)]).reshape(blocks - 1, size, size)
        ),
    )
    right = rng.standard_normal((blocks, size))
    solved = matrix.factor().solve(torch.from_numpy(right)).numpy()
    np.testing.assert_allclose(solved.ravel(), np.linalg.solve(dense, right.ravel()), atol=1e-8)
    product = matrix.times(torch.from_numpy(right)).numpy().ravel()
    np.testing.assert_allclose(product, dense @ right.ravel(), atol=1e-9)
    pinned = torch.from_numpy(rng.random_sample((blocks, size)) < 0.5)
    free = ~pinned.numpy().ravel()
    held = (
        matrix.pin(pinned).factor().solve(torch.where(pinned, 0.0, torch.from_numpy(right))).numpy().ravel()
    )
    assert (held[~free] == 0).all()
    if free.any():
        np.testing.assert_allclose(
            held[free], np.linalg.solve(dense[np.ix_(free, free)], right.ravel()[free]), atol=1e-8
        )


@given(st.integers(1, 6), st.integers(0, 10**6))
@settings(max_examples=examples(40), deadline=None)
def test_the_priors_quadratic_lies_above_and_touches(frames: int, seed: int) -> None:
    rng = np.random.RandomState(seed)
    rest = Rest(torch.from_numpy(rng.random_sample(3)), torch.tensor([1.0, 1.5, 2.0], dtype=torch.float64))
    u, v = torch.from_numpy(rng.random_sample((2, frames, 3)))
    priors = Priors(0.3, 0.2, 0.1, 0.05)
    leaf = u.clone().requires_grad_()
    value = priors.value(leaf, rest)
    (slope,) = torch.autograd.grad(value, leaf)
    matrix = priors.curvature(u, rest)
    step = v - u
    bound = (
        float(value.detach()) + float((slope * step).sum()) + 0.5 * float((step * matrix.times(step)).sum())
    )
    assert float(priors.value(v, rest)) <= bound + 1e-12
    assert float(priors.value(rest.position.expand(frames, -1), rest)) == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("delay", [0.0, 12.3, -40.75, 200.5])
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


def test_the_loss_is_1_for_silence_0_for_the_target_and_finite_on_silence() -> None:
    target = make_noise(1)
    valid = torch.ones(target.shape[-1])
    bands = bands_of(RATE, Transform(256, 64))
    statistics = gather([make_noise(2)], target, valid, bands)
    loss = MixLoss(target, valid, bands, weights(statistics.energy, bands), 4, magnitude=0.0)
    assert float(loss(torch.zeros_like(target))) == pytest.approx(1, rel=1e-4)
    assert float(loss(target)) == pytest.approx(0, abs=1e-9)
    assert float(loss(0.5 * target)) == pytest.approx(0.25, rel=1e-4)
    full = MixLoss(target, valid, bands, weights(statistics.energy, bands), 4, sizes=(64, 512))
    silence = torch.zeros_like(target).requires_grad_()
    value = full(silence)
    value.backward()
    assert torch.isfinite(value)
    assert bool(torch.isfinite(silence.grad).all())
    quiet = MixLoss(torch.zeros_like(target), valid, bands, weights(0 * statistics.energy, bands), 4)
    silence.grad = None
    quiet(silence).backward()
    assert bool(torch.isfinite(silence.grad).all())


def test_bands_of_noise_count_less() -> None:
    bands = bands_of(RATE, Transform(256, 64))
    source, other = make_noise(1), make_noise(2)
    spectrum = torch.fft.rfft(other)
    spectrum[:, : spectrum.shape[1] // 2] = 0  # noise above 2 kHz only
    target = source + torch.fft.irfft(spectrum, source.shape[-1])
    found = noise(gather([source], target, torch.ones(source.shape[-1]), bands), 8)
    frequencies = bands.frequencies
    assert float(found[frequencies < 1800].max()) < 0.05
    # As loud as the source: half of the energy.
    assert 0.35 < float(found[frequencies > 2300].mean()) < 0.6


@pytest.mark.parametrize("level", [1.0, 0.7, 0.3])
def test_the_level_is_where_faders_rest(level: float) -> None:
    bands = bands_of(RATE, Transform(256, 64))
    a, b = make_noise(1, 4), make_noise(2, 4)
    fade = torch.linspace(-0.5, 1.5, a.shape[-1]).clamp(0, 1)
    statistics = gather([a, b], level * (a * (1 - fade) + b * fade), torch.ones(len(fade)), bands)
    found = find_level(statistics, torch.ones_like(statistics.energy))
    assert found == pytest.approx(level, rel=0.01)


def test_a_level_that_nothing_tells_is_1() -> None:
    bands = bands_of(RATE, Transform(256, 64))
    a, b = make_noise(1, 4), make_noise(2, 4)
    fade = torch.linspace(0.1, 0.9, a.shape[-1])
    statistics = gather([a, b], a * (1 - fade) + b * fade, torch.ones(len(fade)), bands)
    assert find_level(statistics, torch.ones_like(statistics.energy)) == 1.0


def test_refine_follows_lines() -> None:
    u = torch.tensor([[0.0], [1.0], [0.5]], dtype=torch.float64)
    np.testing.assert_allclose(refine(u, 5)[:, 0], [0, 0.5, 1, 0.75, 0.5], atol=1e-6)
    np.testing.assert_allclose(refine(u[:1], 3)[:, 0], [0, 0, 0])
