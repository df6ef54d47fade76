"""Every shipped recipe on every shipped graph: it runs where the roles are, and says which is missing elsewhere."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import djgraph
from djgraph.automation import load, recipes
from djgraph.effects.roles import ROLES
from djgraph.errors import AutomationError
from djgraph.layout import ParameterLayout
from djgraph.plugins import registry

PAGE = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text(encoding="utf-8")
GRAPHS = tuple(registry().graphs)
FADES = ("linear", "equal_power", "exponential", "logarithmic", "additive", "constant_power", "cut")
NEEDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(FADES, ()),
    "bass_swap": ("low",),
    "eq_blend": ("low", "mid", "high"),
    "eq_kill": ("low", "mid", "high"),
    "filter_fade": ("highpass or filter",),
    "vocals_over": ("fader of vocals",),
    "drum_swap": ("fader of drums",),
    "echo_out": ("echo_send", "echo_feedback"),
    "drop_swap": ("highpass or filter",),
}
"""The roles that each recipe needs beside the faders of two tracks."""

STEMS = "second track, low, mid, high, highpass, echo_send, echo_feedback, fader of drums, fader of vocals"
HAS: dict[str, str] = {
    "dj_mixer": STEMS,
    "dj_mixer_live": STEMS,
    "djtransgan": "second track, low, mid, high",
    "filter_knob": "second track, filter",
    "club_console": "second track, low, mid, high, filter, echo_send, echo_feedback",
    "club_mixer": "second track, low, mid, high, filter, echo_send, echo_feedback",
    "stem_performer": "second track, filter, echo_send, echo_feedback, fader of drums, fader of vocals",
    "dub_desk": "filter, echo_send, echo_feedback",
    "podcast_ducker": "second track",
    "mastering": "",
}
"""What each graph has of that, read off its file."""


def lacks(graph: str, recipe: str) -> list[str]:
    has = HAS[graph].split(", ")
    missing = [] if "second track" in has else ["second track"]
    return missing + [need for need in NEEDS[recipe] if not set(need.split(" or ")) & set(has)]


@pytest.fixture(scope="module")
def all_layouts() -> dict[str, ParameterLayout]:
    return {name: ParameterLayout.from_graph(djgraph.load(name)) for name in GRAPHS}


def test_all_are_here() -> None:
    assert set(GRAPHS) == set(HAS)
    assert set(recipes()) == set(NEEDS)


SAYS = {
    "second track": "no 2nd track with a fader",
    "fader of drums": "no stem with a fader",
    "fader of vocals": "no stem with a fader",
    "highpass or filter": "no control with the role 'highpass'",
}
"""What an error says of what is missing."""


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("name", NEEDS)
def test_the_whole_matrix(all_layouts: dict[str, ParameterLayout], name: str, graph: str) -> None:
    layout = all_layouts[graph]
    auto = load(name, start="8s", length="16beats")
    missing = lacks(graph, name)
    if missing:
        with pytest.raises(AutomationError) as caught:
            auto.render(layout, 100, 40.0, tempo=120)
        text = str(caught.value)
        for need in missing if "second track" not in missing else ["second track"]:
            assert SAYS.get(need, f"no control with the role {need!r}") in text
        if "highpass or filter" in missing and "second track" not in missing:
            assert "no control with the role 'filter'" in text
        return
    params = auto.render(layout, 1001, 40.0, tempo=120, dtype=torch.float64)
    layout.check(params, out_of_range=True)
    # Levels of what is heard, stems and tracks multiplied, at both ends: one track in full, the other silent.
    first, second = (levels(layout, params, number) for number in (0, 1))
    np.testing.assert_allclose(first[0], 1, atol=1e-9)
    np.testing.assert_allclose(second[0], 0, atol=1e-9)
    np.testing.assert_allclose(first[-1], 0, atol=1e-9)
    np.testing.assert_allclose(second[-1], 1, atol=1e-9)
    # Nothing of the transition stays on the incoming track.
    own = [i for i, column in enumerate(layout) if column.part and belongs(layout, column.part.owner) == 1]
    torch.testing.assert_close(params[-1, own], layout.neutral.double()[own])


def belongs(layout: ParameterLayout, owner: str) -> int | None:
    """The number of the track that a strip or bus belongs to, by the first part of its name."""
    heads = [n for n in dict.fromkeys(name.split(".")[0] for name in layout.names) if n in INPUTS]
    return heads.index(owner.split(".")[0]) if owner.split(".")[0] in heads else None


INPUTS = {"track_a", "track_b", "deck_1", "deck_2", "deck_3", "deck_4", "deck_a", "deck_b", "voice", "music"}


def levels(layout: ParameterLayout, params: torch.Tensor, number: int) -> np.ndarray:
    """The level of each stem of a track, or of it, at each frame: the product of the faders above it."""
    products: dict[str, np.ndarray] = {}
    for i, column in enumerate(layout):
        part = column.part
        if part is None or part.role != "fader" or belongs(layout, part.owner) != number:
            continue
        value = params[:, i].numpy()
        level = value if column.control.unit == "ratio" else np.where(value <= -60, 0.0, 10 ** (value / 20))
        products[part.owner] = level
    stems = {owner for owner in products if "." in owner} or set(products)
    return np.stack(
        [
            products[owner] * (products.get(owner.split(".")[0], 1.0) if "." in owner else 1.0)
            for owner in stems
        ],
        -1,
    )


def test_the_page_has_the_same_matrix() -> None:
    table = re.search(r"^\| graph \|.*\n\|[-| ]+\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert table is not None
    heads = [cell.strip(" `") for cell in table[0].splitlines()[0].strip("|").split("|")]
    rows = {
        row.split("|")[1].strip(" `"): [cell.strip() for cell in row.split("|")[2:-1]]
        for row in table[1].splitlines()
    }
    assert set(rows) == set(GRAPHS)
    for graph, cells in rows.items():
        for head, cell in zip(heads[1:], cells, strict=True):
            for name in FADES if head == "fades" else (head,):
                missing = lacks(graph, name)
                assert cell == ("yes" if not missing else ", ".join(f"no {need}" for need in missing)), (
                    graph,
                    name,
                )


@pytest.mark.parametrize("graph", ["club_mixer", "podcast_ducker"])
def test_faders_in_decibels_fade_as_others_do(all_layouts: dict[str, ParameterLayout], graph: str) -> None:
    """Equal power is 0.707 in the middle, which is −3.01 dB, and silence at the end."""
    layout = all_layouts[graph]
    a, b = [name for name in layout.names if name.endswith(".fader")][:2]
    params = load("equal_power").render(layout, 101, 1.0, dtype=torch.float64)
    t = np.linspace(0, 1, 101)
    with np.errstate(divide="ignore"):
        down, up = (
            np.maximum(20 * np.log10(level), -60) for level in (np.cos(t * np.pi / 2), np.sin(t * np.pi / 2))
        )
    down[-1] = -60
    np.testing.assert_allclose(params[:, layout.index(a)], down, atol=1e-9)
    np.testing.assert_allclose(params[:, layout.index(b)], up, atol=1e-9)
    assert params[50, layout.index(a)].item() == pytest.approx(10 * math.log10(0.5))
    # With exact positions the way between frames is near the curve as well.
    frames = load("equal_power").render_exact(layout, 8001, 8000, dtype=torch.float64)
    course = np.interp(np.arange(7601), frames.positions.numpy(), frames.params[:, layout.index(a)].numpy())
    wanted = np.cos(np.arange(7601) / 8000 * np.pi / 2)
    np.testing.assert_allclose(10 ** (course / 20), wanted, atol=2e-3)


def test_a_kill_of_an_isolator_in_decibels_is_silence(all_layouts: dict[str, ParameterLayout]) -> None:
    layout = all_layouts["club_mixer"]
    params = load("bass_swap").render(layout, 5, 1.0)  # the swap is in the middle
    assert params[:, layout.index("deck_1.eq_low")].tolist() == [0, 0, -60, -60, -60]
    assert params[:, layout.index("deck_2.eq_low")].tolist() == [-60, -60, 0, 0, 0]
    half = load("bass_swap", bass=0.5).render(layout, 5, 1.0)
    assert half[0, layout.index("deck_2.eq_low")].item() == pytest.approx(20 * math.log10(0.5), abs=1e-5)


def test_positions_of_filters(all_layouts: dict[str, ParameterLayout]) -> None:
    """The knob of filter_knob goes from −1 to 1, a macro from 0 to 1: both are turned as far."""
    ends = {}
    for graph, name in (("club_mixer", "deck_1.filter"), ("club_console", "deck_1.filter")):
        layout = all_layouts[graph]
        params = load("filter_fade", knob=0.9).render(layout, 5, 1.0, dtype=torch.float64)
        ends[graph] = params[-1, layout.index(name)].item()
    assert ends["club_console"] == pytest.approx(0.9)
    assert ends["club_mixer"] == pytest.approx(0.8)


def test_a_sweep_in_hertz_goes_in_equal_ratios() -> None:
    graph = djgraph.load(
        {
            "djgraph": 1,
            "name": "hz",
            "inputs": [{"name": "a"}, {"name": "b"}],
            "roles": {"highpass": "*.filter.cutoff"},
            "mixer": [
                {
                    "strip": name,
                    "input": name,
                    "chain": [
                        {
                            "effect": "filter",
                            "settings": {"kind": "highpass"},
                            "controls": {"cutoff": {"default": 20, "neutral": 20}, "mix": 1},
                        },
                        "gain",
                    ],
                    "to": "m",
                }
                for name in "ab"
            ]
            + [{"bus": "m"}],
            "outputs": ["m"],
        }
    )
    layout = ParameterLayout.from_graph(graph)
    params = load("filter_fade", start="0%", length="100%").render(graph, 5, 1.0, dtype=torch.float64)
    wanted = 20 * 1000 ** (0.85 * np.linspace(0, 1, 5))
    np.testing.assert_allclose(params[:, layout.index("a.filter.cutoff")], wanted, rtol=1e-9)
    # Resolved for this layout and written down, it is the same.
    resolved = load("filter_fade", start="0%", length="100%").resolve(graph)
    again = load(resolved.to_yaml())
    assert again == resolved
    torch.testing.assert_close(again.render(graph, 5, 1.0, dtype=torch.float64), params)
    assert {curve.unit for curve in resolved.every_curve()} == {"", "position"}
    with pytest.raises(AutomationError, match="CSV has no place for units"):
        resolved.to_csv()
    with pytest.raises(AutomationError, match="CSV has no place for roles"):
        load({"automation": 1, "curves": [{"role": "low", "value": 1}]}).to_csv()


TWO_TRIMS = {
    "djgraph": 1,
    "name": "two_trims",
    "inputs": [{"name": "a"}, {"name": "b"}],
    "mixer": [
        *(
            {"strip": s, "input": s, "chain": ["gain", {"effect": "trim", "id": "fader"}], "to": "m"}
            for s in "ab"
        ),
        {"bus": "m"},
    ],
    "outputs": ["m"],
}


@pytest.mark.parametrize(
    "graph",
    [TWO_TRIMS, *(pytest.param(name, marks=pytest.mark.slow) for name in ("club_mixer", "stem_performer"))],
)
def test_equal_power_as_it_sounds_through_faders_in_decibels(graph: str | dict[str, object]) -> None:
    """A tone on each deck, measured at the ends and in the middle of a fade of a second."""
    loaded = djgraph.load(graph)
    mixer, rate = djgraph.compile(loaded), loaded.sample_rate
    t = torch.arange(rate, dtype=torch.float64) / rate
    tones = [0.05 * torch.sin(2 * math.pi * hertz * t).float().expand(1, 2, -1) for hertz in (440, 1000)]
    inputs = {}
    for (name, stems), tone in zip(loaded.inputs.items(), tones, strict=False):
        silent = torch.zeros_like(tone)
        inputs[name] = tone if stems is None else {stem: tone if stem == "bass" else silent for stem in stems}
    frames = load("equal_power").render_exact(mixer, rate, rate)
    with torch.inference_mode():
        mix = mixer(inputs, frames.params, positions=frames.positions, tempo=120)
    mix = (mix if isinstance(mix, torch.Tensor) else mix["master"])[0, 0].double()

    def levels(at: float) -> list[float]:
        part = slice(round((at - 0.025) * rate), round((at + 0.025) * rate))
        waves = (torch.exp(-2j * math.pi * hertz * t[part]) for hertz in (440, 1000))
        return [(2 * (wave * mix[part]).mean().abs() / 0.05).item() for wave in waves]

    for at in (0.03, 0.25, 0.5, 0.75, 0.97):
        wanted = (math.cos(at * math.pi / 2), math.sin(at * math.pi / 2))
        assert levels(at) == pytest.approx(wanted, abs=0.02)


def test_the_page_lists_the_roles_and_who_declares_them() -> None:
    rows = re.findall(
        r"^\| ((?:`\w+`(?:, )?)+) \| [^|]+ \| (levels|positions) \| ([^|]+) \|$", PAGE, re.MULTILINE
    )
    listed = {role: (measure, by) for names, measure, by in rows for role in re.findall(r"`(\w+)`", names)}
    assert set(listed) == set(ROLES)
    declared: dict[str, set[str]] = {role: set() for role in ROLES}
    for name, entry in registry().effects.items():
        if entry.distribution and "djgraph" in entry.distribution:
            for control in entry.effect.controls:
                if control.role:
                    declared[control.role].add(name)
    for role, (measure, by) in listed.items():
        assert ROLES[role].measure == {"levels": "amplitude", "positions": "position"}[measure]
        effects = {word for word in re.findall(r"`(\w+)`", by) if word in registry().effects}
        assert effects == declared[role], role


def test_a_role_of_ones_own_is_said_in_plain_units() -> None:
    document = {
        "djgraph": 1,
        "name": "own",
        "inputs": [{"name": "a"}],
        "roles": {"swirl": "a.phaser.rate"},
        "mixer": [{"strip": "a", "input": "a", "chain": ["phaser"], "to": "m"}, {"bus": "m"}],
        "outputs": ["m"],
    }
    layout = ParameterLayout.from_graph(djgraph.load(document))
    auto = load({"automation": 1, "curves": [{"role": "swirl", "of": "a", "value": 2}]})
    assert auto.render(layout, 1, 1.0)[0, layout.index("a.phaser.rate")].item() == 2
    knob = load({"automation": 1, "curves": [{"role": "swirl", "unit": "position", "value": 1}]})
    assert (
        knob.render(layout, 1, 1.0)[0, layout.index("a.phaser.rate")].item()
        == layout["a.phaser.rate"].control.max
    )
