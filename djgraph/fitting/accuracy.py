"""How far recovered controls are from known ones, as numbers on the faders and as what is heard."""

from __future__ import annotations

import itertools
import math
from typing import Any

import torch
from torch import Tensor

from djgraph.fitting.identify import Identified
from djgraph.fitting.sketch import Sketch

HEARD = 1e-3
"""A stem's energy in a part of the spectrum, played at full level, from which it counts, as a share of the block's
energy in that part (−30 dB)."""
PARTS = (300.0, 4000.0)
"""Borders in Hz of the three parts of the spectrum in which gains are compared."""


def control_errors(sketch: Sketch, u: Tensor, truth: Tensor, identified: Identified) -> dict[str, Any]:
    """Mean absolute error of each control in plain units where it is audible; None where it never is.

    truth: params ``[frames, controls]``.
    """
    layout = sketch.response.layout
    estimate = sketch.grid(len(u)).read(layout.from_unit(u))
    known = sketch.grid(len(truth)).read(truth.double())
    result: dict[str, Any] = {}
    for index, name in enumerate(layout.names):
        where = identified.audible[:, index]
        error = (estimate[where, index] - known[where, index]).abs()
        result[name] = float(error.mean()) if len(error) else None
    return result


def heard_error(sketch: Sketch, u: Tensor, truth: Tensor) -> dict[str, Any]:
    """Mean absolute error of the gain of each part of the spectrum of each input, where it is audible.

    That is what remains where controls trade against each other: a gain of ½ and an EQ of ½ in all three bands sound
    the same. ``mean`` over all blocks, inputs and parts; ``low``, ``mid``, ``high`` for each part; ``inputs`` for each
    input (None where it is never heard).
    """
    layout, response, s = sketch.response.layout, sketch.response, sketch.statistics
    inputs = len(response.names)
    estimate = response.loudness(response(sketch.grid(len(u)).read(layout.from_unit(u)).float()))
    known = response.loudness(response(sketch.grid(len(truth)).read(truth.double()).float()))
    frequencies = response.bands.frequencies
    own = torch.diagonal(s.gram, dim1=2, dim2=3)[..., :inputs]  # [blocks, bands, inputs]
    edges = [0.0, *PARTS, math.inf]
    errors, heards = [], []
    for low, high in itertools.pairwise(edges):
        part = (frequencies >= low) & (frequencies < high)
        energy = own[:, part].sum(1)
        heard = energy > HEARD * s.energy[:, part].sum(1, keepdim=True).clamp(min=1e-12)
        heard &= energy > HEARD * energy.mean(0)
        # The gain of a part of the spectrum: weighted by what sounds there.
        share = own[:, part] / energy.clamp(min=1e-30)[:, None]
        errors.append(((estimate[..., part] - known[..., part]).transpose(1, 2).abs() * share).sum(1))
        heards.append(heard)
    error, heard = torch.stack(errors), torch.stack(heards)  # [parts, blocks, inputs]

    def mean(values: Tensor, where: Tensor) -> float | None:
        return float(values[where].mean()) if bool(where.any()) else None

    return {
        "mean": mean(error, heard),
        **{name: mean(error[i], heard[i]) for i, name in enumerate(("low", "mid", "high"))},
        "inputs": {name: mean(error[..., i], heard[..., i]) for i, name in enumerate(response.names)},
    }
