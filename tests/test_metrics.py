"""Metrics against their definitions, item by item in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from djgraph import metrics
from djgraph.errors import InputError, LayoutError
from djgraph.losses import MultiResolutionSTFT
from tests.fake_layouts import layout_of


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(0.1 * np.random.default_rng(seed).standard_normal(shape)).float()
