"""Constants on other devices: copied once, and not at all on the CPU. ``meta`` stands for a device."""

import gc

import torch

from djgraph.dsp import resident as module
from djgraph.dsp.resident import numbers_like, one_like, resident
from djgraph.runtime.outputs import reads_values

CPU, ELSEWHERE = torch.device("cpu"), torch.device("meta")


def test_on_the_cpu_it_is_the_constant_itself() -> None:
    constant = torch.arange(3, device="cpu")
    assert resident(constant, CPU) is constant
    assert resident(constant, CPU, torch.float32).dtype == torch.float32
    assert constant not in module._COPIES


def test_elsewhere_one_copy_for_each_dtype_lives_as_long_as_the_constant() -> None:
    constant = torch.arange(3.0, dtype=torch.float64, device="cpu")
    before = len(module._COPIES)
    with torch.inference_mode():
        copy = resident(constant, ELSEWHERE, torch.float32)
    assert copy.is_meta
    assert copy.dtype == torch.float32
    assert not copy.is_inference()
    assert resident(constant, ELSEWHERE, torch.float32) is copy
    assert resident(constant, ELSEWHERE).dtype == torch.float64
    assert len(module._COPIES) == before + 1
    del constant, copy
    gc.collect()
    assert len(module._COPIES) == before


def test_numbers_as_tensors_like_another() -> None:
    like = torch.empty(2, dtype=torch.float32, device="cpu")
    assert (
        numbers_like((0.1, 2), like).tolist()
        == torch.tensor([0.1, 2], dtype=torch.float32, device="cpu").tolist()
    )
    assert numbers_like([0.1, 2], like.to("meta")).is_meta
    assert one_like(2, like).shape == ()
    assert one_like(2, like).dtype == torch.float32


def test_numbers_are_looked_at_on_the_cpu_and_where_somebody_asked() -> None:
    assert reads_values(CPU)
    assert reads_values(torch.device("cuda"), asked=True)
    assert not reads_values(torch.device("cuda"))
