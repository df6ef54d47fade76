"""The JSON Schema of the graph language, with every installed effect in it, so that editors complete and check."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from pydantic import BaseModel

from djgraph.language.fields import QUANTITY_SCHEMA, REFERENCE_SCHEMA
from djgraph.language.model import DocumentModel

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]
HOLDS_REFERENCE: Schema = {"type": "string", "pattern": r"\$"}


class EffectSource(Protocol):
    """What the schema needs of a registry: name → anything with an ``effect`` class."""

    @property
    def effects(self) -> Mapping[str, Any]: ...


def json_schema(registry: EffectSource | None) -> Schema:
    """The schema of graph files.

    registry: its effects are known, each with its settings and controls, and any other effect is an error.
    With None any name may stand for an effect.
    """
    result = DocumentModel.model_json_schema(by_alias=True, mode="validation")
    definitions: dict[str, Schema] = result["$defs"]
    for definition in (result, *definitions.values()):
        _tidy(definition)
    definitions["Template"]["oneOf"] = [{"required": ["chain"]}, {"required": ["mixer"]}]
    for repeat in ("Repeat", "ChainRepeat"):
        definitions[repeat]["properties"]["for"] |= {"minProperties": 1, "maxProperties": 1}
    if registry is not None:
        entries = registry.effects
        _know_effects(definitions, {name: entries[name].effect for name in sorted(entries)})
    result["$defs"] = {name: _share_references(value) for name, value in definitions.items()}
    result["$defs"]["Reference"] = REFERENCE_SCHEMA
    result["properties"] = _share_references(result["properties"])
    result.pop("title", None)
    return {"$schema": DIALECT, "title": "djgraph graph", **result}


def _know_effects(definitions: dict[str, Schema], effects: Mapping[str, Any]) -> None:
    """Let nodes, long and short, take only these effects, each with its own settings and controls."""
    definitions["EffectName"] = {
        "anyOf": [
            *({"const": name, "description": effect.description or name} for name, effect in effects.items()),
            HOLDS_REFERENCE,
        ]
    }
    effect_name = {"$ref": "#/$defs/EffectName"}
    node = definitions["Node"]
    node["properties"]["effect"] = effect_name
    node["allOf"] = []
    for name, effect in effects.items():
        condition = {"properties": {"effect": {"const": name}}, "required": ["effect"]}
        definitions[f"{name} node"] = {
            "properties": {
                "settings": _or_reference(_settings(name, effect.Settings, definitions)),
                "controls": _or_reference(_controls(effect.controls)),
            }
        }
        node["allOf"].append({"if": condition, "then": {"$ref": f"#/$defs/{name} node"}})
    kinds = [{"$ref": f"#/$defs/{kind}"} for kind in ("Node", "Use", "ChainRepeat", "ChainSwitch")]
    short = {"anyOf": [*kinds, effect_name]}
    for owner, key in (("Strip", "chain"), ("Bus", "chain"), ("Template", "chain"), ("ChainRepeat", "do")):
        definitions[owner]["properties"][key]["items"] = short
    choices = definitions["ChainSwitch"]["properties"]["choices"]
    choices["additionalProperties"] = {"type": "array", "items": short}


def _settings(effect: str, model: type[BaseModel], definitions: dict[str, Schema]) -> Schema:
    own = model.model_json_schema(ref_template=f"#/$defs/{effect} {{model}}")
    for name, definition in own.pop("$defs", {}).items():
        definitions[f"{effect} {name}"] = definition
    _tidy(own)
    properties = own.get("properties", {})
    own["properties"] = {
        name: _or_reference(value, *([QUANTITY_SCHEMA] if "unit" in value else []))
        for name, value in properties.items()
    }
    return own


def _controls(controls: tuple[Any, ...]) -> Schema:
    override = {"$ref": "#/$defs/Override"}
    properties: dict[str, Schema] = {}
    for control in controls:
        span = f"{control.min:g} … {control.max:g} {control.unit}, default {control.default:g}"
        text = f"{control.label}: {control.description}" if control.description else control.label
        number = {"type": "number", "minimum": control.min, "maximum": control.max}
        described = {"description": f"{text} ({span})"}
        properties[control.id] = {**described, "anyOf": [number, QUANTITY_SCHEMA, override, REFERENCE_SCHEMA]}
        for alias in control.aliases:
            properties.setdefault(alias, {**properties[control.id], "deprecated": True})
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _or_reference(value: Schema, *others: Schema) -> Schema:
    outer: Schema = {key: value[key] for key in ("description", "default", "title") if key in value}
    inner = {key: item for key, item in value.items() if key not in outer}
    return {**outer, "anyOf": [inner, *others, HOLDS_REFERENCE]}


def _tidy(definition: Schema) -> None:
    """Drop what pydantic derives from names and from absent values: editors would show it."""
    definition.pop("title", None)
    for value in definition.get("properties", {}).values():
        value.pop("title", None)
        if value.get("default", ...) is None:
            del value["default"]


def _share_references(value: Any) -> Any:
    if value == REFERENCE_SCHEMA:
        return {"$ref": "#/$defs/Reference"}
    if isinstance(value, dict):
        return {key: _share_references(item) for key, item in value.items()}
    return [_share_references(item) for item in value] if isinstance(value, list) else value
