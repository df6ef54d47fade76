"""What a pydantic model finds wrong, in the words of djgraph's errors."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from djgraph.errors import DocumentPath, nearest
from djgraph.language.words import describe, no_number

_TYPE = "djgraph"


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a value, at ``loc`` below it. ``key``: the key is to blame, not what it holds."""

    message: str
    loc: DocumentPath = ()
    allowed: Sequence[str] = ()
    name: str | None = None
    hint: str | None = None
    key: bool = False


def refusal(faults: Iterable[Fault]) -> ValidationError:
    """An error that a validator may raise: it travels up through pydantic, which puts the path before ``loc``."""
    lines = [
        InitErrorDetails(
            type=PydanticCustomError(_TYPE, "{message}", _context(fault)), loc=fault.loc, input=None
        )
        for fault in faults
    ]
    return ValidationError.from_exception_data(_TYPE, lines)


def explain(
    error: ValidationError, model: type[BaseModel], effect: str | None = None, controls: Collection[str] = ()
) -> list[Fault]:
    """The faults behind a pydantic error that validation by ``model`` raised.

    effect: the name of the effect whose settings these are, if they are, and controls: its controls' ids.
    """
    faults = []
    for detail in error.errors(include_url=False):
        if detail["type"] == _TYPE:
            faults.append(Fault(**{**detail["ctx"], "loc": detail["loc"]}))
        else:
            faults.append(_translate(detail, model, effect, controls))
    faults = [replace(fault, allowed=tuple(fault.allowed)) for fault in faults]
    # A misspelt key is one mistake, not an unknown key and a missing one.
    meant = {
        (fault.loc[:-1], _missing(guess, effect))
        for fault in faults
        if fault.key and fault.name is not None and (guess := nearest(fault.name, fault.allowed)) is not None
    }
    # An item that is wrong is not counted, so that its list may come out as too short as well.
    within = {fault.loc[:-1] for fault in faults}
    short = {
        (detail["loc"], _translate(detail, model, effect, controls).message)
        for detail in error.errors(include_url=False)
        if detail["type"] == "too_short" and len(detail["input"]) >= detail["ctx"]["min_length"]
    }
    return [
        fault
        for fault in dict.fromkeys(faults)
        if (fault.loc, fault.message) not in meant
        and not (fault.loc in within and (fault.loc, fault.message) in short)
    ]


def keys_of(model: type[BaseModel]) -> tuple[str, ...]:
    """The keys that a model takes, as they are written in a file, in order of declaration."""
    return tuple(field.alias or name for name, field in model.model_fields.items())


def _context(fault: Fault) -> dict[str, Any]:
    return {
        "message": fault.message,
        "allowed": tuple(fault.allowed),
        "name": fault.name,
        "hint": fault.hint,
        "key": fault.key,
    }


_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dataclass_type": "a mapping",
    "none_required": "nothing",
}
_CONTROL_HINT = "{0} is a control: it stands under `controls`"
_QUOTED = re.compile(r"'([^']*)'")


def _translate(
    detail: ErrorDetails, model: type[BaseModel], effect: str | None, controls: Collection[str]
) -> Fault:
    kind, loc, value = detail["type"], detail["loc"], detail.get("input")
    context = detail.get("ctx", {})
    if kind == "extra_forbidden":
        key = str(loc[-1])
        message = f"{effect} has no setting {key!r}" if effect else f"unknown key {key!r}"
        hint = _CONTROL_HINT.format(key) if key in controls and len(loc) == 1 else None
        return Fault(message, loc, keys_of(_model_at(model, loc[:-1])), key, hint, key=True)
    if kind == "missing":
        return Fault(_missing(str(loc[-1]), effect), loc[:-1])
    if kind in ("float_type", "float_parsing"):
        return Fault(no_number(value), loc)
    if kind in _EXPECTED:
        return Fault(f"expected {_EXPECTED[kind]}, got {describe(value)}", loc)
    if kind in ("literal_error", "enum"):
        expected = str(context.get("expected", ""))
        name = value if isinstance(value, str) else None
        return Fault(
            f"{describe(value)} is not allowed here", loc, _QUOTED.findall(expected) or (expected,), name
        )
    if kind in ("too_long", "too_short"):
        limit = context["max_length"] if kind == "too_long" else context["min_length"]
        which, items = "most" if kind == "too_long" else "least", "item" if limit == 1 else "items"
        return Fault(f"expected at {which} {limit} {items}, got {context['actual_length']}", loc)
    if kind in ("value_error", "assertion_error"):
        return Fault(str(context.get("error", detail["msg"])), loc)
    message = detail["msg"].replace("Input should", "must").replace("valid ", "")
    return Fault(f"{message[:1].lower()}{message[1:]}, got {describe(value)}", loc)


def _missing(key: str, effect: str | None) -> str:
    return f"{effect} needs setting {key!r}" if effect else f"missing key {key!r}"


def _model_at(model: type[BaseModel], loc: DocumentPath) -> type[BaseModel]:
    """The model that stands at ``loc``, as far as plain nesting of models goes."""
    for part in loc:
        field = next((f for name, f in model.model_fields.items() if part in (name, f.alias)), None)
        inner = field.annotation if field is not None else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            break
        model = inner
    return model
