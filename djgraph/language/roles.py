"""What a document says of the roles of controls: role → names and patterns of controls."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import ValidationInfo, ValidatorFunctionWrapHandler

from djgraph.language import limits
from djgraph.language.fields import Leaf, Refused, Wrap
from djgraph.language.repeats import EACH
from djgraph.language.words import describe

_PATTERN = r"[a-z*][a-z0-9_*]*(\.[a-z*][a-z0-9_*]*)*"


def _pattern(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(_PATTERN, value):
        hint = 'such as deck_1.eq.low, "*.fader.gain", or "**.low" for any number of words'
        raise Refused(f"expected a control's name or a pattern, got {describe(value)}", hint=hint)
    if len(value) > limits.NAME:
        raise Refused(f"a name of more than {limits.NAME} characters (the limit)")
    return value


def _one_or_many(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    return handler([value] if isinstance(value, str) else value)


PATTERN_LEAF = Leaf(
    _pattern, {"type": "string", "pattern": f"^{_PATTERN}$", "maxLength": limits.NAME}, text=True
)
Patterns = Annotated[
    list[Annotated[str, PATTERN_LEAF, EACH]], Wrap(_one_or_many, late=True, shorthand=PATTERN_LEAF)
]
"""A control's name, a pattern, or a list of them."""
