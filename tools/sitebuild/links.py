"""Links of pages as they are in the repository, made links of the site."""

from __future__ import annotations

import posixpath
import re
from html import escape

from sitebuild.site import Site

SOUNDS = (".mp3", ".flac", ".ogg", ".wav")
_CODE = re.compile(r"(^ {0,3}```.*?^ {0,3}```|`[^`\n]*`)", re.DOTALL | re.MULTILINE)
_TARGET = re.compile(r"\]\(([^)\s#]*)(#[^)\s]*)?\)")
_FENCED = re.compile(r"(^ {0,3}```.*?^ {0,3}```)", re.DOTALL | re.MULTILINE)
_SOUND = re.compile(rf"(?<![!`])\[([^\]]*)\]\(([^)\s]+(?:{'|'.join(map(re.escape, SOUNDS))}))\)")


def for_site(text: str, path: str, uri: str, site: Site) -> str:
    """A page of the repository as the site has it: each link to a file leads to that file's place in the site.

    path: the page's own, from the repository's root. uri: its place. Links that lead nowhere stay as they are, and
    MkDocs says so.
    """

    def target(match: re.Match[str]) -> str:
        there, anchor = match[1], match[2] or ""
        if not there or ":" in there or there.startswith("/"):
            return match[0]
        place = site.place(posixpath.normpath(posixpath.join(posixpath.dirname(path), there)))
        if place is None:
            return match[0]
        return f"]({posixpath.relpath(place, posixpath.dirname(uri) or '.')}{anchor})"

    parts = _CODE.split(text)
    parts[::2] = [_TARGET.sub(target, part) for part in parts[::2]]
    return "".join(parts)


def with_players(text: str) -> str:
    """A link to a sound becomes a player of it."""
    parts = _FENCED.split(text)
    parts[::2] = [_SOUND.sub(lambda match: player(match[2], match[1]), part) for part in parts[::2]]
    return "".join(parts)


def player(source: str, words: str) -> str:
    """A sound that plays where one presses it; nothing is loaded before."""
    words = words.replace("`", "")
    return (
        f'<span class="sound"><audio controls preload="none" src="{escape(source)}" '
        f'aria-label="{escape(words)}"></audio><span>{escape(words)}</span></span>'
    )
