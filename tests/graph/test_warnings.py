"""What is allowed and probably not meant: each warning at its place, and none on ordinary mixers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from djgraph.errors import Problem
from djgraph.graph import find
from djgraph.graph.build import assemble
from djgraph.graph.idle import idle_columns
from djgraph.graph.spelling import differ_by_a_slip
from djgraph.graph.warnings import warnings
from djgraph.language import load_document
from djgraph.plugins import Registry
from tests.graph.test_language_page import EXAMPLES

FOLDER = Path(__file__).parent.parent.parent / "graphs"
HEAD = """\
djgraph: 1
name: warned
inputs: [{name: mic}, {name: line}]
mixer:
"""


def warned(source: str | Path, registry: Registry) -> list[Problem]:
    document, _ = find(source, registry)
    return warnings(assemble(document, registry, {}))


def doc(mixer: str, outputs: str = "[master]") -> str:
    """A document around these items; where they feed nothing to the master, another strip does."""
    other = "" if "to: master" in mixer.replace("▸", "") else "\n  - {strip: other, input: line, to: master}"
    return f"{HEAD}{mixer.strip(chr(10))}{other}\n  - bus: master\noutputs: {outputs}\n"


CASES = {
    "a strip that leads nowhere": (
        doc("  - {strip: ▸a, input: mic, chain: [gain, eq3]}"),
        "strip 'a' leads nowhere",
        "list it under `outputs`; until then a.gain.gain, a.eq3.low, a.eq3.mid, a.eq3.high change nothing",
    ),
    "a role that is called nearly like one": (
        doc("  - {strip: a, input: mic, chain: [eq3], to: master}").replace(
            "mixer:", "roles: {▸filtr: a.eq3.low, swirl: a.eq3.mid}\nmixer:"
        ),
        "no effect here has the role 'filtr', and no shipped recipe asks for it",
        "did you mean 'filter'?",
    ),
    "the same without a chain": (
        doc("  - {strip: ▸a, input: mic}"),
        "strip 'a' leads nowhere",
        "",
    ),
    "a strip whose only reader leads nowhere": (
        doc("  - {strip: a, input: mic, chain: [gain]}\n  - {strip: ▸b, input: a@gain, chain: [gain]}"),
        "strip 'b' leads nowhere",
        "until then a.gain.gain, b.gain.gain change nothing",
    ),
    "a bus that nobody hears": (
        doc(
            "  - {strip: a, input: mic, to: master, sends: [{to: fx, level: 1}]}\n  - {bus: ▸fx, chain: [reverb]}"
        ),
        "nobody hears bus 'fx'",
        "until then fx.reverb.mix changes nothing",
    ),
    "a bus that nothing is sent to": (
        doc("  - {strip: a, input: mic, to: master}\n  - {bus: ▸fx, chain: [gain], to: master}"),
        "bus 'fx' is silent: nothing is sent to it",
        "",
    ),
    "a send that is always down": (
        doc(
            "  - {strip: a, input: mic, to: master, sends: [{to: fx, level: ▸0}]}\n  - {bus: fx, to: master}"
        ),
        "the send of 'a' to 'fx' is silent: its level is always 0",
        "",
    ),
    "columns behind the last tap": (
        doc(
            "  - {strip: a, input: mic, chain: [eq3, ▸{effect: gain, id: trim}], sends: [{to: master, tap: eq3}]}"
        ),
        "column 'a.trim.gain' changes nothing: no output hears what it controls",
        "",
    ),
    "a macro that moves nothing": (
        doc("""
  - strip: a
    input: mic
    chain: [gain]
    macros: [{name: m, drives: ▸{gain.gain: [[0, 0.5], [1, 0.5]]}}]
    to: master
"""),
        "macro 'a.m' changes nothing: its curves have one value each",
        "",
    ),
    "a signal twice by a send": (
        doc(
            "  - {strip: a, input: mic, chain: [eq3, gain], to: master, sends: [{to: ▸master, level: {as: up}}]}"
        ),
        "bus 'master' can get 'a.eq3' 2 times, +6.0 dB: by 'a' and the send of 'a'",
        "leave one way out",
    ),
    "a signal twice by a bus": (
        doc("  - {strip: a, input: mic, to: [master, group]}\n  - {bus: group, chain: [gain], to: ▸master}"),
        "bus 'master' can get 'mic' 2 times, +6.0 dB: by 'mic' as it is and 'group'",
        "",
    ),
    "a signal twice by two strips": (
        doc(
            "  - {strip: a, input: mic, chain: [gain], to: master}\n"
            "  - {strip: b, input: mic, chain: [gain], to: ▸master}"
        ),
        "bus 'master' can get 'mic' 2 times, +6.0 dB: by 'a' and 'b'",
        "",
    ),
    "a macro that opens both ways at once": (
        doc("""
  - {strip: a, input: mic, chain: [gain], to: master}
  - {strip: b, input: mic, chain: [gain], to: ▸master}
  - macro: fade
    drives:
      a.gain.gain: [[0, 1], [0.5, 0.8], [1, 0]]
      b.gain.gain: [[0, 0], [0.5, 0.8], [1, 1]]
"""),
        "bus 'master' can get 'mic' 1.6 times, +4.1 dB: by 'a' and 'b'",
        "",
    ),
    "buses that differ in one letter": (
        doc(
            "  - {strip: a, input: mic, sends: [{to: reverb}]}\n"
            "  - {strip: b, input: line, sends: [{to: revreb}]}\n"
            "  - {bus: reverb, chain: [reverb], to: master}\n"
            "  - {bus: ▸revreb, chain: [reverb], to: master}"
        ),
        "buses 'reverb' and 'revreb' differ in one letter",
        "easier to tell apart",
    ),
    "columns that differ in one letter": (
        doc(
            "  - {strip: a, input: mic, chain: [{effect: gain, controls: {gain: {as: fader}}}], to: master}\n"
            "  - {strip: b, input: line, chain: [▸{effect: gain, controls: {gain: {as: fadr}}}], to: master}"
        ),
        "names within strips 'fader' and 'fadr' differ in one letter",
        "",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_warning_points_at_its_place(
    case: str, registry: Registry, marked: Callable[[str], tuple[str, int, int]]
) -> None:
    text, message, more = CASES[case]
    text, line, column = marked(text)
    (warning,) = warned(text, registry)
    assert warning.message == message
    assert warning.position is not None
    assert (warning.position.line, warning.position.column) == (line, column)
    assert warning.path
    assert more in str(warning)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_graphs_have_no_warnings(path: Path, registry: Registry) -> None:
    assert warned(path, registry) == []


SPOKEN = {
    "inputs": ["strip 'talk' leads nowhere"],
    "repeats": ["nobody hears bus 'spare_1'", "nobody hears bus 'cue'"],
}
"""What the page's examples are warned of: those that say so themselves, and buses made to show a repeat."""


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_of_the_page_have_the_warnings_that_they_tell_of(name: str, registry: Registry) -> None:
    assert [warning.message for warning in warned(EXAMPLES[name], registry)] == SPOKEN.get(name, [])


ORDINARY = {
    "parallel compression": """
  - {strip: a, input: mic, to: master, sends: [{to: crushed, level: 1}]}
  - {bus: crushed, chain: [compressor, gain], to: master}
""",
    "two decks and a crossfader": """
  - {strip: deck_a, input: mic, chain: [eq3, {effect: gain, id: fader}], to: master, sends: [{to: cue, tap: pre}]}
  - {strip: deck_b, input: line, chain: [eq3, {effect: gain, id: fader}], to: master, sends: [{to: cue, tap: pre}]}
  - macro: crossfader
    drives: {deck_a.fader.gain: [[0, 1], [0.5, 1], [1, 0]], deck_b.fader.gain: [[0, 0], [0.5, 1], [1, 1]]}
  - {bus: cue, to: headphones}
  - bus: headphones
""",
    "crossfader assign": """
  - strip: a
    input: mic
    chain: [gain]
    sends: [{to: left_bus}, {to: right_bus}]
    macros:
      - name: assign
        drives: {left_bus_send: [[0, 1], [0.5, 0], [1, 0]], right_bus_send: [[0, 0], [0.5, 0], [1, 1]]}
  - {bus: left_bus, chain: [gain], to: master}
  - {bus: right_bus, chain: [gain], to: master}
""",
    "a bus that is a sidechain only": """
  - {strip: voice, input: mic, to: [key, master]}
  - {bus: key, chain: [highpass]}
  - {strip: music, input: line, chain: [{effect: ducker, inputs: {sidechain: key}}], to: master}
""",
    "wet returns": """
  - {strip: a, input: mic, to: master, sends: [{to: echo}, {to: reverb}]}
  - {bus: echo, chain: [{effect: echo, controls: {mix: 1}}], to: master, sends: [{to: reverb}]}
  - {bus: reverb, chain: [{effect: reverb, controls: {mix: 1}}], to: master}
""",
    "an echo and a spring that feed one another": """
  - {strip: a, input: mic, sends: [{to: echo}, {to: spring}], to: master}
  - {bus: echo, chain: [{effect: echo, controls: {mix: 1}}], sends: [{to: spring}], to: master}
  - {bus: spring, chain: [reverb, gain], sends: [{to: echo, feedback: true, delay: 10}], to: master}
""",
    "bands apart and together": """
  - {strip: a, input: mic, chain: [crossover2]}
  - {strip: low, input: a@crossover2.low, chain: [gain], to: master}
  - {strip: high, input: a@crossover2.high, chain: [gain], to: master}
""",
}


@pytest.mark.parametrize("case", ORDINARY)
def test_ordinary_mixers_have_no_warnings(case: str, registry: Registry) -> None:
    outputs = "[master, headphones]" if "headphones" in ORDINARY[case] else "[master]"
    assert warned(doc(ORDINARY[case], outputs), registry) == []


def test_warnings_of_repeats_are_told_once(registry: Registry) -> None:
    text = doc("  - {for: {n: {from: 1, to: 24}}, do: [{strip: c$n, input: mic, chain: [gain]}]}")
    (warning,) = warned(text, registry)
    assert warning.message == "strip 'c1' leads nowhere"
    assert "in 24 of 24: n = 1, 2, 3, 4, 5, 6, …" in str(warning)


@pytest.mark.parametrize(
    "pair",
    [
        ("reverb", "revreb"),
        ("reverb", "revrb"),
        ("master", "mester"),
        ("deck.fader", "deck.fadr"),
        ("vocal_bus", "vokal_bus"),
    ],
)
def test_slips(pair: tuple[str, str]) -> None:
    assert differ_by_a_slip(*pair)
    assert differ_by_a_slip(*reversed(pair))


@pytest.mark.parametrize(
    "pair",
    [
        ("deck_a", "deck_b"),
        ("decka", "deckb"),
        ("channel1", "channel2"),
        ("channel1", "channel11"),
        ("channel12", "channel21"),
        ("drum", "drums"),
        ("eq_lo", "eq_hi"),
        ("mixl", "mixr"),
        ("pan", "pad"),
        ("master", "master"),
        ("drums", "bass"),
        ("a.drums", "b.drums"),
        ("a.drums", "drums"),
        ("reverb", "delay"),
    ],
)
def test_names_that_differ_on_purpose(pair: tuple[str, str]) -> None:
    assert not differ_by_a_slip(*pair)
    assert not differ_by_a_slip(*reversed(pair))


def test_columns_that_a_setting_makes_idle(registry: Registry) -> None:
    """Of every effect with a choice of clocks: the control of the other one, unless it is fixed."""
    chain = [
        {"effect": "echo", "settings": {"sync": "beats"}, "controls": {"mix": 0.5}},
        {"effect": "tremolo"},
        {"effect": "flanger", "settings": {"sync": "beats"}, "controls": {"rate": 0.5}},
        {"effect": "echo", "id": "fixed", "settings": {"sync": "beats"}, "controls": {"time": 375}},
    ]
    strip = {"strip": "s", "input": "mic", "chain": chain, "to": "master"}
    document = {
        "djgraph": 1,
        "name": "x",
        "inputs": [{"name": "mic"}],
        "mixer": [strip, {"bus": "master"}],
        "outputs": ["master"],
    }
    built = assemble(load_document(document), registry, {})
    idle = idle_columns(built.graph)
    assert list(idle) == ["s.echo.time", "s.tremolo.beats"]
    told = [warning for warning in warnings(built) if "changes nothing" in warning.message]
    # That of a tremolo as it comes is told by the layout alone.
    assert [warning.message.partition(":")[0] for warning in told] == ["column 's.echo.time' changes nothing"]
    assert told[0].hint == "fix the control at its default, 375, so that it has no column"
    assert all("does nothing" in why for why in idle.values())
