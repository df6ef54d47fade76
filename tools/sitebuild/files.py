"""Files of the repository that pages link to: shown as pages of their own."""

from __future__ import annotations

import posixpath
import re
import subprocess

from sitebuild.links import for_site
from sitebuild.site import ROOT, Site

LANGUAGES = {
    ".py": "python",
    ".yaml": "yaml",
    ".toml": "toml",
    ".json": "json",
    ".sh": "bash",
    ".js": "javascript",
    ".css": "css",
}
PARTS = ("gallery/", "contributing.md", "changelog.md", "plugins/", "index.md")
"""Places that are in the navigation, or written by another part."""
LAST = "---\nsearch: {boost: 0.1}\n---\n\n"
"""Who searches for a word wants the page about it first, not a file that has it."""


def write(site: Site) -> None:
    """Writes the pages and copies of all that is wanted, and of what these pages link to in turn."""
    done: set[str] = set(site.pages) | set(site.assets)
    while todo := [uri for uri in site.wanted if uri not in done]:
        for uri in todo:
            done.add(uri)
            path = site.wanted[uri]
            whole = ROOT / path
            if not uri.startswith(PARTS):
                site.unlisted.add(uri)
            if whole.is_dir():
                site.page(uri, _folder(path, uri, site))
            elif path.endswith(".md"):
                site.page(uri, for_site(whole.read_text(encoding="utf-8"), path, uri, site))
            elif uri.endswith(".md"):
                site.page(uri, shown(path))
            else:
                site.assets[uri] = whole.read_bytes()


def shown(path: str) -> str:
    """A page with the text of a file."""
    text = (ROOT / path).read_text(encoding="utf-8").rstrip("\n")
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    language = LANGUAGES.get(posixpath.splitext(path)[1], "text")
    return (
        f'{LAST}# {posixpath.basename(path)}\n\n`{path}`\n\n{fence}{language} linenums="1"\n{text}\n{fence}\n'
    )


def _folder(path: str, uri: str, site: Site) -> str:
    lines = [f"# {path}/", ""]
    for name in tracked(path):
        if place := site.place(f"{path}/{name}"):
            lines.append(f"- [{name}]({posixpath.relpath(place, posixpath.dirname(uri))})")
    return "\n".join(lines) + "\n"


def tracked(path: str) -> list[str]:
    """The files in a folder that belong to the project, without those in folders of it."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "--", path], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.split("\n")
    except (OSError, subprocess.CalledProcessError):  # no repository, as in a source distribution
        listed = [f"{path}/{one.name}" for one in sorted((ROOT / path).iterdir()) if one.is_file()]
    names = [posixpath.relpath(one, path) for one in listed if one]
    return [name for name in names if "/" not in name and name != "__init__.py"]
