"""The conformance check of ``held_back()``: nothing of what goes in comes out sooner than that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import torch

from djgraph.arguments import is_whole
from djgraph.effects.checks.bench import Bench, CheckFailed, CheckSkipped, expect
from djgraph.effects.checks.cases import Case, spread
from djgraph.effects.contract import Effect

Ranges = dict[str, tuple[float, float]]

TINY = 1e-9
BEFORE = 777
"""Samples that go in before the input changes."""
SECONDS = 4
"""A signal that is held back for longer is watched for so long."""
REFINED, TRIED = 6, 6
"""Further uses that are made of each in which something is held back, and how many of all are listened to."""
ITEMS = 4
RESTS: tuple[Literal["default", "low", "high"], ...] = ("default", "low", "high")
"""Where controls rest: it must not matter."""


def check_held_back(bench: Bench) -> None:
    """Where ``held_back()`` says that a use holds the signal back, its output is the same for so many samples after
    its input has changed, whatever its controls do in that use.

    Tried: each control fixed at an end and at its default, and those uses again with the others anywhere. A loop of a
    graph that closes through the effect would go wrong without a word.
    """
    cls = bench.effect_class
    if getattr(cls.held_back, "__func__", cls.held_back) is vars(Effect)["held_back"].__func__:
        raise CheckSkipped("it does not say that it holds its signal back")
    if bench.spectral or not cls.inputs:
        raise CheckSkipped("it has no input of its own that it could hold back")
    uses = list(_holding(bench))
    if not uses:
        raise CheckSkipped("held_back() is 0 in all uses that were tried")
    uses.sort(key=lambda use: use[0])
    for place in sorted({round(n * (len(uses) - 1) / (TRIED - 1)) for n in range(TRIED)}):
        _listen(bench, *uses[place])


def _holding(bench: Bench) -> Iterator[tuple[int, Ranges]]:
    """Uses in which something is held back, and for how long."""
    random = torch.Generator().manual_seed(11)
    for ranges in _uses(bench):
        if held := _held(bench, ranges):
            yield held, ranges
            for _ in range(REFINED):
                finer = ranges | _anywhere(bench, ranges, random)
                if held := _held(bench, finer):
                    yield held, finer


def _uses(bench: Bench) -> Iterator[Ranges]:
    yield {}
    for control in bench.controls:
        for value in dict.fromkeys((control.min, control.max, control.default)):
            yield {control.id: (value, value)}
    yield {control.id: (control.min, control.min) for control in bench.controls}
    yield {control.id: (control.max, control.max) for control in bench.controls}
    yield {control.id: (control.default, control.default) for control in bench.controls}


def _anywhere(bench: Bench, but: Mapping[str, object], random: torch.Generator) -> Ranges:
    """Ranges of the other controls: as declared, or between two places of their range, or fixed at one."""
    made: Ranges = {}
    for control in bench.controls:
        if control.id in but:
            continue
        drawn = torch.rand(3, generator=random, dtype=torch.float64, device="cpu")
        one, other = sorted(spread(control, drawn[:2]).clamp(control.min, control.max).tolist())
        kind = int(3 * drawn[2])
        if kind:
            made[control.id] = (one, other if kind == 1 else one)
    return made


def _held(bench: Bench, ranges: Ranges) -> int:
    """The most that the effect says of a use, wherever its controls rest."""
    most = 0
    for rest in RESTS:
        use = bench.use(bench.fewest, ranges, rest)
        if list(bench.conflicts(use)):
            continue  # a graph would be refused
        held: Any = bench.effect_class.held_back(use, bench.environment)
        what = f"held_back() is {held!r} with {_told(ranges)}"
        expect(is_whole(held) and held >= 0, f"{what}; a number of samples from 0")
        most = max(most, held)
    return most


def _listen(bench: Bench, held: int, ranges: Ranges) -> None:
    effect = bench.build()
    samples = BEFORE + min(held, SECONDS * bench.environment.sample_rate)
    case = bench.case(
        batch=ITEMS, channels=bench.fewest, samples=samples, ranges=ranges, plateaus=True, seed=held
    )
    for control in bench.controls:  # in two of the items they rest, all low and all high
        for item, value in enumerate(ranges.get(control.id, (control.min, control.max))):
            case.controls[control.id][item] = value
    other = case.replace_tensors({name: _changed(tensor) for name, tensor in _inputs(case).items()})
    with torch.no_grad():
        outputs = [bench.run(effect, one) for one in (case, other)]
    for name, tensor in outputs[0].items():
        off = (tensor - outputs[1][name]).abs().flatten(0, 1).amax(0)
        if bool((off > TINY).any()):
            after = int((off > TINY).nonzero()[0]) - BEFORE
            raise CheckFailed(
                f"held_back() is {held} with {_told(ranges)}, "
                f"but {name} changes {after} samples after its input does"
            )


def _inputs(case: Case) -> dict[str, torch.Tensor]:
    return {f"input {port}": tensor for port, tensor in case.audio.items()}


def _changed(tensor: torch.Tensor) -> torch.Tensor:
    """From sample BEFORE on everything is another signal."""
    return torch.cat((tensor[..., :BEFORE], 0.7 - tensor[..., BEFORE:]), -1)


def _told(ranges: Ranges) -> str:
    said = [
        f"{name} {low:.6g}" if low == high else f"{name} {low:.6g} … {high:.6g}"
        for name, (low, high) in ranges.items()
    ]
    return ", ".join(said) or "controls anywhere in their ranges"
