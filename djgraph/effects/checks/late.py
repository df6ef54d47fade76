"""Conformance checks of time effects late in time: what rounds a little in every block is far off after an hour."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor

from djgraph.effects.checks.bench import (
    Bench,
    CheckFailed,
    CheckInconclusive,
    CheckSkipped,
    expect,
    expect_close,
)
from djgraph.effects.checks.cases import Case, spread
from djgraph.effects.contract import Effect, TimeEffect

HOUR = 3600
STREAM_SECONDS = 8
BLOCK, LONG_BLOCK = 512, 4093
ALIKE = 1e-5
"""What a long stream may be off by: effects that magnify the rounding of a phase, as flangers, come to 10⁻⁶."""
GROWTH = 4.0
"""How many times as large as at the start a rounding error may be later on."""
STEADILY, STEADY_FLOOR = 1.7, 3e-7
"""A sum of two seconds' errors that grows all the time, from the second such sum to the last by so much, drifts."""
FLOOR = 1e-5
"""A rounding error, relative to the signal, that is never complained of."""


def check_late_in_time(bench: Bench) -> None:
    """A block that begins an hour in is as exact in float32 as one at the start.

    Positions in samples and beats do not fit into float32 there: take ``block.start`` and ``block.clock.beats`` in
    integers or float64, and wrap them before they become smaller.
    """
    rounded, exact = bench.build(torch.float32), bench.build()
    case = _steady(bench, bench.samples)
    early, late = (
        _worst(_block(bench, rounded, case, since), _block(bench, exact, _exact(case), since))
        for since in (0, bench.place(HOUR * bench.environment.sample_rate))
    )
    expect(
        late <= GROWTH * early + FLOOR,
        f"in float32 it is off by {late:.2g} of its signal an hour in, and by {early:.2g} at the start: a position or "
        "phase is computed in float32 (use integers or float64, and wrap it first)",
    )


def check_drift(bench: Bench) -> None:
    """The rounding error of a long stream in float32 does not grow with time.

    What is added up for ever, such as a phase, is kept in float64 in the state.
    """
    rounded, exact = bench.build(torch.float32), bench.build()
    if isinstance(rounded, TimeEffect) and rounded.memoryless:
        raise CheckSkipped("it is memoryless: nothing is carried from block to block")
    case = _steady(bench, STREAM_SECONDS * bench.environment.sample_rate)
    with torch.no_grad():
        got, want = _stream(bench, rounded, case, BLOCK), bench.run(exact, _exact(case))
        errors = _errors(bench, got, want)
        if fault := _drifts(errors):
            # Rounding it is only where the stream in float64 keeps to the whole.
            same = _errors(bench, _stream(bench, exact, _exact(case), BLOCK), want)
            if max(same[0]) > max(errors[0]) / 2:
                raise CheckInconclusive(
                    "its stream is off in float64, too (check_long_stream, check_streaming)"
                )
            raise CheckFailed(
                f"{fault}: rounding adds up in its state (keep phases and other sums in float64)"
            )


def _drifts(errors: tuple[list[float], list[float]]) -> str | None:
    """errors: the largest and the mean one of each second. What is wrong with their growth."""
    most, mean = errors
    if most[-1] > GROWTH * most[0] + FLOOR / 2:
        first = f"after 1 s by {most[0]:.2g}"
        return (
            f"after {len(most)} s of a stream in float32 it is off by {most[-1]:.2g} of its signal, {first}"
        )
    pairs = [first + second for first, second in zip(mean[::2], mean[1::2])]
    growing = all(later > earlier for earlier, later in pairwise(pairs))
    if growing and pairs[-1] > max(STEADILY * pairs[1], STEADY_FLOOR):
        hour = most[-1] * HOUR / len(most)
        return f"in a stream in float32 it is off by ever more, at this rate by {hour:.1g} of its signal after an hour"
    return None


def _errors(bench: Bench, got: dict[str, Tensor], want: dict[str, Tensor]) -> tuple[list[float], list[float]]:
    """The largest and the root mean square error in each second, relative to the largest sample wanted there."""
    most, mean = [], []
    second = bench.environment.sample_rate
    for start in range(0, STREAM_SECONDS * second, second):
        span = slice(start, start + second)
        most.append(_worst(_cut(got, span), _cut(want, span)))
        mean.append(_worst(_cut(got, span), _cut(want, span), mean=True))
    return most, mean


def check_long_stream(bench: Bench) -> None:
    """A stream of some seconds gives what one call gives: long lines are carried on as well as short ones.

    With every control at its maximum, and with controls that stand still for seconds, at ends of their ranges too; with
    a clock, at 40 to 300 BPM.
    """
    effect = bench.build()
    if isinstance(effect, TimeEffect) and effect.memoryless:
        raise CheckSkipped("it is memoryless: nothing is carried from block to block")
    samples = STREAM_SECONDS * bench.environment.sample_rate
    case = bench.case(batch=2, channels=bench.fewest, samples=samples, plateaus=True)
    for control in bench.controls:
        top = torch.ones((), dtype=torch.float64, device="cpu")
        case.controls[control.id][0] = spread(control, top).clamp(max=control.max)
    with torch.no_grad():
        whole = bench.run(effect, case)
        streamed = _stream(bench, effect, case, LONG_BLOCK, owned=True)
    for name, tensor in whole.items():
        expect_close(
            streamed[name],
            tensor,
            ALIKE,
            f"{name} of {STREAM_SECONDS} s in blocks of {LONG_BLOCK} against one call",
        )


def _steady(bench: Bench, samples: int) -> Case:
    """Float32 noise through controls that keep their values, so that errors in rates add up."""
    values = {
        c.id: float(spread(c, torch.tensor(0.61, dtype=torch.float64, device="cpu"))) for c in bench.controls
    }
    return bench.case(batch=1, channels=bench.fewest, samples=samples, dtype=torch.float32, values=values)


def _exact(case: Case) -> Case:
    wide = case.replace_tensors({name: tensor.double() for name, tensor in case.tensors().items()})
    return replace(wide, like=case.like.double())


def _block(bench: Bench, effect: Effect, case: Case, since: int) -> dict[str, Tensor]:
    with torch.no_grad():
        return bench.process(effect, case, 0, case.samples, bench.state(effect, case), since)[0]


def _stream(bench: Bench, effect: Effect, case: Case, block: int, owned: bool = False) -> dict[str, Tensor]:
    """owned: every other block may write to its state."""
    state, parts = bench.state(effect, case), []
    step = bench.place(block) or bench.environment.transform.hop
    for number, start in enumerate(range(0, case.samples, step)):
        end = min(start + step, case.samples)
        out, state = bench.process(effect, case, start, end, state, owned=owned and number % 4 < 2)
        parts.append(out)
    return {name: torch.cat([part[name] for part in parts], -1) for name in parts[0]}


def _cut(outputs: dict[str, Tensor], span: slice) -> dict[str, Tensor]:
    return {name: tensor[..., span] for name, tensor in outputs.items()}


def _worst(got: dict[str, Tensor], want: dict[str, Tensor], mean: bool = False) -> float:
    """The largest error of all outputs, relative to their level (of 1 at least where they are silent).

    mean: the root mean square error instead.
    """
    worst = 0.0
    for name, tensor in want.items():
        level = float(tensor.abs().max()) or 1.0
        off = got[name].double() - tensor
        worst = max(worst, float(off.square().mean().sqrt() if mean else off.abs().max()) / level)
    return worst
