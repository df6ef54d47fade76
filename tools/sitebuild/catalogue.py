"""The catalogue of effects: a page for each that is registered, drawn, heard, with all that it declares."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from html import escape

import djgraph
from djgraph.effects import Effect, Port
from djgraph.effects.contract import FAMILIES
from djgraph.plugins import EffectEntry
from djgraph.speakers import word
from sitebuild import alone, tables
from sitebuild.heard import HEARD, SILENT, Heard, dry, wet, words
from sitebuild.links import for_site
from sitebuild.lowered import costs, lowerings
from sitebuild.sections import Section, sections
from sitebuild.site import ROOT, Nav, Site
from sitebuild.sound import mp3

FOLDER = "catalogue"
TITLES = {
    "level": "Level and space",
    "filters": "Filters",
    "dynamics": "Dynamics",
    "colour": "Colour",
    "modulation": "Modulation",
    "time": "Time",
    "rooms": "Rooms",
    "tools": "Tools",
    "sources": "Sources",
    "other": "Others",
}
PICTURE = re.compile(r"^!\[[^\]]*\]\(effects/(\w+)\.png\)\n?", re.MULTILINE)


def write(site: Site, sounds: bool = True) -> Nav:
    """Writes all pages; returns their entries of the navigation. sounds: render them, which takes half a minute."""
    families: dict[str, list[EffectEntry]] = {family: [] for family in FAMILIES}
    for entry in djgraph.registry().effects.values():
        families.setdefault(entry.effect.family, []).append(entry)
    families = {family: members for family, members in families.items() if members}
    about = described()
    nav: Nav = [f"{FOLDER}/index.md"]
    for family, members in families.items():
        for entry in members:
            site.page(f"{FOLDER}/{entry.name}.md", page(entry, about.get(entry.name), site, sounds))
        nav.append({title(family): [f"{FOLDER}/{entry.name}.md" for entry in members]})
    site.page(f"{FOLDER}/index.md", overview(families))
    return nav


def title(family: str) -> str:
    """What a family is called."""
    return TITLES.get(family, family.capitalize())


def described() -> dict[str, Section]:
    """By effect, the section of docs/effects.md that has its picture."""
    text = (ROOT / "docs/effects.md").read_text(encoding="utf-8")
    return {name: section for section in sections(text) for name in PICTURE.findall(section.body)}


def with_pages(text: str) -> str:
    """The page of all effects with a link below each picture to the effect's own page."""
    return PICTURE.sub(
        lambda match: f"{match[0]}\n[Heard, and all that it declares]({FOLDER}/{match[1]}.md)\n", text
    )


def overview(families: Mapping[str, list[EffectEntry]]) -> str:
    """The page of all effects: a card for each."""
    lines = [
        "# The catalogue of effects",
        "",
        f"The {sum(map(len, families.values()))} effects that are registered here, each with its formula, its picture, "
        "measured at the effect itself, a sound, all that it declares, what it costs and what becomes of it under both "
        "lowerings. `djgraph effects NAME` prints the same declarations. [What holds for all of them](../effects.md) "
        "is on one page; [yours](../plugins.md) come in by the same door.",
        "",
    ]
    for family, members in families.items():
        lines += [f"## {title(family)}", "", '<div class="cards">', *map(_card, members), "</div>", ""]
    return "\n".join(lines)


def _card(entry: EffectEntry) -> str:
    picture = ""
    if _has_picture(entry.name):
        picture = f'<img class="plot" loading="lazy" alt="" src="{_picture(entry.name)}">'
    about = escape(entry.effect.description)
    return f'<a href="{entry.name}.html"><strong>{entry.name}</strong><span>{about}</span>{picture}</a>'


def _has_picture(name: str) -> bool:
    return (ROOT / "docs/effects" / f"{name}.png").exists()


def _picture(name: str) -> str:
    return f"../effects/{name}.png"


def page(entry: EffectEntry, about: Section | None, site: Site, sounds: bool = True) -> str:
    """One effect's page."""
    name, effect = entry.name, entry.effect
    lines = [f"# {name}", "", _sentence(effect.description), "", _facts(entry), ""]
    if _has_picture(name):
        lines += [f"![{name}: what it does, measured]({_picture(name)}){{ .plot }}", ""]
    lines += ["## Heard", "", *_heard(entry, site, sounds), ""]
    lines += ["## What it computes", "", _formula(entry, about, site), ""]
    lines += ["## Controls", "", tables.controls(effect) if effect.controls else "None.", ""]
    if text := tables.settings(effect):
        lines += ["## Settings", "", text]
    lines += ["## In a graph", "", _in_a_graph(effect), ""]
    lines += ["## Both lowerings", "", *lowerings(name, effect), ""]
    lines += ["## What it costs", "", *costs(name, effect), ""]
    return "\n".join(lines)


def _sentence(text: str) -> str:
    return f"{text.removesuffix('.')}." if text else ""


def _facts(entry: EffectEntry) -> str:
    effect = entry.effect
    takes, gives = (", ".join(map(_port, ports)) for ports in (effect.inputs, effect.outputs))
    facts = [
        ("family", title(effect.family)),
        ("domain", effect.domain),
        ("takes", takes or "nothing"),
        ("gives", gives),
        ("from", f"plugin <code>{entry.plugin}</code> of {entry.distribution} {entry.version}"),
    ]
    if effect.uses_clock:
        facts.append(("follows", "the clock"))
    items = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts)
    return f'<dl class="facts">{items}</dl>'


def _port(port: Port) -> str:
    said = [] if port.channels is None else [word(port.channels)]
    if port.default is not None:
        said.append(f"<code>{port.default}</code> unless it is connected")
    return f"<code>{port.name}</code> ({', '.join(said)})" if said else f"<code>{port.name}</code>"


def _heard(entry: EffectEntry, site: Site, sounds: bool) -> list[str]:
    name = entry.name
    if name in SILENT:
        return [SILENT[name]]
    if name not in HEARD or not sounds:
        return ["No sound was rendered for it."]
    heard = HEARD[name]
    before = f"dry_{'_'.join(heard.stems)}.mp3"
    site.assets[f"{FOLDER}/sounds/{name}.mp3"] = _wet(name)
    lines = []
    if entry.effect.inputs:
        site.assets[f"{FOLDER}/sounds/{before}"] = _dry(heard.stems)
        lines += [f"[{_stems(heard)} of the demo, as they are](sounds/{before})", ""]
    return [*lines, f"[{words(entry.effect, heard) or name}](sounds/{name}.mp3)"]


def _stems(heard: Heard) -> str:
    return "All stems" if len(heard.stems) == 4 else " and ".join(heard.stems).capitalize()


@functools.cache
def _dry(stems: tuple[str, ...]) -> bytes:
    return mp3(dry(stems))


@functools.cache
def _wet(name: str) -> bytes:
    return mp3(wet(djgraph.effect(name), HEARD[name]))


def _formula(entry: EffectEntry, about: Section | None, site: Site) -> str:
    """The section of docs/effects.md, or what the effect's class says of itself."""
    if about is None:
        return (entry.effect.__doc__ or entry.effect.description).split("\n\n")[0]
    text = PICTURE.sub(lambda match: "" if match[1] == entry.name else match[0] + "\n", about.body)
    text = text.replace("](#", "](effects.md#")
    text = for_site(text, "docs/effects.md", f"{FOLDER}/{entry.name}.md", site)
    text = text.strip("\n")  # spaces before the first line make it a block of code
    page = "../effects.md"
    return (
        f"{text}\n\n"
        f"From [{about.title}]({page}#{about.anchor}); numbers in brackets are [sources]({page}#sources)."
    )


def _in_a_graph(effect: type[Effect]) -> str:
    if effect.domain == "source":
        line = f"- {{name: track, source: {effect.type}}}"
        return (
            f"It plays an input ([sources](../graph-language.md#sources)):\n\n```yaml\ninputs:\n  {line}\n```"
        )
    node = [f"effect: {effect.type}", f"id: {alone.NODE}"]
    if further := [port.name for port in effect.inputs[1:]]:
        node.append(f"inputs: {{{', '.join(f'{name}: other' for name in further)}}}")
    if effect.controls:
        first = effect.controls[0]
        node.append(f"controls: {{{first.id}: {{default: {first.default:g}}}}}")
    text = f"```yaml\nchain:\n  - {{{', '.join(node)}}}\n```"
    if not effect.controls:
        return text
    columns = f"Its columns are `STRIP.{alone.NODE}.CONTROL`, or what `as:` calls them"
    return f"{text}\n\n{columns} ([the language](../graph-language.md))."
