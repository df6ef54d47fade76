"""The pieces that graph files are made of: inputs, nodes, controls, sends, macros, outputs."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field, ValidationInfo, ValidatorFunctionWrapHandler

from djgraph.language import limits
from djgraph.language.channels import Channels, OptionalChannels
from djgraph.language.curves import Curve, Drives
from djgraph.language.faults import Fault, keys_of
from djgraph.language.fields import (
    IDENTIFIER_LEAF,
    LATE,
    NAME_LEAF,
    QUANTITY_LEAF,
    TEXT_LEAF,
    Element,
    Flag,
    Identifier,
    Leaf,
    Name,
    Number,
    OptionalName,
    OptionalNodeId,
    OptionalNumber,
    OptionalQuantity,
    OptionalText,
    OptionalTime,
    PointText,
    Refused,
    Wrap,
    whole,
)
from djgraph.language.repeats import EACH, Loop
from djgraph.language.switches import CHOICES_IN_PIECES, Names, RouteSwitch, Switch, switch_faults
from djgraph.language.words import GRAPH_NAME, describe


def _stem(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Stem:
    return Stem.model_validate({"name": value} if isinstance(value, str) else value, context=info.context)


def _source(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Source:
    return Source.model_validate({"effect": value} if isinstance(value, str) else value, context=info.context)


def _override(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Override:
    if not isinstance(value, dict):
        return Override.model_construct(value=QUANTITY_LEAF.validate(value, info))
    return Override.model_validate(value, context=info.context)


def _chain_item(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Element:
    if isinstance(value, str):
        return Node.model_validate({"effect": value}, context=info.context)
    kinds: dict[str, type[Element]] = {
        "use": Use,
        "for": ChainRepeat,
        "switch": ChainSwitch,
        "by": ChainSwitch,
        "choices": ChainSwitch,
    }
    kind = next((kinds[key] for key in kinds if isinstance(value, dict) and key in value), Node)
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


def curve_alone(data: dict[str, Any]) -> list[Fault]:
    """A curve says how something is followed, so that it needs what."""
    if "curve" in data and "follow" not in data:
        return [Fault("a `curve` without `follow`", ("curve",), key=True, hint="follow: a macro's name")]
    return []


class Override(Element):
    """What a graph changes in one control's declaration; a bare number is a constant."""

    what: ClassVar[str] = "a number or a mapping"
    as_: OptionalName = Field(default=None, alias="as")
    """The column's name below its strip or bus."""
    default: OptionalQuantity = None
    """Where the control rests."""
    min: OptionalQuantity = None
    """A narrower range."""
    max: OptionalQuantity = None
    """A narrower range."""
    neutral: OptionalQuantity = None
    """The value that leaves the signal unchanged."""
    value: OptionalQuantity = None
    """A constant: the control has no column."""
    tie: OptionalName = None
    """The column to read instead of one of its own."""
    follow: OptionalName = None
    """The macro that drives the control."""
    curve: Curve | None = None
    """The curve through which it does; a straight line over the control's range if left out."""
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
        return curve_alone(data)


OverrideValue = Annotated[Override, Wrap(_override, shorthand=QUANTITY_LEAF)]


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


class Source(Element):
    """What plays an input; a bare text is the effect's name."""

    what: ClassVar[str] = "a source effect's name, or {effect: …}"
    effect: Identifier
    """The source effect's name."""
    settings: Annotated[dict[str, Any], LATE] = Field(default_factory=dict)
    """What is fixed when the graph is compiled."""
    controls: Annotated[dict[str, OverrideValue], LATE] = Field(default_factory=dict)
    """What the graph changes in its controls."""


SourceValue = Annotated[Source, Wrap(_source, shorthand=IDENTIFIER_LEAF)]


class Input(Element):
    """A named source: several stems, or one signal."""

    what: ClassVar[str] = "an input: {name: …}"
    name: Identifier
    """What the input is called."""
    stems: Annotated[list[Annotated[Stem, Wrap(_stem, shorthand=IDENTIFIER_LEAF), EACH]], LATE] = Field(
        default_factory=list
    )
    """Its stems in order; left out, the input is one signal."""
    channels: Channels = 2
    """How many it has: a word (`mono`, `quad`, `5.1`, …) or a number; stereo if left out. Mono audio is put on all."""
    optional: Flag = False
    """Whether it may be missing as a whole; silence then."""
    source: SourceValue | None = None
    """What plays it from material of any length: a source effect, such as `deck`."""

    @classmethod
    def check(cls, data: dict[str, Any]) -> list[Fault]:
        if data.get("stems") == []:
            return [Fault("an input has at least one stem; leave `stems` out for one signal", ("stems",))]
        return []


def _template_name(value: Any) -> str:
    if isinstance(value, dict):
        hint = (
            "a strip may read its output: {use: {graph: …, as: fx, inputs: {…}}}, then {strip: …, input: fx}"
        )
        raise Refused("a graph is put in place among the items of the mixer, not in a chain", hint=hint)
    if isinstance(value, str) and value.endswith(limits.GRAPH.suffixes):
        hint = f"a graph is put in place by `use: {{graph: {value}, as: …, inputs: {{…}}}}`"
        raise Refused(f"expected a template's name, got {describe(value)}", hint=hint)
    return str(IDENTIFIER_LEAF.check(value))


class Use(Element):
    """A template put in place."""

    use: Annotated[str, Leaf(_template_name, IDENTIFIER_LEAF.schema, text=True)]
    """The template's name."""
    with_: Annotated[dict[str, Any], LATE] = Field(default_factory=dict, alias="with")
    """Values for its arguments."""


def _file_or_name(value: Any) -> str:
    text = TEXT_LEAF.check(value)
    if not GRAPH_NAME.fullmatch(text) or len(text) > limits.NAME:
        hint = "the name of a shipped graph, or of a file beside this one: mastering.yaml"
        raise Refused(f"expected a graph's name, got {describe(value)}", hint=hint)
    return str(text)


class GraphUse(Element):
    """Another graph as a part of this one: its outputs are signals here, and its columns begin with its name."""

    what: ClassVar[str] = "a graph: {graph: …, as: …, inputs: {…}}"
    graph: Annotated[str, Leaf(_file_or_name, {"type": "string", "pattern": GRAPH_NAME.pattern}, text=True)]
    """A shipped graph's name, or a file in the folder of this one."""
    as_: Identifier = Field(alias="as")
    """What it is called here."""
    inputs: Annotated[dict[str, PointText], LATE] = Field(default_factory=dict)
    """Its inputs and stems: input → strip, bus, input or point of this graph."""
    with_: Annotated[dict[str, Any], LATE] = Field(default_factory=dict, alias="with")
    """Values for its arguments."""
    to: Annotated[Names, LATE] = Field(default_factory=list)
    """The buses that its main output feeds."""


class UseGraph(Element):
    """A graph put in place."""

    what: ClassVar[str] = "a graph put in place: {use: {graph: …, as: …}}"
    use: GraphUse
    """Which graph, and how it is connected."""


class ChainRepeat(Loop):
    """Nodes once for each value of a variable."""

    do: Chain
    """What is repeated."""


class ChainSwitch(Element):
    """A choice among chains: the signal goes into one of them, and what comes out of all is added."""

    what: ClassVar[str] = "a choice among chains: {switch: …, choices: {…}}"
    switch: OptionalName = None
    """The name of the column that chooses, below the strip or bus."""
    by: OptionalName = None
    """Or the switch elsewhere that does."""
    id: OptionalNodeId = None
    """Its name within the chain, for points and taps; the switch's name if left out."""
    choices: Annotated[dict[str, Chain], CHOICES_IN_PIECES]
    """Name → chain, in the order of the switch's positions."""
    default: OptionalText = None
    """The choice at rest; the first if left out."""
    label: OptionalText = None
    """A short name for people."""
    description: OptionalText = None
    """What it chooses, for people."""

    @classmethod
    def check(cls, data: dict[str, Any]) -> list[Fault]:
        return switch_faults(data)


ChainItem = Annotated[Node | Use | ChainRepeat | ChainSwitch, Wrap(_chain_item, shorthand=IDENTIFIER_LEAF)]
Chain = list[ChainItem]


class Send(Element):
    """A branch to a bus with a level of its own."""

    what: ClassVar[str] = "a send: {to: …}"
    to: OptionalName = None
    """The bus that it feeds."""
    switch: RouteSwitch | None = None
    """Or a choice among buses."""
    name: OptionalName = None
    """What the send is called; the bus's name if left out. Two sends to one bus need two names."""
    tap: Identifier = "post"
    """Where it branches off: `post` (the end of the chain), `pre` (before the fader), `input` or after a node."""
    level: OverrideValue = Field(default_factory=Override)
    """Its level; at rest it is 0. A number is a constant."""
    feedback: Flag = False
    """Whether it leads back, and closes a loop."""
    delay: OptionalTime = None
    """After how long its signal comes round, in ms; or in beats of the clock, as `1/2 beat`."""

    @classmethod
    def check(cls, data: dict[str, Any]) -> list[Fault]:
        if "switch" not in data:
            return [] if "to" in data else [Fault("missing key 'to'")]
        if "feedback" in data:
            hint = "switch among buses, and let one of them send back"
            return [Fault("a send with a `switch` closes no loop", ("feedback",), key=True, hint=hint)]
        if "to" in data:
            return [Fault("a send goes `to` a bus or where its `switch` says, not both", ("to",), key=True)]
        return [] if "name" in data else [Fault("a send with a `switch` needs a `name`")]


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
    drives: Drives = Field(default_factory=dict)
    """Control, macro or pattern → curve, as points [x, y] or by name."""
    follow: OptionalName = None
    """The macro that drives this one."""
    curve: Curve | None = None
    """The curve through which it does; a straight line over the whole range if left out."""

    @classmethod
    def check(cls, data: dict[str, Any]) -> list[Fault]:
        if data.get("drives") in ({}, []):
            return [Fault("a macro drives at least one control", ("drives",))]
        return curve_alone(data)


class OwnMacro(Knob):
    """A macro of one strip or bus."""

    what: ClassVar[str] = "a macro: {name: …, drives: {…}}"
    name: Name
    """The column's name below its strip or bus."""


def _own_knob(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Element:
    kind = Switch if isinstance(value, dict) and "switch" in value else OwnMacro
    return kind.model_validate(value, context=info.context)


OwnKnob = Annotated[OwnMacro | Switch, Wrap(_own_knob), EACH]


class Output(Element):
    """A named way out; a bare text is the name of a strip or bus."""

    what: ClassVar[str] = "a strip's or bus's name, or {name: …, from: …}"
    name: Name
    """What the output is called."""
    from_: PointText = Field(alias="from")
    """The strip, bus or point that it is."""
    channels: OptionalChannels = None
    """How many channels it has to have; left out, as many as it has."""


OutputItem = Annotated[Output, Wrap(_output, shorthand=NAME_LEAF), EACH]


ChainRepeat.model_rebuild()
ChainSwitch.model_rebuild()
