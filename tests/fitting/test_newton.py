"""From few knots to many."""

from __future__ import annotations

import numpy as np
import torch

from djgraph.fitting.newton import refine


def test_refine_follows_lines() -> None:
    u = torch.tensor([[0.0], [1.0], [0.5]], dtype=torch.float64)
    np.testing.assert_allclose(refine(u, 5)[:, 0], [0, 0.5, 1, 0.75, 0.5], atol=1e-6)
    np.testing.assert_allclose(refine(u[:1], 3)[:, 0], [0, 0, 0])
