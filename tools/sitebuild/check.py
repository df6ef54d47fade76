"""Checks a site that was built: nothing is fetched from other machines, and all that pages load is there.

``python -m sitebuild.check FOLDER`` prints what is wrong, and ends with 1 if anything is. Links between pages are
MkDocs' to check (``mkdocs build --strict``); this is about what a browser loads, raw HTML included.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_LOADED = {
    "audio": "src",
    "iframe": "src",
    "img": "src",
    "link": "href",
    "script": "src",
    "source": "src",
    "video": "src",
}
_LINKED = {"a": "href"}
_CSS = re.compile(r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]([^'\"]+)")


class _Targets(HTMLParser):
    """Collects what a page loads, and what it links to."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.linked: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if target := given.get(_LOADED.get(tag, "")):
            self.loaded.append(target)
        if target := given.get(_LINKED.get(tag, "")):
            self.linked.append(target)


def faults(folder: Path) -> Iterator[str]:
    """What is wrong with the site in a folder, one line each."""
    for page in sorted(folder.rglob("*.html")):
        found = _Targets()
        found.feed(page.read_text(encoding="utf-8"))
        name = page.relative_to(folder)
        for target in found.loaded:
            if _elsewhere(target):
                yield f"{name} loads {target} from another machine"
        if page.name == "404.html":  # whose links begin at the site's root, wherever that is
            continue
        for target in {*found.loaded, *found.linked}:
            if not urlsplit(target).scheme and not target.startswith("//") and not _there(page, target):
                yield f"{name} wants {target}, which is not there"
    for style in sorted(folder.rglob("*.css")):
        for match in _CSS.finditer(style.read_text(encoding="utf-8")):
            if _elsewhere(match[1] or match[2]):
                yield f"{style.relative_to(folder)} loads {match[1] or match[2]} from another machine"


def _elsewhere(target: str) -> bool:
    return target.startswith("//") or urlsplit(target).scheme in ("http", "https")


def _there(page: Path, target: str) -> bool:
    path = unquote(urlsplit(target).path)
    return not path or (page.parent / path).exists()


def main() -> int:
    found = list(faults(Path(sys.argv[1])))
    print("\n".join(found) or "the site loads nothing from elsewhere, and lacks nothing")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
