"""The JSON Schema of the graph language, with every installed effect in it, so that editors complete and check."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from pydantic import BaseModel

from djgraph.language import limits
from djgraph.language.alternatives import ITEM, one_of_kinds, told_apart
from djgraph.language.fields import IDENTIFIER_SCHEMA, QUANTITY_SCHEMA, REFERENCE_SCHEMA
from djgraph.language.load import SCHEMA_KEY
from djgraph.language.model import ITEMS, DocumentModel
from djgraph.language.switches import choices_schema

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]
CHAIN_KINDS = {"Use": "use", "ChainRepeat": "for", "ChainSwitch": "choices"}
"""What may stand in a chain beside nodes, and the key that only it has."""
SEND_EFFECT = "gain"
"""The effect that a send is one use of, where a registry has it."""

USED = "Used"
"""The definition of a mixer's item that puts a template or a graph in place."""

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
    _refuse_what_the_loader_refuses(result, definitions)
    if registry is not None:
        entries = registry.effects
        _know_effects(definitions, {name: entries[name].effect for name in sorted(entries)})
    kinds = {model.__name__: key for key, model in ITEMS.items()} | CHAIN_KINDS | {"UseGraph": "use"}
    definitions = {name: told_apart(value, definitions, kinds) for name, value in definitions.items()}
    definitions[USED] = _template_or_graph(definitions)
    items = {USED if key == "use" else model.__name__: key for key, model in ITEMS.items()}
    definitions[ITEM] = one_of_kinds(items, definitions, {"Switch": ("strip", "bus")})
    properties = told_apart(result["properties"], definitions, kinds)
    result["$defs"] = {name: _share_references(value) for name, value in definitions.items()}
    result["$defs"]["Reference"] = REFERENCE_SCHEMA
    result["properties"] = {SCHEMA_KEY: {"type": "string"}, **_share_references(properties)}
    result.pop("title", None)
    return {"$schema": DIALECT, "title": "djgraph graph", **result}


def _refuse_what_the_loader_refuses(document: Schema, definitions: dict[str, Schema]) -> None:
    """What the language says of keys taken together, and what is said of values after references are replaced."""
    document["properties"]["outputs"] |= {"minItems": 1, "uniqueItems": True}
    document["properties"]["inputs"]["uniqueItems"] = True
    names = IDENTIFIER_SCHEMA
    for place in (document["properties"][key] for key in ("args", "templates", "roles")):
        place["propertyNames"] = names
    template = definitions["Template"]
    template["oneOf"] = [{"required": ["chain"]}, {"required": ["mixer"]}]
    template["properties"]["args"]["propertyNames"] = names
    for name in ("Repeat", "ChainRepeat"):
        repeat = definitions[name]["properties"]["for"]
        repeat |= {"minProperties": 1, "maxProperties": 1, "propertyNames": names}
        _array(repeat["additionalProperties"])["maxItems"] = limits.REPEATS
    _array(definitions["Input"]["properties"]["stems"]).update(minItems=1, uniqueItems=True)
    for owner in ("Strip", "Bus"):
        _array(definitions[owner]["properties"]["to"])["uniqueItems"] = True
    for macro in ("Macro", "OwnMacro"):
        drives = next(
            option for option in definitions[macro]["properties"]["drives"]["anyOf"] if "$ref" not in option
        )
        drives["minProperties"] = 1
        _array(drives["additionalProperties"])["minItems"] = 2
    for follower in ("Override", "Macro", "OwnMacro"):
        definitions[follower]["dependentRequired"] = {"curve": ["follow"]}
    definitions["Send"]["dependentRequired"] = {"delay": ["feedback"]}
    definitions["Send"]["not"] = {"required": ["switch", "feedback"]}
    definitions["Strip"]["anyOf"] = [{"required": ["input"]}, {"required": ["chain"]}]
    definitions["Override"]["allOf"] = [
        {"if": {"required": [sole]}, "then": {"maxProperties": 1}} for sole in ("value", "tie")
    ]


def _template_or_graph(definitions: Mapping[str, Schema]) -> Schema:
    """What is put in place is a template if it is a name, and a graph if it is a mapping."""
    return {
        "description": definitions["Use"].get("description", ""),
        "if": {"properties": {"use": {"type": "object"}}},
        "then": {"$ref": "#/$defs/UseGraph"},
        "else": {"$ref": "#/$defs/Use"},
    }


def _array(schema: Schema) -> Schema:
    """The part of a schema that describes a list: itself, or one of its alternatives, however deep."""
    if schema.get("type") == "array":
        return schema
    return next(found for option in schema.get("anyOf", ()) if (found := _array(option)))


def _know_effects(definitions: dict[str, Schema], effects: Mapping[str, Any]) -> None:
    """Let nodes, long and short, take only these effects, each with its own settings and controls."""
    consts = {
        name: {"const": name, "description": effect.description or name} for name, effect in effects.items()
    }
    definitions["EffectName"] = {"anyOf": [*consts.values(), HOLDS_REFERENCE]}
    effect_name = {"$ref": "#/$defs/EffectName"}
    node = definitions["Node"]
    node["properties"]["effect"] = effect_name
    node["allOf"] = []
    whole: list[Schema] = []
    for name, effect in effects.items():
        condition = {"properties": {"effect": {"const": name}}, "required": ["effect"]}
        settings = _settings(name, effect.Settings, definitions)
        ports = _ports(effect.inputs)
        required = [key for key, part in (("settings", settings), ("inputs", ports)) if part.get("required")]
        definitions[f"{name} node"] = {
            "properties": {
                "settings": _or_reference(settings),
                "controls": _or_reference(_controls(effect.controls)),
                "inputs": {"anyOf": [ports, REFERENCE_SCHEMA]},
            },
            "required": required,
        }
        node["allOf"].append({"if": condition, "then": {"$ref": f"#/$defs/{name} node"}})
        if not required:
            whole.append(consts[name])
    # A name alone stands for a node that needs nothing said.
    short_name = {"anyOf": [*whole, HOLDS_REFERENCE]}
    kinds = [{"$ref": f"#/$defs/{kind}"} for kind in ("Node", *CHAIN_KINDS)]
    short = {"anyOf": [*kinds, short_name]}
    for owner, key in (("Strip", "chain"), ("Bus", "chain"), ("Template", "chain"), ("ChainRepeat", "do")):
        definitions[owner]["properties"][key]["items"] = short
    choices = definitions["ChainSwitch"]["properties"]["choices"]
    chains = {"type": "object", "additionalProperties": {"type": "array", "items": short}}
    choices.update(choices_schema(chains))
    level = next(iter(effects[SEND_EFFECT].controls)) if SEND_EFFECT in effects else None
    if level is not None:
        definitions["Send"]["properties"]["level"] |= _values(level)


def _ports(ports: tuple[Any, ...]) -> Schema:
    """The further input ports of an effect, of which those without a default have to be connected."""
    point = {"type": "string"}
    return {
        "type": "object",
        "properties": {port.name: point for port in ports[1:]},
        "required": [port.name for port in ports[1:] if port.default is None],
        "additionalProperties": False,
    }


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
    properties: dict[str, Schema] = {}
    for control in controls:
        span = f"{control.min:g} … {control.max:g} {control.unit}, default {control.default:g}"
        text = f"{control.label}: {control.description}" if control.description else control.label
        properties[control.id] = {"description": f"{text} ({span})", **_values(control)}
        for alias in control.aliases:
            properties.setdefault(alias, {**properties[control.id], "deprecated": True})
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _values(control: Any) -> Schema:
    """What may stand for a control: a number in its range, a reference, or a mapping with numbers in its range."""
    in_range: Schema = {"minimum": control.min, "maximum": control.max}
    number = {"type": "number", **in_range}
    if control.choices:
        number["enum"] = list(control.choices)
    numbers = ("default", "min", "max", "neutral", "value")
    override = {
        "type": "object",
        "allOf": [{"$ref": "#/$defs/Override"}],
        "properties": dict.fromkeys(numbers, in_range),
    }
    return {"anyOf": [number, QUANTITY_SCHEMA, override, REFERENCE_SCHEMA]}


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
