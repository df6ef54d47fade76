"""Tables of the controls and the settings of effects, and tables in general."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from djgraph.effects import Control, Effect

NARROW = "\u00a0"
"""A space at which no line ends: within numbers and ranges."""
INFINITE = 1e29
"""What is beyond is no limit to a reader."""


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [_row(header), _row(["---"] * len(header)), *(_row([_cell(one) for one in row]) for row in rows)]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def number(value: Any) -> str:
    """A number for readers: 20 000, −60, 0.707."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, float) and not value.is_integer():
        return f"{value:.4g}".replace("-", "−")
    return f"{value:,.0f}".replace(",", NARROW).replace("-", "−")


def span(control: Control) -> str:
    """The values that a control takes."""
    if control.names:
        return ", ".join(f"`{name}`" for name in control.names)
    if control.choices:
        return ", ".join(map(number, control.choices))
    text = f"{number(control.min)}{NARROW}…{NARROW}{number(control.max)}"
    if control.step:
        text += f" in steps of {number(control.step)}"
    if control.below_rate:
        text += f", below {number(control.below_rate)} of the sample rate"
    return text


def controls(effect: type[Effect]) -> str:
    """All that an effect declares of its controls."""
    moved = any(one.default != one.neutral for one in effect.controls)
    header = [
        "control",
        "range",
        "unit",
        "neutral",
        *(["default"] if moved else []),
        "scale",
        "read",
        "what it does",
    ]
    rows = []
    for one in effect.controls:
        rest = [
            "none" if one.neutral is None else number(one.neutral),
            *([number(one.default)] if moved else []),
        ]
        scale = one.scale if one.scale != "power" else f"power {number(one.exponent)}"
        gradient = {"exact": "", "surrogate": "; its gradient is a stand-in", "none": "; no gradient"}[
            one.gradient
        ]
        about = f"{one.description}{gradient}".removeprefix("; ")
        unit = "" if one.unit == "ratio" else one.unit
        rows.append((f"`{one.id}`", span(one), unit, *rest, scale, _read(one), about))
    return table(header, rows)


def _read(control: Control) -> str:
    if control.held:
        return f"per {control.rate}, held"
    smoothing = f", smoothed by {number(control.smoothing)} ms" if control.smoothing else ""
    return f"per {control.rate}{smoothing}"


def settings(effect: type[Effect]) -> str:
    """All that an effect's settings may be; empty without any."""
    schema = effect.Settings.model_json_schema()
    rows = [
        (
            f"`{name}`",
            kind(one),
            allowed(one),
            one.get("unit", ""),
            default(one.get("default")) if "default" in one else "required",
            one.get("description", ""),
        )
        for name, one in schema.get("properties", {}).items()
    ]
    return table(("setting", "type", "allowed", "unit", "default", "what it does"), rows) if rows else ""


def default(value: Any) -> str:
    """A default as a file would have it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(default, value))}]"
    if isinstance(value, dict):
        return "{}" if not value else ", ".join(f"{key}: {default(one)}" for key, one in value.items())
    return number(value) if isinstance(value, int | float) else f"`{value}`" if value else "empty"


def kind(schema: dict[str, Any]) -> str:
    """The type of a value in a word or some."""
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(kind(one) for one in options if one.get("type") != "null"))
    if "enum" in schema or "const" in schema:
        return "word"
    if schema.get("format") == "path":
        return "file"
    word = str(schema.get("type", "any"))
    return {"string": "text", "boolean": "true or false", "array": "list", "integer": "whole number"}.get(
        word, word
    )


def allowed(schema: dict[str, Any]) -> str:
    """The words or the range that a schema allows; empty where any value of the type is fine."""
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(text for one in options if (text := allowed(one))))
    if words := schema.get("enum") or [schema[key] for key in ("const",) if key in schema]:
        return ", ".join(f"`{default(word).strip('`')}`" for word in words)
    if schema.get("type") == "array" and isinstance(schema.get("items"), dict):
        each = allowed(schema["items"])
        size = _ends(schema.get("minItems"), schema.get("maxItems"))
        return ", ".join(
            text for text in (f"{size} items" if size else "", f"each {each}" if each else "") if text
        )
    low, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    high, below = schema.get("maximum"), schema.get("exclusiveMaximum")
    ends = _ends(low if low is not None else above, high if high is not None else below)
    open_ends = [
        text for text, end in (("above the first", above), ("below the last", below)) if end is not None
    ]
    return f"{ends} ({', '.join(open_ends)})" if ends and open_ends else ends


def _ends(low: float | None, high: float | None) -> str:
    given = [
        None if end is None or not math.isfinite(end) or abs(end) > INFINITE else number(end)
        for end in (low, high)
    ]
    if given == [None, None]:
        return ""
    if given[0] == given[1]:
        return str(given[0])
    if given[1] is None:
        return f"from {given[0]}"
    return f"up to {given[1]}" if given[0] is None else f"{given[0]}{NARROW}…{NARROW}{given[1]}"
