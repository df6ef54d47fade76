"""Conformance checks of values and gradients: finite everywhere, and the gradients right."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from djgraph.effects.checks.bench import (
    Bench,
    CheckFailed,
    CheckInconclusive,
    CheckSkipped,
    expect,
    gradients,
)
from djgraph.effects.checks.cases import AudioKind, Case, spread
from djgraph.effects.checks.slopes import slope_by_differences
from djgraph.effects.contract import Effect
from djgraph.effects.control import Control

CERTAIN = 3.0
"""How many times the error of finite differences a gradient has to be off to be called wrong."""


def check_finite_output(bench: Bench) -> None:
    """No NaN or infinity: controls anywhere in range, on noise, silence, an impulse, faint and loud sound."""
    effect = bench.build(torch.float32)
    for what, case in _corners(bench):
        with torch.no_grad():
            for name, tensor in bench.run(effect, case).items():
                expect(bool(tensor.isfinite().all()), f"{name} is not finite: {what}")


def check_finite_gradients(bench: Bench) -> None:
    """As check_finite_output, for the gradients of inputs, controls and weights."""
    effect = bench.build(torch.float32)
    for what, plain in _corners(bench):
        case = plain.leaves()
        loss = bench.loss(bench.run(effect, case))
        for name, gradient in gradients(loss, case).items():
            expect(bool(gradient.isfinite().all()), f"gradient of {name} is not finite: {what}")
        weights = dict(effect.named_parameters())
        if weights and loss.requires_grad:
            of_weights = torch.autograd.grad(
                bench.loss(bench.run(effect, plain)),
                list(weights.values()),
                allow_unused=True,
                materialize_grads=True,
            )
            for name, gradient in zip(weights, of_weights, strict=True):
                expect(bool(gradient.isfinite().all()), f"gradient of weight {name} is not finite: {what}")


def _corners(bench: Bench) -> Iterator[tuple[str, Case]]:
    controls = bench.controls
    settings: list[tuple[str, dict[str, float]]] = [
        ("controls at random", {}),
        ("every control at its minimum", {c.id: c.min for c in controls}),
        ("every control at its maximum", {c.id: c.max for c in controls}),
        ("every control at its default", {c.id: c.default for c in controls}),
        ("every control at its neutral value", {c.id: c.neutral for c in controls if c.neutral is not None}),
    ]
    for control in controls:
        settings += [(f"{control.id} at {end:g}", {control.id: end}) for end in (control.min, control.max)]
    kinds: tuple[AudioKind, ...] = ("noise", "silence", "impulse", "faint", "loud")
    for where, values in settings:
        for kind in kinds[:1] if bench.spectral else kinds:
            yield f"{where}, {kind}", bench.case(batch=2, dtype=torch.float32, audio=kind, values=values)
    for kind in kinds[:2]:
        yield (
            f"controls at random, long {kind}",
            bench.case(batch=1, dtype=torch.float32, audio=kind, samples=bench.long),
        )


def check_gradients(bench: Bench) -> None:
    """Gradients equal finite differences along random directions, in double precision.

    Held to it: every input and control of gradient kind ``exact``, of controls those without steps or choices.
    """
    cls = bench.effect_class
    inputs = () if bench.spectral else cls.inputs
    names = [f"input {port.name}" for port in inputs if port.gradient == "exact"]
    names += [f"control {control.id}" for control in bench.controls if _smooth(control)]
    if not names:
        raise CheckSkipped("it has no input and no control with an exact gradient")
    effect = bench.build()
    unsure = None
    for samples in (1, bench.samples) if bench.spectral else (1, bench.samples, bench.long):
        for name in names:
            for seed in (1, 2):
                line = _Line(bench, effect, bench.case(batch=2, samples=samples, seed=seed), name, seed)
                (analytic, size), numeric = line.slope(), slope_by_differences(line.values)
                off = abs(numeric.value - analytic) - (1e-4 * max(abs(numeric.value), size) + 1e-7)
                if not off <= CERTAIN * numeric.error:
                    raise CheckFailed(
                        f"gradient of {name} is {analytic:.8g} along a random direction, "
                        f"finite differences say {numeric.value:.8g} ({samples} samples)"
                    )
                if off > 0:
                    unsure = (
                        f"gradient of {name} is {analytic:.8g} along a random direction, and finite differences "
                        f"do not settle: {numeric.value:.4g} ± {numeric.error:.2g} ({samples} samples)"
                    )
    if unsure:
        raise CheckInconclusive(unsure)


def check_gradients_at_range_ends(bench: Bench) -> None:
    """At both ends of a control's range the gradient still leads back into the range.

    ``torch.clamp`` is the usual trap: its gradient is 0 beyond its bounds, and a network that has driven a
    control there never leaves. Compared, roughly, with one-sided finite differences.
    """
    smooth = [control for control in bench.controls if _smooth(control)]
    if not smooth:
        raise CheckSkipped("it has no control with an exact gradient")
    effect = bench.build()
    for control in smooth:
        for position, inwards in ((0.0, 1.0), (1.0, -1.0)):
            end = control.max if position else control.min
            case = bench.case(batch=2, values={control.id: end})
            line = _Line(bench, effect, case, f"control {control.id}", 3, position, inwards)
            numeric = slope_by_differences(line.values, one_sided=True).value
            analytic, _ = line.slope()
            if not abs(numeric - analytic) <= 0.05 * abs(numeric) + 0.01:
                raise CheckFailed(
                    f"gradient of control {control.id} at {end:g} is {analytic:.4g} towards the range, "
                    f"finite differences say {numeric:.4g}"
                )


class _Line:
    """The loss along a line through a case: one tensor moves, a control in positions 0…1 of its range."""

    def __init__(
        self,
        bench: Bench,
        effect: Effect,
        case: Case,
        name: str,
        seed: int,
        position: float | None = None,
        sign: float | None = None,
    ) -> None:
        random = torch.Generator().manual_seed(seed)
        self.bench, self.effect, self.case, self.name = bench, effect, case, name
        kind, _, key = name.partition(" ")
        self.control = next(c for c in bench.controls if c.id == key) if kind == "control" else None
        shape = case.tensors()[name].shape
        self.origin = case.tensors()[name]
        if self.control is not None:
            self.origin = 0.05 + 0.9 * torch.rand(shape, generator=random, dtype=torch.float64, device="cpu")
            if position is not None:
                self.origin = torch.full(shape, position, dtype=torch.float64, device="cpu")
        self.direction = torch.randn(shape, generator=random, dtype=torch.float64, device="cpu")
        if sign is not None:
            self.direction = sign * self.direction.abs()

    def _moved(self, point: Tensor) -> Tensor:
        return point if self.control is None else spread(self.control, point)

    def values(self, distances: Tensor) -> tuple[Tensor, float]:
        """The losses at distances along the line, ``[count]``, all in one batch, and their size."""
        count = len(distances)
        points = self.origin + distances.view(-1, 1, 1, 1) * self.direction
        case = self.case.repeat(count).replace_tensors({self.name: self._moved(points.flatten(0, 1))})
        with torch.no_grad():
            return self.bench.losses(self.bench.run(self.effect, case), count)

    def slope(self) -> tuple[float, float]:
        """The derivative along the line by autograd, and the size of it along any such line."""
        point = self.origin.clone().requires_grad_()
        case = self.case.replace_tensors({self.name: self._moved(point)})
        loss = self.bench.loss(self.bench.run(self.effect, case))
        if not loss.requires_grad:
            return 0.0, 0.0
        (gradient,) = torch.autograd.grad(loss, point, allow_unused=True, materialize_grads=True)
        along = gradient * self.direction
        return float(along.sum()), float(along.square().sum().sqrt())


def _smooth(control: Control) -> bool:
    return control.gradient == "exact" and not control.step and not control.choices
