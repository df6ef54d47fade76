"""How much louder or quieter the target is as a whole."""

from __future__ import annotations

import torch
from torch import Tensor

from djgraph.fitting.statistics import Statistics

NEAR = 0.03
"""Gains this close to each other count as one, relatively."""
MASS = 0.12
"""Least share of what is heard that has to sit at one gain for it to be taken for the level."""
BELOW, STANDS_OUT = 0.88, 2.0
"""How much more has to sit there than at a gain somewhat below: a fade passes all gains alike."""


def stem_gains(statistics: Statistics, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Least-squares gain of each source in each block, and how much it says: both ``[blocks, sources]``.

    The second is the source's share of what is heard in the block times how little other sources could replace it.
    weights: ``[blocks, bands]``.
    """
    gram = torch.einsum("tbij,tb->tij", statistics.gram, weights).double()
    cross = torch.einsum("tbi,tb->ti", statistics.cross, weights).double()
    own = torch.diagonal(gram, dim1=1, dim2=2)
    total = own.sum(1, keepdim=True)
    ridge = torch.diag_embed((1e-6 * total).expand_as(own) + 1e-12)
    inverse = torch.linalg.inv(gram + ridge)
    gains = (inverse @ cross.unsqueeze(-1)).squeeze(-1)
    unique = 1 / (torch.diagonal(inverse, dim1=1, dim2=2) * own.clamp(min=1e-12)).clamp(min=1)
    heard = gains.square() * own
    return gains, unique * heard / (heard.sum(1, keepdim=True) + 1e-12)


def explained(statistics: Statistics, weights: Tensor) -> float:
    """Share of the target's energy that the best gain of every source in every block explains, 0…1."""
    gains, _ = stem_gains(statistics, weights)
    gains = gains.clamp(min=0)
    gram = torch.einsum("tbij,tb->tij", statistics.gram, weights).double()
    cross = torch.einsum("tbi,tb->ti", statistics.cross, weights).double()
    energy = float((statistics.energy * weights).double().sum())
    left = float(torch.einsum("ti,tij,tj->", gains, gram, gains) - 2 * (gains * cross).sum()) + energy
    return max(0.0, 1 - left / energy) if energy > 0 else 0.0


def find_level(statistics: Statistics, weights: Tensor) -> float:
    """The gain at which faders rest: 1 if enough of what is heard sits there, else where most of it sits.

    Faders rest at full level for a good part of most transitions, so that many blocks have the very same gain: the
    level. Where no gain stands out, nothing tells the level from the faders; 1 is then the answer, or the highest
    gain that is needed, where that is above 1.
    """
    gains, says = stem_gains(statistics, weights)
    # A closed fader says nothing of the level; a block in which no source stands out says little.
    trusted = (says > 0.02) & (gains > 0.1)
    if not bool(trusted.any()):
        return 1.0
    g, w = gains[trusted], says[trusted]
    w = w / w.sum()

    def mass(level: float) -> float:
        return float(w[(g / level - 1).abs() < NEAR].sum())

    above = float(w[g > 1 + 2 * NEAR].sum())
    if mass(1.0) >= MASS and above < MASS:
        return 1.0
    candidates = torch.exp(torch.arange(-3.0, 1.5, NEAR / 2, dtype=torch.float64, device="cpu")).tolist()
    masses = [mass(c) for c in candidates]
    # The highest gain that holds enough: nothing much lies above a fader's end.
    for level, share in reversed(list(zip(candidates, masses))):
        if share >= MASS and share >= STANDS_OUT * mass(BELOW * level):
            near = max(
                (c for c in candidates if abs(c / level - 1) < 2 * NEAR),
                key=lambda c: masses[candidates.index(c)],
            )
            inside = (g / near - 1).abs() < NEAR
            return float((g[inside] * w[inside]).sum() / w[inside].sum())
    if above < MASS:
        return 1.0
    order = g.argsort()
    top = float(g[order][(w[order].cumsum(0) >= 0.98).nonzero()[0]])
    return max(1.0, top)
