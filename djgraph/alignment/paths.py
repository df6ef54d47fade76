"""Which moments of a track sound when in a recording: the likeliest path, with jumps, pauses and changes of rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from djgraph.alignment.features import BANDS, FRAMES
from djgraph.alignment.rates import Candidate, stretched

BLOCK = 22
"""Frames of the recording that are one step of the path: a quarter of a second."""
HEARD = 0.12
"""Correlation of a block above which a track is rather in the recording than not."""
JUMP = 3.0
"""What a jump costs, in correlations of blocks: a second of a line that is much better."""
ENTER = 1.6
"""What it costs to enter or to leave."""
DRIFT = 0.03
"""What a step to the next frame beside the line costs."""
_SIZE = 256
_CHUNKS = 16
_STEADY = 2.0
"""Seconds over which the share of a track in a recording is taken to be steady."""
_LOUDEST = 1.2


@dataclass(frozen=True)
class Option:
    """A rate at which a track may be played, and its features at the pitch that it then has."""

    candidate: Candidate
    features: Tensor


@dataclass(frozen=True)
class Run:
    """Blocks of a path without a jump. blocks: their numbers; places: frames of the track at the middle of each;
    scores: their correlations."""

    option: Option
    blocks: NDArray[np.int64]
    places: NDArray[np.float64]
    scores: NDArray[np.float64]

    @property
    def score(self) -> float:
        """The sum of what correlations are above :data:`HEARD`."""
        return float((self.scores - HEARD).sum())


def correlations(heard: Tensor, features: Tensor, rate: float) -> Tensor:
    """``[blocks, places]``: of each block of a recording with a track from each frame on, at a rate.

    heard, features: of both, ``[bands, frames]``. Place v is the track's frame ``rate · (v − BLOCK + 1)``: the first
    ones begin before the track does.
    """
    played = max(1, math.floor((features.shape[1] - 1) / rate)) + 1
    places = played + BLOCK - 1
    at = torch.arange(1 - BLOCK, played + BLOCK - 1, device="cpu")
    track = stretched(features, rate, at)
    frames = heard.shape[1]
    blocks = max(1, frames // BLOCK)
    given = torch.nn.functional.pad(heard, (0, max(0, BLOCK - frames)))
    pieces = given[:, : blocks * BLOCK].unflatten(1, (blocks, BLOCK))
    spectrum = torch.fft.rfft(pieces, _SIZE, dim=-1).conj().permute(2, 1, 0).contiguous()
    step = _SIZE - BLOCK + 1
    out = torch.empty(blocks, places, dtype=torch.float32, device="cpu")
    for first in range(0, places, step * _CHUNKS):
        count = min(_CHUNKS, -(-(places - first) // step))
        piece = track[:, first : first + (count - 1) * step + _SIZE]
        piece = torch.nn.functional.pad(piece, (0, (count - 1) * step + _SIZE - piece.shape[1]))
        chunks = torch.fft.rfft(piece.unfold(1, _SIZE, step), dim=-1).permute(2, 0, 1).contiguous()
        values = torch.fft.irfft(torch.bmm(spectrum, chunks).permute(1, 2, 0), _SIZE, dim=-1)
        values = values[..., :step].flatten(1)[:, : places - first]
        out[:, first : first + values.shape[1]] = values
    return out.div_(BLOCK * BANDS)


def find_path(heard: Tensor, options: Sequence[Option]) -> list[Run]:
    """The runs of the likeliest path through the options' lines, in the recording's order; none where the track is
    not heard. heard: the recording's features."""
    emissions = [correlations(heard, one.features, one.candidate.rate).numpy() for one in options]
    return _runs(options, emissions, *_viterbi(emissions))


def on_path(runs: Sequence[Run], frames: int) -> Tensor:
    """``[bands, frames]``: a track's features where its runs play them in a recording of so many frames; else 0."""
    out = torch.zeros(BANDS, frames, dtype=torch.float32, device="cpu")
    for run in runs:
        first, last = int(run.blocks[0]) * BLOCK, min(frames, (int(run.blocks[-1]) + 1) * BLOCK)
        at = np.arange(first, last)
        centres = middle(run.blocks)
        place = np.interp(at, centres, run.places)
        # Beyond the middles of the outer blocks, on as at the rate.
        place += run.option.candidate.rate * (at - np.clip(at, centres[0], centres[-1]))
        out[:, first:last] = stretched(run.option.features, 1.0, torch.from_numpy(place))
    return out


def without(heard: Tensor, others: Sequence[Tensor]) -> Tensor:
    """A recording's features less what others explain of them: each as much, over time, as it correlates."""
    rest = heard.clone()
    for other in others:
        products = torch.stack([(rest * other).sum(0), other.square().sum(0)])
        half = round(_STEADY * FRAMES / 2)
        mean = torch.nn.functional.avg_pool1d(products[None], 2 * half + 1, 1, half)[0]
        rest -= (mean[0] / (mean[1] + 1.0)).clamp(0, _LOUDEST) * other
    return rest


def _viterbi(emissions: Sequence[NDArray[np.float32]]) -> tuple[list[tuple[int, int] | None], list[bool]]:
    """The state of each block, (candidate, place) or None, and whether it is entered by a jump."""
    blocks = len(emissions[0])
    sizes = [one.shape[1] for one in emissions]
    edges = np.concatenate([[0], np.cumsum(sizes)])
    value = np.full(edges[-1], -np.inf, np.float32)
    away = 0.0
    moves = np.zeros((blocks, edges[-1]), np.int8)  # -1, 0, 1: drift; 2: from the best; 3: from away
    bests = np.zeros(blocks, np.int64)
    stays = np.zeros(blocks, bool)  # whether away came from away
    for block in range(blocks):
        best = int(value.argmax())
        bests[block] = best
        top = float(value[best])
        jump, enter = top - JUMP, away - ENTER
        fresh, code = max((jump, 2), (enter, 3))
        stays[block] = away >= top - ENTER
        away = max(away, top - ENTER)
        new = np.full_like(value, fresh)
        move = moves[block]
        move[:] = code
        for first, last, emission in zip(edges, edges[1:], emissions):
            old, mine, how = value[first:last], new[first:last], move[first:last]
            for drift in (0, -1, 1):
                shift = BLOCK + drift
                if shift >= len(old):
                    continue
                came = old[: len(old) - shift] - (DRIFT if drift else 0)
                better = came > mine[shift:]
                mine[shift:][better] = came[better]
                how[shift:][better] = drift
            mine += emission[block] - HEARD
        value = new
    states: list[tuple[int, int] | None] = [None] * blocks
    jumps = [False] * blocks
    at: int | None = int(value.argmax()) if value.max() - ENTER > away else None
    for block in range(blocks - 1, -1, -1):
        if at is None:
            if not stays[block]:
                at = int(bests[block])
            continue
        which = int(np.searchsorted(edges, at, side="right")) - 1
        states[block] = (which, at - int(edges[which]))
        code = int(moves[block, at])
        if code == 2:
            jumps[block] = True
            at = int(bests[block])
        elif code == 3:
            jumps[block] = True
            at = None
        else:
            at -= BLOCK + code
    return states, jumps


def _runs(
    options: Sequence[Option],
    emissions: Sequence[NDArray[np.float32]],
    states: Sequence[tuple[int, int] | None],
    jumps: Sequence[bool],
) -> list[Run]:
    runs: list[list[tuple[int, int, int]]] = []
    for block, (state, jumped) in enumerate(zip(states, jumps)):
        if state is None:
            continue
        if jumped or not runs or runs[-1][-1][0] != block - 1:
            runs.append([])
        runs[-1].append((block, *state))
    out = []
    for run in runs:
        which = run[0][1]
        rate = options[which].candidate.rate
        places = np.array([(place - BLOCK + 1 + BLOCK / 2) * rate for _, _, place in run])
        scores = np.array([emissions[which][block, place] for block, _, place in run], np.float64)
        out.append(Run(options[which], np.array([block for block, _, _ in run]), places, scores))
    return out


def middle(block: NDArray[np.int64]) -> NDArray[np.float64]:
    """Frames of the recording in the middle of blocks."""
    return np.asarray(block * float(BLOCK) + BLOCK / 2)
