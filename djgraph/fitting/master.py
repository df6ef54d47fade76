"""Whether a recording was turned down where it is loud, as by a compressor on the master, and by how much when."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from djgraph.fitting.statistics import Statistics

HOP = 64 / 44100
"""Seconds of which the loudest sample counts."""
RUN = 8
"""Blocks of the small problem in which the stems' gains are constant while a master is looked for."""
PARTS = 8
"""Parts of the spectrum in which they are free."""
UNEXPLAINED = 2e-4
"""Share of the target that constant gains leave, from which on a master is looked for."""
GAINED = 0.85
"""A master is believed if it leaves less than this share of what is left without one."""
WORTH_A_LOOK = 0.97
"""The same of few settings, from which on many are tried."""
TRUSTED = 1.2
"""So much more may be left with what is computed from the recording itself than with what is from the sources."""
ROUNDS = 2
"""How often the level of the sources is taken again, with the gains that were found."""
RATIOS = [1.6, 2.5, 4.0, 8.0, 30.0]
TIMES = [(a, r) for a in (0.3, 3.0, 10.0, 30.0) for r in (30.0, 100.0, 300.0)]
"""Attack and release in ms."""
SETTINGS = ("threshold_db", "ratio", "attack_ms", "release_ms", "turned_down_db", "most_db")
"""What a report says of a master."""
QUIET = -80.0
"""dB that count as silence."""


@dataclass(frozen=True)
class Settings:
    """Of a compressor: threshold below the recording's full scale in dB, ratio, attack and release in ms."""

    threshold: float
    ratio: float
    attack: float
    release: float


@dataclass(frozen=True)
class Master:
    """What was found. gain: by which the mix was turned down, ``[samples]``. left: the share of what constant gains
    leave that is left with it."""

    settings: Settings
    gain: Tensor
    left: float

    def described(self) -> dict[str, float]:
        """For the report: the settings, and by how many dB it turned down, most of the time and at most."""
        down = -20 * self.gain.double().log10()
        return {
            "threshold_db": round(self.settings.threshold, 2),
            "ratio": round(self.settings.ratio, 2),
            "attack_ms": round(self.settings.attack, 2),
            "release_ms": round(self.settings.release, 1),
            "turned_down_db": round(float(down.median()), 2),
            "most_db": round(float(down.max()), 2),
        }


def find_master(
    statistics: Statistics, weights: Tensor, target: Tensor, sources: list[Tensor], rate: int
) -> Master | None:
    """The compressor whose gain explains most of what slow gains of the sources do not; None where none does.

    statistics, weights: of the small problem, ``[blocks, bands, …]``. target: aligned, sources: the same,
    ``[channels, samples]`` each. rate: Hz.

    Faders move slowly and each by itself, a compressor turns everything down at once and follows the level. So
    settings are tried: each says from a level by how much the mix was turned down at every moment
    (:func:`turned_down`), and with the right ones gains that are constant for 0.4 s explain nearly all of the
    recording. The level is first that of the recording itself, from which a compressor can be computed backwards, then
    that of the sources with the gains that were found: what comes out of a limiter does not say how loud it went in.
    """
    trial = _Trial(statistics, weights)
    hop = max(1, round(HOP * rate))
    level = levels(target, hop)
    if trial.plain < UNEXPLAINED * trial.total or not bool((level > QUIET).any()):
        return None
    step = hop * 1000 / rate

    def cost(of: NDArray[np.float64], rows: NDArray[np.float64], backwards: bool) -> Tensor:
        return trial.cost(_blocks(turned_down(of, rows, step, backwards), trial, hop, len(of)))

    def top(of: NDArray[np.float64]) -> float:
        heard = of[of > QUIET]  # none where all sources are silent, or no gain above zero explains anything
        return float(np.quantile(heard, 0.98)) if len(heard) else QUIET

    def best(of: NDArray[np.float64], backwards: bool) -> _Found:
        rows = _grid(top(of) - np.arange(1.0, 22.0, 3.0), RATIOS, TIMES)
        least, chosen = math.inf, rows[0]
        for spread in (0.0, 1.0, 0.5, 0.25):
            rows = _near(chosen, spread) if spread else rows
            costs = cost(of, rows, backwards)
            if float(costs.min()) < least:
                least, chosen = float(costs.min()), rows[int(costs.argmin())]
        return least, turned_down(of, chosen[None], step, backwards)[:, 0], chosen

    ones = torch.ones(1, len(weights), dtype=torch.float64, device="cpu")
    went_in = levels(trial.mixed(sources, ones), hop)
    found: dict[bool, _Found] = {}
    for of, backwards in ((level, True), (went_in, False)):
        rows = _grid(top(of) - np.array([3.0, 9.0, 15.0]), [2.5, 20.0], [(0.5, 80.0), (10.0, 200.0)])
        if float(cost(of, rows, backwards).min()) < WORTH_A_LOOK * trial.plain:
            found[backwards] = best(of, backwards)
    if not found:
        return None
    # What is computed from the recording itself owes nothing to gains that are not known yet.
    if True in found and (False not in found or found[True][0] < TRUSTED * found[False][0]):
        least, down, chosen = found[True]
    else:
        least, down, chosen = found[False]
        for _ in range(ROUNDS):
            gains = _blocks(down[:, None], trial, hop, len(down))
            went_in = levels(trial.mixed(sources, gains), hop)
            again = best(went_in, False)
            if again[0] >= least:
                break
            least, down, chosen = again
    if least > GAINED * trial.plain:
        return None
    places = torch.arange(target.shape[-1], dtype=torch.float64, device="cpu").numpy()
    centre = (np.arange(len(down)) + 0.5) * hop
    gain = torch.from_numpy(10 ** (-np.interp(places, centre, down) / 20)).float()
    return Master(Settings(*(float(x) for x in chosen)), gain, least / trial.plain)


def unsteady(statistics: Statistics, weights: Tensor) -> float:
    """The share of the target that gains of the sources leave which are constant for 0.4 s."""
    trial = _Trial(statistics, weights)
    return trial.plain / max(trial.total, 1e-30)


def levels(audio: Tensor, hop: int) -> NDArray[np.float64]:
    """Peak of each ``hop`` samples of ``[channels, samples]`` in dB, of the loudest channel."""
    peak = audio.abs().amax(0)
    peak = torch.nn.functional.pad(peak, (0, -len(peak) % hop)).unflatten(0, (-1, hop)).amax(1)
    found: NDArray[np.float64] = (20 * peak.double().clamp(min=10 ** (QUIET / 20)).log10()).numpy()
    return found


def turned_down(
    level: NDArray[np.float64], settings: NDArray[np.float64], step: float, backwards: bool
) -> NDArray[np.float64]:
    """By how many dB compressors turn a signal down that goes in at ``level`` (dB, ``[hops]``): ``[hops, settings]``.

    settings: rows of threshold, ratio, attack, release. step: ms from hop to hop. The compressor is that of Giannoulis,
    Massberg and Reiss (JAES 60(6), 2012) with a hard knee: what is above the threshold is smoothed in dB by attack or
    release, and taken times 1 − 1/ratio. backwards: it came out at ``level``; what went in is that and what it was
    turned down by one hop ago.
    """
    threshold, ratio, attack, release = settings.T
    slope = 1 - 1 / ratio
    up, down = 1 - np.exp(-step / attack), 1 - np.exp(-step / release)
    excess = np.zeros(len(settings))
    result = np.empty((len(level), len(settings)))
    above = level[:, None] - threshold
    for hop in range(len(level)):
        over = above[hop] + (slope if backwards else 0.0) * excess - excess
        excess = np.maximum(excess + np.where(over > 0, up, down) * np.maximum(over, -excess), 0.0)
        result[hop] = slope * excess
    return result


class _Trial:
    """The small problem in few parts of the spectrum, with gains of sources that are free in each run of blocks."""

    def __init__(self, statistics: Statistics, weights: Tensor) -> None:
        bands = weights.shape[1]
        part = torch.arange(bands, device="cpu") * PARTS // bands
        short = -len(weights) % RUN

        def summed(values: Tensor) -> Tensor:
            weighted = (values * weights.view(*weights.shape, *[1] * (values.ndim - 2))).double()
            parts = weighted.new_zeros(len(values), PARTS, *values.shape[2:]).index_add_(1, part, weighted)
            zeros = parts.new_zeros(short, *parts.shape[1:])
            return torch.cat((parts, zeros)).unflatten(0, (-1, RUN))

        self.gram, self.cross = summed(statistics.gram), summed(statistics.cross)
        self.energy = summed(statistics.energy).sum(1)
        self.positions = statistics.positions
        self.short = short
        self.total = float(self.energy.sum())
        self.plain = float(self.cost(torch.ones(1, len(weights), dtype=torch.float64, device="cpu"))[0])

    def mixed(self, sources: list[Tensor], gain: Tensor) -> Tensor:
        """The sources ``[channels, samples]`` each, with the gains over all of the spectrum that explain the target
        best if a master's are ``gain`` ``[1, blocks]``."""
        one = torch.nn.functional.pad(gain, (0, self.short), value=1.0).unflatten(1, (-1, RUN))[0]
        gram = torch.einsum("rb,rbpij->rij", one.square(), self.gram)
        cross = torch.einsum("rb,rbpi->ri", one, self.cross)
        trace = torch.diagonal(gram, dim1=-2, dim2=-1).sum(-1)[..., None, None]
        eye = torch.eye(gram.shape[-1], dtype=torch.float64, device="cpu")
        found = torch.linalg.solve(gram + (1e-4 * trace + 1e-12) * eye, cross)
        gains = found.clamp(min=0)[:, : len(sources)].float()
        samples = sources[0].shape[-1]
        run = max(1, round(samples / max(1, len(self.positions)) * RUN))
        total = torch.zeros_like(sources[0])
        for source, column in zip(sources, gains.T):
            over = column.repeat_interleave(run)[:samples]
            total = total + source * torch.nn.functional.pad(
                over, (0, samples - len(over)), value=float(column[-1])
            )
        return total

    def cost(self, gains: Tensor) -> Tensor:
        """What is left of the target's energy for master gains ``[trials, blocks]``: ``[trials]``."""
        padded = torch.nn.functional.pad(gains, (0, self.short), value=1.0).unflatten(1, (-1, RUN))
        size = self.gram.shape[-1]
        eye = torch.eye(size, dtype=torch.float64, device="cpu")
        costs = []
        for one in padded.split(16):
            gram = torch.einsum("nrb,rbpij->nrpij", one.square(), self.gram)
            cross = torch.einsum("nrb,rbpi->nrpi", one, self.cross)
            trace = torch.diagonal(gram, dim1=-2, dim2=-1).sum(-1)[..., None, None]
            root = torch.linalg.cholesky(gram + (1e-6 * trace + 1e-12) * eye)
            solved = torch.linalg.solve_triangular(root, cross[..., None], upper=False)
            left = self.energy - solved.square().sum((-2, -1))
            costs.append(left.clamp(min=0).sum((1, 2)))
        return torch.cat(costs)


_Found = tuple[float, NDArray[np.float64], NDArray[np.float64]]
"""What is left, by how many dB it was turned down, the settings."""


def _blocks(down: NDArray[np.float64], trial: _Trial, hop: int, hops: int) -> Tensor:
    """Gains of whole blocks ``[settings, blocks]``, from dB of hops ``[hops, settings]``."""
    gain = torch.from_numpy(10 ** (-down / 20))
    step = float(trial.positions[1] - trial.positions[0]) if len(trial.positions) > 1 else hops * hop
    edges = ((trial.positions[:, None] + torch.tensor([-0.5, 0.5], device="cpu") * step) / hop).round().long()
    total = torch.nn.functional.pad(gain.cumsum(0), (0, 0, 1, 0))
    low, high = edges[:, 0].clamp(0, hops - 1), edges[:, 1].clamp(1, hops)
    high = torch.maximum(high, low + 1)
    return ((total[high] - total[low]) / (high - low)[:, None]).T


def _grid(
    thresholds: NDArray[np.float64], ratios: list[float], times: list[tuple[float, float]]
) -> NDArray[np.float64]:
    return np.array([(t, r, *at) for t in thresholds for r in ratios for at in times])


def _near(best: NDArray[np.float64], spread: float) -> NDArray[np.float64]:
    threshold, ratio, attack, release = best
    moves = np.array([-spread, 0.0, spread])
    rows = [
        (threshold + 1.5 * t, 1 + (ratio - 1) * 1.5**r, attack * 1.8**a, release * 1.8**e)
        for t in moves
        for r in moves
        for a in moves
        for e in moves
    ]
    return np.array(rows)
