"""Loops that can grow are told, with what they give back; what is told is what is heard."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

import djgraph
from djgraph.validation import validate

RATE = 8000
BACK = {"feedback": True, "delay": "2 ms"}


def looped(chain: list[Any], sends: list[Any], *more: Any) -> dict[str, Any]:
    """A bus that is sent back to itself."""
    return {
        "djgraph": 1,
        "name": "looped",
        "sample_rate": RATE,
        "transform": {"size": 256, "hop": 64},
        "inputs": [{"name": "mic"}],
        "mixer": [
            {"strip": "voice", "input": "mic", "to": "ring"},
            {"bus": "ring", "chain": chain, "sends": sends, "to": "master"},
            *more,
            {"bus": "master"},
        ],
        "outputs": ["master"],
    }


def told(document: Any) -> str:
    found = [one for one in validate(document).warnings if "grow" in one.message]
    return "\n".join(map(str, found))


SEND = {"to": "ring", **BACK, "level": {"max": 0.9}}
EQ = {"effect": "eq3", "settings": {"low": 200, "high": 1500}}
CASES: dict[str, tuple[Any, str]] = {
    "levels": (
        looped([], [{**SEND, "level": 0.8}, {"to": "ring", "name": "b", **BACK}]),
        "give back 1.8 times",
    ),
    "no more than comes in": (looped([], [{**SEND, "level": 1}]), ""),
    "a trim": (looped([{"effect": "trim", "controls": {"gain": {"max": 6}}}], [SEND]), "1.8 times"),
    "a trim that only turns down": (
        looped([{"effect": "trim", "controls": {"gain": {"max": 0}}}], [SEND]),
        "",
    ),
    "an equaliser": (looped([EQ], [SEND]), r"1\.[5-9]\d* times what goes round.*amplifies in it: ring\.eq3"),
    "an equaliser that only cuts": (
        looped([{**EQ, "controls": {band: {"max": 1} for band in ("low", "mid", "high")}}], [SEND]),
        "",
    ),
    "an equaliser of which others take away as much": (
        looped(
            [
                {**EQ, "controls": {"low": 2, "mid": 1, "high": 1}},
                {**EQ, "id": "other", "controls": {"low": 0.3, "mid": 1, "high": 1}},
            ],
            [SEND],
        ),
        "",
    ),
    "a resonant filter": (
        looped([{"effect": "filter", "controls": {"mix": 1, "cutoff": 1000, "q": 8}}], [SEND]),
        r"times what goes round, at \d+e?\+?\d* Hz",
    ),
    "saturation": (
        looped(["gain", EQ, {"effect": "saturate", "controls": {"mix": 1}}], [SEND]),
        "",
    ),
    "saturation beside the signal": (
        looped([EQ, {"effect": "saturate", "controls": {"mix": 0.5}}], [SEND]),
        "grow without end",
    ),
    "a limiter": (
        looped([EQ, {"effect": "limiter", "settings": {"lookahead": 0}, "controls": {"mix": 1}}], [SEND]),
        "",
    ),
    "through what holds back": (
        looped(
            [{"effect": "delay_samples", "settings": {"samples": 50}}],
            [{"to": "ring", "feedback": True, "level": 1}, {**SEND, "name": "b"}],
        ),
        "1.9 times",
    ),
    "two loops on one bus": (
        looped(
            [],
            [{**SEND, "level": 0.6}, {"to": "far", "level": 0.8}],
            {"bus": "far", "sends": [{"to": "ring", **BACK, "level": 0.7}]},
        ),
        "1.16 times",
    ),
    "a loop within a loop": (
        looped(
            [],
            [{"to": "far", "level": 0.9}],
            {
                "bus": "far",
                "sends": [{"to": "far", **BACK, "level": 0.5}, {"to": "ring", **BACK, "level": 0.5}],
            },
        ),
        "",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_can_grow_is_told(case: str) -> None:
    document, message = CASES[case]
    found = told(document)
    assert bool(found) == bool(message), found
    assert re.search(message, found, re.DOTALL), found


def test_it_is_told_at_the_send(tmp_path: Any) -> None:
    text = """\
djgraph: 1
name: looped
inputs: [{name: mic}]
mixer:
  - {strip: s, input: mic, to: a}
  - bus: a
    sends:
      - {to: a, feedback: true, delay: 10 ms, level: {max: 0.8}}
      - {to: a, name: b, feedback: true, delay: 7 ms}
    to: master
  - bus: master
outputs: [master]
"""
    path = tmp_path / "looped.yaml"
    path.write_text(text, encoding="utf-8")
    (warning,) = validate(path).warnings
    assert warning.message == "this loop can grow without end: it can give back 1.8 times what goes round"
    assert warning.position is not None
    assert (warning.position.line, warning.position.column) == (8, 17)
    assert "`level: {max: 0.9}`" in str(warning)
    whole = tmp_path / "whole.yaml"
    whole.write_text(
        "djgraph: 1\nname: whole\ninputs: [{name: mic}]\nmixer:\n"
        "  - {use: {graph: looped.yaml, as: fx, inputs: {mic: mic}, to: master}}\n  - bus: master\noutputs: [master]\n",
        encoding="utf-8",
    )
    (warning,) = validate(whole).warnings
    assert warning.position is not None
    assert (warning.position.line, warning.position.column) == (8, 17)
    assert str(warning.position.file).endswith("looped.yaml")


@settings(deadline=None, max_examples=examples(12))
@given(data=st.data())
def test_what_is_told_is_how_it_grows(data: Any) -> None:
    """Of an equaliser in the loop and two ways of one length: the largest gain of one round, by the spectrum of an
    impulse that goes through the equaliser once. And no sound grows by more, or without a word: in the time of the
    delay it grows by less where the equaliser's own delay makes rounds longer, or turns what comes back."""
    level = st.floats(0.2, 1)
    first, second = data.draw(level, label="first"), data.draw(level, label="second")
    bands = [data.draw(st.floats(0.3, 2), label=band) for band in ("low", "mid", "high")]
    equaliser = {**EQ, "controls": dict(zip(("low", "mid", "high"), bands))}
    sends = [
        {"to": "ring", "name": name, **BACK, "level": one} for name, one in (("a", first), ("b", second))
    ]
    document = looped([equaliser], sends)
    found = re.search(r"give back ([\d.e+]+) times", told(document))
    rounds = 200
    impulse = torch.zeros(1, 2, 16 * rounds, dtype=torch.float64)
    impulse[..., 0] = 1e-100
    once = _played(looped([equaliser], []), impulse, lowering="causal")  # as loops have it
    gain = (first + second) * np.abs(np.fft.rfft(once, 1 << 15)).max() / 1e-100
    if found:
        assert float(found[1]) == pytest.approx(gain, rel=0.02)
    else:
        assert gain < 1.02
    heard = _played(document, impulse)
    energy = [np.abs(np.fft.rfft(heard[16 * n :][:1600])).max() for n in (80, 90)]
    grows = (energy[1] / energy[0]) ** (1 / 10)
    assert grows < 1.02 * max(gain, 1)


def _played(document: Any, audio: torch.Tensor, **options: Any) -> Any:
    mixer = djgraph.compile(document, **options)
    return mixer({"mic": audio}, mixer.layout.default.double()[None]).numpy()[0, 0]


def _crossed(y: list[Any], z: list[Any]) -> dict[str, Any]:
    """Two ways back of 0.9 between which a macro crosses over."""
    back = [{"to": "ring", **BACK, "level": 0.9}]
    document = looped([], [])
    document["mixer"][1:2] = [
        {"bus": "ring", "to": ["y", "z"]},
        *(
            {"bus": one, "chain": [{"effect": "gain", "id": "by"}], "sends": back, "to": "master"}
            for one in "yz"
        ),
    ]
    document["mixer"].insert(0, {"macro": "m", "drives": {"y.by.gain": y, "z.by.gain": z}})
    return document


SWITCH = {"switch": "k", "choices": {"a": [], "b": [], "c": ["gain"]}}


@pytest.mark.parametrize(
    ("document", "grows"),
    [
        (looped([SWITCH], [{**SEND, "level": 0.9}]), False),
        (looped([{**SWITCH, "choices": {"a": [], "b": [EQ]}}], [{**SEND, "level": 0.9}]), True),
        (_crossed([[0, 0], [1, 1]], [[0, 1], [1, 0]]), False),
        (_crossed([[0, 0], [1, 1]], [[0, 0], [1, 1]]), True),
        (_crossed([[0, 0.6], [1, 0.6]], [[0, 0], [0.5, 1], [1, 0]]), True),
    ],
    ids=["switch", "switch with an equaliser", "crossover", "both at once", "in the middle"],
)
def test_what_a_switch_or_a_macro_opens_is_open_alone(document: Any, grows: bool) -> None:
    assert bool(told(document)) == grows
