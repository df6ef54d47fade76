"""Alternatives in a JSON Schema that are told apart by what stands there, so that an error points at the fault.

``anyOf`` says no more than that none of its options fits, at the place where all of them begin: at the mixer's item,
not at the wrong value within. Here the type of a value, or the key that says what an item is, chooses the one option
that is meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Schema = dict[str, Any]

_TYPES: Mapping[type, str] = {
    bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object", type(None): "null",
}  # fmt: skip
PREFIX = "#/$defs/"
ITEM = "Item"
"""The definition that stands for alternatives that all have keys of their own."""


def told_apart(value: Any, definitions: Mapping[str, Schema], kinds: Mapping[str, str]) -> Any:
    """A schema with its alternatives told apart, as far as their types or keys differ.

    definitions: what ``$ref`` names. kinds: definition → the key that only it has. Alternatives that all have one are
    one definition, ``Item``, which :func:`one_of_kinds` makes.
    """
    if isinstance(value, list):
        return [told_apart(item, definitions, kinds) for item in value]
    if not isinstance(value, dict):
        return value
    inner = {key: told_apart(item, definitions, kinds) for key, item in value.items()}
    if not isinstance(inner.get("anyOf"), list):
        return inner
    options = list(_flat(inner["anyOf"]))
    groups: dict[str, list[Schema]] = {}
    for option in options:
        kind = _type_of(option, definitions)
        if kind is None:
            return inner
        groups.setdefault(kind, []).append(option)
    rest = {key: item for key, item in inner.items() if key != "anyOf"}
    chosen = {kind: _one(kind, group, kinds) for kind, group in groups.items()}
    if len(chosen) == 1:
        (only,) = chosen.values()
        return {**rest, **only}
    conditions = [{"if": {"type": kind}, "then": option} for kind, option in chosen.items()]
    return {**rest, "type": list(chosen), "allOf": [*rest.get("allOf", ()), *conditions]}


def one_of_kinds(
    kinds: Mapping[str, str], definitions: Mapping[str, Schema], beside: Mapping[str, Iterable[str]]
) -> Schema:
    """A mapping that is one of several definitions, each with a key of its own.

    kinds: definition → key. beside: definition → the keys of others beside which its own says no more what it is.
    """

    def meant(name: str) -> Schema:
        others = [{"required": [key]} for key in beside.get(name, ())]
        return {"required": [kinds[name]], **({"not": {"anyOf": others}} if others else {})}

    return {
        "type": "object",
        "properties": {
            key: {"description": definitions[name].get("description", "")} for name, key in kinds.items()
        },
        "anyOf": [{"required": [key]} for key in kinds.values()],
        "allOf": [{"if": meant(name), "then": {"$ref": PREFIX + name}} for name in kinds],
    }


def _flat(options: Iterable[Schema]) -> Iterable[Schema]:
    for option in options:
        if set(option) == {"anyOf"}:
            yield from _flat(option["anyOf"])
        else:
            yield option


def _type_of(option: Schema, definitions: Mapping[str, Schema]) -> str | None:
    """The type of all values that an option takes, or None where they have several, or it does not say."""
    if "$ref" in option:
        return _type_of(definitions.get(option["$ref"].removeprefix(PREFIX), {}), definitions)
    if isinstance(option.get("type"), str):
        return "number" if option["type"] == "integer" else str(option["type"])
    values = option.get("enum", [option["const"]] if "const" in option else [])
    types = {_TYPES[type(value)] for value in values}
    return types.pop() if len(types) == 1 else None


def _one(kind: str, group: list[Schema], kinds: Mapping[str, str]) -> Schema:
    """One schema for options of one type."""
    if kind == "number" and {"type": "number"} in group:
        return {"type": "number"}
    if kind != "object" or len(group) == 1:
        return group[0] if len(group) == 1 else {"anyOf": group}
    names = [str(option.get("$ref", "")).removeprefix(PREFIX) for option in group]
    if all(name in kinds for name in names):
        return {"$ref": f"{PREFIX}{ITEM}"}
    schema = group[0]  # what has none of the others' keys
    for name, option in zip(names[1:], group[1:], strict=True):
        # A repeat among the items of a list has no name.
        key = kinds[name] if name else "for"
        schema = {"if": {"required": [key]}, "then": option, "else": schema}
    return schema
