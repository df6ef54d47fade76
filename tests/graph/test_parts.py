"""Graphs in graphs: each is held against one document that says the same flat, with all names written out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from djgraph.errors import DocumentError
from djgraph.graph import Graph, load
from djgraph.language import limits
from djgraph.layout import ParameterLayout
from djgraph.mixer import Mixer
from djgraph.runtime.reference import Reference
from djgraph.validation import validate

ROOM = """\
djgraph: 1
name: room
inputs: [{name: mix}]
args: {high: 3000}
curves: {bow: [[0, 0], [0.5, 0.2], [1, 1]]}
mixer:
  - strip: tone
    input: mix
    chain:
      - {effect: eq3, id: eq, settings: {high: $high}}
      - {effect: gain, id: trim, controls: {gain: {follow: amount, curve: bow}}}
    sends: [{to: verb}]
    to: out
    mute: true
    solo: true
  - {bus: verb, chain: [reverb], to: out, solo: true}
  - bus: out
  - macro: amount
    drives: {verb.reverb.mix: bow}
outputs: [out, {name: dry, from: tone}]
"""

FLAT_ROOM = """\
djgraph: 1
name: main
inputs: [{name: a}]
curves: {bow: [[0, 0], [0.5, 0.2], [1, 1]]}
mixer:
  - {strip: s, input: a, chain: [gain], to: master, solo: outside}
  - bus: master
  - strip: fx.tone
    input: master
    chain:
      - {effect: eq3, id: eq, settings: {high: 5000}}
      - {effect: gain, id: trim, controls: {gain: {follow: fx.amount, curve: bow}}}
    sends: [{to: fx.verb, name: verb}]
    to: fx.out
    mute: true
    solo: inside
  - {bus: fx.verb, chain: [reverb], to: fx.out, solo: inside}
  - {bus: fx.out, to: last}
  - macro: fx.amount
    label: Amount
    drives: {fx.verb.reverb.mix: bow}
  - {bus: last, chain: [gain]}
  - macro: knob
    drives: {fx.tone.eq.*: [[0, 0], [1, 1]]}
outputs: [last, {name: dry, from: fx.tone}]
"""

MAIN = """\
djgraph: 1
name: main
inputs: [{name: a}]
mixer:
  - {strip: s, input: a, chain: [gain], to: master, solo: true}
  - bus: master
  - use: {graph: room.yaml, as: fx, inputs: {mix: master}, with: {high: 5000}, to: last}
  - {bus: last, chain: [gain]}
  - macro: knob
    drives: {fx.tone.eq.*: [[0, 0], [1, 1]]}
outputs: [last, {name: dry, from: fx.dry}]
"""


def folder(path: Path, **files: str) -> Path:
    """Files beside one another; the last is returned."""
    for name, text in files.items():
        last = path / f"{name}.yaml"
        last.write_text(text)
    return last


def refused(path: Path, **args: Any) -> list[Any]:
    with pytest.raises(DocumentError) as caught:
        load(path, **args)
    return list(caught.value.problems)


def said(graph: Graph) -> tuple[Any, ...]:
    """All of a graph but where it is written."""
    nodes = [dataclasses.replace(node, position=None) for node in graph.nodes]
    columns = []
    for column in graph.columns:
        own = column.control.id.rpartition(".")[2]  # a macro's is its own name, and dots stand in flat names
        columns.append(
            dataclasses.replace(column, position=None, control=dataclasses.replace(column.control, id=own))
        )
    return nodes, columns, graph.inputs, graph.outputs, graph.taps


def test_a_part_is_what_a_flat_document_says(tmp_path: Path) -> None:
    graph = load(folder(tmp_path, room=ROOM, main=MAIN))
    assert said(graph) == said(load(FLAT_ROOM))
    assert [column.name for column in graph.columns if column.name.startswith("fx.")] == [
        "fx.tone.verb_send", "fx.tone.mute", "fx.tone.solo", "fx.verb.solo", "fx.amount",
    ]  # fmt: skip


def test_it_sounds_like_the_part_by_itself(tmp_path: Path) -> None:
    path = folder(tmp_path, room=ROOM, main=MAIN)
    whole, part = Mixer(load(path)).double(), Mixer(load(tmp_path / "room.yaml", high=5000)).double()
    generator = torch.Generator().manual_seed(1)
    audio = torch.randn(1, 2, 5000, generator=generator, dtype=torch.float64)
    params = ParameterLayout.from_graph(whole.graph).default.double().repeat(1, 7, 1)
    own = ParameterLayout.from_graph(part.graph).default.double().repeat(1, 7, 1)
    for index, column in enumerate(part.graph.columns):
        value = column.control.min + (column.control.max - column.control.min) * torch.rand(
            7, generator=generator, dtype=torch.float64
        )
        own[0, :, index] = value
        names = [column.name for column in whole.graph.columns]
        if f"fx.{column.name}" in names:
            params[0, :, names.index(f"fx.{column.name}")] = value
        else:  # what the knob moves
            own[0, :, index] = column.control.default
            params[0, :, names.index("knob")] = 1.0
    expected = Reference(part.graph).double()({"mix": audio}, own)
    made = whole({"a": audio}, params)
    assert torch.allclose(made["last"], expected["out"], atol=1e-10)
    assert torch.allclose(made["dry"], expected["dry"], atol=1e-10)


def test_one_part_for_each_value_of_a_repeat(tmp_path: Path) -> None:
    main = """\
djgraph: 1
name: main
args: {decks: 3}
inputs: [{for: {n: {from: 1, to: $decks}}, do: [{name: in_$n}]}]
mixer:
  - for: {n: {from: 1, to: $decks}}
    do: [{use: {graph: room.yaml, as: room_$n, inputs: {mix: in_$n}, with: {high: $(2000 * n)}, to: master}}]
  - bus: master
outputs: [master]
"""
    graph = load(folder(tmp_path, room=ROOM, main=main), decks=6)
    own = [column.name for column in load(tmp_path / "room.yaml").columns]
    assert [column.name for column in graph.columns] == [
        f"room_{n}.{name}" for n in range(1, 7) for name in own
    ]
    settings = [node.settings.high for node in graph.nodes if node.id.endswith("tone.eq")]  # type: ignore[union-attr]
    assert settings == [2000 * n for n in range(1, 7)]


def test_parts_have_parts(tmp_path: Path) -> None:
    middle = """\
djgraph: 1
name: middle
inputs: [{name: x}]
mixer:
  - use: {graph: room.yaml, as: deep, inputs: {mix: x}}
  - {strip: after, input: deep.dry, chain: [gain]}
outputs: [after, {name: wet, from: deep}]
"""
    main = """\
djgraph: 1
name: main
inputs: [{name: a}]
mixer:
  - use: {graph: middle.yaml, as: outer, inputs: {x: a}}
  - {strip: last, input: outer.wet, chain: [gain]}
  - macro: m
    drives: {outer.deep.amount: [[0, 1], [1, 0]]}
outputs: [last, outer]
"""
    graph = load(folder(tmp_path, room=ROOM, middle=middle, main=main))
    names = [column.name for column in graph.columns]
    assert "outer.deep.tone.eq.low" in names
    assert "outer.after.gain.gain" in names
    assert "outer.deep.amount" not in names  # m drives it
    assert graph.outputs["last"].node == "last.gain"
    assert graph.outputs["outer"].node == "outer.after.gain"


def test_stems_are_given_whole_or_one_by_one(tmp_path: Path) -> None:
    part = """\
djgraph: 1
name: part
inputs: [{name: track, stems: [drums, bass, {name: vocals, optional: true}]}]
mixer:
  - for: {stem: track.stems}
    do: [{strip: $stem, input: track.$stem, chain: [gain], to: out}]
  - bus: out
outputs: [out]
"""
    main = """\
djgraph: 1
name: main
inputs: [{name: deck, stems: [bass, drums]}, {name: mic}]
mixer:
  - use: {graph: part.yaml, as: p, inputs: %s}
outputs: [p]
"""

    def sources(inputs: str) -> dict[str, str]:
        graph = load(folder(tmp_path, part=part, main=main % inputs))
        gains = [node for node in graph.nodes if node.id.endswith(".gain")]
        return {node.id: node.sources["in"].node for node in gains}  # type: ignore[union-attr]

    silent = "sum:in:p.track.vocals"
    whole = {"p.drums.gain": "in:deck.drums", "p.bass.gain": "in:deck.bass", "p.vocals.gain": silent}
    assert sources("{track: deck}") == whole
    assert sources("{track: deck, track.vocals: mic}") == {**whole, "p.vocals.gain": "in:mic"}
    assert sources("{track.drums: mic, track.bass: deck.bass}") == {**whole, "p.drums.gain": "in:mic"}
    graph = load(folder(tmp_path, part=part, main=main % "{track: deck}"))
    bass, drums = torch.randn(2, 1, 2, 1000)
    audio = {"deck": {"bass": bass, "drums": drums}, "mic": torch.randn(1, 2, 1000)}
    mixed = Mixer(graph)(audio, ParameterLayout.from_graph(graph).default.repeat(1, 2, 1))
    assert torch.allclose(mixed, bass + drums, atol=1e-6)

    (wrong,) = refused(folder(tmp_path, part=part, main=main % "{track: mic}"))
    assert "'track' of graph 'part.yaml' has stems, and 'mic' is no input with stems" in wrong.message
    (wrong,) = refused(folder(tmp_path, part=part, main=main % "{track.bass: mic}"))
    assert wrong.message == "graph 'part.yaml' needs input 'track.drums'"


WRONG = {
    "an unknown graph": (
        "graph: room.yaml",
        "graph: ▸rom.yaml",
        "there is no file rom.yaml",
        "did you mean: room.yaml",
    ),
    "a name without its ending": (
        "graph: room.yaml",
        "graph: ▸room",
        "there is no graph named 'room'",
        "named with its ending: room.yaml",
    ),
    "another folder": (
        "graph: room.yaml",
        "graph: ▸../room.yaml",
        "expected a graph's name, got text '../room.yaml'",
        "beside this one",
    ),
    "an absolute path": (
        "graph: room.yaml",
        "graph: ▸/etc/room.yaml",
        "expected a graph's name",
        "beside this one",
    ),
    "an input that is not there": (
        "mix: master}",
        "▸mux: master}",
        "has no input 'mux'",
        "did you mean: mix",
    ),
    "an input that is not given": (
        "inputs: {mix: master}",
        "inputs: ▸{}",
        "graph 'room.yaml' needs input 'mix'",
        "inputs: {mix: a strip",
    ),
    "a signal that is not there": (
        "mix: master}",
        "mix: ▸mster}",
        "there is no signal called 'mster'",
        "did you mean: master",
    ),
    "an argument that is not there": (
        "high: 5000",
        "▸hgh: 5000",
        "graph 'room.yaml' has no argument 'hgh'",
        "did you mean: high",
    ),
    "a bus that is not there": ("to: last}", "to: ▸lst}", "there is no bus 'lst'", "did you mean: last"),
    "a name that is taken": ("as: fx", "as: ▸s", "'s' is the name of a strip already", "use.as"),
    "the name of an input": ("as: fx", "as: ▸a", "'a' is the name of an input already", "use.as"),
    "an output that is not there": (
        "from: fx.dry",
        "from: ▸fx.dyr",
        "there is no signal called 'fx.dyr'",
        "did you mean: fx.dry",
    ),
    "a node within": (
        "from: fx.dry",
        "from: ▸fx@eq",
        "there is no strip or bus 'fx'",
        "",
    ),
    "a strip within": ("from: fx.dry", "from: ▸fx.tone", "there is no signal called 'fx.tone'", "allowed: "),
    "a control within": ("fx.tone.eq.*", "▸fx.tone.gain.*", "no control matches 'fx.tone.gain.*'", ""),
    "no name": ("as: fx, ", "", "missing key 'as'", ""),
    "an unknown key": ("as: fx", "as: fx, ▸input: a", "unknown key 'input'", "did you mean: inputs"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_where_a_part_is_used(case: str, tmp_path: Path, marked: Any) -> None:
    before, after, message, more = WRONG[case]
    text = MAIN.replace(before, after)
    assert text != MAIN
    if "▸" in text:
        text, line, column = marked(text)
    problems = refused(folder(tmp_path, room=ROOM, main=text))
    problem = problems[0]
    words = str(problem)
    assert message.partition(";")[0] in problem.message or message.partition(";")[0] in words
    assert more in words
    if "▸" in after:
        assert (problem.position.line, problem.position.column) == (line, column)
    if case not in (
        "no name",
        "an unknown key",
        "a name that is taken",
        "the name of an input",
        "a node within",
    ):
        assert len(problems) == 1, words


def test_what_is_wrong_in_a_part_is_told_in_its_file(tmp_path: Path) -> None:
    room = (
        ROOM.replace("[reverb]", "[revreb]")
        .replace("{to: verb}", "{to: vreb}")
        .replace("curve: bow", "curve: bw")
    )
    problems = refused(
        folder(tmp_path, room=room, main=MAIN.replace("drives: {fx.tone.eq.*", "drives: {fx.tone.q.*"))
    )
    inside = [problem for problem in problems if problem.position.file == str(tmp_path / "room.yaml")]
    assert [problem.message for problem in inside] == [
        "there is no curve 'bw'", "there is no bus 'vreb'", "there is no effect 'revreb'",
    ]  # fmt: skip
    assert all(f"in graph 'room.yaml', used at {tmp_path / 'main.yaml'}:7:10" in str(one) for one in inside)
    assert "did you mean: bow" in str(inside[0])
    assert [one.message for one in problems if one not in inside] == [
        "no control matches 'fx.tone.q.*' to drive"
    ]
    # The text of it is wrong: only what would be there with it is not missed outside.
    room = ROOM.replace("inputs: [", "inputs: [3, ").replace("mixer:", "mixr:")
    problems = refused(folder(tmp_path, room=room, main=MAIN.replace("input: a,", "input: q,")))
    assert {problem.position.file for problem in problems} == {
        str(tmp_path / "room.yaml"),
        str(tmp_path / "main.yaml"),
    }
    assert "there is no signal called 'q'" in [one.message for one in problems]
    assert not any("fx" in problem.message for problem in problems)


def test_no_yaml_at_all_in_a_part(tmp_path: Path) -> None:
    (problem,) = refused(folder(tmp_path, room="djgraph: 1\nname: [", main=MAIN))
    assert problem.position.file == str(tmp_path / "room.yaml")
    (tmp_path / "room.yaml").write_bytes(b"\xff\xfe\x00")
    (problem,) = refused(tmp_path / "main.yaml")
    assert (problem.position.file, problem.position.line) == (str(tmp_path / "main.yaml"), 7)
    (tmp_path / "room.yaml").write_text("x" * (limits.FILE_BYTES + 1))
    (problem,) = refused(tmp_path / "main.yaml")
    assert "is larger than" in problem.message


def test_a_part_that_needs_an_argument(tmp_path: Path) -> None:
    room = ROOM.replace("args: {high: 3000}", "args: {high: null}")
    assert load(folder(tmp_path, room=room, main=MAIN))
    (problem,) = refused(folder(tmp_path, room=room, main=MAIN.replace("with: {high: 5000}, ", "")))
    assert problem.message == "argument 'high' needs a value: its default is null"
    assert "with: {high: …}, where the graph is used" in problem.hint


def test_files_that_are_parts_of_one_another(tmp_path: Path) -> None:
    one = (
        "djgraph: 1\nname: {0}\ninputs: [{{name: x}}]\n"
        "mixer: [{{use: {{graph: {1}.yaml, as: p, inputs: {{x: x}}}}}}]\noutputs: [p]\n"
    )
    path = folder(tmp_path, a=one.format("a", "b"), b=one.format("b", "c"), c=one.format("c", "a"))
    (problem,) = refused(path)
    assert problem.message == "graphs are parts of one another in a circle: c.yaml → a.yaml → b.yaml → c.yaml"
    assert problem.position.file == str(tmp_path / "b.yaml")
    (problem,) = refused(folder(tmp_path, a=one.format("a", "a")))
    assert "in a circle: a.yaml → a.yaml" in problem.message


def test_a_signal_that_goes_round_through_parts(tmp_path: Path) -> None:
    part = (
        "djgraph: 1\nname: part\ninputs: [{name: x}]\n"
        "mixer: [{strip: s, input: x, chain: [%s]}]\noutputs: [%s]\n"
    )
    main = (
        "djgraph: 1\nname: main\ninputs: [{name: a}]\n"
        "mixer: [{use: {graph: part.yaml, as: p, inputs: {x: p}}}]\noutputs: [p]\n"
    )
    for chain, output in (("gain", "s"), ("", "s"), ("gain", "x")):
        problems = refused(folder(tmp_path, part=part % (chain, output), main=main))
        assert all("circle" in problem.message for problem in problems), problems


@pytest.mark.parametrize("link", ["file", "folder"])
def test_no_link_leads_out_of_the_folder(link: str, tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    folder(outside, room=ROOM)
    path = folder(inside, main=MAIN)
    if link == "file":
        (inside / "room.yaml").symlink_to(outside / "room.yaml")
        (problem,) = refused(path)
        assert problem.message == "room.yaml leads to another folder"
    else:  # the folder itself may be reached by a link
        (tmp_path / "link").symlink_to(outside)
        (outside / "main.yaml").write_text(MAIN)
        assert load(tmp_path / "link" / "main.yaml")


def test_a_text_has_no_folder() -> None:
    with pytest.raises(
        DocumentError, match=r"room.yaml would be beside the file of this graph, which has none"
    ):
        load(MAIN)
    text = """\
djgraph: 1
name: main
inputs: [{name: a}]
mixer: [{use: {graph: mastering, as: finish, inputs: {track: a}}}]
outputs: [finish]
"""
    own, used = load("mastering"), load(text)
    assert [column.name for column in used.columns] == [f"finish.{column.name}" for column in own.columns]


def test_in_a_chain_there_are_no_graphs(tmp_path: Path) -> None:
    main = MAIN.replace("chain: [gain]}", "chain: [{use: {graph: room.yaml, as: x}}]}")
    problem = refused(folder(tmp_path, room=ROOM, main=main))[0]
    assert problem.message == "a graph is put in place among the items of the mixer, not in a chain"


def test_channels_of_what_is_given(tmp_path: Path) -> None:
    mono = ROOM.replace("{name: mix}", "{name: mix, channels: mono}")
    (problem,) = refused(folder(tmp_path, room=mono, main=MAIN))
    assert problem.message == "the input is mono, and 'master' is stereo"
    assert (problem.position.line, problem.position.file) == (7, str(tmp_path / "main.yaml"))
    graph = load(folder(tmp_path, room=ROOM, main=MAIN.replace("[{name: a}]", "[{name: a, channels: mono}]")))
    assert {node.channels for node in graph.nodes if node.id.startswith("fx.")} == {1}


def test_too_many_graphs(tmp_path: Path) -> None:
    one = "djgraph: 1\nname: part\ninputs: [{name: x}]\nmixer: [{strip: s, input: x}]\noutputs: [s]\n"
    uses = "".join(
        f"  - use: {{graph: p{n}.yaml, as: p{n}, inputs: {{x: a}}}}\n" for n in range(limits.GRAPHS + 1)
    )
    main = f"djgraph: 1\nname: main\ninputs: [{{name: a}}]\nmixer:\n{uses}outputs: [a]\n"
    path = folder(tmp_path, **{f"p{n}": one for n in range(limits.GRAPHS + 1)}, main=main)
    (problem,) = refused(path)
    assert "more than 64 graphs in one (the limit)" in problem.message


def test_parts_that_double_are_stopped(tmp_path: Path) -> None:
    """Files each of which holds the next one twice would be 2 to the power of their number."""
    files = {
        f"n{n}": f"djgraph: 1\nname: n{n}\ninputs: [{{name: x}}]\nmixer:\n"
        f"  - use: {{graph: n{n + 1}.yaml, as: l, inputs: {{x: x}}}}\n"
        f"  - use: {{graph: n{n + 1}.yaml, as: r, inputs: {{x: l}}}}\noutputs: [r]\n"
        for n in range(40)
    }
    files["n40"] = (
        "djgraph: 1\nname: end\ninputs: [{name: x}]\nmixer: [{strip: s, input: x, chain: [gain]}]\noutputs: [s]\n"
    )
    folder(tmp_path, **files)
    problems = refused(tmp_path / "n0.yaml")
    assert any("the limit" in problem.message for problem in problems)


def test_warnings_of_parts(tmp_path: Path) -> None:
    room = ROOM.replace(
        "mixer:",
        "transform: {size: 1024, hop: 256}\nmixer:\n  - {strip: cue, input: mix, chain: [{effect: gain, id: level}]}",
    ).replace("outputs: [out,", "outputs: [out, cue,")
    found = validate(folder(tmp_path, room=room, main=MAIN)).warnings
    messages = {one.message: one for one in found}
    assert set(messages) == {
        "graph 'room.yaml' is written for another transform",
        "nobody hears output 'cue' of graph 'fx'",
    }
    assert "fx.cue.level.gain" in (messages["nobody hears output 'cue' of graph 'fx'"].hint or "")
    assert all(one.position is not None and one.position.line == 7 for one in found)


names = st.sampled_from(["one", "two", "three"])


@st.composite
def rooms(draw: Any) -> dict[str, Any]:
    """A small graph whose parts speak of one another in many ways."""
    strips = draw(st.lists(names, min_size=1, max_size=3, unique=True))
    mixer: list[Any] = []
    signals = ["x", "y.left", "y.right"]
    for index, name in enumerate(strips):
        ties = [{}, {"follow": "knob"}, {"follow": "knob", "curve": "bow"}, {"tie": f"{strips[0]}.fader"}]
        gain = draw(st.sampled_from(ties)) if index else {"as": "fader"}
        macros = [
            {
                "name": "own",
                "drives": {draw(st.sampled_from(["eq.high", f"{name}.eq.high"])): [[0, 1], [1, 0]]},
            }
        ]
        mixer.append(
            {
                "strip": name,
                "input": draw(st.sampled_from(signals)),
                "chain": [
                    {"effect": "eq3", "id": "eq"},
                    {"effect": "gain", "controls": {"gain": gain} if gain else {}},
                ],
                "macros": macros,
                "sends": draw(
                    st.sampled_from([[], [{"to": "verb"}], [{"to": "verb", "name": "wet", "tap": "eq"}]])
                ),
                "to": draw(st.sampled_from(["out", ["out", "verb"]])),
                "mute": draw(st.booleans()),
                "solo": draw(st.sampled_from([False, True, "group"])),
            }
        )
        signals += [name, f"{name}@eq"]
    mixer.append({"bus": "verb", "chain": ["delay"], "to": "out"})
    mixer.append({"bus": "out"})
    drives = draw(st.sampled_from([{"verb.delay.mix": "bow"}, {"*.delay.mix": [[0, 0], [1, 0.5]]}]))
    mixer.append({"macro": "knob", "drives": drives})
    return {
        "djgraph": 1,
        "name": "room",
        "inputs": [{"name": "x"}, {"name": "y", "stems": ["left", "right"]}],
        "curves": {"bow": [[0, 0], [0.5, 0.1], [1, 1]]},
        "mixer": mixer,
        "outputs": ["out", {"name": "early", "from": draw(st.sampled_from(signals))}],
    }


def flat(room: Mapping[str, Any], given: Mapping[str, str], prefix: str) -> list[Any]:
    """The mixer of a room with all names written out."""

    def signal(text: str) -> str:
        return given.get(text) or prefix + text

    def named(value: Any) -> Any:
        return [prefix + one for one in value] if isinstance(value, list) else prefix + value

    items = []
    for item in room["mixer"]:
        new = dict(item)
        for key in ("strip", "bus", "macro"):
            if key in item:
                new[key] = prefix + item[key]
        if "input" in item:
            new["input"] = signal(item["input"])
        if "to" in item:
            new["to"] = named(item["to"])
        if item.get("solo"):
            new["solo"] = {True: "all_" + prefix.strip("."), "group": "group_" + prefix.strip(".")}[
                item["solo"]
            ]
        new_sends = [
            {**send, "to": prefix + send["to"], "name": send.get("name", send["to"])}
            for send in item.get("sends", [])
        ]
        if "sends" in item:
            new["sends"] = new_sends
        if "macro" in item:
            new["label"] = "Knob"
            new["drives"] = {prefix + target: curve for target, curve in item["drives"].items()}
        if "macros" in item:
            own = item["macros"][0]
            new["macros"] = [
                {**own, "drives": {t if t == "eq.high" else prefix + t: c for t, c in own["drives"].items()}}
            ]
        chain = []
        for node in item.get("chain", []):
            controls = dict(node["controls"]) if isinstance(node, dict) and "controls" in node else {}
            if controls:
                change = dict(controls["gain"])
                if change.get("follow") == "knob":
                    change["follow"] = prefix + "knob"
                if "tie" in change:
                    change["tie"] = prefix + change["tie"]
                chain.append({**node, "controls": {"gain": change}})
            else:
                chain.append(node)
        if "chain" in item:
            new["chain"] = chain
        items.append(new)
    return items


@settings(max_examples=examples(150), deadline=None)
@given(st.data())
def test_random_parts_are_what_they_are_flat(data: st.DataObject) -> None:
    uses = data.draw(
        st.lists(
            st.tuples(rooms(), st.sampled_from(["a", "s", "b.l"]), st.booleans()), min_size=1, max_size=2
        )
    )
    head = {
        "djgraph": 1,
        "name": "main",
        "inputs": [{"name": "a"}, {"name": "b", "stems": ["l", "left", "right"]}],
        "curves": {"bow": [[0, 0], [0.5, 0.1], [1, 1]]},
    }
    strip = {"strip": "s", "input": "a", "chain": ["gain"], "to": "master"}
    nested: list[Any] = [strip, {"bus": "master"}]
    plain: list[Any] = [strip, {"bus": "master"}]
    outputs: list[Any] = ["master"]
    flat_outputs: list[Any] = ["master"]
    with TemporaryDirectory() as name:
        path = Path(name)
        for index, (room, x, whole) in enumerate(uses):
            YAML(typ="safe").dump(room, path / f"room{index}.yaml")
            inputs = {"x": x, "y": "b"} if whole else {"x": x, "y.left": "master", "y.right": "b.right"}
            flat_inputs = {"x": x, "y.left": "b.left" if whole else "master", "y.right": "b.right"}
            nested.append({"use": {"graph": f"room{index}.yaml", "as": f"p{index}", "inputs": inputs}})
            plain += flat(room, flat_inputs, f"p{index}.")
            outputs += [f"p{index}", f"p{index}.early"]
            early = room["outputs"][1]["from"]
            flat_outputs += [
                {"name": f"p{index}", "from": f"p{index}.out"},
                {"name": f"p{index}.early", "from": flat_inputs.get(early) or f"p{index}.{early}"},
            ]
        YAML(typ="safe").dump({**head, "mixer": nested, "outputs": outputs}, path / "main.yaml")
        graph = load(path / "main.yaml")
    assert said(graph) == said(load({**head, "mixer": plain, "outputs": flat_outputs}))


def test_roles_that_a_part_declares_are_those_of_its_own_controls(tmp_path: Path) -> None:
    room = (
        ROOM.replace("mixer:", "roles: {fader: [tone.trim.gain], low: [verb.reverb.mix]}\nmixer:", 1)
        .replace("{gain: {follow: amount, curve: bow}}", "{}")
        .replace("drives: {verb.reverb.mix: bow}", "drives: {tone.eq.mid: bow}")
    )

    def roles(main: str) -> dict[str, str]:
        graph = load(folder(tmp_path, room=room, main=main))
        return {column.name: column.part.role for column in graph.columns if column.part is not None}

    main = MAIN.replace("drives: {fx.tone.eq.*: ", "drives: {fx.tone.verb_send: ")
    found = roles(main)
    assert found["fx.tone.trim.gain"] == found["s.gain.gain"] == found["last.gain.gain"] == "fader"
    assert found["fx.verb.reverb.mix"] == "low"
    assert "fx.tone.eq.low" not in found  # the part says what its low is
    # What the whole says holds for its parts, too.
    found = roles(main.replace("mixer:", "roles: {low: [fx.tone.eq.high], fader: [s.gain.gain]}\nmixer:", 1))
    assert found["fx.tone.eq.high"] == "low"
    assert "fx.verb.reverb.mix" not in found or found["fx.verb.reverb.mix"] != "low"
    assert [name for name, role in found.items() if role == "fader"] == ["s.gain.gain"]


def test_a_name_that_is_taken_is_the_only_problem(tmp_path: Path) -> None:
    for name in ("s", "a", "master"):
        (problem,) = refused(
            folder(tmp_path, room=ROOM, main=MAIN.replace("as: fx", f"as: {name}").replace("fx.", f"{name}."))
        )
        assert "already" in problem.message


@pytest.mark.parametrize("text", ["to: fx.out", "input: fx.tone@eq", "input: fx.tone"])
def test_what_a_part_shows_is_told_where_more_of_it_is_meant(text: str, tmp_path: Path) -> None:
    item = (
        f"  - {{strip: q, {text}{'' if 'input' in text else ', input: a'}, chain: [gain]}}\n  - bus: master\n"
    )
    (problem,) = refused(folder(tmp_path, room=ROOM, main=MAIN.replace("  - bus: master\n", item)))
    assert "only its outputs are signals here (fx.out, fx.dry), and what goes in is said" in str(problem)


def test_where_a_part_of_wrong_text_is_used(tmp_path: Path) -> None:
    for text in ("", "[1]", "name: x"):
        problems = refused(folder(tmp_path, room=text, main=MAIN))
        inside = [one for one in problems if one.position.file == str(tmp_path / "room.yaml")]
        assert inside
        assert all(f"used at {tmp_path / 'main.yaml'}:7" in str(problem) for problem in inside), inside


def test_a_graph_where_a_template_is_due(tmp_path: Path) -> None:
    for name in ("mastering", "room.yaml"):
        main = MAIN.replace("  - bus: master\n", f"  - {{use: {name}}}\n  - bus: master\n")
        (problem,) = refused(folder(tmp_path, room=ROOM, main=main))
        assert f"put in place by `use: {{graph: {name}, as: …, inputs: {{…}}}}`" in (problem.hint or "")


def test_a_circle_through_a_part_says_how_to_make_a_loop_of_it() -> None:
    text = """\
djgraph: 1
name: t
inputs: [{name: a}]
mixer:
  - {strip: s, input: a, to: l}
  - {bus: l, sends: [{to: master}]}
  - use: {graph: mastering, as: fin, inputs: {track: l}, to: l}
  - bus: master
outputs: [master]
"""
    with pytest.raises(DocumentError) as caught:
        load(text)
    (problem,) = caught.value.problems
    assert "goes round in a circle" in problem.message
    assert "let a strip read the graph's output, with `sends: [{to: l, level: 1" in (problem.hint or "")


def test_solo_in_a_loop_amplifies_nothing() -> None:
    back = "{to: r, feedback: true, delay: 100, level: {max: 0.9}}"
    text = f"""\
djgraph: 1
name: t
inputs: [{{name: a}}]
mixer:
  - {{strip: x, input: a, to: r, solo: true}}
  - {{bus: r, chain: [gain], solo: true, mute: true, sends: [{back}], to: master}}
  - bus: master
outputs: [master]
"""
    assert not validate(text).warnings
    two = text.replace(back, f"{back}, {back.replace('to: r', 'to: r, name: again')}")
    (grows,) = (one for one in validate(two).warnings if "grow" in one.message)
    assert "it can give back 1.8 times what goes round" in grows.message


def test_roles_that_parts_say_otherwise_are_told_once(tmp_path: Path) -> None:
    """At the pattern of the whole, however many controls and parts it matches."""
    inner = """\
djgraph: 1
name: inner
inputs: [{name: track}]
roles: {filter: track.lowpass.cutoff, low: [track.eq3.low, track.eq3.mid]}
mixer:
  - {strip: track, input: track, chain: [eq3, lowpass], to: master}
  - bus: master
outputs: [master]
"""
    outer = """\
djgraph: 1
name: outer
inputs: [{name: mic}]
roles: {high: 'fx*.**'}
mixer:
  - use: {graph: inner.yaml, as: fx, inputs: {track: mic}}
  - use: {graph: inner.yaml, as: fx2, inputs: {track: mic}}
outputs: [fx, fx2]
"""
    (tmp_path / "inner.yaml").write_text(inner)
    (tmp_path / "outer.yaml").write_text(outer)
    with pytest.raises(DocumentError) as caught:
        load(tmp_path / "outer.yaml")
    (problem,) = caught.value.problems
    assert (
        problem.message
        == "'fx.track.lowpass.cutoff' has the role 'filter' already; so have 5 others their own"
    )
    assert problem.position is not None
    assert (Path(problem.position.file).name, problem.position.line) == ("outer.yaml", 4)
    (tmp_path / "outer.yaml").write_text(outer.replace("roles: {", "roles: {filter: [], low: [], "))
    assert load(tmp_path / "outer.yaml").columns


def test_a_channel_count_that_does_not_fit_a_part_is_told_once(tmp_path: Path) -> None:
    """Where the part is given it, and not within the part, too."""
    inner = """\
djgraph: 1
name: inner
inputs: [{name: track}]
mixer:
  - {strip: track, input: track, chain: [eq3], to: master}
  - bus: master
outputs: [{name: master, from: master, channels: stereo}]
"""
    outer = """\
djgraph: 1
name: outer
inputs: [{name: mic, channels: quad}]
mixer:
  - use: {graph: inner.yaml, as: fx, inputs: {track: mic}}
outputs: [fx]
"""
    (tmp_path / "inner.yaml").write_text(inner)
    (tmp_path / "outer.yaml").write_text(outer)
    with pytest.raises(DocumentError) as caught:
        load(tmp_path / "outer.yaml")
    (problem,) = caught.value.problems
    assert problem.message == "the input is stereo, and 'in:mic' is quad"
