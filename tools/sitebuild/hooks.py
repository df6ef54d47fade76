"""The hook of MkDocs: adds the generated pages, fills the navigation, leads links of docs/ to their places."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sitebuild import api, catalogue, lines, parts, recipes
from sitebuild.links import for_site, with_players
from sitebuild.site import ROOT, Site

_site = Site()


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    global _site
    _site = parts.build(Path(config.docs_dir))
    config.nav = _filled(config.nav, _site)
    docs = Path(config.docs_dir)
    pages = {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")}
    if further := sorted(pages - _named(config.nav) - {"README.md"}):
        config.nav.append({"More": further})  # pages that mkdocs.yml does not name yet
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for uri, text in _site.pages.items():
        level = InclusionLevel.NOT_IN_NAV if uri in _site.unlisted else InclusionLevel.INCLUDED
        files.append(File.generated(config, uri, content=text, inclusion=level))
    for uri, data in _site.assets.items():
        files.append(File.generated(config, uri, content=data))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    uri = page.file.src_uri
    if uri not in _site.pages:
        markdown = for_site(markdown, f"docs/{uri}", uri, _site)
        if uri == "recipes.md":
            markdown = recipes.with_sounds(markdown)
        elif uri == "effects.md":
            markdown = catalogue.with_pages(markdown)
            page.meta["search"] = {"exclude": True}  # the catalogue has all of it
    elif uri == "changelog.md":
        page.meta["search"] = {"boost": 0.1}  # it has every word
    return with_players(markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    folder, _, name = page.file.src_uri.removesuffix(".md").rpartition("/")
    return lines.ended(api.as_called(name, html) if folder == api.FOLDER else html)


def on_serve(server: Any, config: MkDocsConfig, builder: Any) -> Any:
    server.watch(str(ROOT / "tools/sitebuild"))
    return server


def _named(nav: Any) -> set[str]:
    """The pages that a navigation names."""
    if isinstance(nav, str):
        return {nav}
    parts = nav.values() if isinstance(nav, dict) else nav
    return {page for part in parts for page in _named(part)}


def _filled(nav: Any, site: Site) -> Any:
    """The navigation with the entries of a part in place of its name; a part without pages leaves none."""
    if isinstance(nav, list):
        return [entry for one in nav if (entry := _filled(one, site)) != {}]
    if isinstance(nav, dict):
        return {key: value for key, one in nav.items() if (value := _filled(one, site))}
    if isinstance(nav, str) and nav.startswith("@"):
        return site.nav.get(nav[1:], [])
    return nav
