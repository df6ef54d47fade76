"""Effects one by one: against those that Pedalboard has too, and the compressor against torchcomp's gain.

Of ours some controls move at every sample; the peers' settings stand still.
"""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing.pool import ThreadPool

import torch
from torch import Tensor

from benchmarks.cases import CASES
from benchmarks.context import Context
from benchmarks.errors import Unavailable
from benchmarks.peers import load
from benchmarks.peers.pedalboard_effects import MATCHES, Ours, Theirs
from benchmarks.results import CaseReport, Result, Timed
from benchmarks.timing import Program, Times, ratio
from djgraph.runtime.heap import keep_freed_memory

SIGNALS = 16
COMPRESSOR = next(match for match in MATCHES if match.effect == "compressor")
TORCHCOMP = "torchcomp's gain"
FORWARD, BOTH = "forward", "forward + backward"


def run(context: Context) -> CaseReport:
    keep_freed_memory()  # as in every process that compiles a mixer
    random = torch.Generator().manual_seed(0)
    audio = 0.1 * torch.randn(SIGNALS, 1, context.scale.samples, generator=random)
    results: list[Result] = []
    times: dict[str, Times] = {}
    against: dict[str, str] = {}
    missing: list[str] = []
    for part in (_pedalboard, _torchcomp):
        try:
            found, timed, pairs = part(context, audio)
        except Unavailable as reason:
            missing.append(str(reason))
            continue
        results += found
        times |= timed
        against |= pairs
    if not results:
        raise Unavailable("; ".join(missing))
    seconds = SIGNALS * context.scale.seconds
    return CaseReport(
        "effects",
        CASES["effects"],
        tuple(results),
        tuple(Timed(name, one, seconds, against.get(name)) for name, one in times.items()),
        (
            f"{SIGNALS} mono signals; Pedalboard runs them in a pool of {context.scale.threads}.",
            "Both choruses have one voice.",
            *missing,
        ),
    )


Part = tuple[list[Result], dict[str, Times], dict[str, str]]
"""Results, times by program, and each peer's program → ours."""


def _pedalboard(context: Context, audio: Tensor) -> Part:
    results, times, against = [], {}, {}
    with ThreadPool(context.scale.threads) as pool:
        for match in MATCHES:
            names = tuple(dict.fromkeys(name for name, _ in match.peer))
            peer = names[0] if len(names) == 1 else f"{len(match.peer)} filters"
            ours, theirs = f"{match.effect}, {FORWARD}", f"Pedalboard's {peer} ({match.effect})"
            pair = context.time(
                {ours: Program(Ours(match, audio)), theirs: Program(Theirs(match, audio, pool))}, slow=True
            )
            results.append(
                Result(f"{ours}, against Pedalboard's {peer}", ratio(pair[theirs], pair[ours]), "×", "effect")
            )
            times |= pair
            against[theirs] = ours
    return results, times, against


def _torchcomp(context: Context, audio: Tensor) -> Part:
    gain = load("torchcomp").compexp_gain
    effect = Ours(COMPRESSOR, audio)
    names = tuple(COMPRESSOR.moves)
    curves = [effect.controls[name] for name in names]
    settings = [torch.full((SIGNALS,), value) for value in (-20.0, 4.0)]
    programs = {
        f"compressor, {FORWARD}": Program(effect),
        f"compressor, {BOTH}": Program(
            lambda: _train(
                lambda x, *moved: effect.run(x, {**effect.controls, **dict(zip(names, moved))}),
                audio,
                *curves,
            )
        ),
        f"{TORCHCOMP}, {FORWARD}": Program(lambda: _infer(_compressed, gain, audio, *settings)),
        f"{TORCHCOMP}, {BOTH}": Program(
            lambda: _train(lambda *given: _compressed(gain, *given), audio, *settings)
        ),
    }
    times = context.time(programs, slow=True)
    results = [
        Result(
            f"compressor, {direction}, against torchcomp",
            ratio(times[f"{TORCHCOMP}, {direction}"], times[f"compressor, {direction}"]),
            "×",
            bar,
        )
        for direction, bar in ((FORWARD, "compressor"), (BOTH, "compressor_backward"))
    ]
    return results, times, {f"{TORCHCOMP}, {way}": f"compressor, {way}" for way in (FORWARD, BOTH)}


def _compressed(gain: Callable[..., Tensor], audio: Tensor, threshold: Tensor, ratio_of: Tensor) -> Tensor:
    """A signal by torchcomp's gain, with an expander that does nothing and coefficients of some ms."""
    level = audio[:, 0].abs() + 1e-6
    return audio[:, 0] * gain(level, threshold, ratio_of, -120.0, 0.99, 0.005, 0.0003)


def _infer(function: Callable[..., object], *given: object) -> None:
    with torch.no_grad():
        function(*given)


def _train(function: Callable[..., Tensor], *tensors: Tensor) -> None:
    """To the signal and to all controls given."""
    function(*(tensor.detach().requires_grad_() for tensor in tensors)).square().mean().backward()
