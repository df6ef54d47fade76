"""Repeats: ``{for: {variable: values}, do: […]}`` in the place of an item of a list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import (
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from djgraph.language import limits
from djgraph.language.faults import Fault, explain, refusal
from djgraph.language.fields import CONCRETE, Element, Wrap, not_a_name, whole
from djgraph.language.words import IDENTIFIER, describe


def _repeat(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    if not isinstance(value, dict) or len(value) != 1:
        got = f"{len(value)} of them" if isinstance(value, dict) else describe(value)
        raise refusal([Fault(f"`for` takes one variable and its values, as in {{track: inputs}}, got {got}")])
    ((variable, _),) = value.items()
    if not IDENTIFIER.match(variable):
        raise refusal(
            [Fault(f"{variable!r} is not a name", (variable,), hint=not_a_name(variable), key=True)]
        )
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


Scalar = str | int | float | bool
Values = Annotated[list[Scalar] | str | Range, Wrap(_values)]


class Loop(Element):
    """What a repeat runs over."""

    for_: Annotated[dict[str, Values], Wrap(_repeat)] = Field(alias="for")
    """One variable and its values."""


def is_repeat(value: Any) -> bool:
    """Whether an item of a list, as written, stands for several."""
    return isinstance(value, dict) and "for" in value


@dataclass(frozen=True)
class Each:
    """Marks the items of a list, each of which may be a repeat as long as repeats are not put in place.

    A repeat is checked as it is written: what it runs over, and each item of its ``do`` as an item of the list.
    """

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_wrap_validator_function(self.run, handler(source))

    def run(self, value: Any, handler: Callable[[Any], Any], info: ValidationInfo) -> Any:
        """The item, checked by ``handler``, or a :class:`ListRepeat`."""
        if info.context == CONCRETE or not is_repeat(value):
            return handler(value)
        faults: list[Fault] = []
        for_: Any = None
        try:
            for_ = ListRepeat.model_validate(value, context=info.context).for_
        except ValidationError as error:
            faults += explain(error, ListRepeat)
        items = value.get("do")
        checked = []
        for index, item in enumerate(items if isinstance(items, list) else ()):
            try:
                checked.append(self.run(item, handler, info))
            except ValidationError as error:
                inner = explain(error, ListRepeat)
                faults += [replace(fault, loc=("do", index, *fault.loc)) for fault in inner]
        if faults:
            raise refusal(faults)
        repeat = ListRepeat.model_construct(for_=for_, do=checked)
        repeat._written = value
        return repeat

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return self.with_repeats(handler(schema))

    def with_repeats(self, item: JsonSchemaValue) -> JsonSchemaValue:
        """The JSON Schema of an item, or of a repeat of such items."""
        options = item["anyOf"] if set(item) == {"anyOf"} else [item]
        again = {"type": "object", "required": ["for", "do"]}
        repeat = {
            "type": "object",
            "properties": {
                "for": {"type": "object", "minProperties": 1, "maxProperties": 1},
                "do": {"type": "array", "items": {"anyOf": [*options, again]}},
            },
            "required": ["for", "do"],
            "additionalProperties": False,
            "description": "These items once for each value of a variable.",
        }
        return {"anyOf": [*options, repeat]}


class ListRepeat(Loop):
    """A repeat among the items of a list, which checks what is repeated: ``do`` has what the list makes of that."""

    do: list[Any]
    """What is repeated."""


EACH = Each()
