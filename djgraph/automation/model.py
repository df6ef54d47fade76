"""An automation file as pydantic models: which keys there are and what may stand in each.

As with graphs, a document is validated as written, where any value may be a reference (``$name``), and again
once its arguments are in place.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar

from pydantic import Field, ValidationError, ValidationInfo, ValidatorFunctionWrapHandler

from djgraph.automation.shapes import MAX_BEND, SHAPES
from djgraph.automation.tempo import RAMPS
from djgraph.automation.times import EXAMPLES, UNITS, Moment, TempoMap, TooFar, UnknownUnit
from djgraph.errors import InputError
from djgraph.language.faults import Fault, explain, refusal
from djgraph.language.fields import (
    IDENTIFIER_KEYS,
    IDENTIFIER_LEAF,
    IDENTIFIER_SCHEMA,
    Element,
    Flag,
    Identifier,
    Leaf,
    Refused,
    Text,
    Version,
    Wrap,
    choice,
    whole,
)
from djgraph.language.limits import Kind
from djgraph.language.words import IDENTIFIER, describe

AUTOMATION = Kind("automation", "automation: 1", (".yaml", ".yml", ".json", ".csv"), scale=8)
"""Automation files: what they are called, and how large they may be."""

WORDS = ("default", "neutral", "min", "max")
"""Values that each control has of its own."""

LARGEST = 1e30
"""Largest value, in any control's plain units."""

ORDINAL = re.compile(r"([1-9])(?:st|nd|rd|th)\Z")
"""``1st``, ``2nd``, …: the tracks of a graph that have faders, in order."""

_PATTERN = re.compile(r"(?:[1-9](?:st|nd|rd|th)|[a-z*][a-z0-9_*]*)(?:\.[a-z*][a-z0-9_*]*)*\Z")
_FADER = re.compile(r"(?:[1-9](?:st|nd|rd|th)|[a-z][a-z0-9_]*)(?:\.[a-z*][a-z0-9_*]*)?\Z")


def _time(value: Any) -> Moment:
    try:
        return Moment.parse(value)
    except UnknownUnit as error:
        raise Refused(str(error), allowed=tuple(UNITS), name=error.unit) from None
    except TooFar as error:
        raise Refused(str(error)) from None
    except ValueError:
        raise Refused(f"expected a time, got {describe(value)}", allowed=EXAMPLES) from None


def _value(value: Any) -> float | str:
    if isinstance(value, str):
        if not IDENTIFIER.match(value):  # else it may be a position of a switch, which a layout knows
            raise Refused(f"expected a number, got {describe(value)}", allowed=WORDS, name=value)
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LARGEST:
        raise Refused(f"expected a number, got {describe(value)}")
    return float(value)


def _bend(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MAX_BEND:
        raise Refused(f"expected a bend from -{MAX_BEND:g} to {MAX_BEND:g} dB, got {describe(value)}")
    return float(value)


def _pattern(value: Any) -> str:
    if not isinstance(value, str) or not _PATTERN.match(value):
        raise Refused(
            f"expected a control's name or a pattern, got {describe(value)}",
            hint="such as track_a.drums.gain, track_a.*.gain, **.hpf, or 1st.**.gain for the first track",
        )
    return value


def _fader(value: Any) -> str:
    if not isinstance(value, str) or not _FADER.match(value):
        hint = "such as track_a, track_a.drums, track_a.*, or 1st for the first track"
        raise Refused(f"expected a track, or stems of one, got {describe(value)}", hint=hint)
    return value


def tempo_map(value: Any) -> TempoMap:
    if isinstance(value, list):
        for index, pair in enumerate(value):
            numbers = isinstance(pair, list) and all(
                isinstance(x, int | float) and not isinstance(x, bool) for x in pair[:2]
            )
            if not numbers or len(pair) not in (2, 3):
                what = "expected a pair [beat, BPM], or [beat, BPM, ramp]"
                raise Refused(f"{what}, got {describe(pair)}", loc=(index,))
            if len(pair) == 3 and pair[2] not in RAMPS:
                name = pair[2] if isinstance(pair[2], str) else None
                what = f"expected how the tempo goes on, got {describe(pair[2])}"
                raise Refused(what, allowed=RAMPS, name=name, loc=(index, 2))
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused(f"expected a tempo in BPM, or pairs [beat, BPM], got {describe(value)}")
    try:
        return TempoMap(value)
    except InputError as error:
        raise Refused(str(error)) from None


_TIME_SCHEMA = {"anyOf": [{"type": "number"}, {"type": "string"}]}
TIME = Leaf(_time, _TIME_SCHEMA, text=True)
VALUE = Leaf(_value, {"anyOf": [{"type": "number"}, IDENTIFIER_SCHEMA]})
SHAPE = choice(*SHAPES)
BEND = Leaf(_bend, {"type": "number", "minimum": -MAX_BEND, "maximum": MAX_BEND})
PATTERN = Leaf(_pattern, {"type": "string"}, text=True)
_LIST = ("at", "value", "shape", "bend")


class PointModel(Element):
    """A breakpoint; ``[at, value]`` for short, with its shape and bend behind them if it has any."""

    what: ClassVar[str] = "a point: [time, value], [time, value, shape] or {at: …, value: …}"
    at: Annotated[Moment, TIME]
    """When."""
    value: Annotated[float | str, VALUE]
    """The control's value there, in plain units, or default, neutral, min, max, or the name of a switch's position."""
    shape: Annotated[str | None, SHAPE] = None
    """How the value goes on from here."""
    bend: Annotated[float | None, BEND] = None
    """How much that way is bent, in dB."""


def _point(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> PointModel:
    if not isinstance(value, list | tuple):
        return PointModel.model_validate(value, context=info.context)
    if not 2 <= len(value) <= 4:
        raise refusal([Fault(f"expected {PointModel.what[9:]}, got a list of {len(value)}")])
    try:
        return PointModel.model_validate(dict(zip(_LIST, value)), context=info.context)
    except ValidationError as error:
        faults = explain(error, PointModel)
        raise refusal(
            [Fault(f.message, (_LIST.index(str(f.loc[0])),), f.allowed, f.name, f.hint) for f in faults]
        ) from None


def _one_or_many(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> list[str]:
    if isinstance(value, str):
        return [PATTERN.validate(value, info)]
    if not isinstance(value, list) or not value:
        raise refusal(
            [Fault(f"expected a control's name, a pattern, or a list of them, got {describe(value)}")]
        )
    result: list[str] = handler(value)
    return result


class CurveModel(Element):
    """The course of one control, or of several alike."""

    what: ClassVar[str] = "a curve: {control: …, points: […]}, or {first: [curve, …]}"
    control: Annotated[list[Annotated[str, PATTERN]] | None, Wrap(_one_or_many)] = None
    """A control's name, a pattern, or a list of them."""
    fader: Annotated[str | None, Leaf(_fader, {"type": "string"}, text=True)] = None
    """A track, or stems of one: their faders, whatever the graph calls them."""
    role: Annotated[str | None, IDENTIFIER_LEAF] = None
    """What the controls are to who mixes, whatever the graph calls them: low, filter, echo_send, …"""
    of: Annotated[str | None, Leaf(_fader, {"type": "string"}, text=True)] = None
    """The track, strip or bus, or stems of one, whose control has the role; all in the graph where left out."""
    unit: Annotated[str | None, choice("plain", "amplitude", "position")] = None
    """In what the values are said: each control's own unit, a factor of the level, or 0 to 1 of its travel."""
    value: Annotated[float | str | None, VALUE] = None
    """One value for the whole clip."""
    points: list[Annotated[PointModel, Wrap(_point)]] = Field(default_factory=list)
    """Breakpoints in order of time."""
    shape: Annotated[str, SHAPE] = "linear"
    """The shape of points that do not say their own."""
    bend: Annotated[float | None, BEND] = None
    """The bend of points that do not say their own."""
    optional: Flag = False
    """Left out where the graph has no such control."""

    @classmethod
    def check(cls, data: dict[str, Any]) -> list[Fault]:
        faults = []
        if sum(key in data for key in ("control", "fader", "role")) != 1:
            faults.append(Fault("a curve has either a `control`, a `fader` or a `role`"))
        elif "of" in data and "role" not in data:
            hint = "`fader` and `control` say themselves of what"
            faults.append(Fault("an `of` without a `role`", ("of",), key=True, hint=hint))
        if ("points" in data) == ("value" in data):
            faults.append(Fault("a curve has either `points` or one `value`"))
        elif data.get("points") == []:
            faults.append(Fault("a curve needs at least one point", ("points",)))
        return faults


class FirstModel(Element):
    """Alternatives: the first curve whose control is there counts."""

    first: list[CurveModel]
    """Curves, the preferred one first."""

    @classmethod
    def check(cls, data: dict[str, Any]) -> list[Fault]:
        return [Fault("`first` needs at least one curve", ("first",))] if data.get("first") == [] else []


def _item(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Element:
    kind = FirstModel if isinstance(value, dict) and "first" in value else CurveModel
    return kind.model_validate(value, context=info.context)


class SpanModel(Element):
    """Where in the clip the points lie."""

    what: ClassVar[str] = "a span: {start: …, length: …}"
    start: Annotated[Moment | None, TIME] = None
    """When it begins; the clip's start where left out."""
    length: Annotated[Moment | None, TIME] = None
    """How long it is; the clip's length where left out."""


class ArgumentModel(Element):
    """An argument that says what it is for."""

    what: ClassVar[str] = "an argument: its default, or {default: …, description: …}"
    default: Any = None
    """What it is where nobody says otherwise; null means that it is required."""
    description: Text = ""
    """One line for people."""


def _argument(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> ArgumentModel:
    if isinstance(value, dict):
        return ArgumentModel.model_validate(value)
    return ArgumentModel.model_construct(default=value)


class AutomationHeader(Element):
    """Everything of a document but its arguments."""

    what: ClassVar[str] = "a mapping that begins with `automation: 1`"
    automation: Version
    """The version of the language."""
    name: Identifier = "automation"
    """The automation's name."""
    title: Text = ""
    """One line for people."""
    description: Text = ""
    """A few lines for people."""
    tempo: Annotated[TempoMap | None, Leaf(tempo_map, {})] = None
    """BPM, or pairs [beat, BPM]: from each beat on, that tempo; [beat, BPM, ramp]: on the way to the next one."""
    beats_per_bar: Annotated[int, whole(1, 64)] = 4
    """Beats of a bar."""
    span: SpanModel | None = None
    """Where in the clip the points lie."""
    curves: list[Annotated[CurveModel | FirstModel, Wrap(_item)]]
    """What the controls do."""


class AutomationModel(AutomationHeader):
    """A whole automation file."""

    @classmethod
    def check(cls, data: dict[str, Any]) -> list[Fault]:
        if "djgraph" in data and "automation" not in data:
            return [
                Fault("this is a graph; an automation begins with `automation: 1`", ("djgraph",), key=True)
            ]
        return []

    args: Annotated[dict[str, Annotated[ArgumentModel, Wrap(_argument)]], IDENTIFIER_KEYS] = Field(
        default_factory=dict
    )
    """Arguments with their defaults."""
