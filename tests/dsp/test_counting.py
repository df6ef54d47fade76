"""What recursions say they compute, against a count of their source."""

from __future__ import annotations

import importlib
import pkgutil

import pytest
import torch
from counted_recursions import flops

import djgraph.dsp
from djgraph.dsp import svf
from djgraph.dsp.recursion import _OPERATORS, Recursion
from djgraph.inspection.meter import Meter


def recursions() -> list[Recursion]:
    there = []
    for module in pkgutil.iter_modules(djgraph.dsp.__path__):
        for value in vars(importlib.import_module(f"djgraph.dsp.{module.name}")).values():
            there += [one for one in (value.values() if isinstance(value, dict) else [value])
                      if isinstance(one, Recursion)]  # fmt: skip
    return there


RECURSIONS = recursions()


def test_all_are_here() -> None:
    assert {one.name for one in RECURSIONS} == set(_OPERATORS)


@pytest.mark.parametrize("recursion", RECURSIONS, ids=lambda one: one.name)
def test_flops(recursion: Recursion) -> None:
    assert recursion.flops == (flops(recursion, "forward"), flops(recursion, "backward"))


def test_without_data_a_recursion_is_one_operation() -> None:
    audio = torch.empty(2, 1000, device="meta", requires_grad=True)
    with Meter() as meter:
        filtered, last = svf(audio, 500.0, 0.7, 1.0, 0.0, 0.0, sample_rate=8000)
        forward = meter.flops
        filtered.sum().backward()
    assert (filtered.shape, last.shape, audio.grad.shape) == ((2, 1000), (2, 2), (2, 1000))
    assert 36 <= forward / 2000 < 40  # but for what the filter does to its settings
    assert 105 <= (meter.flops - forward) / 2000 < 112
