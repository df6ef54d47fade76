"""What may stand as one value of a document: names, numbers, texts, each also as a reference before expansion."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    model_validator,
)
from pydantic.functional_validators import ModelWrapValidatorHandler  # where 2.10 has it
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from djgraph.language import limits
from djgraph.language.faults import Fault, explain, refusal
from djgraph.language.quantity import quantity
from djgraph.language.words import (
    IDENTIFIER,
    IDENTIFIER_RULE,
    NAME,
    NAME_RULE,
    RESERVED_IDS,
    describe,
    has_reference,
    is_reference,
    no_number,
)

CONCRETE = "concrete"
"""Validation context in which references are no longer allowed."""

REFERENCE_SCHEMA: JsonSchemaValue = {
    "type": "string",
    "pattern": r"^\$([a-z][a-z0-9_]*|\([^()$]+\))$",
    "description": "A reference to an argument or to the variable of a repeat, or a sum with some: $(n + 1).",
}


class Element(BaseModel):
    """Base of all models of the language: fixed keys, and errors in djgraph's own words."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)
    what: ClassVar[str] = "a mapping"
    """What to call one of these where something else stands in its place."""
    _written: dict[str, Any] = PrivateAttr(default_factory=dict)

    def written(self, *without: str) -> dict[str, Any]:
        """The plain data that this was validated from, references and all, without some of its keys."""
        if not without:
            return self._written
        return {key: value for key, value in self._written.items() if key not in without}

    @classmethod
    def check(cls, data: dict[str, Any]) -> list[Fault]:
        """What is wrong with the keys taken together; ``data`` is as written."""
        return []

    @model_validator(mode="wrap")
    @classmethod
    def _explain(cls, data: Any, handler: ModelWrapValidatorHandler[Any], info: ValidationInfo) -> Any:
        if not isinstance(data, dict):
            raise refusal([Fault(f"expected {cls.what}, got {describe(data)}")])
        faults = cls.check(data)
        try:
            element = handler(data)
        except ValidationError as error:
            raise refusal(explain(error, cls) + faults) from None
        if faults:
            raise refusal(faults)
        element._written = data
        return element


@dataclass(frozen=True, eq=False)
class Leaf:
    """One value checked by a function, which returns it or raises ValueError, or Problematic, in plain words.

    ``text``: references may stand inside of it, not only alone. ``literal``: none may.
    """

    check: Callable[[Any], Any]
    schema: JsonSchemaValue
    text: bool = False
    literal: bool = False

    def validate(self, value: Any, info: ValidationInfo) -> Any:
        if self.literal and is_reference(value):
            raise refusal([Fault(f"a reference cannot stand here, got {describe(value)}")])
        may_wait = info.context != CONCRETE and not self.literal
        if may_wait and (has_reference(value) if self.text else is_reference(value)):
            return value
        try:
            return self.check(value)
        except Refused as refused:
            raise refusal([refused.fault]) from None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(self.validate)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return self.json_schema()

    def json_schema(self) -> JsonSchemaValue:
        """The JSON Schema of the value as written."""
        if self.literal or self.schema == {"type": "string"}:
            return dict(self.schema)
        reference = {"type": "string", "pattern": r"\$"} if self.text else REFERENCE_SCHEMA
        return {"anyOf": [dict(self.schema), reference]}


class Refused(ValueError):
    """A leaf's value is wrong."""

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.fault = Fault(message, **details)


@dataclass(frozen=True, eq=False)
class Wrap:
    """Runs a function around the ordinary validation: ``(value, validate, info) → value``."""

    function: Callable[[Any, ValidatorFunctionWrapHandler, ValidationInfo], Any]
    late: bool = False
    """The value may be a reference."""
    shorthand: Leaf | None = None
    """What may be written instead; the function turns it into the proper thing."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_wrap_validator_function(self._run, handler(source))

    def _run(self, value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        if self.late and info.context != CONCRETE and is_reference(value):
            return value
        return self.function(value, handler, info)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        options = [handler(schema)]
        if self.shorthand is not None:
            options += self.shorthand.json_schema()["anyOf"]
        elif self.late:
            options.append(REFERENCE_SCHEMA)
        return {"anyOf": options} if len(options) > 1 else options[0]


def _pass(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    return handler(value)


LATE = Wrap(_pass, late=True)
"""For lists and mappings of which the whole may be a reference."""


def _identifier_keys(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    if not isinstance(value, dict):
        raise refusal([Fault(f"expected a mapping, got {describe(value)}")])
    faults = [
        Fault(f"{key!r} is not a name", (key,), hint=not_a_name(key), key=True)
        for key in value
        if not IDENTIFIER.match(key)
    ]
    faults += [Fault(_TOO_LONG, (key,), key=True) for key in value if len(key) > limits.NAME]
    try:
        result = handler(value)
    except ValidationError as error:
        raise refusal(explain(error, Element) + faults) from None
    if faults:
        raise refusal(faults)
    return result


def not_a_name(key: str) -> str:
    """What a key that is declared here has to be like."""
    return "a reference cannot stand here" if "$" in key else IDENTIFIER_RULE


IDENTIFIER_KEYS = Wrap(_identifier_keys)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise Refused(f"expected text, got {describe(value)}", hint=_quote_hint(value))
    return value


def _identifier(value: Any) -> str:
    return _matching(IDENTIFIER, IDENTIFIER_RULE, value)


def _name(value: Any) -> str:
    return _matching(NAME, NAME_RULE, value)


def _matching(pattern: re.Pattern[str], rule: str, value: Any) -> str:
    if not isinstance(value, str) or not pattern.match(value):
        raise Refused(f"expected a name, got {describe(value)}", hint=f"a name is {rule}")
    if len(value) > limits.NAME:
        raise Refused(_TOO_LONG)
    return value


_TOO_LONG = f"a name of more than {limits.NAME} characters (the limit)"


def _node_id(value: Any) -> str:
    if value in RESERVED_IDS:
        raise Refused(f"no node can have the id {value!r}: points and taps use that word")
    return _identifier(value)


def _quote_hint(value: Any) -> str | None:
    return "write it in quotes" if isinstance(value, bool | int | float) else None


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused(no_number(value))
    return float(value)


def _quantity(value: Any) -> float:
    """A number, or a number with its unit: a :class:`Quantity` then, until a control's declaration says what it is."""
    given: Any = quantity(value)
    return _number(value) if given is None else given


def _time(value: Any) -> float:
    """A time in ms, or a quantity of time; one in beats stays a :class:`Quantity`."""
    given = quantity(value)
    beats = None if given is None else given.plain("beats")
    if beats is not None:
        if not 0 < beats <= limits.LOOP_BEATS:
            raise Refused(
                f"expected more than 0 and at most {limits.LOOP_BEATS} beats, got {describe(value)}"
            )
        in_beats: Any = given
        return in_beats
    number = _number(value) if given is None else given.plain("ms")
    if number is None:
        raise Refused(f"{given} is no time", hint="`10 ms`, `1/2 beat`; a plain number is in ms")
    if not 0 < number <= limits.LOOP:
        raise Refused(f"expected more than 0 and at most {limits.LOOP} ms, got {describe(value)}")
    return float(f"{number:.12g}")


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Refused(f"expected true or false, got {describe(value)}")
    return value


def _solo(value: Any) -> bool | str:
    if isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise Refused(f"expected true, false or the name of a group, got {describe(value)}")
    if value in _TRUTHS:
        hint = f"write {_TRUTHS[value]}, or give the group another name"
        raise Refused(f"expected true, false or the name of a group, got {describe(value)}", hint=hint)
    return _identifier(value)


_TRUTHS = {"yes": "true", "on": "true", "no": "false", "off": "false"}
"""What older YAML takes for truth, and this one for text."""


def _pair(value: Any) -> tuple[float, float]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        got = f"a list of {len(value)}" if isinstance(value, list | tuple) else describe(value)
        raise Refused(f"expected a point [x, y], got {got}")
    x, y = value
    return x if is_reference(x) else _number(x), y if is_reference(y) else _quantity(y)


def whole(low: int, high: int, even: bool = False) -> Leaf:
    """A whole number from ``low`` to ``high``."""
    kind = "an even number" if even else "a whole number"

    def check(value: Any) -> int:
        is_whole = not isinstance(value, bool) and isinstance(value, int | float) and value == int(value)
        if not is_whole or not low <= value <= high or (even and value % 2):
            raise Refused(f"expected {kind} from {low} to {high}, got {describe(value)}")
        return int(value)

    schema = {"type": "integer", "minimum": low, "maximum": high}
    return Leaf(check, {**schema, "multipleOf": 2} if even else schema)


def choice(*options: str) -> Leaf:
    """One of a few words."""

    def check(value: Any) -> str:
        if value not in options:
            name = value if isinstance(value, str) else None
            raise Refused(f"{describe(value)} is not allowed here", allowed=options, name=name)
        return str(value)

    return Leaf(check, {"enum": list(options)})


def _version(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value != 1:
        hint = "a newer djgraph may read this file" if isinstance(value, int) and value > 1 else None
        raise Refused(
            f"this djgraph reads version 1 of the language, got {describe(value)}", allowed=("1",), hint=hint
        )
    return value


def _pattern(regex: str) -> JsonSchemaValue:
    return {"type": "string", "pattern": regex}


IDENTIFIER_SCHEMA = _pattern("^[a-z][a-z0-9_]*$") | {"maxLength": limits.NAME}
_NODE_ID_SCHEMA = IDENTIFIER_SCHEMA | {"not": {"enum": list(RESERVED_IDS)}}
_NAME_SCHEMA = _pattern(r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$") | {"maxLength": limits.NAME}
_POINT_SCHEMA = _pattern(r"^[a-z][a-z0-9_.]*(@[a-z][a-z0-9_.]*)?$")
QUANTITY_SCHEMA: JsonSchemaValue = {
    "type": "string",
    "pattern": r"^\s*[+-]?[.\d].*[A-Za-z%]\s*$",
    "description": "A number with its unit: 180 Hz, -6 dB, 1/2 beat, 375 ms.",
}
_NUMBER_OR_QUANTITY: JsonSchemaValue = {"anyOf": [{"type": "number"}, QUANTITY_SCHEMA]}
_POINTS_ITEM = {
    "type": "array",
    "items": {"anyOf": [{"type": "number"}, QUANTITY_SCHEMA, REFERENCE_SCHEMA]},
    "minItems": 2,
    "maxItems": 2,
}

TEXT_LEAF = Leaf(_text, {"type": "string"}, text=True)
NAME_LEAF = Leaf(_name, _NAME_SCHEMA, text=True)
IDENTIFIER_LEAF = Leaf(_identifier, IDENTIFIER_SCHEMA, text=True)
NODE_ID_LEAF = Leaf(_node_id, _NODE_ID_SCHEMA, text=True)
SOLO = Leaf(_solo, {"anyOf": [{"type": "boolean"}, IDENTIFIER_SCHEMA | {"not": {"enum": list(_TRUTHS)}}]})
NUMBER_LEAF = Leaf(_number, {"type": "number"})
QUANTITY_LEAF = Leaf(_quantity, _NUMBER_OR_QUANTITY)

Text = Annotated[str, TEXT_LEAF]
Identifier = Annotated[str, IDENTIFIER_LEAF]
Name = Annotated[str, NAME_LEAF]
PointText = Annotated[str, Leaf(_text, _POINT_SCHEMA, text=True)]
Number = Annotated[float, NUMBER_LEAF]
Flag = Annotated[bool, Leaf(_flag, {"type": "boolean"})]
Pair = Annotated[tuple[float, float], Leaf(_pair, _POINTS_ITEM)]
Version = Annotated[int, Leaf(_version, {"const": 1}, literal=True)]

OptionalText = Annotated[str | None, Leaf(_text, {"type": "string"}, text=True)]
OptionalName = Annotated[str | None, NAME_LEAF]
OptionalPoint = Annotated[str | None, Leaf(_text, _POINT_SCHEMA, text=True)]
OptionalNodeId = Annotated[str | None, NODE_ID_LEAF]
OptionalNumber = Annotated[float | None, NUMBER_LEAF]
OptionalQuantity = Annotated[float | None, QUANTITY_LEAF]
_TIME_SCHEMA: JsonSchemaValue = {
    "anyOf": [{"type": "number", "exclusiveMinimum": 0, "maximum": limits.LOOP}, QUANTITY_SCHEMA]
}
OptionalTime = Annotated[float | None, Leaf(_time, _TIME_SCHEMA)]
"""In ms, or a quantity in beats."""
