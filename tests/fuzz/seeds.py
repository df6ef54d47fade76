"""Every leak that was once met, by name: the input, and whether it has to be refused."""

from __future__ import annotations

import io
import json
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import soundfile
from two_decks import GRAPH

from .samples import (
    AUTOMATION,
    audio_files,
    checkpoint_file,
    command_files,
    corpus_files,
    fit_state,
    track_files,
)
from .worker import Case

DEEP = "[" * 100_000
DIGITS = "9" * 400
SMALL = """djgraph: 1
name: small
inputs: [{name: a}]
mixer: [{strip: a, input: a, chain: [gain], to: master}, {bus: master}]
outputs: [master]
"""

NO_CONTROLS = """{"djgraph": 1, "name": "none", "inputs": [{"name": "a"}],
"mixer": [{"strip": "a", "input": "a", "to": "m"}, {"bus": "m"}], "outputs": ["m"]}"""


@dataclass(frozen=True)
class Seed:
    """refused: True where it must not be taken, None where either is right."""

    name: str
    case: Case
    refused: bool | None = True


def _text(target: str, name: str, text: str | bytes | None) -> Case:
    return Case(
        target, {name: text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text}, name
    )


def _graphs() -> Iterator[Seed]:
    def graph(name: str, text: str | bytes | None, refused: bool | None = True) -> Seed:
        return Seed(f"graph: {name}", _text("graph", "graph.yaml", text), refused)

    strip = "mixer: [{strip: a, input: a, chain: [gain], to: master}, {bus: master}]"
    yield graph(
        "owners feed each other",
        SMALL.replace(
            strip,
            "mixer: [{strip: a, input: a, chain: [gain, highpass], to: master}, {strip: b, input: a@gain, to: c}, "
            "{strip: c, input: b, to: master}, {bus: master}]",
        ),
        None,
    )
    yield graph(
        "a bus with a dot in its name",
        SMALL.replace(
            strip, "mixer: [{strip: a, input: a, sends: [{to: b.c}], to: m}, {bus: b.c, to: m}, {bus: m}]"
        ),
        None,
    )
    yield graph(
        "a missing input of the strip's own name",
        SMALL.replace("input: a,", "input: b,").replace("strip: a", "strip: b"),
    )
    yield graph("a circle", SMALL.replace("input: a,", "input: master,"))
    yield graph("a long unknown word", SMALL.replace("gain", "gain" * 20_000))
    yield graph("a long unknown key", "k" * 500_000 + ": 1\n" + SMALL)
    yield graph(
        "many long unknown words",
        SMALL.replace("[gain]", str([f"{'gain' * 300}{i}" for i in range(300)])),
    )
    strips = ", ".join(f"{{strip: {'s' * 100}{i}, input: {'s' * 100}x{i}, to: master}}" for i in range(400))
    yield graph(
        "many strips that read what is not there", SMALL.replace(strip, f"mixer: [{strips}, {{bus: master}}]")
    )
    # A few bytes that become many long names.
    yield graph(
        "names that double",
        SMALL.replace(
            strip,
            'templates: {t: {args: {n: x}, mixer: [{for: {i: {from: 1, to: 200}}, do: [{strip: "$n$n$n$n.$i", '
            'input: "$n$n$n$n.q$i", to: master}]}]}}\nmixer: [{use: t, with: {n: "'
            + "v" * 200
            + '"}}, {bus: master}]',
        ),
    )
    for what, char in {
        "escape": "\\x1b[31m",
        "override": "\\u202e",
        "NUL": "\\0",
        "C1": "\\x9b31m",
        "BEL": "\\a",
    }.items():
        yield graph(f"{what} in a key", f'"x{char}y": 1\n{SMALL}')
        yield graph(f"{what} in a name", SMALL.replace("name: small", f'name: "x{char}y"'), None)
        yield graph(f"{what} in an input", SMALL.replace("input: a,", f'input: "x{char}y",'))
        yield graph(f"{what} in an effect", SMALL.replace("[gain]", f'["x{char}y"]'))
        yield graph(
            f"{what} in a path", SMALL.replace("[gain]", f'[{{effect: gain, controls: {{"x{char}y": 1}}}}]')
        )
    yield graph("nested too deep", "djgraph: " + DEEP)
    yield graph("mappings nested too deep", '{"a":' * 50_000)
    yield graph("a number without an end", SMALL.replace("djgraph: 1", f"djgraph: {DIGITS}"))
    yield graph("a sample rate of 1e400", SMALL + "sample_rate: 1e400\n")
    yield graph("a sample rate of 400 digits", SMALL + f"sample_rate: {DIGITS}\n")
    yield graph("a tab after a colon", SMALL.replace("name: small", "name:\tsmall"), None)
    yield graph("half a surrogate pair", SMALL.replace("name: small", 'name: "\\ud83d"'))
    yield graph("bytes that are no UTF-8", SMALL.encode().replace(b"small", b"caf\xe9"))
    yield graph("UTF-16", SMALL.encode("utf-16"), None)
    yield graph("70 KB of zeros before it", bytes(70_000) + SMALL.encode())
    letters = "abcdefghijklmnopqrstuvwxy"
    doubling = [f"{after}: &{after} [*{one}, *{one}]\n" for one, after in pairwise(letters)]
    yield graph("a million aliases", "a: &a [x, x]\n" + "".join(doubling))
    if hasattr(os, "mkfifo"):
        yield graph("a named pipe", None)


def _automations() -> Iterator[Seed]:
    def moves(name: str, change: Any, refused: bool | None = True) -> Seed:
        data = json.loads(json.dumps(AUTOMATION))
        change(data)
        text = json.dumps(data).replace('"BIG"', "1e400").replace('"DIGITS"', DIGITS)
        return Seed(f"automation: {name}", _text("automation", "moves.json", text), refused)

    def at(value: Any) -> Any:
        return lambda data: data["curves"][0]["points"][1].update(at=value)

    for value in (
        "1e400s",
        "BIG",
        "DIGITS",
        DIGITS + "s",
        DIGITS + "bars",
        "1e400beats",
        "1e308s + 1e308s",
        "-1e400s",
    ):
        yield moves(f"at {value[:16]} ({len(value)} characters)", at(value))
    yield moves("a tempo of 400 digits", lambda data: data.update(tempo="DIGITS"))
    yield moves("a tempo of 1e400", lambda data: data.update(tempo="BIG"))
    yield moves("beats per bar of 400 digits", lambda data: data.update(beats_per_bar="DIGITS"))
    yield moves("a value of 400 digits", lambda data: data["curves"][1].update(value="DIGITS"))
    yield moves("an escape in a control", lambda data: data["curves"][1].update(control="\x1b[31m\u202e"))
    yield moves(
        "a long unknown control", lambda data: data["curves"][1].update(control="left.drums" * 30_000)
    )
    table = "control,at,value\nleft.drums.gain,0,1\n"
    for name, text, refused in [
        ("semicolons", table.replace(",", ";"), None),
        ("a NUL", table + "left.drums.gain,\0,1\n", True),
        ("1e400 s", table + "left.drums.gain,1e400s,1\n", True),
        ("400 digits", table + f"left.drums.gain,{DIGITS},1\n", True),
        ("a field of a megabyte", table + "x" * 1_000_000 + ",1s,1\n", True),
        ("a quote without an end", table + '"' + "x,1s,1\n" * 50_000, True),
        ("nothing", "", True),
        ("zeros", "\0" * 70_000, True),
    ]:
        yield Seed(f"table: {name}", _text("automation", "moves.csv", text), refused)
    if hasattr(os, "mkfifo"):
        yield Seed("automation: a named pipe", _text("automation", "moves.yaml", None))
        yield Seed("recipe: a named pipe", _text("recipe", "moves.yaml", None))


def _npy(header: str) -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(64)


def _params() -> Iterator[Seed]:
    def header(shape: str, kind: str = "'<f4'", order: str = "False") -> bytes:
        return _npy(f"{{'descr': {kind}, 'fortran_order': {order}, 'shape': {shape}}}")

    for name, content in {
        "a negative shape": header("(-1, 54)"),
        "a shape beyond the file": header("(9999999999, 54)"),
        "a shape that overflows": header("(9223372036854775807, 9223372036854775807)"),
        "a shape of 400 digits": header(f"({DIGITS}, 54)"),
        "a shape of floats": header("(2.5, 54)"),
        "objects": header("(2, 54)", "'|O'"),
        "a type that recurs": header("(2, 54)", "[" * 3000 + "]" * 3000),
        "brackets without an end": _npy("(" * 9000),
        "not a header": _npy("__import__('os')"),
        "a NUL": _npy("{'descr': '\0'}"),
        "an empty type": header("(2, 54)", "''"),
        "no bytes": b"",
        "half the magic": b"\x93NUM",
    }.items():
        yield Seed(f"npy: {name}", _text("params", "params.npy", content))
    for suffix in ("json", "yaml"):
        for name, text in {
            "nested too deep": DEEP,
            "mappings nested too deep": '{"a":' * 50_000,
            "400 digits": f'{{"track_a.vocals.gain": {DIGITS}}}',
            "5000 digits": f'{{"track_a.vocals.gain": {"9" * 5000}}}',
            "1e400": '{"track_a.vocals.gain": 1e400}',
            "NaN": '{"track_a.vocals.gain": NaN}',
            "an escape in a name": '{"\\u001b[31m\\u202e": 1}',
            "a long name": f'{{"{"track_a.vocals.gain" * 20_000}": 1}}',
            "zeros": "\0" * 70_000,
        }.items():
            yield Seed(f"params {suffix}: {name}", _text("params", f"params.{suffix}", text))
    for name, text in {
        "a NUL": "track_a.vocals.gain\n\0\n",
        "a long number": "track_a.vocals.gain\n" + "y" * 100_000 + "\n",
        "an escape": "track_a.vocals.gain\n\x1b[31m\u202e\n",
        "a field beyond the limit": "track_a.vocals.gain\n" + "1" * 200_000 + "\n",
        "1e400": "track_a.vocals.gain\n1e400\n",
        "semicolons": "track_a.vocals.gain;track_a.drums.gain\n1;1\n",
    }.items():
        yield Seed(
            f"params csv: {name}",
            _text("params", "params.csv", text),
            None if name == "semicolons" else True,
        )


def _corpora() -> Iterator[Seed]:
    files = corpus_files()
    about = json.loads(files["corpus/corpus.json"])

    def corpus(name: str, path: str, content: bytes, refused: bool | None = True) -> Seed:
        return Seed(
            f"corpus: {name}", Case("corpus", {**files, f"corpus/{path}": content}, f"corpus/{path}"), refused
        )

    def changed(refused: bool | None = True, **what: Any) -> Seed:
        data = json.loads(json.dumps(about))
        for key, value in what.items():
            (data if key in data else data["settings"])[key] = value
        text = json.dumps(data).replace('"DIGITS"', DIGITS).replace('"BIG"', "1e400")
        return corpus(f"{what}", "corpus.json", text.encode(), refused)

    for key in ("count", "shard_size", "seconds", "seed", "frames_per_second"):
        for value in (0, -1, 10**9, "DIGITS", "BIG", 0.5, "x", None, [], {}, True):
            if key != "seed" or not isinstance(value, int):
                # Many more items than there are may be asked for: partial corpora are read. What is wrong is to hang.
                yield changed(None, **{key: value})
    yield changed(tracks=None)
    yield changed(tracks=[3])
    yield changed(tracks=[{}])
    yield changed(settings=[])
    for key in about:
        without = {k: v for k, v in about.items() if k != key}
        yield corpus(f"no {key}", "corpus.json", json.dumps(without).encode(), None)
        yield corpus(f"{key} null", "corpus.json", json.dumps(about | {key: None}).encode(), None)
        yield corpus(f"{key} a list", "corpus.json", json.dumps(about | {key: [[]]}).encode(), None)
    for path in ("corpus.json", "manifest.jsonl", "shard-00000/00000000/item.json"):
        for name, text in {
            "nested too deep": DEEP,
            "mappings nested too deep": '{"a":' * 50_000,
            "nothing": "",
            "null": "null",
            "a list": "[]",
            "a number": DIGITS,
            "5000 digits": "9" * 5000,
            "zeros": "\0" * 70_000,
            "half a pair": '"\\ud83d"',
        }.items():
            yield corpus(f"{path}: {name}", path, text.encode(), None)
    item = json.loads(files["corpus/shard-00000/00000000/item.json"])
    for key in item:
        for value in (None, 0, "x", [], {}):
            text = json.dumps(item | {key: value})
            yield corpus(f"item with {key} {value!r}", "shard-00000/00000000/item.json", text.encode(), None)
    line = '{"index": 1000000000000, "path": "../../../etc"}\n'
    yield corpus("a manifest of other items", "manifest.jsonl", line.encode(), None)


def _tracks() -> Iterator[Seed]:
    for name, text in {
        "a tempo of 400 digits": f'{{"tempo": {DIGITS}}}',
        "a tempo of 5000 digits": f'{{"tempo": {"9" * 5000}}}',
        "a tempo of 1e400": '{"tempo": 1e400}',
        "a tempo of NaN": '{"tempo": NaN}',
        "beats of 400 digits": f'{{"beats": [0, {DIGITS}]}}',
        "beats null": '{"tempo": null, "beats": null}',
        "half a surrogate pair": '{"title": "\\ud83d"}',
        "NaN elsewhere": '{"loudness": NaN}',
        "nested too deep": DEEP,
        "nested too deep inside": f'{{"title": {DEEP}}}',
        "a list": "[]",
        "nothing": "",
        "zeros": "\0" * 70_000,
        "escapes": '{"tempo": "\\u001b[31m\\u202e"}',
    }.items():
        files = track_files() | {"one/track.json": text.encode()}
        yield Seed(f"track: {name}", Case("track", files, "one/track.json"), None)


def _states() -> Iterator[Seed]:
    whole = json.loads(fit_state())
    names = list(whole["positions"])
    for name, other in {
        "level 0": {"level": 0},
        "level below 0": {"level": -1},
        "level NaN": {"level": float("nan")},
        "level of 400 digits": {"level": 10**400},
        "delay infinite": {"delay": float("inf")},
        "delay of 400 digits": {"delay": 10**400},
        "steps infinite": {"steps": float("inf")},
        "steps below 0": {"steps": -1},
        "rungs infinite": {"rungs": float("inf")},
        "rungs NaN": {"rungs": float("nan")},
        "sounds null": {"sounds": None},
        "sounds of 400 digits": {"sounds": [10**400] * 3},
        "no positions": {"positions": {key: [] for key in names}},
        "positions of other lengths": {"positions": {key: [0.5] for key in names} | {names[0]: [0.5, 0.5]}},
        "positions of numbers": {"positions": dict.fromkeys(names, 0.5)},
        "positions nested": {"positions": {key: [[0.5]] for key in names}},
        "positions of 400 digits": {"positions": {key: [10**400] for key in names}},
        "another layout, positions null": {"fingerprint": "x", "positions": None},
        "another layout, positions a number": {"fingerprint": "x", "positions": 3},
        "a fingerprint of a megabyte": {"fingerprint": "x" * 1_000_000},
        "a fingerprint with escapes": {"fingerprint": "\x1b[31m\u202e"},
    }.items():
        yield Seed(f"fit state: {name}", _text("fit_state", "state.json", json.dumps(whole | other)))
    for name, text in {
        "nested too deep": DEEP,
        "a list": "[]",
        "null": "null",
        "nothing": "",
        "digits": "9" * 5000,
    }.items():
        yield Seed(f"fit state: {name}", _text("fit_state", "state.json", text))
    for name, content in {
        "cut": checkpoint_file()[:-3],
        "nothing": b"",
        "a header of 2^62 bytes": struct.pack("<Q", 2**62) + b"{}",
        "nested too deep": struct.pack("<Q", len(DEEP)) + DEEP.encode(),
        "a tree nested too deep": _other_tree(DEEP),
        "a tree of null": _other_tree("null"),
        "a tree of nothing": _other_tree("{}"),
        "a tree of unknown tensors": _other_tree(
            '{"map": [["model", {"map": [["weight", {"tensor": "x"}]]}]]}'
        ),
        "a tree with a list for a tensor": _other_tree('{"map": [["model", {"map": [["weight", [1]]]}]]}'),
        "a tree with a key of lists": _other_tree('{"map": [[[], 1]]}'),
        "a tree with a number for a tensor": _other_tree(
            '{"map":[["model",{"map":[["weight",1],["bias",2]]}]]}'
        ),
    }.items():
        yield Seed(f"checkpoint: {name}", _text("checkpoint", "model.safetensors", content))


def _other_tree(tree: str) -> bytes:
    whole = checkpoint_file()
    size = struct.unpack("<Q", whole[:8])[0]
    header = json.loads(whole[8 : 8 + size])
    header["__metadata__"]["tree"] = tree
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + whole[8 + size :]


def _audio() -> Iterator[Seed]:
    for name, content in audio_files().items():
        for share in (2, 4):
            # An MP3 of the shipped encoder says in its first frame how long it is.
            yield Seed(
                f"audio: {name} cut to 1/{share}", _text("audio", name, content[: len(content) // share])
            )
        yield Seed(
            f"audio: {name} of another format", _text("audio", f"other{name}", b"RIFF" + content[4:]), None
        )
        yield Seed(f"audio: the head of {name}", _text("audio", name, content[:60]))
    yield Seed(
        "audio: 70 KB of zeros before an MP3",
        _text("audio", "a.mp3", bytes(70_000) + audio_files()["a.mp3"]),
        None,
    )
    joined = audio_files()["a.mp3"] + audio_files()["a.mp3"]
    yield Seed("audio: two MP3s joined", _text("audio", "a.mp3", joined), None)
    file = io.BytesIO()
    soundfile.write(file, np.array([[0.1], [np.nan], [0.1]]), 8000, format="WAV", subtype="FLOAT")
    yield Seed("audio: one NaN", _text("audio", "a.wav", file.getvalue()))
    if hasattr(os, "mkfifo"):
        yield Seed("audio: a named pipe", _text("audio", "a.wav", None))


def _commands() -> Iterator[Seed]:
    def command(name: str, *words: str, refused: bool | None = True, **files: str | None) -> Seed:
        others = {
            key.replace("_", "."): None if text is None else text.encode() for key, text in files.items()
        }
        return Seed(f"command: {name}", Case("command", {**command_files(), **others}, "", words), refused)

    inputs = ("-i", "left=one", "-i", "right=one")
    fit = ("fit", "two.json", *inputs, "--target", "a.wav", "--steps", "0")
    yield command("layout over its graph", "layout", "two.json", "-o", "two.json")
    yield command("layout over its graph, spelt otherwise", "layout", "two.json", "-o", "./one/../two.json")
    yield command("draw over its graph", "draw", "two.json", "-o", "two.json")
    yield command("fit over its graph", *fit, "-o", "two.json")
    yield command("a fit's report over its graph", *fit, "--report", "two.json")
    yield command("a fit's report over its target", *fit, "--report", "a.wav")
    yield command("a fit's mix over its target", *fit, "--mix", "a.wav")
    yield command("a fit over its truth", *fit, "--truth", "moves.csv", "-o", "moves.csv")
    yield command("a render over a stem", "render", "two.json", *inputs, "-o", "one/drums.wav")
    yield command(
        "a name that begins with a tilde", "render", "two.json", "-i", "left=~drums", "-i", "right=one"
    )
    yield command("a graph called ~nobodyuser", "validate", "~nobodyuser")
    yield command("an output called ~nobodyuser", "layout", "two.json", "-o", "~nobodyuser/x")
    yield command("a name that is no UTF-8", "validate", "caf\udce9.yaml")
    yield command(
        "an input that is no UTF-8", "render", "two.json", "-i", "left=caf\udce9", "-i", "right=one"
    )
    yield command("an escape", "validate", "x\x1b[31m\u202ey.yaml")
    yield command("an escape as an effect", "effects", "x\x1b[31m\u202ey")
    yield command("an escape as an option", "layout", "two.json", "--arg", "x\x1b[31m=\u202e")
    yield command("a long name", "effects", "gain" * 20_000)
    yield command("a file name of 245 bytes", "layout", "two.json", "-o", "x" * 241 + ".csv", refused=False)
    yield command("a file name of 300 bytes", "layout", "two.json", "-o", "x" * 300 + ".csv")
    yield command("a tempo of 400 digits", "render", "two.json", *inputs, "--tempo", DIGITS)
    yield command("a tempo of NaN", "render", "two.json", *inputs, "--tempo", "nan", refused=None)
    yield command("a cue of 1e400", "render", "two.json", *inputs, "-t", "equal_power", "--cue-in", "1e400")
    high = json.dumps(GRAPH | {"sample_rate": 250_000})
    yield command("OGG above 200 kHz", "render", "high.json", *inputs, "-o", "x.ogg", high_json=high)
    yield command("MP3 above 48 kHz", "render", "high.json", *inputs, "-o", "x.mp3", high_json=high)
    yield command(
        "a fit of nothing to find", "fit", "none.json", "-i", "a=a.wav", "--target", "a.wav", refused=None,
        none_json=NO_CONTROLS,
    )  # fmt: skip
    if hasattr(os, "mkfifo"):
        yield command("a pipe as a graph", "validate", "pipe.yaml", pipe_yaml=None)
        yield command(
            "a pipe as an automation", "render", "two.json", *inputs, "-a", "pipe.yaml", pipe_yaml=None
        )
        yield command("a pipe as params", "render", "two.json", *inputs, "-p", "pipe.csv", pipe_csv=None)
        yield command(
            "a pipe as a stem", "render", "two.json", "-i", "left=pipe.wav", "-i", "right=one", pipe_wav=None
        )
        yield command("a pipe as a target", "fit", "two.json", *inputs, "--target", "pipe.wav", pipe_wav=None)


GROUPS: dict[str, Callable[[], Iterator[Seed]]] = {
    "graph": _graphs,
    "automation": _automations,
    "params": _params,
    "corpus": _corpora,
    "track": _tracks,
    "state": _states,
    "audio": _audio,
    "command": _commands,
}
