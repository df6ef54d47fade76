"""Switches: one column that chooses one of several ways, by the names of its positions."""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import replace
from typing import Annotated, Any, ClassVar

from pydantic import (
    GetJsonSchemaHandler,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from djgraph.language import limits
from djgraph.language.faults import Fault, explain, refusal
from djgraph.language.fields import (
    CONCRETE,
    NAME_LEAF,
    Element,
    Identifier,
    Name,
    OptionalName,
    OptionalText,
    Wrap,
)
from djgraph.language.repeats import EACH, is_repeat
from djgraph.language.words import IDENTIFIER, IDENTIFIER_RULE, describe, has_reference


def _one_or_many(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    return handler([value] if isinstance(value, str) else value)


Names = Annotated[list[Annotated[Name, EACH]], Wrap(_one_or_many, shorthand=NAME_LEAF)]


def _mapping(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    """Some choices: name → what is chosen."""
    if not isinstance(value, dict):
        raise refusal([Fault(f"expected a mapping of choices, got {describe(value)}")])
    faults = [
        Fault(f"{key!r} is not a name", (key,), hint=IDENTIFIER_RULE, key=True)
        for key in value
        if not IDENTIFIER.match(key) and (info.context == CONCRETE or not has_reference(key))
    ]
    try:
        result = handler(value)
    except ValidationError as error:
        faults += explain(error, Element)
    if faults:
        raise refusal(faults)
    return result


def _pieces(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> list[Any]:
    """A mapping of choices, or mappings and repeats of mappings, checked one by one and as a whole."""

    def piece(item: Any) -> Any:
        return _mapping(item, handler, info)

    if not isinstance(value, list):
        names, faults = list(value) if isinstance(value, dict) else [], list[Fault]()
        try:
            pieces = [piece(value)]
        except ValidationError as error:
            faults += explain(error, Element)
        if isinstance(value, dict):
            faults += _count(names)
    else:
        pieces, names, faults = [], [], []
        for index, item in enumerate(value):
            try:
                pieces.append(EACH.run(item, piece, info))
            except ValidationError as error:
                faults += [replace(fault, loc=(index, *fault.loc)) for fault in explain(error, Element)]
            if isinstance(item, dict) and not is_repeat(item):
                twice = [key for key in item if key in names]
                faults += [
                    Fault(f"a second choice is called {key!r}", (index, key), key=True) for key in twice
                ]
                names += item
        faults += _count(names, may_grow=any(is_repeat(item) for item in value))
    if faults:
        raise refusal(faults)
    return pieces


def _count(choices: Sized, may_grow: bool = False) -> list[Fault]:
    """What is wrong with the number of choices. may_grow: repeats make more of them."""
    if len(choices) > limits.CHOICES or (len(choices) < 2 and not may_grow):
        return [Fault(f"a switch has 2 to {limits.CHOICES} choices, got {len(choices)}")]
    return []


def _together(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    pieces = _pieces(value, handler, info)
    return {key: one for piece in pieces if isinstance(piece, dict) for key, one in piece.items()}


def _in_pieces(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    pieces = _pieces(value, handler, info)
    return pieces if isinstance(value, list) else pieces[0]


class _Choices(Wrap):
    """A mapping of choices, or a list of such mappings and repeats of them. Their order is that of positions."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return choices_schema(handler(schema))


def choices_schema(mapping: JsonSchemaValue) -> JsonSchemaValue:
    """The JSON Schema of choices, of which ``mapping`` is one way to write them."""
    return {"anyOf": [mapping, {"type": "array", "items": EACH.with_repeats(mapping), "minItems": 1}]}


CHOICES = _Choices(_together)
"""For mappings of choices. Their order is that of the switch's positions."""

CHOICES_IN_PIECES = _Choices(_in_pieces)
"""The same where a list stays one, so that what puts repeats in place finds its pieces."""


def place_of(choices: Any, key: str) -> tuple[str | int, ...]:
    """Where a choice stands below what holds them as written, a mapping or a list of mappings."""
    if isinstance(choices, list):
        for index, part in enumerate(choices):
            if isinstance(part, dict) and key in part:
                return index, key
    return (key,)


def switch_faults(data: dict[str, Any], own: str = "switch") -> list[Fault]:
    """What is wrong with the keys of a choice taken together. own: the key that names a column of its own."""
    if (own in data) == ("by" in data):
        message = (
            f"a choice has either `{own}`, the name of its own column, or `by`, that of a switch elsewhere"
        )
        return [Fault(message)]
    if "by" in data:
        beside = [key for key in ("default", "label", "description") if key in data]
        if beside:
            message = f"`{beside[0]}` stands where the switch {data['by']!r} is declared"
            return [Fault(message, (beside[0],), key=True)]
    return []


class RouteSwitch(Element):
    """A choice among buses: what a strip, bus or send feeds."""

    what: ClassVar[str] = "a choice among buses: {name: …, choices: {…}}"
    name: OptionalName = None
    """The name of the column that chooses, below the strip or bus."""
    by: OptionalName = None
    """Or the switch elsewhere that does."""
    choices: Annotated[dict[str, Names], CHOICES]
    """Name → the bus or buses that are fed then; none is silence. In the order of the switch's positions."""
    default: OptionalText = None
    """The choice at rest; the first if left out."""
    label: OptionalText = None
    """A short name for people."""
    description: OptionalText = None
    """What it chooses, for people."""

    @classmethod
    def check(cls, data: dict[str, Any]) -> list[Fault]:
        return switch_faults(data, "name")


class Switch(Element):
    """A switch by itself: a column that others choose by."""

    what: ClassVar[str] = "a switch: {switch: …, choices: […]}"
    switch: Name
    """The column's name, below its strip or bus if it stands among its macros."""
    choices: list[Annotated[Identifier, EACH]]
    """The names of its positions."""
    default: OptionalText = None
    """The choice at rest; the first if left out."""
    label: OptionalText = None
    """A short name for people."""
    description: OptionalText = None
    """What it chooses, for people."""

    @classmethod
    def check(cls, data: dict[str, Any]) -> list[Fault]:
        choices = data.get("choices")
        if not isinstance(choices, list):
            return []
        named = [one for one in choices if not is_repeat(one)]
        faults = [replace(fault, loc=("choices",)) for fault in _count(named, len(named) < len(choices))]
        if faults:
            return faults
        twice = [index for index, one in enumerate(choices) if one in choices[:index]]
        if twice:
            message = f"a second choice is called {choices[twice[0]]!r}"
            return [Fault(message, ("choices", twice[0]))]
        return []
