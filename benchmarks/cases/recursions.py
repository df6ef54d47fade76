"""Recursions with controls at every sample, against torchlpc's and torchaudio's filters.

The peers get their coefficients ready made, torchlpc those of poles alone; djgraph computes its own from cutoff and q.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
import torchaudio.functional
from torch import Tensor

from benchmarks.cases import CASES
from benchmarks.context import Context
from benchmarks.results import CaseReport, Result, Timed
from benchmarks.timing import Program, ratio
from djgraph.dsp import first_order, follow, linkwitz_riley, svf

SIGNALS, RATE = 16, 44100
FORWARD, BOTH = "forward", "forward + backward"
LPC, TORCHAUDIO = "torchlpc, two poles", "torchaudio's lfilter, a fixed biquad"


def run(context: Context) -> CaseReport:
    samples = context.scale.samples
    random = torch.Generator().manual_seed(0)
    audio = 0.1 * torch.randn(SIGNALS, 1, samples, generator=random)

    def curve(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(SIGNALS, 1, samples, generator=random)

    cutoff, q, pole = curve(200, 8000), curve(0.5, 4), curve(-0.9, 0.9)
    attack, release = curve(1, 10), curve(50, 200)
    kernels: dict[str, tuple[Callable[..., object], Sequence[Tensor]]] = {
        "svf": (lambda x, f, r: svf(x, f, r, 1.0, 0.0, 0.0, sample_rate=RATE)[0], (audio, cutoff, q)),
        "first_order": (lambda x, a: first_order(x, 1.0, 0.0, a)[0], (audio, pole)),
        "linkwitz_riley": (
            lambda x, f: torch.add(*linkwitz_riley(x, f, sample_rate=RATE)[:2]),
            (audio, cutoff),
        ),
        "follow": (
            lambda x, a, r: follow(x, a, r, sample_rate=RATE)[0],
            (audio.abs(), attack, release),
        ),
    }
    notes = []
    try:
        from torchlpc import sample_wise_lpc
    except ImportError:
        notes.append("torchlpc is not installed.")
    else:
        radius, angle = 0.95, 2 * torch.pi * cutoff / RATE
        poles = torch.stack((-2 * radius * angle.cos(), torch.full_like(angle, radius**2)), dim=-1)
        kernels[LPC] = (sample_wise_lpc, (audio[:, 0], poles[:, 0].contiguous()))
    fixed = (torch.tensor([1.0, -1.8, 0.9]), torch.tensor([0.1, 0.2, 0.1]))
    kernels[TORCHAUDIO] = (
        lambda x, a, b: torchaudio.functional.lfilter(x, a, b, clamp=False),
        (audio, *fixed),
    )
    programs = {}
    for name, (kernel, tensors) in kernels.items():
        programs[f"{name}, {FORWARD}"] = Program(partial(_infer, kernel, tensors))
        programs[f"{name}, {BOTH}"] = Program(partial(_train, kernel, tensors))
    times = context.time(programs, slow=True)
    results = []
    for direction in (FORWARD, BOTH):
        ours = times[f"svf, {direction}"]
        if LPC in kernels:
            bar = "recursion" if direction == FORWARD else "recursion_backward"
            found = ratio(times[f"{LPC}, {direction}"], ours)
            results.append(Result(f"svf, {direction}, against torchlpc", found, "×", bar))
        found = ratio(times[f"{TORCHAUDIO}, {direction}"], ours)
        bar_fixed = "recursion_fixed" if direction == FORWARD else None
        results.append(Result(f"svf, {direction}, against torchaudio's lfilter", found, "×", bar_fixed))
    against = {f"{peer}, {way}": f"svf, {way}" for peer in (LPC, TORCHAUDIO) for way in (FORWARD, BOTH)}
    timed = tuple(
        Timed(name, times[name], SIGNALS * context.scale.seconds, against.get(name)) for name in times
    )
    return CaseReport("recursions", CASES["recursions"], tuple(results), timed, tuple(notes))


def _infer(kernel: Callable[..., object], tensors: Sequence[Tensor]) -> None:
    with torch.no_grad():
        kernel(*tensors)


def _train(kernel: Callable[..., Tensor], tensors: Sequence[Tensor]) -> None:
    """To the signal and all controls."""
    given = [tensor.detach().requires_grad_() for tensor in tensors]
    kernel(*given).square().mean().backward()
