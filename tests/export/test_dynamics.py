"""Dynamics null against the mixer wherever their controls are: on noise, on levels that stand still, behind effects."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from export.nulls import DYNAMICS, LIMIT, Case, case, depth, heard, needs_node

NEAR = -105.0
"""dB: what all of them keep below. A level that follows in another precision than the mixer's comes to −60."""


def graph(chains: Sequence[Sequence[tuple[str, dict[str, Any]]]]) -> dict[str, Any]:
    """Strips of one input, each with an output; a ducker listens to another one."""
    mixer: list[dict[str, Any]] = []
    for number, chain in enumerate(chains):
        links: list[dict[str, Any]] = []
        for name, settings in chain:
            link: dict[str, Any] = {"effect": name, "settings": settings}
            if name == "ducker":
                link["inputs"] = {"sidechain": "key"}
            links.append(link)
        mixer.append({"strip": f"{chain[-1][0]}_{number}", "input": "track", "chain": links})
    outputs = [strip["strip"] for strip in mixer]
    inputs = [{"name": "track"}]
    if any(name.startswith("ducker") for name in outputs):
        mixer.append({"strip": "key", "input": "key"})
        inputs.append({"name": "key"})
    return {"djgraph": 1, "name": "dynamics", "inputs": inputs, "mixer": mixer, "outputs": outputs}


def depths(one: Case, folder: Path) -> dict[str, float]:
    got = heard(one, folder)
    return {name: round(depth(got[name], signal), 1) for name, signal in one.mixed().items()}


def standing(one: Case, seed: int) -> Case:
    """The same with signals of one magnitude, which changes a few times: levels come to their goals, or near them."""
    made = torch.Generator().manual_seed(seed)
    stems = []
    for stem in one.stems:
        samples = stem.shape[-1]
        levels = 10 ** (-2.5 * torch.rand(4, generator=made))
        signs = torch.sign(torch.randn(stem.shape, generator=made))
        stems.append(levels.repeat_interleave(samples // 4 + 1)[:samples] * signs)
    return dataclasses.replace(one, stems=stems)


@needs_node
def test_a_gate_nulls_where_it_all_but_stands_still(tmp_path: Path) -> None:
    """An attack of 250 ms: in single precision it comes no nearer to 1 than 0.0003, which at 80 dB is 0.03 dB."""
    params = {"gate_0.gate.threshold": -60, "gate_0.gate.attack": 250, "gate_0.gate.range": 80}
    one = standing(case(graph([[("gate", {})]]), 120_011, 2, params=params, moving=False), 1)
    assert depths(one, tmp_path)["gate_0"] < NEAR


@needs_node
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_they_null_on_noise(seed: int, tmp_path: Path) -> None:
    """With controls that move anywhere; of loud, quiet and very loud noise."""
    one = case(graph([[effect] for effect in DYNAMICS]), seed=seed, level=(0.3, 0.05, 1.0)[seed % 3])
    assert {name: value for name, value in depths(one, tmp_path).items() if value >= NEAR} == {}


@needs_node
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_they_null_where_levels_stand_still(seed: int, tmp_path: Path) -> None:
    """With controls that rest, as long as slow attacks and releases take."""
    one = case(graph([[effect] for effect in DYNAMICS]), 200_011, 2, seed=seed, moving=False)
    found = depths(standing(one, seed), tmp_path)
    assert {name: value for name, value in found.items() if value >= NEAR} == {}


@needs_node
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_gate_behind_other_effects_nulls(seed: int, tmp_path: Path) -> None:
    """What it hears is another rounding's. A switch may then turn a sample sooner, which it did for no seed of 40."""
    before = ("eq3", "filter", "reverb", "compressor", "echo", "saturate")
    one = case(graph([[(name, {}), ("gate", {})] for name in before]), seed=seed)
    assert {name: value for name, value in depths(one, tmp_path).items() if value >= LIMIT} == {}
