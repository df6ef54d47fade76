"""Tables as spreadsheets write them: what parts their fields, and how they write numbers."""

from __future__ import annotations

import re

DELIMITERS = (",", ";", "\t")

_COMMA = re.compile(r"(?<=[0-9]),(?=[0-9])")


def delimiter_of(header: str) -> str:
    """What parts the fields of a table, from its first line: a comma, or else a semicolon or a tab.

    Where a comma is the decimal sign, as in German or French, spreadsheets part fields by semicolons and call it
    CSV all the same. Names of controls hold none of the three.
    """
    counts = {sign: header.count(sign) for sign in DELIMITERS}
    return max(DELIMITERS, key=lambda sign: counts[sign]) if any(counts.values()) else ","


def with_points(field: str, delimiter: str) -> str:
    """A field with decimal points for the decimal commas of a table whose fields commas do not part."""
    return field if delimiter == "," or field.count(",") != 1 else _COMMA.sub(".", field)
