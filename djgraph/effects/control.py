"""What an effect says of one control: range, neutral value, unit, scale, rate."""

from __future__ import annotations

import dataclasses
import math
import re
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from djgraph.effects.grid import off_grid
from djgraph.errors import EffectError

ScaleName = Literal["linear", "log", "db", "power"]
Rate = Literal["sample", "frame", "clip"]
Gradient = Literal["exact", "surrogate", "none"]

IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*\Z")

DB_TAPER = 60.0
"""Decibels that a control of scale ``db`` travels; below, it falls to its minimum."""

MOST_STEPS = 1e12
"""Most steps of a control's range: more than numbers of double precision could tell apart."""


@dataclass(frozen=True)
class Control:
    """One automatable parameter of an effect, in plain units.

    Written as metadata of a field of the effect's ``Controls`` model; the field gives the id and the default::

        class Controls(ControlModel):
            gain: Annotated[float, Control(0, 1, neutral=1, unit="ratio", rate="sample")] = 1.0

    scale says how a position 0…1 (a knob, a network's output) travels the range: ``linear``; ``log`` (equal
    ratios, needs min > 0); ``db`` (an amplitude ratio, linear in decibels over the upper 60 dB); ``power``
    (position to the power of ``exponent``).
    rate says how often the effect reads it: every ``sample``, every STFT hop (``frame``), or once (``clip``, the
    first control frame).
    smoothing is the width in ms of the zero-phase box that rounds a per-sample control's corners.
    ``step`` (from ``min`` on) and ``choices`` are a grid of allowed values, which the mixer keeps: such a control is
    ``held`` from frame to frame, without smoothing, and snapped to the nearest of them, so that an effect sees no other
    value. The gradient is that of the value before snapping, or none where ``gradient`` says so.
    ``neutral`` is None where no value leaves the signal unchanged.
    ``amplitude`` says that a ``ratio`` is a factor of the signal's amplitude, which graphs may write in decibels.
    ``names`` are those of the whole numbers from ``min`` on, where they have some: the positions of a switch.
    ``role`` is what it is to recipes (see :data:`djgraph.effects.roles.ROLES`) unless the graph says otherwise.
    ``below_rate`` ends the range at that share of the sample rate, where this is below ``max``; see :meth:`at_rate`.
    """

    min: float
    max: float
    neutral: float | None = None
    unit: str = "ratio"
    scale: ScaleName = "linear"
    exponent: float = 2.0
    rate: Rate = "sample"
    smoothing: float = 0.0
    step: float | None = None
    choices: tuple[float, ...] = ()
    label: str = ""
    description: str = ""
    aliases: tuple[str, ...] = ()
    gradient: Gradient = "exact"
    amplitude: bool = False
    names: tuple[str, ...] = ()
    role: str = ""
    below_rate: float | None = None
    id: str = ""
    default: float = math.nan

    @property
    def held(self) -> bool:
        """Whether it has a grid, and so keeps a frame's value until the next one."""
        return self.step is not None or bool(self.choices)

    def faults(self) -> list[str]:
        """What is wrong with this declaration, in words; empty where nothing is."""
        problems = []
        if not IDENTIFIER.match(self.id):
            problems.append(f"id {self.id!r} is not lower-case letters, digits and underscores")
        if not (math.isfinite(self.min) and math.isfinite(self.max) and self.min < self.max):
            problems.append(f"range {self.min} … {self.max} is empty or not finite")
        if not self.min <= self.default <= self.max:
            problems.append(f"default {self.default} is outside {self.min} … {self.max}")
        if self.neutral is not None and not self.min <= self.neutral <= self.max:
            problems.append(f"neutral {self.neutral} is outside {self.min} … {self.max}")
        if self.scale not in get_args(ScaleName):
            problems.append(f"scale {self.scale!r} is none of {', '.join(get_args(ScaleName))}")
        if self.scale == "log" and self.min <= 0:
            problems.append("scale log needs a minimum above 0")
        if self.scale == "power" and not self.exponent > 0:
            problems.append("scale power needs an exponent above 0")
        if self.rate not in get_args(Rate):
            problems.append(f"rate {self.rate!r} is none of {', '.join(get_args(Rate))}")
        if self.gradient not in get_args(Gradient):
            problems.append(f"gradient {self.gradient!r} is none of {', '.join(get_args(Gradient))}")
        if self.role and not IDENTIFIER.match(self.role):
            problems.append(f"role {self.role!r} is not lower-case letters, digits and underscores")
        if not (math.isfinite(self.smoothing) and self.smoothing >= 0):
            problems.append(f"smoothing {self.smoothing} ms is negative or not finite")
        if self.smoothing and self.rate != "sample":
            problems.append("smoothing is for controls of rate sample")
        problems += [
            f"choice {value} is out of range" for value in self.choices if not self.min <= value <= self.max
        ]
        if self.below_rate is not None and not 0 < self.below_rate <= 0.5:
            problems.append(f"below_rate {self.below_rate} is no share of the sample rate from 0 to 0.5")
        if self.below_rate is not None and self.held:
            problems.append("below_rate is for controls without step and choices")
        if self.step is not None and not (math.isfinite(self.step) and self.step > 0):
            problems.append(f"step {self.step} is not above 0")
        elif self.step is not None and self.step * MOST_STEPS < self.max - self.min:
            problems.append(f"step {self.step:g} is too small for the range {self.min:g} … {self.max:g}")
        return problems

    def grid_faults(self) -> list[str]:
        """What keeps its default and neutral value from being handed to an effect: the grid of a sound declaration."""
        if not self.held:
            return []
        named = {"default": self.default, "neutral": self.neutral}
        wrong = {name: off_grid(self, number) for name, number in named.items() if number is not None}
        return [f"{name} {fault}" for name, fault in wrong.items() if fault]

    def at_rate(self, sample_rate: float) -> Control:
        """The declaration in a graph of that sample rate in Hz.

        With ``below_rate`` the range, the default and the neutral value end at that share of the rate; all else, and a
        control without it, stays as it is. The range is empty where the share is not above ``min``.
        """
        top = math.inf if self.below_rate is None else self.below_rate * sample_rate
        if self.max <= top:
            return self
        neutral = None if self.neutral is None else min(self.neutral, top)
        return self.replace(max=top, default=min(self.default, top), neutral=neutral)

    def replace(self, **changes: Any) -> Control:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)


class ControlModel(BaseModel):
    """Base class of an effect's ``Controls``: every field is a float that carries a :class:`Control`."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Unit:
    """The unit of a number among an effect's settings, as metadata of its field: ``Annotated[float, Unit("ms")]``.

    A graph may then write the number with a unit: ``375 ms``, ``0.375 s``. Of a list it is the unit of each of its
    numbers: ``Annotated[tuple[float, ...], Unit("ms")]``. by: instead of a name, another setting, whose value is the
    unit's name, as ``sync: beats``. The JSON Schema has it as ``unit``. Raises EffectError unless there is one of both.
    """

    name: str = ""
    by: str = ""

    def __post_init__(self) -> None:
        if bool(self.name) == bool(self.by):
            raise EffectError(f"a unit has either a name or a setting that it goes `by`, not {self!r}")

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(schema), "unit": self.name or f"by {self.by}"}


class SettingModel(BaseModel):
    """Base class of an effect's ``Settings``: an ordinary pydantic model, frozen and without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """EffectError where a unit goes by a setting that there is not."""
        for name, field in cls.model_fields.items():
            for item in field.metadata:
                if isinstance(item, Unit) and item.by and item.by not in cls.model_fields:
                    raise EffectError(
                        f"{cls.__module__}.{cls.__qualname__}: the unit of {name} goes by {item.by!r}, and there is no "
                        "such setting"
                    )


def collect_controls(owner: str, model: type[BaseModel]) -> tuple[Control, ...]:
    """The controls that a ``Controls`` model declares, in order of declaration.

    Raises EffectError that names every fault.
    """
    controls, faults = [], []
    for name, field in model.model_fields.items():
        declared = next((item for item in field.metadata if isinstance(item, Control)), None)
        if declared is None:
            faults.append(f"{name}: no Control in its annotation; write Annotated[float, Control(…)]")
            continue
        if field.is_required():
            faults.append(f"{name}: has no default value")
            continue
        control = declared.replace(
            id=name, default=float(field.default), label=declared.label or _label(name)
        )
        faults += [f"{name}: {fault}" for fault in control.faults() or control.grid_faults()]
        controls.append(control)
    if faults:
        raise EffectError(
            f"{owner} declares controls wrongly:\n" + "\n".join(f"  {fault}" for fault in faults)
        )
    return tuple(controls)


def _label(name: str) -> str:
    return name.replace("_", " ").capitalize()
