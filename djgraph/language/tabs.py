"""Tabs between the parts of a line, which YAML allows and the YAML library does not."""

from __future__ import annotations

import re
from typing import Any

from ruamel.yaml.scanner import Scanner

_INDICATORS = re.compile(r"(?:[ \t]|[-?](?=[ \t]|\Z))*\Z")
"""What a line may begin with that says how deep it lies: there, tabs are not allowed."""

_NOTHING = re.compile(r"[ \t]*(?:#|\Z)")
_COLLECTION = re.compile(r"[ \t]*[-?](?:[ \t]|\Z)|.*:(?:[ \t]|\Z)")


class TabScanner(Scanner):
    """Passes over tabs that part two things of a line (YAML 1.2, 6.2), stand in front of its end or a comment."""

    def __init__(self, text: str, loader: Any = None) -> None:
        super().__init__(loader=loader)
        self._text = text

    def scan_to_next_token(self) -> Any:
        """Go to the next token; returns None, as the library's own."""
        super().scan_to_next_token()
        while self.reader.peek() == "\t" and not self.flow_level and self._parts():
            while self.reader.peek() in " \t":
                self.reader.forward()
            super().scan_to_next_token()

    def _parts(self) -> bool:
        """Whether the tab here is no indentation."""
        here = self.reader.index
        before = self._text[here - self.reader.column : here]
        end = self._text.find("\n", here)
        after = self._text[here:] if end < 0 else self._text[here:end].rstrip("\r")
        if _NOTHING.match(after) or not _INDICATORS.match(before):
            return True
        # After `-` a text may stand, but nothing whose own lines would lie as deep as the tab is wide.
        return bool(before.strip()) and not _COLLECTION.match(after)
