"""The parts of the site, one after another."""

from __future__ import annotations

import re
from pathlib import Path

import djgraph
from sitebuild import api, catalogue, files, gallery, recipes, references
from sitebuild.links import for_site
from sitebuild.site import ROOT, Nav, Site

OWN = Path(__file__).parent / "pages"
"""Pages and styles that only the site has."""
LIBRARIES = ("djgraph_pedalboard", "djgraph_torchaudio")


def build(docs: Path) -> Site:
    """Everything that the site has beside ``docs``."""
    site = Site()
    for path in sorted(OWN.rglob("*")):
        uri = path.relative_to(OWN).as_posix()
        if path.suffix == ".md":
            site.page(uri, _counted(path.read_text(encoding="utf-8")))
        elif path.is_file():
            site.assets[uri] = path.read_bytes()
    site.nav["catalogue"] = catalogue.write(site)
    site.nav["languages"] = references.write(site)
    site.nav["api"] = api.write(site)
    site.nav["howto"] = _howto(docs)
    site.nav["plugins"] = _pages(site, [f"plugins/{name}/README.md" for name in LIBRARIES])
    _pages(site, ["CONTRIBUTING.md", "CHANGELOG.md"])
    site.nav["gallery"] = gallery.write(site)
    site.nav["recipes"] = recipes.write(site)
    for path in sorted(docs.rglob("*.md")):  # so that what they link to is there
        uri = path.relative_to(docs).as_posix()
        for_site(path.read_text(encoding="utf-8"), f"docs/{uri}", uri, site)
    files.write(site)
    return site


def _counted(text: str) -> str:
    """A page with numbers in the places of their names."""
    counts = {
        "effects": len(djgraph.registry().effects),
        "mixers": len(list((ROOT / "examples/mixers").glob("*.yaml"))),
    }
    return re.sub(r"@(\w+)@", lambda match: str(counts[match[1]]), text)


def _pages(site: Site, paths: list[str]) -> Nav:
    places = [site.place(path) for path in paths]
    return [place for place in places if place]


def _howto(docs: Path) -> Nav:
    """The pages of docs/howto, its overview first."""
    found = sorted((docs / "howto").glob("*.md"), key=lambda path: (path.stem != "index", path.stem))
    return [path.relative_to(docs).as_posix() for path in found]
