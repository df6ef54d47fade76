"""The graph language as pydantic models: which keys there are and what may stand in each.

A document is validated once, as a whole and as written, and what the rest of djgraph reads are these models. As
written, any value may be a reference (``$name``) in place of what its field's type says. Expansion replaces
references; only a piece that holds some is validated with the values in their place (``context=CONCRETE``).
"""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, ValidatorFunctionWrapHandler

from djgraph.errors import nearest
from djgraph.language.channels import OptionalChannels
from djgraph.language.faults import Fault, refusal
from djgraph.language.fields import (
    IDENTIFIER_KEYS,
    LATE,
    SOLO,
    Element,
    Flag,
    Identifier,
    Name,
    OptionalNodeId,
    OptionalPoint,
    Pair,
    Text,
    Version,
    Wrap,
    whole,
)
from djgraph.language.parts import (
    Chain,
    Input,
    Knob,
    OutputItem,
    OwnKnob,
    Send,
    TransformModel,
    Use,
    UseGraph,
)
from djgraph.language.repeats import EACH, Loop
from djgraph.language.roles import Patterns
from djgraph.language.switches import Names, RouteSwitch, Switch
from djgraph.language.words import describe


def _item(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Element:
    kind = _kind_of(value)
    if isinstance(kind, Fault):
        raise refusal([kind])
    if kind == "use" and isinstance(value["use"], dict):
        return UseGraph.model_validate(value, context=info.context)
    return ITEMS[kind].model_validate(value, context=info.context)


class Owner(Element):
    """What strips and buses share: a chain and ways out of it."""

    chain: Chain = Field(default_factory=list)
    """Effects in order."""
    channels: OptionalChannels = None
    """How many channels its chain begins with: a word (`mono`, `quad`, `5.1`, …) or a number. Mono is put on all."""
    fader: OptionalNodeId = None
    """Which node is the fader; by default the one with the id `fader`."""
    sends: Annotated[list[Annotated[Send, EACH]], LATE] = Field(default_factory=list)
    """Branches to buses, each with a level."""
    macros: Annotated[list[OwnKnob], LATE] = Field(default_factory=list)
    """Controls that drive several others, and switches that others choose by."""
    to: Annotated[Names, LATE] = Field(default_factory=list)
    """The buses that its end feeds."""
    switch: RouteSwitch | None = None
    """A choice among buses that its end feeds."""
    mute: Flag = False
    """Whether it has a column that silences its end."""
    solo: Annotated[bool | str, SOLO] = False
    """Whether it has a column that silences all others that have one, or all of a group: the group's name."""


class Strip(Owner):
    """A chain of effects on one signal."""

    strip: Name
    """The strip's name."""
    input: OptionalPoint = None
    """An input, a stem, or a point of another strip or bus."""


class Bus(Owner):
    """A sum, then a chain of effects."""

    bus: Name
    """The bus's name."""


class Macro(Knob):
    """A macro of the whole graph; it drives controls by their absolute names."""

    macro: Name
    """The column's name."""


class Repeat(Loop):
    """Items once for each value of a variable."""

    do: list[Item]
    """What is repeated."""


Item = Annotated[Strip | Bus | Macro | Switch | Repeat | Use | UseGraph, Wrap(_item)]
ITEMS: dict[str, type[Element]] = {
    "strip": Strip,
    "bus": Bus,
    "macro": Macro,
    "for": Repeat,
    "use": Use,
    "switch": Switch,
}


class Template(Element):
    """A chain, or a piece of a mixer, with arguments. An argument whose default is null is required."""

    args: Annotated[dict[str, Any], IDENTIFIER_KEYS] = Field(default_factory=dict)
    """Arguments with their defaults; null means required."""
    chain: Chain = Field(default_factory=list)
    """A piece of a chain."""
    mixer: list[Item] = Field(default_factory=list)
    """A piece of a mixer."""

    @classmethod
    def check(cls, data: dict[str, Any]) -> list[Fault]:
        if ("chain" in data) == ("mixer" in data):
            return [Fault("a template has either a `chain` or a `mixer`")]
        return []

    @property
    def kind(self) -> Literal["chain", "mixer"]:
        """What it is a piece of."""
        return "chain" if "chain" in self.model_fields_set else "mixer"


class Inputs(Element):
    """What comes in."""

    inputs: list[Annotated[Input, EACH]] = Field(default_factory=list)
    """What comes in, in order."""


class Header(Inputs):
    """Everything of a document except what is expanded."""

    djgraph: Version
    """The version of the language."""
    name: Identifier
    """The graph's name."""
    title: Text = ""
    """One line for people."""
    description: Text = ""
    """A few lines for people."""
    sample_rate: Annotated[int, whole(1, 1_000_000)] = 44100
    """Samples per second."""
    transform: Annotated[TransformModel, LATE] = Field(default_factory=TransformModel)
    """The transform that spectral effects work in."""
    curves: Annotated[dict[str, Annotated[list[Pair], Field(min_length=2), LATE]], IDENTIFIER_KEYS] = Field(
        default_factory=dict
    )
    """Curves by name, for macros and what follows them."""
    roles: Annotated[dict[str, Patterns], IDENTIFIER_KEYS] = Field(default_factory=dict)
    """Role → the controls that have it for recipes, in place of those whose effects say so."""
    outputs: list[OutputItem]
    """What goes out; the first is the main output."""

    @classmethod
    def check(cls, data: dict[str, Any]) -> list[Fault]:
        if data.get("outputs") == []:
            return [Fault("a graph has at least one output", ("outputs",))]
        return []


class DocumentModel(Header):
    """A whole graph file."""

    what: ClassVar[str] = "a mapping that begins with `djgraph: 1`"
    args: Annotated[dict[str, Any], IDENTIFIER_KEYS] = Field(default_factory=dict)
    """Arguments of the whole graph, with their defaults."""
    templates: Annotated[dict[str, Template], IDENTIFIER_KEYS] = Field(default_factory=dict)
    """Chains and pieces of mixers, by name."""
    mixer: list[Item]
    """Strips, buses and macros in order."""


def _kind_of(item: Any) -> str | Fault:
    """Which kind of mixer item this is, or why that cannot be said."""
    kinds = tuple(ITEMS)
    if not isinstance(item, dict):
        return Fault(f"expected an item of the mixer, got {describe(item)}", allowed=kinds)
    named = [key for key in item if key in ITEMS]
    if len(named) > 1:  # a strip may have a switch
        named = [key for key in named if key != "switch"]
    if len(named) == 1:
        return named[0]
    if named:
        return Fault(f"one item cannot be {' and '.join(map(repr, named))} at once", allowed=kinds)
    guess = next((key for key in islice(item, 20) if nearest(key, kinds)), None)
    if guess is not None:
        return Fault(f"unknown key {guess!r}", (guess,), kinds, guess, key=True)
    return Fault("this item does not say what it is", allowed=kinds, hint="exactly one of these keys says it")


for _model in (Repeat, Template, DocumentModel):
    _model.model_rebuild()
