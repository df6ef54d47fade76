"""How near a causal twin's gain comes to that of its spectral effect: measured, over the range of the controls."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from pydantic import BaseModel
from torch import Tensor

from djgraph.effects.checks.cases import spread
from djgraph.effects.contract import Block, Environment, SpectralEffect
from djgraph.effects.control import Control
from djgraph.effects.twin import twin_of
from djgraph.errors import EffectError

SAMPLES = 2**16
"""Length of the impulse response that is transformed: 1.5 s at 44.1 kHz, in which a filter at 20 Hz has died away."""

LOWEST, HIGHEST, RATE_SHARE = 20.0, 16000.0, 0.363
"""Frequencies that are compared, in Hz; at low sample rates up to that share of the rate."""

FLOOR = -30.0
"""Gains below that, in dB, are not compared."""

ROUNDING = 1e-9
"""Differences that are as large as each other, in dB: the first one found is told."""

STEPS, MIXED = 33, 32
"""How many values of each control are tried with the others at rest, and how many mixtures of all controls."""


@dataclass(frozen=True)
class Difference:
    """The largest difference of magnitudes in dB, where it is (Hz), and at which values of the controls.

    studio, causal: the two gains there in dB. cases: how many settings of the controls were tried.
    """

    decibels: float
    frequency: float
    controls: dict[str, float]
    studio: float
    causal: float
    cases: int


def twin_difference(
    effect: type[SpectralEffect], settings: BaseModel, environment: Environment
) -> Difference:
    """The largest difference between the gain of a spectral effect and that of its twin, with controls at rest.

    Measured by the twin's response to an impulse in float64, from 20 Hz to 16 kHz, where the effect's gain is above
    −30 dB: for every control over its range with the others at their defaults, at all ends of ranges (up to 5
    controls), and at mixtures that fill the space of all controls evenly.

    Raises EffectError where there is no twin, or none with these settings.
    """
    twin = twin_of(effect)
    if twin is None:
        raise EffectError(f"effect {effect.type!r} has no causal twin")
    if fault := twin.fault(settings, environment):
        raise EffectError(f"effect {effect.type!r} has no causal twin with these settings: {fault}")
    rate = environment.sample_rate
    fine = replace(environment, transform=replace(environment.transform, size=SAMPLES))
    studio, causal = effect(settings, fine).double(), twin(settings, environment).double()
    frequencies = fine.frequencies()
    heard = (frequencies >= LOWEST) & (frequencies <= min(HIGHEST, RATE_SHARE * rate))
    impulse = torch.zeros(1, 1, SAMPLES, dtype=torch.float64, device="cpu")
    impulse[..., 0] = 1
    worst: Difference | None = None
    cases = 0
    with torch.no_grad():
        for values in control_cases(tuple(control.at_rate(rate) for control in effect.controls)):
            cases += 1
            read = {name: impulse.new_full((1, 1, 1), value) for name, value in values.items()}
            want = studio.mask(read).expand(1, 1, fine.transform.bins)[0, 0]
            curves = {
                control.id: read[control.id].expand(1, 1, SAMPLES if control.rate == "sample" else 1)
                for control in twin.controls
            }
            state = causal.initial_state(1, 1, impulse)
            port, out = effect.inputs[0].name, effect.outputs[0].name
            response, _ = causal.process({port: impulse}, curves, state, Block(0, SAMPLES, rate))
            got = torch.fft.rfft(response[out][0, 0]).abs()
            off, place = _largest(want, got, heard)
            if worst is None or off > worst.decibels + ROUNDING:
                heights = [float(_decibels(gain[place])) for gain in (want, got)]
                worst = Difference(off, float(frequencies[place]), values, heights[0], heights[1], cases)
    assert worst is not None
    return replace(worst, cases=cases)


def control_cases(controls: tuple[Control, ...]) -> Iterator[dict[str, float]]:
    """Values of all controls: defaults, each over its range, ends of all ranges, and mixtures that fill the space."""
    rest = {control.id: control.default for control in controls}
    yield dict(rest)
    for control in controls:
        for step in range(STEPS):
            yield {**rest, control.id: _value(control, step / (STEPS - 1))}
    if len(controls) < 2:
        return
    if len(controls) <= 5:
        for ends in itertools.product((0.0, 1.0), repeat=len(controls)):
            yield {control.id: _value(control, end) for control, end in zip(controls, ends)}
    drawn = torch.quasirandom.SobolEngine(len(controls), scramble=False).draw(MIXED)
    for row in drawn.tolist():
        yield {control.id: _value(control, share) for control, share in zip(controls, row)}


def _value(control: Control, share: float) -> float:
    """The value at that share of the range, on the control's grid if it has one."""
    return float(spread(control, torch.tensor(share, dtype=torch.float64, device="cpu")))


def _largest(want: Tensor, got: Tensor, heard: Tensor) -> tuple[float, int]:
    """The largest difference in dB where it counts, and its bin."""
    off = (_decibels(got) - _decibels(want)).abs()
    off = torch.where(heard & (_decibels(want) > FLOOR), off, -1.0)
    place = int(off.argmax())
    return max(float(off[place]), 0.0), place


def _decibels(gain: Tensor) -> Tensor:
    return 20 * gain.clamp(min=1e-12).log10()
