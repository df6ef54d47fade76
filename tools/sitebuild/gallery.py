"""The gallery of mixers: the pages of examples/mixers, each heard, with its columns and its file."""

from __future__ import annotations

import functools
import re

import djgraph
from djgraph.layout import ParameterLayout
from sitebuild.files import shown
from sitebuild.links import for_site
from sitebuild.played import PLAYED, render
from sitebuild.site import ROOT, Nav, Site
from sitebuild.sound import mp3

SOURCE = "examples/mixers"
FOLDER = "gallery"
_TITLE = re.compile(r"^# (.*)$", re.MULTILINE)
_PICTURE = re.compile(r"^!\[[^\]]*\]\(\w+\.svg\)\n", re.MULTILINE)


def mixers() -> list[str]:
    """The names of the mixers that have a page."""
    return sorted(path.stem for path in (ROOT / SOURCE).glob("*.yaml"))


def write(site: Site, sounds: bool = True) -> Nav:
    """Writes all pages. sounds: render them, too."""
    for name in mixers():
        if sounds and name in PLAYED:
            site.assets[f"{FOLDER}/sounds/{name}.mp3"] = _sound(name)
        site.page(f"{FOLDER}/{name}.md", page(name, site))
    site.page(f"{FOLDER}/index.md", overview(site))
    return [f"{FOLDER}/index.md", *(f"{FOLDER}/{name}.md" for name in mixers())]


@functools.cache
def _sound(name: str) -> bytes:
    return mp3(render(ROOT / SOURCE / f"{name}.yaml", PLAYED[name]))


def _text(name: str, site: Site) -> str:
    path = f"{SOURCE}/{name}.md"
    uri = f"{FOLDER}/{'index' if name == 'README' else name}.md"
    return for_site((ROOT / path).read_text(encoding="utf-8"), path, uri, site)


def page(name: str, site: Site) -> str:
    """A mixer's page: as it is in the repository, a sound below its picture, and behind it all columns and the file."""
    text = _text(name, site)
    if name in PLAYED:
        sound = f"[{PLAYED[name].words}](sounds/{name}.mp3)\n"
        text = _PICTURE.sub(lambda match: f"{match[0]}\n{sound}", text, count=1)
    layout = ParameterLayout.from_graph(djgraph.load(ROOT / SOURCE / f"{name}.yaml"))
    folded = {
        f"All {len(layout)} columns": layout.to_markdown(),
        f"{name}.yaml": shown(f"{SOURCE}/{name}.yaml").split("\n\n", 2)[2],
    }
    parts = [text.rstrip()]
    for title, content in folded.items():
        lines = "\n".join(f"    {line}".rstrip() for line in content.splitlines())
        parts.append(f'??? abstract "{title}"\n\n{lines}')
    return "\n\n".join(parts) + "\n"


def overview(site: Site) -> str:
    """The page of all mixers: its text, and a card for each."""
    cards = []
    for name in mixers():
        (title, *_) = _TITLE.findall((ROOT / SOURCE / f"{name}.md").read_text(encoding="utf-8"))
        graph = djgraph.load(ROOT / SOURCE / f"{name}.yaml")
        words = f"{len(ParameterLayout.from_graph(graph))} controls"
        site.place(f"{SOURCE}/{name}.svg")
        cards.append(
            f'<a href="{name}.html"><strong>{title}</strong><span>{words}</span>'
            f'<img loading="lazy" alt="" src="{name}.svg"></a>'
        )
    grid = '<div class="cards wide">\n' + "\n".join(cards) + "\n</div>\n"
    return _text("README", site).replace("\n| mixer |", f"\n{grid}\n## Where to look\n\n| mixer |", 1)
