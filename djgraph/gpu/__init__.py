"""Code for GPUs, written in Triton, which comes with PyTorch's CUDA wheels: scans, envelopes, gains.

Nothing here knows of graphs or effects. Triton is imported where a kernel is first launched, and never elsewhere;
where it is missing PyTorch's operators do the work. Kernels are launched by operators of ``torch.library``, so that
fake tensors and ``torch.compile`` know what comes out without running them.
"""

from __future__ import annotations

import importlib.util
from contextlib import AbstractContextManager
from functools import lru_cache

import torch
from torch import Tensor


@lru_cache(maxsize=1)
def available() -> bool:
    """Whether Triton is installed."""
    return importlib.util.find_spec("triton") is not None


def takes(tensor: Tensor) -> bool:
    """Whether kernels can work on such a tensor: on a CUDA device, in single or double precision."""
    return tensor.device.type == "cuda" and tensor.dtype in (torch.float32, torch.float64) and available()


def on_device_of(tensor: Tensor) -> AbstractContextManager[object]:
    """Triton launches kernels on the device that is the current one: inside, that is the tensor's."""
    return torch.cuda.device_of(tensor)
