"""Conformance check of effects that tell when they are at rest."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import torch

from djgraph.effects.checks.bench import (
    Bench,
    CheckInconclusive,
    CheckSkipped,
    expect,
    expect_close,
)
from djgraph.effects.checks.cases import Case
from djgraph.effects.contract import AmplitudeEffect, State, TimeEffect
from djgraph.effects.rest import QUIET, is_silent

LOUD, FAINT = 1.0, 2.0**-100
"""Of the burst: one that has to ring out, and one of which what is left counts as nothing from the start."""
PIECES = 12
"""Into which a case is cut: one of sound, silence, and one of sound again."""
NOTHING = 1e-20
"""How loud an effect at rest may answer silence: what is left within ±QUIET, with all gains that an effect may have."""


def check_at_rest(bench: Bench) -> None:
    """While at_rest() is True silence gives silence, and the state that asleep() returns is that of process()."""
    effect = bench.build()
    assert isinstance(effect, TimeEffect)
    tells = [getattr(type(effect), name) is not getattr(TimeEffect, name) for name in ("at_rest", "asleep")]
    if not any(tells):
        raise CheckSkipped("it does not tell when it is at rest")
    rested = False
    for amplitude in (LOUD, FAINT):
        rested |= _rests(bench, effect, amplitude)
    if not rested:
        raise CheckInconclusive("at_rest() was never True, not even after a sound of next to no amplitude")


def check_closed_by(bench: Bench) -> None:
    """With the control that closes it at 0 an amplitude is 0, whatever the others are."""
    effect = bench.build()
    if not isinstance(effect, AmplitudeEffect) or effect.closed_by is None:
        raise CheckSkipped("it names no control that closes it")
    with torch.no_grad():
        for case in (bench.case(batch=2), bench.case(batch=2, plateaus=True)):
            closed = {**case.controls, effect.closed_by: torch.zeros_like(case.controls[effect.closed_by])}
            most = float(effect.amplitude(closed).abs().max())
            expect(most == 0, f"closed_by is {effect.closed_by}, but at 0 the amplitude is {most:.3g}")


def _rests(bench: Bench, effect: TimeEffect, amplitude: float) -> bool:
    """Whether it came to rest after a burst; if so, it is tried what it does then."""
    samples = PIECES * (bench.long // PIECES)
    case = bench.case(batch=2, samples=samples, plateaus=True)
    marks = [bench.place(samples * piece // PIECES) for piece in range(PIECES + 1)]
    heard = marks[1], marks[-2]
    audio = {name: tensor.clone() for name, tensor in case.audio.items()}
    for tensor in audio.values():
        tensor[..., : heard[0]] *= amplitude
        tensor[..., heard[0] : heard[1]] = 0
    case = replace(case, audio=audio)
    with torch.no_grad():
        _, state = bench.process(effect, case, 0, heard[0], bench.state(effect, case))
        for start, stop in pairwise(marks[1:-1]):
            said = [effect.at_rest(_item(state, item), QUIET) for item in range(2)]
            expect(all(isinstance(one, bool) for one in said), f"at_rest() returned {said[0]!r}")
            if all(said):
                _sleep(bench, effect, case, marks[marks.index(start) :], state)
                return True
            _, state = bench.process(effect, case, start, stop, state)
    return False


def _sleep(bench: Bench, effect: TimeEffect, case: Case, marks: list[int], state: State) -> None:
    """From here on it is at rest, until sound comes in for the last piece."""
    given = {name: one.clone() for name, one in state.items()}
    awake, asleep = state, given
    for start, stop in pairwise(marks[:-1]):
        outputs, awake = bench.process(effect, case, start, stop, awake)
        for name, tensor in outputs.items():
            expect(
                is_silent(tensor, below=NOTHING),
                f"at_rest() was True, but {name} answers silence with {float(tensor.abs().max()):.3g}",
            )
        controls, block = bench.told(effect, case, start, stop)
        asleep = effect.asleep(controls, asleep, block)
        expect(
            asleep.keys() == given.keys(), f"asleep() returned a state with {', '.join(asleep) or 'nothing'}"
        )
    want, got = (bench.process(effect, case, marks[-2], marks[-1], one)[0] for one in (awake, asleep))
    for name, tensor in want.items():
        expect_close(got[name], tensor, 1e-8, f"{name} of what comes after asleep() against process()")


def _item(state: State, item: int) -> State:
    return {name: one[item : item + 1] for name, one in state.items()}
