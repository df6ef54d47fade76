"""The graph language as pydantic models: which keys there are and what may stand in each.

A document is validated twice with the same models. As written, every value may also be a reference
(``$name``). Once templates and repeats are expanded, each piece is validated again without references
(``context=CONCRETE``), and those instances are what the rest of djgraph reads.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field, ValidationInfo, ValidatorFunctionWrapHandler

from djgraph.document import limits
from djgraph.document.faults import Fault, keys_of, refusal
from djgraph.document.fields import (
    IDENTIFIER_KEYS,
    IDENTIFIER_LEAF,
    LATE,
    NAME_LEAF,
    NUMBER_LEAF,
    Element,
    Flag,
    Identifier,
    Name,
    Names,
    Number,
    OptionalName,
    OptionalNodeId,
    OptionalNumber,
    OptionalPoint,
    OptionalText,
    Pair,
    PointText,
    Text,
    Version,
    Wrap,
    choice,
    whole,
)
from djgraph.document.words import IDENTIFIER, describe
from djgraph.errors import nearest


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


def _item(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Element:
    kind = kind_of(value)
    if isinstance(kind, Fault):
        raise refusal([kind])
    return ITEMS[kind].model_validate(value, context=info.context)


def _repeat(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    if not isinstance(value, dict) or len(value) != 1:
        got = f"{len(value)} of them" if isinstance(value, dict) else describe(value)
        raise refusal([Fault(f"`for` takes one variable and its values, as in {{track: inputs}}, got {got}")])
    ((variable, _),) = value.items()
    if not IDENTIFIER.match(variable):
        raise refusal([Fault(f"{variable!r} is not a name", (variable,), key=True)])
    return handler(value)


def _values(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    if isinstance(value, dict):
        return Range.model_validate(value, context=info.context)
    if isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, list | dict) or item is None:
                raise refusal(
                    [Fault(f"expected text, a number, true or false, got {describe(item)}", (index,))]
                )
        if len(value) > limits.REPEATS:
            raise refusal([Fault(f"more than {limits.readable(limits.REPEATS)} repeats (the limit)")])
        return value
    if isinstance(value, str):
        return value
    raise refusal([Fault(f"expected {_VALUES}, got {describe(value)}")])


_VALUES = "a list, `inputs`, the stems of an input (`track_a.stems`) or a range ({from: 1, to: 4})"


class Stem(Element):
    """One stem of an input; a bare text is its name."""

    what: ClassVar[str] = "a stem: its name, or {name: …, optional: true}"
    name: Identifier
    optional: Flag = False


class Input(Element):
    """A named source: several stems, or one signal."""

    what: ClassVar[str] = "an input: {name: …}"
    name: Identifier
    stems: Annotated[list[Annotated[Stem, Wrap(_stem, shorthand=IDENTIFIER_LEAF)]], LATE] = Field(
        default_factory=list
    )
    channels: Annotated[str, choice("mono", "stereo")] = "stereo"
    optional: Flag = False

    @classmethod
    def check(cls, data: dict[str, Any]) -> list[Fault]:
        if data.get("stems") == []:
            return [Fault("an input has at least one stem; leave `stems` out for one signal", ("stems",))]
        return []


class Transform(Element):
    """The short-time Fourier transform."""

    what: ClassVar[str] = "a mapping {size: …, hop: …}"
    size: Annotated[int, whole(16, 65536, even=True)] = 2048
    hop: Annotated[int, whole(1, 32768)] = 512

    @classmethod
    def check(cls, data: dict[str, Any]) -> list[Fault]:
        size, hop = data.get("size", 2048), data.get("hop", 512)
        if isinstance(size, int) and isinstance(hop, int) and 16 <= size < 2 * hop <= 65536:
            return [Fault(f"hop {hop} is more than half of size {size}, so the transform has no inverse")]
        return []


class Override(Element):
    """What a graph changes in one control's declaration; a bare number is a constant."""

    what: ClassVar[str] = "a number or a mapping"
    as_: OptionalName = Field(default=None, alias="as")
    default: OptionalNumber = None
    min: OptionalNumber = None
    max: OptionalNumber = None
    neutral: OptionalNumber = None
    value: OptionalNumber = None
    tie: OptionalName = None
    label: OptionalText = None
    description: OptionalText = None
    aliases: Annotated[list[Name], LATE] = Field(default_factory=list)

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
    id: OptionalNodeId = None
    settings: Annotated[dict[str, Any], LATE] = Field(default_factory=dict)
    controls: Annotated[dict[str, OverrideValue], LATE] = Field(default_factory=dict)
    inputs: Annotated[dict[str, PointText], LATE] = Field(default_factory=dict)


class Use(Element):
    """A template put in place."""

    use: Identifier
    with_: Annotated[dict[str, Any], LATE] = Field(default_factory=dict, alias="with")


ChainItem = Annotated[Node | Use, Wrap(_chain_item, shorthand=IDENTIFIER_LEAF)]
Chain = list[ChainItem]


class Send(Element):
    """A branch to a bus with a level of its own."""

    what: ClassVar[str] = "a send: {to: …}"
    to: Name
    tap: Identifier = "post"
    level: OverrideValue = Field(default_factory=Override)


class Knob(Element):
    """What macros of a strip, of a bus and of the whole graph share."""

    default: OptionalNumber = None
    min: Number = 0.0
    max: Number = 1.0
    neutral: OptionalNumber = None
    label: OptionalText = None
    description: OptionalText = None
    aliases: Annotated[list[Name], LATE] = Field(default_factory=list)
    drives: Annotated[dict[str, Annotated[list[Pair], LATE]], LATE]

    @classmethod
    def check(cls, data: dict[str, Any]) -> list[Fault]:
        if data.get("drives") == {}:
            return [Fault("a macro drives at least one control", ("drives",))]
        return []


class OwnMacro(Knob):
    """A macro of one strip or bus."""

    what: ClassVar[str] = "a macro: {name: …, drives: {…}}"
    name: Name


class Owner(Element):
    """What strips and buses share: a chain and ways out of it."""

    chain: Chain = Field(default_factory=list)
    fader: OptionalNodeId = None
    sends: Annotated[list[Send], LATE] = Field(default_factory=list)
    macros: Annotated[list[OwnMacro], LATE] = Field(default_factory=list)
    to: Annotated[Names, LATE] = Field(default_factory=list)


class Strip(Owner):
    """A chain of effects on one signal."""

    strip: Name
    input: OptionalPoint = None


class Bus(Owner):
    """A sum, then a chain of effects."""

    bus: Name


class Macro(Knob):
    """A macro of the whole graph; it drives controls by their absolute names."""

    macro: Name


class Range(Element):
    """Whole numbers, both ends included."""

    from_: Annotated[int, whole(-1_000_000, 1_000_000)] = Field(alias="from")
    to: Annotated[int, whole(-1_000_000, 1_000_000)]

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


Scalar = str | int | float | bool
Values = Annotated[list[Scalar] | str | Range, Wrap(_values)]


class Repeat(Element):
    """Items once for each value of a variable."""

    for_: Annotated[dict[str, Values], Wrap(_repeat)] = Field(alias="for")
    do: list[Item]


Item = Annotated[Strip | Bus | Macro | Repeat | Use, Wrap(_item)]
ITEMS: dict[str, type[Element]] = {"strip": Strip, "bus": Bus, "macro": Macro, "for": Repeat, "use": Use}


class Template(Element):
    """A chain, or a piece of a mixer, with arguments. An argument whose default is null is required."""

    args: Annotated[dict[str, Any], IDENTIFIER_KEYS] = Field(default_factory=dict)
    chain: Chain = Field(default_factory=list)
    mixer: list[Item] = Field(default_factory=list)

    @classmethod
    def check(cls, data: dict[str, Any]) -> list[Fault]:
        if ("chain" in data) == ("mixer" in data):
            return [Fault("a template has either a `chain` or a `mixer`")]
        return []


class Output(Element):
    """A named way out; a bare text is the name of a strip or bus."""

    what: ClassVar[str] = "a strip's or bus's name, or {name: …, from: …}"
    name: Name
    from_: PointText = Field(alias="from")


class Header(Element):
    """Everything of a document except what is expanded."""

    djgraph: Version
    name: Identifier
    title: Text = ""
    description: Text = ""
    sample_rate: Annotated[int, whole(1, 1_000_000)] = 44100
    transform: Annotated[Transform, LATE] = Field(default_factory=Transform)
    inputs: list[Input] = Field(default_factory=list)
    outputs: list[Annotated[Output, Wrap(_output, shorthand=NAME_LEAF)]]

    @classmethod
    def check(cls, data: dict[str, Any]) -> list[Fault]:
        if data.get("outputs") == []:
            return [Fault("a graph has at least one output", ("outputs",))]
        return []


class DocumentModel(Header):
    """A whole graph file."""

    what: ClassVar[str] = "a mapping that begins with `djgraph: 1`"
    args: Annotated[dict[str, Any], IDENTIFIER_KEYS] = Field(default_factory=dict)
    templates: Annotated[dict[str, Template], IDENTIFIER_KEYS] = Field(default_factory=dict)
    mixer: list[Item]


def kind_of(item: Any) -> str | Fault:
    """Which kind of mixer item this is, or why that cannot be said."""
    kinds = tuple(ITEMS)
    if not isinstance(item, dict):
        return Fault(f"expected an item of the mixer, got {describe(item)}", allowed=kinds)
    found = [key for key in item if key in ITEMS]
    if len(found) == 1:
        return found[0]
    if found:
        return Fault(f"one item cannot be {' and '.join(map(repr, found))} at once", allowed=kinds)
    guess = next((key for key in item if nearest(key, kinds)), None)
    if guess is not None:
        return Fault(f"unknown key {guess!r}", (guess,), kinds, guess, key=True)
    return Fault("this item does not say what it is", allowed=kinds, hint="exactly one of these keys says it")


for _model in (Repeat, Template, DocumentModel):
    _model.model_rebuild()
