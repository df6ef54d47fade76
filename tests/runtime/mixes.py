"""Audio and params for any mixer, and mixes of them with gradients, compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from djgraph.graph.ir import Graph

SHIPPED = ["dj_mixer", "djtransgan", "club_console", "filter_knob"]


def make_inputs(graph: Graph, batch: int, samples: int, dtype: torch.dtype, seed: int) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(seed)

    def one(stereo: int) -> torch.Tensor:
        return torch.randn(batch, stereo, samples, dtype=dtype, generator=generator) * 0.2

    channels = {(n.input, n.stem): n.channels for n in graph.nodes if hasattr(n, "stem")}
    return {
        name: one(channels[name, None])
        if stems is None
        else {stem: one(channels[name, stem]) for stem in stems}
        for name, stems in graph.inputs.items()
    }


def make_params(module: Any, batch: int, frames: int, dtype: torch.dtype, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed + 1)
    layout = module.layout
    position = torch.rand(batch, frames, len(layout), dtype=dtype, generator=generator)
    low, high = layout.minimum.to(dtype), layout.maximum.to(dtype)
    return low + (high - low) * position


def leaves(inputs: dict[str, Any]) -> list[torch.Tensor]:
    return [t for value in inputs.values() for t in (value.values() if isinstance(value, dict) else [value])]


def evaluate(
    module: Any,
    inputs: dict[str, Any],
    params: torch.Tensor,
    grads: set[str],
    positions: Sequence[int] | None = None,
) -> tuple[list[Any], list[Any]]:
    """Outputs and taps, and gradients of a weighted sum of them."""
    made, taps = module(inputs, params, return_intermediates=True, positions=positions)
    outputs = list(made.values()) if isinstance(made, dict) else [made]
    outputs += [taps[name] for name in sorted(taps)]
    total = sum(
        (out * torch.cos(torch.arange(out.numel(), dtype=out.dtype)).view_as(out)).sum() for out in outputs
    )
    wanted = leaves(inputs) if "inputs" in grads else []
    wanted = wanted + ([params] if "params" in grads else [])
    wanted = wanted + ([*module.parameters()] if "weights" in grads else [])
    if not wanted or not total.requires_grad:  # nothing that was asked for reaches an output
        return outputs, [None] * len(wanted)
    return outputs, list(torch.autograd.grad(total, wanted, allow_unused=True))


def assert_same(got: list[Any], expected: list[Any], tolerance: float) -> None:
    assert len(got) == len(expected)
    for mine, theirs in zip(got, expected):
        zero = torch.zeros(())
        mine, theirs = (zero if mine is None else mine), (zero if theirs is None else theirs)
        if theirs.numel() == 0:
            continue
        scale = max(theirs.detach().abs().max().item(), 1e-3)
        worst = (mine - theirs).detach().abs().max().item()
        assert worst <= tolerance * scale, f"differs by {worst} at a scale of {scale}"
