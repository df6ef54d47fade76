"""The pieces that graph files are made of: inputs, nodes, controls, sends, macros, outputs."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field, ValidationInfo, ValidatorFunctionWrapHandler

from djgraph.language import limits
from djgraph.language.faults import Fault, keys_of
from djgraph.language.fields import (
    IDENTIFIER_LEAF,
    LATE,
    NAME_LEAF,
    NUMBER_LEAF,
    Element,
    Flag,
    Identifier,
    Name,
    Number,
    OptionalName,
    OptionalNodeId,
    OptionalNumber,
    OptionalText,
    Pair,
    PointText,
    Wrap,
    choice,
    whole,
)


def _stem(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Stem:
    return Stem.model_validate({"name": value} if isinstance(value, str) else value, context=info.context)


def _override(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Override:
    if not isinstance(value, dict):
        return Override.model_construct(value=NUMBER_LEAF.validate(value, info))
    return Override.model_validate(value, context=info.context)


def _chain_item(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Element:
    if isinstance(value, str):
        return Node.model_validate({"effect": value}, context=info.context)
    kind = Use if isinstance(value, dict) and "use" in value else Node
    return kind.model_validate(value, context=info.context)


def _output(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Output:
    return Output.model_validate(
        {"name": value, "from": value} if isinstance(value, str) else value, context=info.context
    )


class Stem(Element):
    """One stem of an input; a bare text is its name."""

    what: ClassVar[str] = "a stem: its name, or {name: …, optional: true}"
    name: Identifier
    """What the stem is called; `track_a.drums` is stem `drums` of input `track_a`."""
    optional: Flag = False
    """Whether it may be missing; silence then."""


class Input(Element):
    """A named source: several stems, or one signal."""

    what: ClassVar[str] = "an input: {name: …}"
    name: Identifier
    """What the input is called."""
    stems: Annotated[list[Annotated[Stem, Wrap(_stem, shorthand=IDENTIFIER_LEAF)]], LATE] = Field(
        default_factory=list
    )
    """Its stems in order; left out, the input is one signal."""
    channels: Annotated[str, choice("mono", "stereo")] = "stereo"
    """Mono audio is up-mixed for a stereo input."""
    optional: Flag = False
    """Whether it may be missing as a whole; silence then."""

    @classmethod
    def check(cls, data: dict[str, Any]) -> list[Fault]:
        if data.get("stems") == []:
            return [Fault("an input has at least one stem; leave `stems` out for one signal", ("stems",))]
        return []


class TransformModel(Element):
    """The short-time Fourier transform."""

    what: ClassVar[str] = "a mapping {size: …, hop: …}"
    size: Annotated[int, whole(16, 65536, even=True)] = 2048
    """Samples of a window."""
    hop: Annotated[int, whole(1, 32768)] = 512
    """Samples from one window to the next."""

    @classmethod
    def check(cls, data: dict[str, Any]) -> list[Fault]:
        size, hop = data.get("size", 2048), data.get("hop", 512)
        whole_numbers = all(isinstance(value, int) for value in (size, hop))
        if whole_numbers and size % 2 == 0 and 16 <= size < 2 * hop <= 65536:
            return [Fault(f"hop {hop} is more than half of size {size}, so the transform has no inverse")]
        return []


class Override(Element):
    """What a graph changes in one control's declaration; a bare number is a constant."""

    what: ClassVar[str] = "a number or a mapping"
    as_: OptionalName = Field(default=None, alias="as")
    """The column's name below its strip or bus."""
    default: OptionalNumber = None
    """Where the control rests."""
    min: OptionalNumber = None
    """A narrower range."""
    max: OptionalNumber = None
    """A narrower range."""
    neutral: OptionalNumber = None
    """The value that leaves the signal unchanged."""
    value: OptionalNumber = None
    """A constant: the control has no column."""
    tie: OptionalName = None
    """The column to read instead of one of its own."""
    label: OptionalText = None
    """A short name for people."""
    description: OptionalText = None
    """What it does, for people."""
    aliases: Annotated[list[Name], LATE] = Field(default_factory=list)
    """Old names of the column, so that old data still fits."""

    @classmethod
    def check(cls, data: dict[str, Any]) -> list[Fault]:
        for sole, what in (("value", "is a constant"), ("tie", "reads another column")):
            others = [key for key in data if key != sole and key in keys_of(cls)]
            if sole in data and others:
                message = f"a control with `{sole}` {what}, so it cannot have {', '.join(map(repr, others))} as well"
                return [Fault(message, (others[0],), key=True)]
        return []


OverrideValue = Annotated[Override, Wrap(_override, shorthand=NUMBER_LEAF)]


class Node(Element):
    """One use of an effect in a chain; a bare text is the effect's name."""

    what: ClassVar[str] = "an effect's name, a node ({effect: …}) or a template ({use: …})"
    effect: Identifier
    """The effect's name."""
    id: OptionalNodeId = None
    """The node's name within its chain; the effect's name if left out."""
    settings: Annotated[dict[str, Any], LATE] = Field(default_factory=dict)
    """What is fixed when the graph is compiled."""
    controls: Annotated[dict[str, OverrideValue], LATE] = Field(default_factory=dict)
    """What the graph changes in its controls."""
    inputs: Annotated[dict[str, PointText], LATE] = Field(default_factory=dict)
    """Further input ports: port → strip, bus or point."""


class Use(Element):
    """A template put in place."""

    use: Identifier
    """The template's name."""
    with_: Annotated[dict[str, Any], LATE] = Field(default_factory=dict, alias="with")
    """Values for its arguments."""


ChainItem = Annotated[Node | Use, Wrap(_chain_item, shorthand=IDENTIFIER_LEAF)]
Chain = list[ChainItem]


class Send(Element):
    """A branch to a bus with a level of its own."""

    what: ClassVar[str] = "a send: {to: …}"
    to: Name
    """The bus that it feeds."""
    tap: Identifier = "post"
    """Where it branches off: `post` (the end of the chain), `pre` (before the fader) or after a node."""
    level: OverrideValue = Field(default_factory=Override)
    """Its level; at rest it is 0. A number is a constant."""


class Knob(Element):
    """What macros of a strip, of a bus and of the whole graph share."""

    default: OptionalNumber = None
    """Where the macro rests; neutral if left out."""
    min: Number = 0.0
    """Where its range begins."""
    max: Number = 1.0
    """Where its range ends."""
    neutral: OptionalNumber = None
    """Where it leaves the signal unchanged."""
    label: OptionalText = None
    """A short name for people."""
    description: OptionalText = None
    """What it does, for people."""
    aliases: Annotated[list[Name], LATE] = Field(default_factory=list)
    """Old names of the column, so that old data still fits."""
    drives: Annotated[dict[str, Annotated[list[Pair], LATE]], LATE]
    """Control → curve, as points [x, y]."""

    @classmethod
    def check(cls, data: dict[str, Any]) -> list[Fault]:
        if data.get("drives") == {}:
            return [Fault("a macro drives at least one control", ("drives",))]
        return []


class OwnMacro(Knob):
    """A macro of one strip or bus."""

    what: ClassVar[str] = "a macro: {name: …, drives: {…}}"
    name: Name
    """The column's name below its strip or bus."""


class Output(Element):
    """A named way out; a bare text is the name of a strip or bus."""

    what: ClassVar[str] = "a strip's or bus's name, or {name: …, from: …}"
    name: Name
    """What the output is called."""
    from_: PointText = Field(alias="from")
    """The strip, bus or point that it is."""


OutputItem = Annotated[Output, Wrap(_output, shorthand=NAME_LEAF)]


class Range(Element):
    """Whole numbers, both ends included."""

    from_: Annotated[int, whole(-1_000_000, 1_000_000)] = Field(alias="from")
    """The first number."""
    to: Annotated[int, whole(-1_000_000, 1_000_000)]
    """The last number."""

    @classmethod
    def check(cls, data: dict[str, Any]) -> list[Fault]:
        first, last = data.get("from"), data.get("to")
        if not (isinstance(first, int) and isinstance(last, int)):
            return []
        if last < first:
            return [Fault(f"the range {first} … {last} is empty")]
        if last - first >= limits.REPEATS:
            return [Fault(f"more than {limits.readable(limits.REPEATS)} repeats (the limit)")]
        return []
