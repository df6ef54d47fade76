"""Switches: one column that chooses one of several ways, by the names of its positions."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import ValidationError, ValidationInfo, ValidatorFunctionWrapHandler

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
from djgraph.language.repeats import EACH
from djgraph.language.words import IDENTIFIER, IDENTIFIER_RULE, describe, has_reference


def _one_or_many(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    return handler([value] if isinstance(value, str) else value)


Names = Annotated[list[Annotated[Name, EACH]], Wrap(_one_or_many, shorthand=NAME_LEAF)]


def _choices(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    if not isinstance(value, dict):
        raise refusal([Fault(f"expected a mapping of choices, got {describe(value)}")])
    faults = [
        Fault(f"{key!r} is not a name", (key,), hint=IDENTIFIER_RULE, key=True)
        for key in value
        if not IDENTIFIER.match(key) and (info.context == CONCRETE or not has_reference(key))
    ]
    if not 2 <= len(value) <= limits.CHOICES:
        faults.append(Fault(f"a switch has 2 to {limits.CHOICES} choices, got {len(value)}"))
    try:
        result = handler(value)
    except ValidationError as error:
        faults += explain(error, Element)
    if faults:
        raise refusal(faults)
    return result


CHOICES = Wrap(_choices)
"""For mappings of choices. Their order is that of the switch's positions."""


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
    choices: list[Identifier]
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
        if not 2 <= len(choices) <= limits.CHOICES:
            message = f"a switch has 2 to {limits.CHOICES} choices, got {len(choices)}"
            return [Fault(message, ("choices",))]
        twice = [index for index, one in enumerate(choices) if one in choices[:index]]
        if twice:
            message = f"a second choice is called {choices[twice[0]]!r}"
            return [Fault(message, ("choices", twice[0]))]
        return []
