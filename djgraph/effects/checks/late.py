"""Conformance checks of time effects late in time: what rounds a little in every block is far off after an hour."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from djgraph.effects.checks.bench import Bench, Case, CheckSkipped, expect, spread
from djgraph.effects.contract import Effect, TimeEffect

HOUR = 3600
STREAM_SECONDS = 8
BLOCK = 512
GROWTH = 4.0
"""How many times as large as at the start a rounding error may be later on."""
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
    second = bench.environment.sample_rate
    case = _steady(bench, STREAM_SECONDS * second)
    with torch.no_grad():
        got, want = _stream(bench, rounded, case), _stream(bench, exact, _exact(case))
    early = _worst(_cut(got, slice(0, second)), _cut(want, slice(0, second)))
    late = _worst(_cut(got, slice(-second, None)), _cut(want, slice(-second, None)))
    expect(
        late <= GROWTH * early + FLOOR / 2,
        f"after {STREAM_SECONDS} s of a stream in float32 it is off by {late:.2g} of its signal, "
        f"after 1 s by {early:.2g}: "
        "rounding adds up in its state (keep phases and other sums in float64)",
    )


def _steady(bench: Bench, samples: int) -> Case:
    """Float32 noise through controls that keep their values, so that errors in rates add up."""
    values = {
        c.id: float(spread(c, torch.tensor(0.61, dtype=torch.float64, device="cpu")))
        for c in bench.effect_class.controls
    }
    return bench.case(
        batch=1, channels=bench.channel_options[0], samples=samples, dtype=torch.float32, values=values
    )


def _exact(case: Case) -> Case:
    wide = case.replace_tensors({name: tensor.double() for name, tensor in case.tensors().items()})
    return replace(wide, like=case.like.double())


def _block(bench: Bench, effect: Effect, case: Case, since: int) -> dict[str, Tensor]:
    with torch.no_grad():
        return bench.process(effect, case, 0, case.samples, bench.state(effect, case), since)[0]


def _stream(bench: Bench, effect: Effect, case: Case) -> dict[str, Tensor]:
    state, parts = bench.state(effect, case), []
    step = bench.place(BLOCK) or bench.environment.transform.hop
    for start in range(0, case.samples, step):
        block, state = bench.process(effect, case, start, min(start + step, case.samples), state)
        parts.append(block)
    return {name: torch.cat([part[name] for part in parts], -1) for name in parts[0]}


def _cut(outputs: dict[str, Tensor], span: slice) -> dict[str, Tensor]:
    return {name: tensor[..., span] for name, tensor in outputs.items()}


def _worst(got: dict[str, Tensor], want: dict[str, Tensor]) -> float:
    """The largest error of all outputs, relative to their level (of 1 at least where they are silent)."""
    worst = 0.0
    for name, tensor in want.items():
        level = float(tensor.abs().max()) or 1.0
        worst = max(worst, float((got[name].double() - tensor).abs().max()) / level)
    return worst
