"""The recipes, heard: each on the default mixer, with the demo's tracks."""

from __future__ import annotations

import functools
import re

import djgraph
from sitebuild.site import Nav, Site
from sitebuild.sound import mp3, transition

FOLDER = "recipes/sounds"
PICTURE = re.compile(r"^!\[[^\]]*\]\(recipes/(\w+)\.svg\)\n?", re.MULTILINE)


def write(site: Site) -> Nav:
    """Renders a sound of each recipe that ships; there are no pages."""
    for name in djgraph.automation.recipes():
        site.assets[f"{FOLDER}/{name}.mp3"] = _sound(name)
    return []


@functools.cache
def _sound(name: str) -> bytes:
    return mp3(transition(name))


def with_sounds(text: str) -> str:
    """The page of the recipes with a player below each picture."""
    return PICTURE.sub(lambda match: f"{match[0]}\n[{match[1]}, heard]({FOLDER}/{match[1]}.mp3)\n", text)
