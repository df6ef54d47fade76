"""Decks: two tracks of four stereo stems read at a rate that varies at every sample, against real time.

Resamplers of constant rate stand beside it: they may compute their filters once for a whole clip.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch
import torchaudio.functional
from torch import Tensor

from benchmarks.cases import CASES
from benchmarks.context import Context
from benchmarks.results import CaseReport, Result, Timed
from benchmarks.timing import Program, Spread, Times, ratio
from djgraph.dsp import positions, read_material

TRACKS, SIGNALS = 2, 8
DOWN, UP = 21, 20
"""The constant rate: 5 % up."""
FORWARD, BOTH = "rate varying, forward", "rate varying, forward + backward"
CONSTANT, TORCHAUDIO, SOXR = "rate 1.05", "torchaudio, rate 1.05", "soxr HQ, rate 1.05"


def run(context: Context) -> CaseReport:
    samples = context.scale.samples
    random = torch.Generator().manual_seed(0)
    material = 0.1 * torch.randn(TRACKS, SIGNALS, 2 * samples + 1000, generator=random)
    moving = torch.sin(torch.linspace(0, 40, samples, dtype=torch.float64))
    rate = 1 + torch.stack((0.08 * moving, -0.08 * moving))
    clip = material[..., : samples * DOWN // UP].contiguous()
    constant = torch.tensor([DOWN / UP], dtype=torch.float64)
    programs = {
        FORWARD: Program(partial(_infer, material, rate, samples)),
        BOTH: Program(partial(_train, material, rate, samples)),
        CONSTANT: Program(partial(_infer, clip, constant, samples)),
        TORCHAUDIO: Program(partial(_torchaudio, clip)),
    }
    notes = []
    try:
        import soxr
    except ImportError:
        notes.append("soxr is not installed.")
    else:
        rows = clip.flatten(0, 1).T.contiguous().numpy()
        programs[SOXR] = Program(partial(soxr.resample, rows, DOWN, UP, quality="HQ"))
    times = context.time(programs)
    seconds = context.scale.seconds
    results = [
        Result(f"{FORWARD}, against real time", _real_time(seconds, times[FORWARD]), "×", "deck"),
        Result(f"{BOTH}, against real time", _real_time(seconds, times[BOTH]), "×"),
        *(
            Result(f"{CONSTANT}, against {name}", ratio(times[name], times[CONSTANT]), "×")
            for name in (TORCHAUDIO, SOXR)
            if name in times
        ),
    ]
    against = {TORCHAUDIO: CONSTANT, SOXR: CONSTANT}
    timed = tuple(Timed(name, times[name], seconds, against.get(name)) for name in times)
    return CaseReport("deck", CASES["deck"], tuple(results), timed, tuple(notes))


def _real_time(seconds: float, times: Times) -> Spread:
    return replace(Spread.of(seconds / one for one in times.seconds), fastest=seconds / times.minimum)


def _infer(material: Tensor, rate: Tensor, samples: int) -> None:
    with torch.no_grad():
        _play(material, rate, samples)


def _play(material: Tensor, rate: Tensor, samples: int) -> Tensor:
    """The positions are part of the work."""
    position, _ = positions(torch.full((TRACKS, 1), 300.3, dtype=torch.float64), rate, samples)
    return read_material(material, position, rate)


def _train(material: Tensor, rate: Tensor, samples: int) -> None:
    """To the material and the rate."""
    given = [tensor.detach().requires_grad_() for tensor in (material, rate)]
    _play(*given, samples).square().mean().backward()


def _torchaudio(clip: Tensor) -> None:
    """With as many zero crossings, and the same window."""
    with torch.no_grad():
        torchaudio.functional.resample(
            clip,
            DOWN,
            UP,
            lowpass_filter_width=16,
            rolloff=1.0,
            resampling_method="sinc_interp_kaiser",
            beta=9.0,
        )
