"""A distortion behind faders that a graph does not have: its curve, and where the faders stood in front of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from djgraph.fitting.alone import Blocks
from djgraph.fitting.bending import STEPS, Bent, Curve, bent_products, find_curve
from djgraph.fitting.fader_curves import FaderCurves
from djgraph.fitting.knots import KnotGrid
from djgraph.fitting.newton import gauss_newton, refine
from djgraph.fitting.prepare import Prepared
from djgraph.fitting.priors import Priors, Rest

BENT = 1e-3
"""Share that gains leave of a track heard alone, from which on a curve is looked for."""
CURVED = 0.3
"""Share of what a gain and a low pass leave that may be left with a curve."""
GAINED = 0.5
"""Share of what faders alone leave that may be left with faders in front of it."""
LOWEST = 1e-3
"""Fader, below which the curve is taken as it is there."""
KNOTS = 0.75
"""Seconds between knots of the first faders."""


@dataclass(frozen=True)
class Distorted:
    """names: of the sources. curve: what samples go through. sounds: by track ``[channels, samples]``, what is heard of
    it where its fader stands, divided by the fader and by ``level``. slopes: by track, the share of a fader's dB that
    is not heard. left: share of what faders alone leave that is left with the curve."""

    names: tuple[str, ...]
    curve: Curve
    sounds: dict[str, Tensor]
    level: float
    slopes: dict[str, float]
    left: float

    def described(self) -> dict[str, Any]:
        """For the report."""
        one = {
            "effect": "distortion",
            "explained": round(1 - self.curve.left, 4),
            "left": round(self.left, 4),
        }
        return {name: dict(one) for name in self.sounds}

    def behind(self, material: Prepared) -> Prepared:
        """The material with every track as the curve leaves it."""
        inputs: dict[str, Any] = {**material.inputs, **{k: one[None] for k, one in self.sounds.items()}}
        sources = [self.sounds[name] for name in self.names]
        return replace(material, inputs=inputs, sources=sources, told_by=material.sounds())

    def remark(self) -> str:
        """For people."""
        faders = "the faders" if len(self.sounds) > 1 else "the fader"
        return (
            f"a distortion seems to follow {faders} of {', '.join(self.sounds)}: the curves say where {faders} stood "
            "in front of it. The graph has no such effect: what it makes of these controls without one sounds otherwise"
        )


def find_distortion(
    material: Prepared, names: Sequence[str], blocks: Blocks, target: Tensor, valid: Tensor, rate: int
) -> Distorted | None:
    """The distortion that follows all faders; None where none is found, or it is not sure.

    names: of the material's sources, one for each track. target: aligned; valid: 1 where it is known.

    Where a track is heard alone and its fader rests, every sample goes through the same curve (and a part of it through
    a low pass, which takes the DC out), whose pieces least squares tells. What is heard of a track at several gains of
    its fader is then known, and faders are looked for between these, as in the small problem.
    """
    tracks = material.sources
    if any(len(one) != len(tracks[0]) for one in tracks) or "." in "".join(names):
        return None
    if any(material.inputs[name].shape[1] != len(one) for name, one in zip(names, tracks)):
        return None
    alone = [blocks.alone(track, rate) for track in range(len(tracks))]
    if not any(len(blocks.left[one]) and np.median(blocks.left[one]) > BENT for one in alone):
        return None
    curves = [find_curve(audio, target, np.flatnonzero(one), rate) for audio, one in zip(tracks, alone)]
    known = [one for one in curves if one is not None and one.left < CURVED * one.linear]
    if not known:
        return None
    curve = min(known, key=lambda one: one.left / one.linear)
    gram = bent_products([curve] * len(tracks), tracks, target, valid)
    u, left = _faders(FaderCurves.of(gram, _even(gram), (Bent(),) * len(tracks), target.shape[-1], rate))
    plain = _alone_with_faders(torch.from_numpy(blocks.gram), blocks, target.shape[-1], rate)
    if left > GAINED * plain:
        return None
    own, last = len(STEPS) - 1, STEPS[-2]
    total = gram.sum(0)
    slopes, levels = {}, []
    for track, name in enumerate(names):
        full, less = (track + 1) * own - 1, (track + 1) * own - 2
        change = total[full, full] - 2 * total[full, less] + total[less, less]
        heard = float((change.clamp(min=0) / total[full, full].clamp(min=1e-12)).sqrt()) / (1 - last)
        slopes[name] = min(max(1 - heard, 0.0), 0.95)
        dry = float(blocks.gram[:, track, track].sum())
        levels.append(float(total[full, full]) / max(dry, 1e-12))
    level = float(np.sqrt(np.median(levels)))
    sounds = {}
    places = torch.arange(target.shape[-1], dtype=torch.float64, device="cpu")
    faders = KnotGrid.at(places, target.shape[-1], len(u)).read(u).clamp(min=LOWEST).numpy()
    for track, (name, audio) in enumerate(zip(names, tracks)):
        fader = faders[:, track]
        sounds[name] = torch.from_numpy(curve(audio.double().numpy() * fader) / fader / level).float()
    return Distorted(tuple(names), curve, sounds, level, slopes, left / max(plain, 1e-30))


def _even(gram: Tensor) -> Tensor:
    """Every block counts by its energy alone."""
    return torch.zeros(len(gram), dtype=torch.float64, device="cpu")


def _faders(curves: FaderCurves) -> tuple[Tensor, float]:
    """Positions ``[frames, faders]``, and what they leave."""
    one = torch.ones(len(curves.behind), dtype=torch.float64, device="cpu")
    rest, priors = Rest(one, one), Priors()
    knots = max(2, round(curves.seconds / KNOTS))
    u = one.expand(max(2, knots // 2), -1).clone()
    for count, factor in (
        (knots // 2, 10.0),
        (knots, 3.0),
        (2 * knots, 1.0),
        (6 * knots, 0.5),
        (15 * knots, 0.3),
    ):
        u = gauss_newton(curves, refine(u, max(2, count)), rest, priors.scaled(factor))
    return u, curves.loss(u)


def _alone_with_faders(gram: Tensor, blocks: Blocks, samples: int, rate: int) -> float:
    """What is left if any gains are free in every block: faders alone leave no less."""
    weighted = FaderCurves.of(gram, _even(gram), (), samples, rate)
    return float((weighted.energy * torch.from_numpy(blocks.left)).sum())
