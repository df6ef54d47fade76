"""Curves between a macro and what it drives, and what a macro says that it drives."""

from __future__ import annotations

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

from djgraph.language.faults import Fault, explain, refusal
from djgraph.language.fields import (
    IDENTIFIER_LEAF,
    QUANTITY_LEAF,
    REFERENCE_SCHEMA,
    Element,
    Name,
    Pair,
    Wrap,
)
from djgraph.language.repeats import EACH, ListRepeat
from djgraph.language.switches import CHOICES


def _plain(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    return IDENTIFIER_LEAF.validate(value, info) if isinstance(value, str) else handler(value)


Plain = Annotated[list[Pair], Wrap(_plain, late=True, shorthand=IDENTIFIER_LEAF)]
"""Points [x, y], or the name of a curve of the document."""


def _choice(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            return IDENTIFIER_LEAF.validate(value, info)
        except ValidationError:
            return QUANTITY_LEAF.validate(value, info)
    return handler(value)


class _Kept(Wrap):
    """Points, a name or a value."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        written = super().__get_pydantic_json_schema__(schema, handler)
        return {"anyOf": [*written["anyOf"], *IDENTIFIER_LEAF.json_schema()["anyOf"]]}


Choice = Annotated[list[Pair], _Kept(_choice, late=True, shorthand=QUANTITY_LEAF)]
"""The same, or a value that is kept."""


class CurveSwitch(Element):
    """A choice among curves."""

    what: ClassVar[str] = "a choice among curves: {by: …, choices: {…}}"
    by: Name
    """The switch that chooses."""
    choices: Annotated[dict[str, Choice], CHOICES]
    """Name → curve, or a value that is kept."""


def _curve(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    if isinstance(value, dict):
        return CurveSwitch.model_validate(value, context=info.context)
    return IDENTIFIER_LEAF.validate(value, info) if isinstance(value, str) else handler(value)


class _Curve(Wrap):
    """Points, a name or a choice."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        written = super().__get_pydantic_json_schema__(schema, handler)
        return {"anyOf": [*written["anyOf"], handler(CurveSwitch.__pydantic_core_schema__)]}


Curve = Annotated[list[Pair], _Curve(_curve, late=True, shorthand=IDENTIFIER_LEAF)]
"""Points [x, y], the name of a curve of the document, or a choice among curves."""


def _drives(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    if not isinstance(value, list):
        return handler(value)
    together: dict[str, Any] = {}
    faults: list[Fault] = []
    for index, item in enumerate(value):
        try:
            part = EACH.run(item, handler, info)
        except ValidationError as error:
            faults += [replace(fault, loc=(index, *fault.loc)) for fault in explain(error, Element)]
            continue
        if not isinstance(part, ListRepeat):
            twice = [key for key in part if key in together]
            faults += [Fault(f"{key!r} is driven twice", (index, key), key=True) for key in twice]
            together |= part
    if faults:
        raise refusal(faults)
    return together


class _Drives(Wrap):
    """A mapping, or a list of mappings and repeats of mappings."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        mapping = handler(schema)
        listed = {"type": "array", "items": EACH.with_repeats(mapping), "minItems": 1}
        return {"anyOf": [mapping, listed, REFERENCE_SCHEMA]}


Drives = Annotated[dict[str, Curve], _Drives(_drives, late=True)]
