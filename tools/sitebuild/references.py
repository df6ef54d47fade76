"""References of the languages, from the models that files are validated by: every key, type, range, default."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from djgraph.automation.model import AutomationModel
from djgraph.language.fields import Element
from djgraph.language.model import DocumentModel
from djgraph.live.mapping import MappingModel
from djgraph.sets.document import SetModel
from sitebuild.sections import Section, sections
from sitebuild.site import ROOT, Nav, Site
from sitebuild.tables import allowed, default, kind, table

FOLDER = "reference"
Schema = dict[str, Any]


@dataclass(frozen=True)
class Language:
    """model: of a whole file. page: of docs/, where it is explained. package: where its models are."""

    uri: str
    title: str
    model: type[Element]
    page: str
    package: str
    about: str


LANGUAGES = (
    Language(
        "graphs", "Graph files", DocumentModel, "graph-language.md", "djgraph.language", "what a mixer is"
    ),
    Language(
        "automation",
        "Automation files",
        AutomationModel,
        "automation.md",
        "djgraph.automation",
        "what its controls do over time, recipes included",
    ),
    Language("sets", "Set files", SetModel, "sets.md", "djgraph.sets", "which tracks are played when"),
    Language(
        "mappings",
        "Mapping files",
        MappingModel,
        "live.md",
        "djgraph.live",
        "which knob of a controller moves what",
    ),
)


def write(site: Site) -> Nav:
    """Writes a page for each language."""
    for language in LANGUAGES:
        site.page(f"{FOLDER}/{language.uri}.md", page(language))
    return [f"{FOLDER}/{language.uri}.md" for language in LANGUAGES]


def page(language: Language) -> str:
    """A language's page: a table of keys for each of its elements, that of the whole file first."""
    elements = schemas(language)
    prose = list(sections((ROOT / "docs" / language.page).read_text(encoding="utf-8")))
    text = [
        f"# {language.title}",
        "",
        f"All keys of the files that say {language.about}, from the models that they are validated by. "
        f"[What they mean](../{language.page}) is on a page of its own; the last column leads to its sections.",
        "",
    ]
    if "args" in elements[language.model.__name__]["properties"]:
        text += [
            "In place of a value a reference to an argument may stand: `$name`, or a sum, `$(n + 1)`.",
            "",
        ]
    for name, schema in elements.items():
        text += [
            f"## {heading(name)}",
            "",
            *_about(schema),
            _keys(schema, elements, prose, language.page),
            "",
        ]
    return "\n".join(text)


def schemas(language: Language) -> dict[str, Schema]:
    """The JSON Schema of each element by the name of its model, in the order in which a file meets them."""
    whole = language.model.model_json_schema(by_alias=True, mode="validation")
    known: dict[str, Schema] = dict(whole.get("$defs", {}))
    for model in _elements(Element):
        missing = model.__module__.startswith(language.package) and model.__name__ not in known
        if missing and model is not language.model and not model.__subclasses__():
            own = model.model_json_schema(by_alias=True, mode="validation")
            known |= {name: one for name, one in own.get("$defs", {}).items() if name not in known}
            known[model.__name__] = own
    found = {language.model.__name__: whole}
    for schema in found.copy().values():
        _collect(schema, known, found)
    return found | {name: schema for name, schema in known.items() if name not in found}


def _elements(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield model
    for one in model.__subclasses__():
        yield from _elements(one)


def _collect(schema: Schema, known: Mapping[str, Schema], found: dict[str, Schema]) -> None:
    """Adds the elements that a schema names, each followed by those that it names in turn."""
    for part in _walk(schema.get("properties", {})):
        name = _named(part)
        if name and name not in found:
            found[name] = known[name]
            _collect(known[name], known, found)


def _walk(schema: Any) -> Iterator[Schema]:
    """All mappings in a schema, but for definitions."""
    if isinstance(schema, dict):
        yield schema
        for key, value in schema.items():
            if key != "$defs":
                yield from _walk(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _walk(value)


def _named(schema: Schema) -> str:
    reference = schema.get("$ref")
    return reference.rpartition("/")[2] if isinstance(reference, str) else ""


def heading(name: str) -> str:
    """What a model is called on the page: ``OwnMacro`` is "Own macro"."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.removesuffix("Model")).split()
    return " ".join([words[0], *(word.lower() for word in words[1:])])


def anchor(name: str) -> str:
    return heading(name).lower().replace(" ", "-")


def _about(schema: Schema) -> list[str]:
    text = re.sub(r"``([^`]+)``", r"`\1`", schema.get("description", ""))
    return [text, ""] if text else []


def _keys(schema: Schema, elements: Mapping[str, Schema], prose: list[Section], page: str) -> str:
    required = schema.get("required", [])
    home = _home(schema, prose)
    rows = []
    properties = schema.get("properties", {})
    version = {key for key in required if "const" in properties[key]}
    for key in sorted(properties, key=lambda key: key not in version):
        one = properties[key]
        rest = "required" if key in required else default(one.get("default", ""))
        place = _described(key, home, prose)
        link = f"[{place.title.replace('`', '')}](../{page}#{place.anchor})" if place else ""
        about = re.sub(r"``([^`]+)``", r"`\1`", one.get("description", ""))
        rows.append((f"`{key}`", words(one, elements), rest, about, link))
    return table(("key", "value", "default", "what it is", "described in"), rows)


def words(schema: Schema, elements: Mapping[str, Schema]) -> str:
    """The values that a schema allows, in words; elements are links to their tables."""
    if name := _named(schema):
        return f"[{heading(name).lower()}](#{anchor(name)})" if name in elements else heading(name).lower()
    if options := schema.get("anyOf") or schema.get("oneOf"):
        parts = [
            words(one, elements) for one in options if one.get("type") != "null" and not _is_reference(one)
        ]
        return " or ".join(dict.fromkeys(part for part in parts if part))
    if schema.get("type") == "array":
        inner = words(schema["items"], elements) if isinstance(schema.get("items"), dict) else ""
        size = allowed(
            {"type": "array", "items": {}} | {k: schema[k] for k in ("minItems", "maxItems") if k in schema}
        )
        return f"list of {inner}" + (f" ({size})" if size else "") if inner else "list"
    if schema.get("type") == "object":
        if set(schema.get("properties", {})) == {"for", "do"} or "for" in schema.get("properties", {}):
            return "repeat (`for`, `do`)"
        further = schema.get("additionalProperties")
        each = words(further, elements) if isinstance(further, dict) else "any value"
        return f"mapping: name → {each}" if further else "mapping"
    if limits := allowed(schema):
        return limits if "enum" in schema or "const" in schema else f"{kind(schema)} {limits}"
    if examples := schema.get("examples"):
        return "such as " + ", ".join(f"`{one}`" for one in examples)
    about = schema.get("description", "")
    if schema.get("type") == "string" and schema.get("pattern") and ":" in about:
        return "with a unit: " + ", ".join(
            f"`{one.strip(' .')}`" for one in about.partition(":")[2].split(",")
        )
    if schema.get("type") == "string" and str(schema.get("pattern", "")).startswith("^[a-z"):
        return "name"
    return kind(schema) if "type" in schema else "any value"


def _is_reference(schema: Schema) -> bool:
    return schema.get("type") == "string" and str(schema.get("pattern", "")).startswith((r"\$", r"^\$"))


def _mentions(section: Section, key: str) -> int:
    """How plainly a section is about a key: a row of a table, code with it as a key, the word as code."""
    body = section.body
    if re.search(rf"^\| `{key}`", body, re.MULTILINE):
        return 3
    return 2 if re.search(rf"\b{key}: ", body) else int(f"`{key}`" in body)


def _home(schema: Schema, prose: list[Section]) -> Section | None:
    """The section that says most of an element's keys."""
    keys = list(schema.get("properties", {}))
    scored = [(sum(_mentions(section, key) for key in keys), -place) for place, section in enumerate(prose)]
    best = max(scored, default=(0, 0))
    return prose[-best[1]] if best[0] else None


def _described(key: str, home: Section | None, prose: list[Section]) -> Section | None:
    if home is not None and _mentions(home, key):
        return home
    scored = [(_mentions(section, key), -place) for place, section in enumerate(prose)]
    best = max(scored, default=(0, 0))
    return prose[-best[1]] if best[0] else None
