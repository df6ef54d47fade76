"""The signal flow in words: everything that is connected is named, on both ends."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from runtime.documents import REGISTRY, documents, looped_documents

import djgraph
from djgraph.errors import CompileError
from djgraph.graph import Constant, EffectNode
from djgraph.graph.links import links
from djgraph.inspection.flow import INDENT, WIDEST, flow_text

MIXER = """
djgraph: 1
name: words
inputs: [{name: deck}, {name: mic}]
mixer:
  - strip: deck
    input: deck
    chain:
      - {effect: eq3, controls: {low: {as: bass}, mid: 1, high: {tie: talk.gain.gain}}}
      - {effect: gain, id: fader}
      - {effect: ducker, inputs: {sidechain: talk}, settings: {}}
    macros: [{name: fade, neutral: 1, drives: {fader.gain: [[0, 0], [1, 1]], room_send: [[0, 0.5], [1, 0]]}}]
    sends:
      - {to: cue, tap: pre, level: {as: cue}}
      - {to: room}
      - {to: tape, tap: eq3, level: 1}
    to: master
  - {strip: talk, input: mic, chain: [gain], to: master, sends: [{to: room, level: 0.25}]}
  - {strip: copy, input: deck@eq3}
  - {bus: room, chain: [{effect: reverb, settings: {decay_time: 3}, controls: {mix: 1}}], to: master}
  - bus: cue
  - bus: tape
  - bus: spare
  - bus: master
outputs: [master, {name: dry, from: deck@input}]
"""


def paragraphs(text: str) -> dict[str, list[str]]:
    """First line of each paragraph, without its channels → the others, without breaks and spaces."""
    found = {}
    for paragraph in text.split("\n\n"):
        first, *rest = paragraph.splitlines()
        heading = first.partition(" (")[0] if first.startswith(("strip", "bus")) else first
        found[heading] = [line.strip() for line in rest]
    return found


def test_a_mixer_in_words() -> None:
    said = paragraphs(flow_text(djgraph.load(MIXER)))
    assert next(iter(said)) == "words: 2 inputs, 3 strips, 5 buses, 9 controls, 2 outputs"
    deck = said["strip deck"]
    assert deck[0] == "hears  input deck"
    assert deck[1] == "chain  eq3: low = deck.bass, mid = 1, high = talk.gain.gain (tied)"
    assert deck[2] == "fader (gain): the fader, gain = macro deck.fade"
    assert deck[3].startswith("ducker: sidechain hears strip talk, threshold = deck.ducker.threshold,")
    assert deck[-4:] == [
        "sends  to room, post-fader, level macro deck.fade",
        "to cue, pre-fader, level deck.cue",
        "to tape, pre-fader, level 1",  # after eq3, which is before the fader
        "feeds  bus master, strip copy (after eq3)",
    ]
    assert said["strip talk"] == [
        "hears  input mic",
        "chain  gain: gain = talk.gain.gain",
        "sends  to room, post, level 0.25",
        "feeds  bus master, strip deck (sidechain of ducker)",
    ]
    assert said["strip copy"] == ["hears  strip deck after eq3", "feeds  nothing: it leads nowhere"]
    assert said["bus room"] == [
        "hears  deck by a send, post-fader, level macro deck.fade",
        "talk by a send, post, level 0.25",
        "chain  reverb: decay_time: 3, mix = 1",
        "feeds  bus master",
    ]
    assert said["bus spare"] == ["hears  nothing: silence", "feeds  nothing: it leads nowhere"]
    assert said["macro deck.fade (0 … 1, rests at 1)"] == [
        "moves  deck.fader.gain: 0 at 0, 1 at 1",
        "deck.room_send: 0.5 at 0, 0 at 1",
    ]
    assert said["output master ← bus master, the main output"] == ["output dry ← input deck"]


def test_a_loop_in_words() -> None:
    bus = {"bus": "tape", "chain": ["gain"], "sends": [{"to": "tape", "feedback": True, "delay": "375 ms"}]}
    strip = {"strip": "s", "input": "mic", "to": "tape"}
    document = {
        "djgraph": 1,
        "name": "x",
        "inputs": [{"name": "mic"}],
        "mixer": [strip, bus],
        "outputs": ["tape"],
    }
    assert paragraphs(flow_text(djgraph.load(document)))["bus tape"] == [
        "hears  strip s",
        "tape by a send, post, level tape.tape_send, back after 375 ms",
        "chain  gain: gain = tape.gain.gain",
        "sends  to tape, post, level tape.tape_send, back after 375 ms",
        "feeds  output tape",
    ]


def test_a_loop_through_what_holds_back_in_words() -> None:
    mixer = [
        {"strip": "s", "input": "mic", "to": "tape"},
        {"bus": "tape", "chain": [{"effect": "echo", "controls": {"mix": 1}}], "to": "room"},
        {"bus": "room", "sends": [{"to": "tape", "feedback": True, "level": 0.5}]},
    ]
    document = {"djgraph": 1, "name": "x", "inputs": [{"name": "mic"}], "mixer": mixer, "outputs": ["tape"]}
    said = paragraphs(flow_text(djgraph.load(document)))
    back = "post, level 0.5, back, held back on its way round"
    assert said["bus room"][-1] == f"sends  to tape, {back}"
    assert f"room by a send, {back}" in said["bus tape"]


def test_solo_is_said_once_and_folded() -> None:
    mixer = [
        {"strip": f"s{i}", "input": f"in{i}", "mute": True, "solo": True, "to": "mix"} for i in range(40)
    ]
    document = {
        "djgraph": 1,
        "name": "x",
        "inputs": [{"name": f"in{i}"} for i in range(40)],
        "mixer": [*mixer, {"bus": "mix", "mute": True}],
        "outputs": ["mix"],
    }
    graph = djgraph.load(document)
    folded, unfolded = paragraphs(flow_text(graph)), paragraphs(flow_text(graph, unfold=True))
    among = "(alone among s0 … s39)"
    assert folded["strip s0 … s39 ×40"][1] == f"chain  mute and solo: *.mute, *.solo {among}"
    assert unfolded["strip s7"][1] == f"chain  mute and solo: s7.mute, s7.solo {among}"
    assert unfolded["bus mix"][-2] == "chain  mute: mix.mute"
    assert all(len(line) <= WIDEST + 8 for line in flow_text(graph, unfold=True).splitlines()[1:])


def test_a_switch_in_words() -> None:
    ways = {"dry": [], "soft": [{"effect": "gain", "controls": {"gain": 0.5}}]}
    strip = {"strip": "s", "input": "mic", "chain": [{"switch": "kind", "choices": ways}]}
    document = {"djgraph": 1, "name": "x", "inputs": [{"name": "mic"}], "mixer": [strip], "outputs": ["s"]}
    said = paragraphs(flow_text(djgraph.load(document)))["strip s"]
    assert "chain  way dry of kind: s.kind" in said
    assert "way soft of kind: s.kind" in said


def test_the_flow_is_a_stage() -> None:
    mixer = djgraph.compile("djtransgan")
    assert mixer.explain("flow") == flow_text(mixer.graph)
    with pytest.raises(CompileError, match="did you mean 'flow'"):
        mixer.explain("flaw")


@given(documents() | looped_documents())
def test_every_connection_column_and_constant_is_named(document: dict[str, Any]) -> None:
    graph = djgraph.load(document, registry=REGISTRY)
    text = flow_text(graph, unfold=True)
    said = paragraphs(text)
    for owner in graph.owners:
        lines = " ".join(said[f"{owner.kind} {owner.name}"])
        for link in links(graph):
            if link.source == owner.name and link.kind in ("to", "send"):
                assert link.target in lines
                assert owner.name in " ".join(said[f"bus {link.target}"])
        for name in owner.nodes:
            node = graph.by_id[name]
            if isinstance(node, EffectNode):
                for control, binding in node.bindings.items():
                    what = f"{binding.value:g}" if isinstance(binding, Constant) else binding.column
                    assert f"{control} = {what}" in lines or "level" in lines or f"macro {what}" in lines
    for column in graph.columns:
        assert column.name in text
    assert all(len(line) <= WIDEST + 60 for line in text.splitlines())


def test_signals_that_are_not_stereo_say_so() -> None:
    document = {
        "djgraph": 1,
        "name": "wide",
        "inputs": [
            {"name": "mic", "channels": "mono"},
            {"name": "bed", "channels": "quad"},
            {"name": "deck"},
        ],
        "mixer": [
            {"strip": "mic", "input": "mic", "channels": "quad", "chain": ["gain"], "to": "master"},
            {"strip": "bed", "input": "bed", "to": "master"},
            {"strip": "deck", "input": "deck", "chain": ["gain"]},
            {"bus": "master"},
        ],
        "outputs": ["master", "deck"],
    }
    headings = [part.splitlines()[0] for part in djgraph.compile(document).explain("flow").split("\n\n")]
    assert headings[1:5] == [
        "strip mic (mono to quad)",
        "strip bed (quad)",
        "strip deck",
        "bus master (quad)",
    ]


def test_the_flow_does_not_know_what_a_lowering_adds() -> None:
    """A mono signal that is put on both sides for a bus is still a strip that feeds it."""
    document = {
        "djgraph": 1,
        "name": "x",
        "inputs": [{"name": "mic", "channels": "mono"}, {"name": "deck"}],
        "mixer": [
            {"strip": "mic", "input": "mic", "chain": ["gain"], "to": "master"},
            {"strip": "deck", "input": "deck", "to": "master"},
            {"bus": "master"},
        ],
        "outputs": ["master"],
    }
    said = paragraphs(djgraph.compile(document).explain("flow"))
    assert said["strip mic"][-1] == "feeds  bus master"
    assert said["bus master"][0] == "hears  strip mic, strip deck"


def console(count: int) -> dict[str, Any]:
    """A repeat of equal strips, written out."""
    names = [str(number + 1) for number in range(count)]
    strip = {
        "chain": [
            {"effect": "compressor", "inputs": {"sidechain": "key"}},
            {"effect": "gain", "id": "fader"},
        ],
        "macros": [
            {
                "name": "down",
                "neutral": 0,
                "drives": {"room_send": [[0, 0], [1, 1]], "fader.gain": [[0, 1], [1, 0.5]]},
            }
        ],
        "sends": [{"to": "room"}, {"to": "cue", "tap": "pre", "level": {"as": "cue"}}],
        "to": "master",
    }
    return {
        "djgraph": 1,
        "name": "console",
        "inputs": [*({"name": f"in{n}"} for n in names), {"name": "key"}],
        "mixer": [
            *({"strip": f"c{n}", "input": f"in{n}", **strip} for n in names),
            {"strip": "key", "input": "key", "chain": ["gain"]},
            {"bus": "room", "chain": ["reverb"], "to": "master"},
            {"bus": "cue"},
            {"bus": "master"},
        ],
        "outputs": ["master", "cue"],
    }


@pytest.mark.parametrize("count", [3, 24])
def test_equal_strips_share_a_paragraph(count: int) -> None:
    text = flow_text(djgraph.load(console(count)))
    said = paragraphs(text)
    assert [name.partition(" (")[0] for name in list(said)[1:]] == [
        *(f"strip c1 … c{count} ×{count}", "strip key", "bus room", "bus cue", "bus master"),
        *("macro *.down", "output master ← bus master, the main output"),
    ]
    strip = said[f"strip c1 … c{count} ×{count}"]
    assert strip[0] == f"hears  input in1 … in{count}"
    assert strip[1].startswith(
        "chain  compressor: sidechain hears strip key, threshold = *.compressor.threshold,"
    )
    assert strip[-4:] == [
        "fader (gain): the fader, gain = macro *.down",
        "sends  to room, post-fader, level macro *.down",
        "to cue, pre-fader, level *.cue",
        "feeds  bus master",
    ]
    assert said["strip key"][-1] == f"feeds  strip c1 … c{count} (sidechain of compressor)"
    assert said["bus room"][0] == f"hears  c1 … c{count} by a send, post-fader, level macro *.down"
    assert said["bus master"][0] == f"hears  strip c1 … c{count}, bus room"
    assert said["macro *.down (0 … 1, rests at 0)"] == [
        "moves  *.fader.gain: 1 at 0, 0.5 at 1",
        "*.room_send: 0 at 0, 1 at 1",
    ]
    assert len(text.splitlines()) < 50


def test_two_equal_strips_are_told_apart() -> None:
    graph = djgraph.load(console(2))
    assert flow_text(graph) == flow_text(graph, unfold=True)


def test_what_differs_keeps_its_paragraph() -> None:
    document = console(5)
    document["mixer"][2] = {
        **document["mixer"][2],
        "chain": [{"effect": "gain", "id": "fader"}],
        "macros": [],
    }
    said = paragraphs(flow_text(djgraph.load(document)))
    assert [name for name in said if name.startswith("strip")] == [
        "strip c1 … c5 ×4",
        "strip c3",
        "strip key",
    ]
    assert said["bus master"][0] == "hears  strip c1 … c5, strip c3, bus room"


def whole(text: str) -> set[str]:
    """All lines of paragraphs of strips, buses and macros, with those put together that were broken, and its words."""
    lines: set[str] = set()
    for part in text.split("\n\n")[1:]:
        word = joined = ""
        for line in part.splitlines()[1:]:
            if line.startswith(" " * (INDENT + 2)):
                joined += " " + line.strip()
                continue
            lines |= {f"{word}: {joined}"} if joined else set()
            word, joined = line[:INDENT].strip() or word, line[INDENT:].strip()
        lines |= {f"{word}: {joined}"} if joined else set()
    return lines


def pattern(line: str) -> re.Pattern[str]:
    escaped = re.escape(line).replace(r"\*", r"[^ .]+")
    return re.compile(re.sub(r"[^ ,;:()]+\\ …\\ [^ ,;:()]+", "[^ ,;:()]+", escaped))


@pytest.mark.parametrize("name", ["dj_mixer", "stem_performer", "dub_desk", "club_mixer", "console"])
def test_what_is_said_of_all_holds_of_each(name: str) -> None:
    """Every line about the chain and the sends of each strip, unfolded, is one of the folded ones with names put in."""
    graph = djgraph.load(console(7) if name == "console" else name)
    folded = [pattern(line) for line in whole(flow_text(graph))]
    for line in whole(flow_text(graph, unfold=True)):
        if line.startswith(("chain", "sends", "moves")) or ("by a send" in line):
            assert any(one.fullmatch(line) for one in folded), line
