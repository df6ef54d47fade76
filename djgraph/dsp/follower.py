"""Level detectors with an attack and a release: what compressors, gates and duckers listen with."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from djgraph import gpu
from djgraph.dsp.checked import checked_rate
from djgraph.dsp.frames import Curve
from djgraph.dsp.recursion import Recursion, register
from djgraph.dsp.scan import scan_one

SHORTEST = 1e-6
"""Milliseconds: shorter times are taken as this one, which is no time at all."""


def follow(
    level: Tensor,
    attack: Curve,
    release: Curve,
    state: Tensor | None = None,
    *,
    sample_rate: float,
    decoupled: bool = False,
) -> tuple[Tensor, Tensor]:
    """Smooth a level, upwards with the time constant ``attack`` and downwards with ``release``.

    The smooth detectors of Giannoulis, Massberg and Reiss, "Digital Dynamic Range Compressor Design", J. Audio Eng.
    Soc. 60 (6), 2012, with α = e^(−1/(time·sample_rate)): after a step, a time constant later, 1 − 1/e = 63 % of it
    are done.

    branching: ``y[n] = α·y[n−1] + (1 − α)·x[n]`` with the attack's α where x[n] > y[n−1], else the release's.
    decoupled: ``p[n] = max(x[n], α_R·p[n−1] + (1 − α_R)·x[n])``, ``y[n] = α_A·y[n−1] + (1 − α_A)·p[n]``. It falls
    without a corner, and about as slowly as both times together.

    level: ``[…, samples]``, any number of samples from 0 up: an amplitude, a power, or decibels.
    attack, release: in ms, from 0 (at once) up: numbers, tensors of shape ``[…, 1]`` or ``[…, samples]`` that
    broadcast to the level, or :class:`Frames`.
    state: y of the sample before, ``[…, 1]``, or p and y, ``[…, 2]``; None is 0, which in decibels is full scale.
    sample_rate: in Hz.

    Returns the smoothed level, and the state that the next block starts from. Differentiable in all tensors; at
    x[n] = y[n−1], where attack meets release, the gradient is the release's. DJGraphError where shapes, types or
    devices do not fit. Where neither compiled code runs nor Triton's, branches are guessed and corrected until they
    stand: some scans, and the host waits for each.
    """
    recursion = _DECOUPLED if decoupled else _BRANCHING
    smoothed, last = recursion(level, (attack, release), state, (1000 / checked_rate(sample_rate),))
    return smoothed, last


def share_of(time: Tensor, step: float) -> Tensor:
    """1 − α: which share of its distance a state covers in a sample."""
    return -torch.expm1(-step / time.clamp(min=SHORTEST))


def _branches(level: Tensor, rise: Tensor, fall: Tensor, initial: Tensor) -> Tensor:
    """``y[−1…samples−1]`` with ``y[n] = y[n−1] + share·(x[n] − y[n−1])``, the share being ``rise`` where x[n] > y[n−1].

    Given the branches this is linear. A state is right where all branches up to it were guessed right, and then so is
    the next branch: each round has at least one more right, and as a rule nearly all.
    """

    def run(rising: Tensor) -> Tensor:
        share = torch.where(rising, rise, fall)
        return scan_one(1 - share, share * level, initial)

    with torch.no_grad():
        if gpu.takes(level) and not torch.compiler.is_compiling():
            rising = _taken(level, rise, fall, initial)
        else:
            rising = _guessed(level, run)
    return run(rising)


def _guessed(level: Tensor, run: Callable[[Tensor], Tensor]) -> Tensor:
    """The branches: guessed, and corrected until they stand."""
    rising = torch.zeros_like(level, dtype=torch.bool)
    while not torch.equal(passed := level > run(rising)[..., :-1], rising):
        rising = passed
    return rising


def _taken(level: Tensor, rise: Tensor, fall: Tensor, initial: Tensor) -> Tensor:
    """The branches, on a GPU: sample by sample, all signals side by side, and the host does not wait."""
    from djgraph.gpu.scan import gpu_branch

    flat = [one.expand_as(level).reshape(-1, level.shape[-1]).contiguous() for one in (level, rise, fall)]
    first = initial.expand(level.shape[:-1]).reshape(-1).contiguous()
    return gpu_branch(*flat, first).view(level.shape)


def branching(curves: Sequence[Tensor], state: Tensor, numbers: Sequence[float]) -> tuple[Tensor, Tensor]:
    """The branching detector by PyTorch's operations: of level, attack and release at every sample."""
    level, attack, release = curves
    smoothed = _branches(level, share_of(attack, numbers[0]), share_of(release, numbers[0]), state[..., 0])
    return smoothed[..., 1:], smoothed[..., -1:]


def _decoupled(curves: Sequence[Tensor], state: Tensor, numbers: Sequence[float]) -> tuple[Tensor, Tensor]:
    level, attack, release = curves
    rise = torch.ones_like(level)
    peak = _branches(level, rise, share_of(release, numbers[0]), state[..., 0])
    share = share_of(attack, numbers[0]).expand_as(level)
    smoothed = scan_one(1 - share, share * peak[..., 1:], state[..., 1])
    return smoothed[..., 1:], torch.stack((peak[..., -1], smoothed[..., -1]), dim=-1)


_INPUTS = ("level", "attack", "release")
_BRANCHING = register(
    Recursion("follow_branching", "follower.BRANCHING", _INPUTS, 1, 1, plain=branching, flops=(12, 39))
)
_DECOUPLED = register(
    Recursion("follow_decoupled", "follower.DECOUPLED", _INPUTS, 1, 2, plain=_decoupled, flops=(15, 60))
)
