"""Options of commands stay whole where lines end: browsers break lines behind hyphens, within ``--bits``, too."""

from __future__ import annotations

import re

_INLINE = re.compile(r"<code>[^<]*-[^<]*</code>")
_BLOCK = re.compile(r'<div class="language-bash highlight">.*?</div>', re.DOTALL)
_TEXT = re.compile(r"(?<=>)[^<>]*-[^<>]*(?=<)")
_OPTION = re.compile(r"(?<![\w-])--?[A-Za-z][\w-]*")


def whole(html: str) -> str:
    """A page whose options, in commands and among words, are marked as what no line is broken in."""
    for code in (_INLINE, _BLOCK):
        html = code.sub(lambda found: _TEXT.sub(lambda text: _marked(text[0]), found[0]), html)
    return html


def _marked(text: str) -> str:
    return _OPTION.sub(lambda option: f'<span class="whole">{option[0]}</span>', text)
