"""The catalogue of effects: a page for each, with all that it declares; sounds of what changes the sound."""

from __future__ import annotations

import re

import pytest
import torch
from effort import few

import djgraph
from djgraph.effects import Control
from sitebuild import catalogue, heard, lowered, tables
from sitebuild.sections import sections
from sitebuild.site import ROOT, Site

EFFECTS = djgraph.registry().effects
BUILT_IN = sorted(name for name, entry in EFFECTS.items() if entry.plugin == "fx")


def test_pages_have_all_that_effects_declare(monkeypatch: pytest.MonkeyPatch) -> None:
    for part in ("lowerings", "costs"):
        monkeypatch.setattr(catalogue, part, lambda name, effect: [])
    about = catalogue.described()
    for name, entry in EFFECTS.items():
        page = catalogue.page(entry, about.get(name), Site(), sounds=False)
        declared = page.partition("\n## Controls")[2]
        for control in entry.effect.controls:
            row = re.findall(rf"^\| `{control.id}` \| .*\|$", declared, re.MULTILINE)[0]
            assert tables.span(control) in row
            assert control.description in row
        for setting in entry.effect.Settings.model_fields:
            assert f"| `{setting}` |" in declared.partition("## Settings")[2], name
        if name in BUILT_IN:
            assert f"effects/{name}.png" in page
            assert "numbers in brackets" in page.partition("## What it computes")[2]
            first = page.partition("## What it computes\n\n")[2].splitlines()[0]
            assert (
                first == about[name].body.splitlines()[0].replace("](#", "](../effects.md#") or "](" in first
            )


@pytest.mark.parametrize("name", few(["compressor", "eq3", "crossover3", "deck"], 1))
def test_plans_and_costs_under_both_lowerings(name: str) -> None:
    effect = EFFECTS[name].effect
    text = "\n".join(lowered.lowerings(name, effect))
    assert text.count("    plan ") == text.count("    stream plan ") == 2
    assert ("largest difference" in text) == (name == "eq3")
    assert ("Mflop" in "\n".join(lowered.costs(name, effect))) == (effect.domain != "source")


def test_every_effect_has_a_section_that_is_shown_and_one_way_to_be_heard() -> None:
    assert set(catalogue.described()) >= set(BUILT_IN)
    assert set(heard.HEARD) | set(heard.SILENT) == set(BUILT_IN)
    assert not set(heard.HEARD) & set(heard.SILENT)


def test_the_overview_lists_every_effect() -> None:
    page = catalogue.overview({"all": list(EFFECTS.values())})
    assert set(re.findall(r'href="(\w+)\.html"', page)) == set(EFFECTS)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(heard.HEARD)[::4])  # the site's build renders all
def test_what_is_heard_is_the_effect(name: str) -> None:
    one = heard.HEARD[name]
    made = heard.wet(EFFECTS[name].effect, one)
    assert made.shape == (2, round(heard.SECONDS * 44100))
    assert made.isfinite().all()
    assert made.square().mean().sqrt() > 0.005, "it can be heard"
    assert (made - heard.dry(one.stems)).abs().max() > 0.05, "and is not the signal before"


def test_moves_follow_the_scale_and_held_controls_step() -> None:
    log = Control(20, 20000, scale="log", id="f", default=20)
    values = heard.course(log, [100, 10000])
    assert values[heard.FRAMES // 2] == pytest.approx(1000)
    switch = Control(0, 1, step=1, id="s", default=0)
    assert set(heard.course(switch, [0, 1])) == {0, 1}
    assert heard.course(log, 50) == pytest.approx([50] * heard.FRAMES)


def test_ranges_in_words() -> None:
    assert tables.allowed({"minimum": 0, "maximum": 20000}) == "0 … 20 000".replace(" ", tables.NARROW)
    assert tables.allowed({"exclusiveMinimum": 0}) == "from 0 (above the first)"
    assert tables.allowed({"anyOf": [{"type": "null"}, {"enum": ["a", "b"]}]}) == "`a`, `b`"
    assert tables.allowed(
        {"type": "array", "items": {"minimum": 0, "maximum": 1}, "minItems": 2, "maxItems": 2}
    ) == ("2 items, each 0 … 1".replace(" … ", f"{tables.NARROW}…{tables.NARROW}"))
    assert tables.kind({"anyOf": [{"type": "number"}, {"type": "boolean"}]}) == "number or true or false"
    assert [tables.number(one) for one in (-60.0, 20000, 0.70710678, 1e-3)] == [
        "−60",
        f"20{tables.NARROW}000",
        "0.7071",
        "0.001",
    ]


def test_sections_end_at_headings_and_not_in_code() -> None:
    text = "# One\na\n```sh\n# no heading\n```\n## Two: `x.y`, z\nb\n"
    one, two = sections(text)
    assert "# no heading" in one.body
    assert (two.level, two.anchor, two.body) == (2, "two-xy-z", "b")


def test_costs_are_those_of_the_plan_and_of_the_page() -> None:
    cost = lowered.estimated(lowered.compiled("gain", "studio"))
    assert cost.forward == pytest.approx(
        2 * 441000 * 2.5 / 1e6, rel=0.5
    )  # a product and a curve for each sample
    forward, both = lowered.measured()["eq3"]
    assert f"| `eq3` | {forward} | {both} |" in (ROOT / "docs/effects.md").read_text(encoding="utf-8")


def test_one_sound_quickly() -> None:
    made = heard.wet(EFFECTS["gain"].effect, heard.Heard(("bass",), {"gain": 0.5}))
    middle = slice(20000, 200000)
    assert torch.allclose(made[:, middle], heard.dry(("bass",))[:, middle] / 2, atol=1e-6)
