"""Where lines of code end on a page: commands go on in the next line, options stay whole, long cells give way."""

from __future__ import annotations

import re

_INLINE = re.compile(r"<code>[^<]*-[^<]*</code>")
_SHELL = re.compile(r'<div class="language-bash highlight">.*?</div>', re.DOTALL)
_PLAIN = re.compile(r'<div class="language-text highlight">.*?</div>', re.DOTALL)
_COMMAND = re.compile(r"#|(djgraph|pip|python|mkdocs|pytest|ray|ruff|torchrun|export|[A-Z_]+=\S*) ")
_TEXT = re.compile(r"(?<=>)[^<>]*-[^<>]*(?=<)")
_OPTION = re.compile(r"(?<![\w-])--?[A-Za-z][\w-]*")
_CELL = re.compile(r"<td><code>(?=[^<]{32})")
"""Code that fills its cell; shorter code is never broken there."""


def ended(html: str) -> str:
    """A page whose code says to the style sheet where its lines may end.

    Browsers break lines behind hyphens, ``-`` here and ``o mix.flac`` there: options are marked as what is not broken.
    """
    html = _PLAIN.sub(lambda block: _as_commands(block[0]), html)
    for code in (_INLINE, _SHELL):
        html = code.sub(lambda found: _TEXT.sub(lambda text: _marked(text[0]), found[0]), html)
    return _CELL.sub('<td><code class="long">', html)


def _as_commands(block: str) -> str:
    """Commands without a fence around them are blocks of a shell as well."""
    lines = [line for line in re.sub("<[^>]*>", "", block).splitlines() if line]
    if lines and all(map(_COMMAND.match, lines)):
        return block.replace("language-text", "language-bash", 1)
    return block


def _marked(text: str) -> str:
    return _OPTION.sub(lambda option: f'<span class="whole">{option[0]}</span>', text)
