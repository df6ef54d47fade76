"""Metrics against their definitions, item by item in NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from fake_layouts import mixed_layout

from djgraph import metrics
from djgraph.errors import InputError, LayoutError
from djgraph.losses import MultiResolutionSTFT


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(0.1 * np.random.default_rng(seed).standard_normal(shape)).float()


def by_definition(mix: np.ndarray, target: np.ndarray) -> float:
    """Le Roux et al., equation 5, on zero-mean signals."""
    s, found = (x.astype(float) - x.mean(-1, keepdims=True) for x in (target, mix))
    scaled = (found * s).sum() / (s**2).sum() * s
    return 10 * math.log10((scaled**2).sum() / ((scaled - found) ** 2).sum())


def test_si_sdr_and_sdr() -> None:
    target = noise(3, 2, 1000)
    mix = 0.5 * target + 0.1 * noise(3, 2, 1000, seed=1)
    found, plain = metrics.si_sdr(mix, target), metrics.sdr(mix, target)
    assert found.shape == plain.shape == (3,)
    for item in range(3):
        a, b = mix[item].numpy(), target[item].numpy()
        assert float(found[item]) == pytest.approx(by_definition(a, b), abs=1e-4)
        assert float(metrics.si_sdr(mix[item], target[item])) == pytest.approx(float(found[item]))
        ratio = (b.astype(float) ** 2).sum() / ((a.astype(float) - b) ** 2).sum()
        assert float(plain[item]) == pytest.approx(10 * math.log10(ratio), abs=1e-4)


def test_si_sdr_does_not_hear_level_and_offset() -> None:
    target, other = noise(1, 2, 1000), noise(1, 2, 1000, seed=1)
    mix = target + 0.1 * other
    expected = metrics.si_sdr(mix, target)
    offset = torch.tensor([[0.5], [-0.3]])
    for a, b in ((3 * mix, target), (mix + offset, target), (mix, target + offset), (mix + 0.2, target - 1)):
        torch.testing.assert_close(metrics.si_sdr(a, b), expected, atol=1e-3, rtol=0)
    assert float(metrics.si_sdr(-mix, target)) == pytest.approx(float(expected), abs=1e-3)


def test_ends_of_the_scale() -> None:
    target, silence = noise(1, 2, 1000), torch.zeros(1, 2, 1000)
    assert metrics.si_sdr(target, target).tolist() == metrics.sdr(target, target).tolist() == [120.0]
    for metric in (metrics.si_sdr, metrics.sdr):
        assert metric(silence, silence).tolist() == [0.0]
        assert float(metric(target, silence)) == -120
    assert metrics.sdr(silence, target).tolist() == [0.0]


def test_spectral_distance() -> None:
    mix, target = noise(2, 2, 3000), noise(2, 2, 3000, seed=1)
    expected = [float(MultiResolutionSTFT()(mix[i : i + 1], target[i : i + 1])) for i in range(2)]
    assert metrics.spectral_distance(mix, target).tolist() == pytest.approx(expected, rel=1e-5)
    assert float(metrics.spectral_distance(mix[0], target[0], (512, 1024, 2048))) == pytest.approx(
        expected[0]
    )
    assert not metrics.spectral_distance(mix.requires_grad_(), target).requires_grad


def test_loudness_difference() -> None:
    sound = noise(2, 2, 8000)
    quieter = sound * torch.tensor([0.5, 2.0])[:, None, None]
    expected = [20 * math.log10(0.5), 20 * math.log10(2)]
    assert metrics.loudness_difference(quieter, sound, 8000).tolist() == pytest.approx(expected, abs=1e-4)
    assert metrics.loudness(sound, 8000).shape == (2,)
    assert metrics.loudness(sound[0], 8000).shape == ()


def test_control_error_is_in_positions() -> None:
    layout = mixed_layout()
    u = torch.rand(3, 5, len(layout), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    v = u.flip(0)
    params, truth = layout.from_unit(u), layout.from_unit(v)
    off = (layout.to_unit(params) - layout.to_unit(truth)).abs()
    torch.testing.assert_close(metrics.control_error(params, truth, layout), off.mean((1, 2)))
    column = layout.index("deck.cutoff")
    one = metrics.control_error(params, truth, layout, "deck.cutoff")
    torch.testing.assert_close(one, (u - v)[..., column].abs().mean(1))
    counts = torch.zeros(3, len(layout), dtype=torch.bool)
    counts[0, column] = True
    got = metrics.control_error(params, truth, layout, counts=counts)
    torch.testing.assert_close(got, torch.tensor([float(one[0]), 0, 0], dtype=torch.float64))
    assert metrics.control_error(params[0], truth[0], layout).shape == ()


def test_refusals() -> None:
    sound, layout = noise(2, 2, 100), mixed_layout()
    for a, b in ((sound, sound[:1]), (sound[0, 0], sound[0, 0]), (sound.long(), sound.long())):
        with pytest.raises(InputError, match="expected"):
            metrics.si_sdr(a, b)
    with pytest.raises(InputError, match="got list"):
        metrics.sdr([0.0], sound)  # type: ignore[arg-type]
    params = torch.zeros(3, len(layout))
    with pytest.raises(InputError, match="alike"):
        metrics.control_error(params, params[:2], layout)
    with pytest.raises(LayoutError, match=r"deck\.cutoff"):
        metrics.control_error(params, params, layout, "deck.cutof")
    with pytest.raises(InputError, match="counts"):
        metrics.control_error(params, params, layout, counts=torch.ones(2, dtype=torch.bool))
