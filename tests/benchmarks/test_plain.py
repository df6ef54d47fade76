"""The plain baseline computes what djgraph's default mixer computes: neither can win by doing less."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest
import torch
from effort import few
from torch import Tensor

import djgraph
from benchmarks.plain import PlainMixer
from benchmarks.work import make_params, make_stems

SAMPLES = 44100


@pytest.fixture(scope="module")
def mixers() -> tuple[Any, PlainMixer]:
    return djgraph.compile("dj_mixer"), PlainMixer(dtype=torch.float64)


def controls(layout: djgraph.ParameterLayout, active: Collection[str]) -> Tensor:
    """Random smooth values for controls with those ends of names, neutral ones for the others."""
    params = layout.neutral.double().expand(1, 12, -1).clone()
    random = make_params(layout, 12, dtype=torch.float64)
    columns = [index for index, name in enumerate(layout.names) if name.rsplit(".", 1)[1] in active]
    params[..., columns] = random[..., columns]
    return params


def decibels(error: Tensor, signal: Tensor) -> float:
    return 10 * torch.log10(error.square().mean() / signal.square().mean()).item()


# What is left differs by how control curves are smoothed at the very ends of the clip, and by the width of the
# box: a whole number of samples in the baseline.
@pytest.mark.parametrize(
    "active",
    few(
        [
            "",
            "gain",
            "eq_low eq_mid eq_high",
            "lpf",
            "hpf",
            "reverb_send",
            "delay_send delay_feedback",
            "gain lpf reverb_send delay_send delay_feedback",
        ],
        3,
    ),
)
def test_each_effect(mixers: tuple[Any, PlainMixer], active: str) -> None:
    mixer, plain = mixers
    stems = make_stems(mixer.graph, SAMPLES, dtype=torch.float64)
    params = controls(mixer.layout, active.split())
    expected = mixer(stems, params)
    assert decibels(plain(stems, params) - expected, expected) < -90


def test_all_effects(mixers: tuple[Any, PlainMixer]) -> None:
    # Three round trips through the STFT are not one with the product of the gains: see the module.
    mixer, plain = mixers
    stems = make_stems(mixer.graph, SAMPLES, batch=2, dtype=torch.float64)
    params = make_params(mixer.layout, 12, batch=2, dtype=torch.float64)
    expected = mixer(stems, params)
    assert decibels(plain(stems, params) - expected, expected) < -40


def test_gradients(mixers: tuple[Any, PlainMixer]) -> None:
    mixer, plain = mixers
    stems = make_stems(mixer.graph, SAMPLES // 2, dtype=torch.float64)
    gradients = []
    for module in (plain, mixer):
        params = make_params(mixer.layout, 6, dtype=torch.float64).requires_grad_()
        (gradient,) = torch.autograd.grad(module(stems, params).square().mean(), params)
        gradients.append(gradient)
    assert decibels(gradients[0] - gradients[1], gradients[1]) < -30


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_frames_of_controls(mixers: tuple[Any, PlainMixer], frames: int) -> None:
    mixer, plain = mixers
    stems = make_stems(mixer.graph, 5000, dtype=torch.float64)
    params = mixer.layout.neutral.double().expand(1, frames, -1).clone()
    params[..., mixer.layout.index("track_a.bass.lpf")] = torch.linspace(0.3, 0.6, frames).double()
    expected = mixer(stems, params)
    assert decibels(plain(stems, params) - expected, expected) < -90


def test_float32(mixers: tuple[Any, PlainMixer]) -> None:
    mixer, plain = mixers
    stems = make_stems(mixer.graph, 5000)
    params = make_params(mixer.layout, 8)
    single = PlainMixer()(stems, params)
    assert single.dtype == torch.float32
    doubled = {track: {name: audio.double() for name, audio in row.items()} for track, row in stems.items()}
    expected = plain(doubled, params.double())
    assert decibels(single - expected, expected) < -90
