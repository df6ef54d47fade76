"""Unquoted YAML scalars → plain values, by the core schema of YAML 1.2."""

from __future__ import annotations

import math
import re

from djgraph.language import limits

# YAML 1.2.2, section 10.3.2: the core schema. (`no` is text, `1e-3` a number.)
_NULL = re.compile(r"(?:null|Null|NULL|~|)\Z")
_BOOL = re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z")
_INT = re.compile(r"[-+]?[0-9]+\Z")
_OCT = re.compile(r"0o[0-7]+\Z")
_HEX = re.compile(r"0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z")


def resolve(text: str) -> bool | int | float | str | None:
    """A plain (unquoted) scalar by the YAML 1.2 core schema; ValueError for a number that is none."""
    if _NULL.match(text):
        return None
    if _BOOL.match(text):
        return text.lower() == "true"
    if _NOT_FINITE.match(text):
        raise ValueError(f"{text} is not a finite number")
    kinds = ((_INT, 10), (_OCT, 8), (_HEX, 16))
    base = next((base for pattern, base in kinds if pattern.match(text)), None)
    if base is None and not _FLOAT.match(text):
        return text
    if len(text) > limits.NUMBER_DIGITS:
        raise ValueError(f"a number of more than {limits.NUMBER_DIGITS} characters (the limit)")
    if base is not None:
        return int(text, base=0 if base != 10 else 10)
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is too large for a number")
    return value
