"""Triton's interpreter (``conftest.py`` asks for it): kernels for GPUs on the CPU, number by number."""

from __future__ import annotations

import pytest
import torch

from djgraph import gpu, simd

pytest.importorskip("triton", reason="Triton is not installed: kernels for GPUs are not tested")


@pytest.fixture
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The CPU's tensors are taken for a GPU's."""
    monkeypatch.setattr(
        gpu, "takes", lambda tensor: tensor.dtype in (torch.float32, torch.float64) and not tensor.is_meta
    )
    monkeypatch.setattr(simd, "takes", lambda tensor: False)
