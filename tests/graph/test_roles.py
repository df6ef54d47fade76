"""Which role each column has, and of which track: by effects, by sends, by what the document says."""

from __future__ import annotations

import json
from typing import Any

import pytest

import djgraph
from djgraph.errors import AutomationError, LayoutError
from djgraph.graph.ir import Part
from djgraph.layout import ParameterLayout
from djgraph.plugins import registry
from djgraph.sound import Sound
from tests.graph.test_faders import gain, layout, strip


def roles(found: ParameterLayout) -> dict[str, str]:
    return {column.name: column.role for column in found if column.role}


def graph(*mixer: Any, inputs: Any = ("a", "b"), **more: Any) -> djgraph.Graph:
    document = {"djgraph": 1, "name": "g", "inputs": [{"name": i} for i in inputs], "outputs": ["m"]}
    return djgraph.load({**document, "mixer": list(mixer), **more})


def moved(found: ParameterLayout, curve: dict[str, Any]) -> list[str]:
    """The columns that a curve moves away from their default."""
    params = djgraph.automation.load({"automation": 1, "curves": [curve]}).render(found, 2, 1.0)
    return [found.names[i] for i in (params != found.default).any(0).nonzero().flatten().tolist()]


def test_effects_declare_roles_and_graphs_rename_nothing_of_it() -> None:
    found = layout(
        strip(
            "a",
            {"effect": "eq3", "controls": {"low": {"as": "bottom"}, "mid": 1}},
            {"effect": "filter_knob", "id": "sweep"},
            {"effect": "isolator4", "id": "iso"},
            gain(),
        ),
        strip("b"),
        {"bus": "m"},
    )
    assert roles(found) == {
        "a.bottom": "low",
        "a.eq3.high": "high",
        "a.sweep.knob": "filter",
        "a.iso.low": "low",
        "a.iso.low_mid": "mid",
        "a.iso.high_mid": "mid",
        "a.iso.high": "high",
        "a.fader.gain": "fader",
    }


def test_a_send_has_the_role_of_the_effect_on_its_bus() -> None:
    found = layout(
        strip("a", gain(), sends=[{"to": "x"}, {"to": "y"}, {"to": "z"}, {"to": "dry", "name": "k"}]),
        strip("b"),
        {"bus": "x", "chain": [{"effect": "echo", "controls": {"mix": 1}}, "eq3"], "to": "m"},
        {"bus": "y", "chain": [{"effect": "fdn", "controls": {"mix": {"default": 0.5}}}], "to": "m"},
        {"bus": "z", "chain": [{"effect": "delay", "controls": {"mix": 1}}, "reverb"], "to": "m"},
        {"bus": "dry", "chain": ["delay"], "to": "m"},  # a bus whose delay is down is no echo
        {"bus": "m"},
    )
    said = roles(found)
    assert {name: said.get(name) for name in found.names if name.startswith("a.")} == {
        "a.fader.gain": "fader",
        "a.x_send": "echo_send",
        "a.y_send": "reverb_send",
        "a.z_send": "echo_send",
        "a.k_send": None,
    }


def test_a_document_says_otherwise() -> None:
    channel = [{"effect": "eq3", "id": "eq"}, gain(), gain("cut")]
    macro = {"name": "sweep", "drives": {"eq.mid": [[0, 0], [1, 1]]}}
    found = ParameterLayout.from_graph(
        graph(
            *(strip(name, *channel, macros=[macro]) for name in "ab"),
            {"bus": "m"},
            roles={"filter": "*.sweep", "fader": ["a.cut.gain", "b.cut.gain"], "low": [], "bass": "a.eq.low"},
        )
    )
    assert roles(found) == {
        **{f"{name}.sweep": "filter" for name in "ab"},
        **{f"{name}.cut.gain": "fader" for name in "ab"},
        **{f"{name}.eq.high": "high" for name in "ab"},
        "a.eq.low": "bass",
    }
    assert found["a.sweep"].part == Part("filter", "a", 0, declared=True)
    assert moved(found, {"fader": "2nd", "value": 0.5}) == ["b.cut.gain"]
    assert moved(found, {"role": "filter", "of": "1st", "value": 0.5}) == ["a.sweep"]
    assert moved(found, {"role": "bass", "value": 0.5}) == ["a.eq.low"]


def test_repeats_and_references_in_roles() -> None:
    found = djgraph.load("""
djgraph: 1
name: decks
args: {decks: 3, knob: sweep}
inputs: [{for: {n: {from: 1, to: $decks}}, do: [{name: deck_$n}]}]
roles:
  filter:
    - for: {n: {from: 1, to: $(decks - 1)}}
      do: [deck_$n.$knob]
mixer:
  - for: {deck: inputs}
    do:
      - strip: $deck
        input: $deck
        chain: [lowpass]
        macros: [{name: sweep, drives: {lowpass.cutoff: [[0, 1], [1, 0]]}}]
        to: m
  - bus: m
outputs: [m]
""")
    assert roles(ParameterLayout.from_graph(found)) == {"deck_1.sweep": "filter", "deck_2.sweep": "filter"}


def test_roles_move_no_column_and_sound_like_nothing() -> None:
    for name in registry().graphs:
        found = djgraph.load(name)
        text = json.loads(ParameterLayout.from_graph(found).to_json())
        for column in text["columns"]:
            column["control"].pop("role")
            column.pop("part", None)
        without = ParameterLayout.from_json(json.dumps(text))
        assert without.fingerprint == ParameterLayout.from_graph(found).fingerprint
        assert "role" not in json.dumps(Sound.of(found).content["controls"])
    plain = graph(strip("a", "eq3"), {"bus": "m"})
    said = graph(strip("a", "eq3"), {"bus": "m"}, roles={"low": "a.eq3.high"})
    assert Sound.of(plain).graph == Sound.of(said).graph


def test_parts_survive_a_file() -> None:
    found = ParameterLayout.from_graph(djgraph.load("stem_performer"))
    again = ParameterLayout.from_json(found.to_json())
    assert [column.part for column in again] == [column.part for column in found]
    assert [row["role"] for row in found.to_rows()] == [column.role for column in found]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("role", 3, "role, owner and beside are text"),
        ("track", -1, "track is a whole number from 0 or null"),
        ("declared", "yes", "declared is true or false"),
        ("rôle", "x", "unknown key 'rôle'"),
    ],
)
def test_parts_in_files_are_checked(key: str, value: Any, message: str) -> None:
    text = json.loads(layout(strip("a", gain()), {"bus": "m"}).to_json())
    text["columns"][0]["part"][key] = value
    with pytest.raises(LayoutError, match=message):
        ParameterLayout.from_json(json.dumps(text))


# ── Whose ───────────────────────────────────────────────────────────────────────────────────────────────────────


def stems(name: str, *chain: Any, to: str) -> list[dict[str, Any]]:
    return [strip(f"{name}.{s}", *chain, source=f"{name}.{s}", to=to) for s in ("drums", "vox")]


STEMS = [{"name": name, "stems": ["drums", "vox"]} for name in "ab"]


def test_a_role_counts_once_on_the_way_of_a_track() -> None:
    """Equalisers on stems and on their deck: the deck's, which works on all; on one deck without, those of stems."""
    found = layout(
        *stems("a", "eq3", gain(), to="a"),
        {"bus": "a", "chain": ["eq3", gain()], "to": "m"},
        *stems("b", "eq3", gain(), to="b"),
        {"bus": "b", "chain": [gain()], "to": "m"},
        {"bus": "m", "chain": ["eq3", gain()]},
        inputs=STEMS,
    )
    assert moved(found, {"role": "low", "of": "1st", "value": 0.5}) == ["a.eq3.low"]
    assert moved(found, {"role": "low", "of": "a", "value": 0.5}) == ["a.eq3.low"]
    assert moved(found, {"role": "low", "of": "2nd", "value": 0.5}) == ["b.drums.eq3.low", "b.vox.eq3.low"]
    assert moved(found, {"role": "low", "of": "2nd.vox", "value": 0.5}) == ["b.vox.eq3.low"]
    assert moved(found, {"role": "low", "of": "a.*", "value": 0.5}) == ["a.drums.eq3.low", "a.vox.eq3.low"]
    assert moved(found, {"role": "low", "of": "m", "value": 0.5}) == ["m.eq3.low"]
    assert moved(found, {"role": "fader", "of": "1st", "value": 0.5}) == ["a.fader.gain"]


def test_a_stem_that_goes_past_its_deck_is_faded_by_itself() -> None:
    found = layout(
        strip("a.drums", gain(), source="a.drums", to="a"),
        strip("a.vox", gain(), source="a.vox"),
        {"bus": "a", "chain": [gain()], "to": "m"},
        strip("b", gain()),
        {"bus": "m"},
        inputs=(STEMS[0], "b"),
    )
    assert moved(found, {"fader": "1st", "value": 0.5}) == ["a.drums.fader.gain", "a.vox.fader.gain"]
    assert moved(found, {"fader": "a", "value": 0.5}) == ["a.fader.gain"]


def test_an_echo_behind_its_stems_is_no_deck() -> None:
    """A return hears all stems, too, but not all of them goes through it: it is nobody's fader."""
    found = layout(
        *(strip(f"a_{s}", gain(), source=f"a.{s}", sends=[{"to": "echo"}]) for s in ("drums", "vox")),
        {"bus": "echo", "chain": [{"effect": "delay", "controls": {"mix": 1}}, gain("return")], "to": "m"},
        strip("b", gain()),
        {"bus": "m"},
        inputs=(STEMS[0], "b"),
    )
    assert moved(found, {"fader": "1st", "value": 0.5}) == ["a_drums.fader.gain", "a_vox.fader.gain"]
    assert moved(found, {"role": "echo_send", "of": "1st", "value": 0.5}) == [
        "a_drums.echo_send",
        "a_vox.echo_send",
    ]


def test_a_sidechain_steers_and_is_not_heard() -> None:
    ducker = {"effect": "ducker", "inputs": {"sidechain": "a"}}
    found = layout(strip("a", gain()), strip("b", gain(), ducker), {"bus": "m"})
    assert [found[f"{name}.fader.gain"].part for name in "ab"] == [
        Part("fader", "a", 0),
        Part("fader", "b", 1),
    ]


def test_what_several_tracks_share_is_of_none() -> None:
    tied = {"effect": "eq3", "controls": {"low": {"tie": "a.eq3.low"}}}
    found = layout(strip("a", "eq3", gain()), strip("b", tied, gain()), {"bus": "m"})
    assert found["a.eq3.low"].part == Part("low", "a", None)
    with pytest.raises(AutomationError, match="1st \\(a\\) has no control with the role 'low'; it is in a"):
        moved(found, {"role": "low", "of": "1st", "value": 0.5})
    assert moved(found, {"role": "low", "value": 0.5}) == ["a.eq3.low"]


def test_macros_of_the_whole_graph_as_faders() -> None:
    """One fader over the stems of a deck (a VCA group), under its own name."""
    channel = [gain(controls={"gain": {"as": "level"}}), gain("vca")]
    found = ParameterLayout.from_graph(
        djgraph.load(
            {
                "djgraph": 1,
                "name": "g",
                "inputs": STEMS,
                "roles": {"fader": ["left", "right"]},
                "mixer": [
                    {"macro": "left", "default": 1, "drives": {"a.*.vca.gain": [[0, 0], [1, 1]]}},
                    {"macro": "right", "default": 1, "drives": {"b.*.vca.gain": [[0, 0], [1, 1]]}},
                    *stems("a", *channel, to="m"),
                    *stems("b", *channel, to="m"),
                    {"bus": "m"},
                ],
                "outputs": ["m"],
            }
        )
    )
    assert [found[name].part for name in ("left", "right")] == [
        Part("fader", "left", 0, declared=True),
        Part("fader", "right", 1, declared=True),
    ]
    assert moved(found, {"fader": "1st", "value": 0.5}) == ["left"]
    assert moved(found, {"fader": "right", "value": 0.5}) == ["right"]


# ── What is not clear ───────────────────────────────────────────────────────────────────────────────────────────


def swapping(*, faders: bool) -> list[Any]:
    """A bus for each kind of stem, which plays that of one deck or of the other."""
    chain = [gain()] if faders else []
    return [
        *(
            strip(f"{name}.{s}", *chain, source=f"{name}.{s}", to=s)
            for name in "ab"
            for s in ("drums", "vox")
        ),
        *({"bus": s, "chain": [gain()], "to": "m"} for s in ("drums", "vox")),
        {"bus": "m"},
    ]


def test_a_mixer_that_swaps_stems_fades_inputs_and_no_bus_against_itself() -> None:
    found = layout(*swapping(faders=True), inputs=STEMS)
    fade = djgraph.automation.load("linear").render(found, 3, 1.0)
    for name, course in (("a", [1, 0.5, 0]), ("b", [0, 0.5, 1])):
        for stem in ("drums", "vox"):
            assert fade[:, found.index(f"{name}.{stem}.fader.gain")].tolist() == course
    for bus in ("drums", "vox"):
        assert fade[:, found.index(f"{bus}.fader.gain")].tolist() == [1, 1, 1]


def test_faders_that_inputs_share_fade_none() -> None:
    found = layout(*swapping(faders=False), inputs=STEMS)
    with pytest.raises(AutomationError) as caught:
        djgraph.automation.load("linear").render(found, 3, 1.0)
    text = str(caught.value)
    assert "the graph has no 1st track with a fader" in text
    assert (
        "the faders of 'drums', 'vox' fade no track of their own" in text
        or "drums, vox fade no track" in text
    )
    assert (
        "hint: say a track's name in place of 1st, or a graph says which controls these are: `roles: {fader: […]}`"
        in text
    )
    # As it says.
    fade = djgraph.automation.load("linear", a="drums", b="vox").render(found, 3, 1.0)
    assert fade[:, found.index("drums.fader.gain")].tolist() == [1, 0.5, 0]


def parallel(level: Any, **more: Any) -> djgraph.Graph:
    """Deck a is compressed beside its fader as well."""
    send = {"to": "crushed", "tap": "pre", "level": level}
    return graph(
        strip("a", gain(), sends=[send]),
        {"bus": "crushed", "chain": ["compressor"], "to": "m"},
        strip("b", gain()),
        {"bus": "m"},
        **more,
    )


def test_a_track_that_is_heard_past_its_fader_is_told() -> None:
    linear = djgraph.automation.load("linear")
    with pytest.raises(AutomationError) as caught:
        linear.render(parallel(1), 3, 1.0)
    text = str(caught.value)
    assert "1st (a.fader.gain) is heard past its fader, too, by 'crushed'" in text
    assert "say a track's name in place of 1st" in text
    with pytest.raises(
        LayoutError, match=r"the first track \(a.fader.gain\) is heard past its fader.*tracks="
    ):
        djgraph.SimpleCrossfader(layout=ParameterLayout.from_graph(parallel(1)))
    # By its name, by the graph's word, and with the send down at rest, it is meant.
    for found, auto in (
        (parallel(1), djgraph.automation.load("linear", a="a")),
        (parallel(1, roles={"fader": "*.fader.gain"}), linear),
        (parallel({"default": 0}), linear),
    ):
        fade = auto.render(found, 3, 1.0)
        assert fade[:, ParameterLayout.from_graph(found).index("a.fader.gain")].tolist() == [1, 0.5, 0]


def test_two_nodes_of_one_role_are_told_until_the_graph_decides() -> None:
    chain = ["eq3", {"effect": "isolator", "id": "iso"}, gain()]
    mixer = (strip("a", *chain), strip("b", *chain), {"bus": "m"})
    with pytest.raises(AutomationError) as caught:
        djgraph.automation.load("bass_swap").render(graph(*mixer), 3, 1.0)
    assert "'a' has several controls with the role 'low': a.eq3.low, a.iso.low" in str(caught.value)
    assert "`roles: {low: […]}`" in str(caught.value)
    one = ParameterLayout.from_graph(graph(*mixer, roles={"low": "*.iso.low"}))
    assert moved(one, {"role": "low", "of": "1st", "value": 0.5}) == ["a.iso.low"]
    both = ParameterLayout.from_graph(graph(*mixer, roles={"low": ["*.iso.low", "*.eq3.low"]}))
    assert moved(both, {"role": "low", "of": "1st", "value": 0.5}) == ["a.eq3.low", "a.iso.low"]


def test_round_a_loop_buses_hear_all_that_goes_in() -> None:
    """Two echoes that feed each other hear both decks: neither is of one track, and the decks' faders still are."""
    found = layout(
        strip("a", gain(), sends=[{"to": "left"}]),
        strip("b", gain(), sends=[{"to": "right"}]),
        {
            "bus": "left",
            "chain": [{"effect": "echo", "controls": {"mix": 1}}],
            "sends": [{"to": "right", "level": {"max": 0.5}}],
            "to": "m",
        },
        {
            "bus": "right",
            "chain": [{"effect": "echo", "controls": {"mix": 1}}],
            "sends": [{"to": "left", "feedback": True, "delay": "20 ms", "level": {"max": 0.5}}],
            "to": "m",
        },
        {"bus": "m"},
    )
    assert {name: found[name].part.track for name in ("a.fader.gain", "b.fader.gain")} == {  # type: ignore[union-attr]
        "a.fader.gain": 0,
        "b.fader.gain": 1,
    }
    for bus in ("left", "right"):
        assert found[f"{bus}.echo.feedback"].part == Part("echo_feedback", bus, None)
    assert moved(found, {"role": "echo_send", "of": "1st", "value": 0.5}) == ["a.left_send"]
