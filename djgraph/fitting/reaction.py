"""How a fit reacts to its recording: where the answer goes if what is left over had been taken away from the mix."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from djgraph.fitting.newton import gauss_newton
from djgraph.fitting.priors import Priors, Rest
from djgraph.fitting.residue import Residue
from djgraph.fitting.sketch import CHUNK, Sketch
from djgraph.fitting.statistics import Statistics

STEPS = 5
"""Steps of Gauss and Newton towards the other answer."""
AROUND = 0.25
"""Seconds on each side over which the way there is averaged (RMS)."""


def reaction(
    sketch: Sketch,
    u: Tensor,
    residue: Residue,
    share: Tensor,
    scale: Tensor,
    rest: Rest,
    priors: Priors,
    seconds: float,
) -> Tensor:
    """How far positions ``u`` ``[frames, controls]`` go, likewise.

    share: of each block's and band's energy in the target, what is left of it, ``[blocks, bands]``, at most 1. scale:
    by which the sketch's sums are weighted. The other arguments as for :func:`djgraph.fitting.spread.spread`.

    A codec does not add noise to a band: it sets to nothing what is masked, and so leaves the band as much less loud
    as its error is loud. Then the error is no noise for the controls but a tilt of the spectrum, common to all blocks,
    that EQ and filters take for their own. Whether it was so the recording does not say. So the fit is asked once
    more, of a recording in which each block and band of the mix is louder by what is left there. Where the answers
    differ little, the tilt does not matter, whatever it was. This goes beyond the matrix: a low-pass above a codec's
    cut-off may go far, and answers along a valley in which gain trades against EQ go far for little.
    """
    inputs = residue.cross.shape[-1]
    gram = sketch.statistics.gram[
        ..., :inputs, :inputs
    ]  # of what was measured through the mixer nobody looked
    values = sketch.grid(len(u)).read(sketch.response.layout.from_unit(u)).float()
    cross, energy = [], []
    for start in range(0, len(values), CHUNK):
        here = slice(start, start + CHUNK)
        mix = sketch.level * sketch.response(values[here]).transpose(1, 2)  # [blocks, bands, sources]
        pull = (gram[here] @ mix[..., None])[..., 0]
        left = residue.cross[here] * scale[here, :, None]
        louder = 1 + share[here]
        cross.append(louder[..., None] * pull + left)
        own, both = (mix * pull).sum(-1), (mix * left).sum(-1)
        energy.append(louder.square() * own + 2 * louder * both + residue.energy[here] * scale[here])
    asked = Statistics(gram, torch.cat(cross).float(), torch.cat(energy).float(), sketch.statistics.positions)
    moved = gauss_newton(replace(sketch, statistics=asked, measured=()), u, rest, priors, STEPS) - u
    reach = max(1, round(AROUND * (len(u) - 1) / seconds))
    square = moved.square().T[:, None]
    mean = torch.nn.functional.avg_pool1d(square, 2 * reach + 1, 1, reach, count_include_pad=False)
    return mean[:, 0].T.sqrt()
