"""What the site has beside docs/: generated pages, files that are shown or copied, entries of the navigation."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The repository."""
PAGES = {
    "README.md": "index.md",
    "docs/README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "examples/mixers/README.md": "gallery/index.md",
}
"""Pages of the repository that have a place of their own in the site."""
FOLDERS = {"docs": "", "examples/mixers": "gallery"}
"""Folders of the repository whose pages and pictures have one."""
PICTURES = (".svg", ".png")
LARGEST = 400_000
"""Bytes of a file that gets a page; a larger one is copied."""

Nav = list[str | dict[str, "str | Nav"]]


@dataclass
class Site:
    """Collects what is generated. ``wanted`` are files of the repository that some page links to, by their place."""

    pages: dict[str, str] = field(default_factory=dict)
    assets: dict[str, bytes] = field(default_factory=dict)
    wanted: dict[str, str] = field(default_factory=dict)
    unlisted: set[str] = field(default_factory=set)
    """Pages without an entry in the navigation."""
    nav: dict[str, Nav] = field(default_factory=dict)
    """Entries of each part, by the name after the ``@`` in mkdocs.yml."""

    def page(self, uri: str, text: str) -> None:
        """A page in the site's own terms: its links are those of the site."""
        assert uri not in self.pages, f"{uri} is written twice"
        self.pages[uri] = text

    def place(self, path: str) -> str | None:
        """Where a file or folder of the repository is in the site; asked for, it will be there. None if there is none.

        path: from the repository's root, with forward slashes.
        """
        path = path.rstrip("/")
        if not (ROOT / path).exists():
            return None
        uri = _own_place(path) or _shown_place(path)
        if not path.startswith("docs/"):
            self.wanted[uri] = path
        return uri


def _own_place(path: str) -> str | None:
    if path in PAGES:
        return PAGES[path]
    folder, name = posixpath.split(path)
    if folder.startswith("docs/"):
        return path.removeprefix("docs/")
    if folder in FOLDERS and name.endswith((".md", *PICTURES)):
        return posixpath.join(FOLDERS[folder], name)
    if folder.startswith("plugins/") and name == "README.md":
        return f"{folder}.md"
    return None


def _shown_place(path: str) -> str:
    """In a part of the site that looks like the repository."""
    whole = ROOT / path
    if whole.is_dir():
        return f"files/{path}/index.md"
    if path.endswith((".md", *PICTURES)) or whole.stat().st_size > LARGEST:
        return f"files/{path}"
    return f"files/{path}.md"
