"""The gallery of mixers and the sounds of recipes: none is missing, and each can be heard."""

from __future__ import annotations

import re

import pytest

import djgraph
from sitebuild import gallery, recipes
from sitebuild.played import PLAYED, SECONDS, render
from sitebuild.site import ROOT, Site
from sitebuild.sound import AFTER, BEFORE, LENGTH, RATE, transition


def test_every_mixer_has_a_sound() -> None:
    assert set(PLAYED) == set(gallery.mixers())


@pytest.mark.slow
def test_every_mixer_has_a_page_with_its_columns_its_file_and_a_sound() -> None:
    site = Site()
    nav = gallery.write(site, sounds=False)
    assert set(nav) == set(site.pages) == {f"gallery/{name}.md" for name in ("index", *gallery.mixers())}
    for name in gallery.mixers():
        page = site.pages[f"gallery/{name}.md"]
        for column in djgraph.load(ROOT / gallery.SOURCE / f"{name}.yaml").columns:
            assert f"`{column.name}`" in page or f"| {column.name} |" in page, column.name
        assert f"[{PLAYED[name].words}](sounds/{name}.mp3)" in page
        assert f"name: {name}" in page
        assert f'href="{name}.html"' in site.pages["gallery/index.md"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["dub_loops", "podcast", "quad", "stem_swap"]
)  # the site's build renders all
def test_mixers_are_heard(name: str) -> None:
    audio = render(ROOT / gallery.SOURCE / f"{name}.yaml", PLAYED[name])
    assert audio.shape == (2, round(SECONDS * RATE))
    assert audio.isfinite().all()
    for part in audio.chunk(6, -1):
        assert part.square().mean().sqrt() > 0.02


def test_every_recipe_has_a_place_for_its_sound() -> None:
    text = (ROOT / "docs/recipes.md").read_text(encoding="utf-8")
    heard = re.findall(r"\]\(recipes/sounds/(\w+)\.mp3\)", recipes.with_sounds(text))
    assert sorted(heard) == sorted(djgraph.automation.recipes())


@pytest.mark.slow
def test_a_recipe_is_heard() -> None:
    audio = transition("cut")
    assert audio.shape == (2, round((BEFORE + LENGTH + AFTER) * RATE))
    middle = round((BEFORE + LENGTH / 2) * RATE)
    before = transition("linear")
    assert (audio - before)[:, : RATE // 2].abs().max() < 1e-4  # the first track alone, in both
    assert (audio - before)[:, middle - RATE : middle].abs().max() > 0.05
