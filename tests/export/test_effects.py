"""Every built-in effect that has JavaScript nulls against the mixer: all of them in one graph, each with its output."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

import djgraph
from export.nulls import LIMIT, case, depth, heard, needs_node

CASES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("gain", {}),
    ("eq3", {}),
    ("eq3", {"order": 2}),
    ("lowpass", {}),
    ("highpass", {"order": 2}),
    ("reverb", {"decay_time": 0.3}),
    ("convolve", {}),
    ("delay", {"time": 90}),
    ("trim", {}),
    ("polarity", {}),
    ("trans", {}),
    ("pump", {}),
    ("balance", {}),
    ("pan", {}),
    ("width", {}),
    ("mono", {}),
    *(("filter", {"kind": kind}) for kind in ("lowpass", "highpass", "bandpass", "notch")),
    ("filter_knob", {}),
    ("allpass", {}),
    ("allpass", {"order": 1, "stages": 3}),
    ("ladder", {}),
    ("ladder", {"kind": "highpass", "level": True}),
    ("peq", {}),
    ("peq", {"low": "bell", "high": "bell", "slope": 24}),
    ("tilt", {}),
    ("isolator", {}),
    ("isolator", {"order": 2, "profile": "mixxx"}),
    ("isolator4", {}),
    ("isolator4", {"order": 2}),
    ("compressor", {}),
    ("compressor", {"detector": "rms", "linked": False}),
    ("limiter", {}),
    ("limiter", {"true_peak": True, "linked": False}),
    ("limiter", {"lookahead": 0}),
    ("gate", {}),
    ("expander", {}),
    ("ducker", {}),
    ("deesser", {}),
    ("transient", {}),
    ("leveler", {}),
    ("tremolo", {}),
    ("tremolo", {"sync": "beats", "shape": "triangle", "spread": 0.5}),
    ("ringmod", {}),
    ("echo", {}),
    ("echo", {"sync": "beats", "mode": "ping_pong", "change": "tape"}),
    ("dub_echo", {}),
    ("dub_echo", {"change": "fade", "drive": 12}),
    ("delay_samples", {"samples": 77}),
    ("delay_beats", {"beats": 0.25}),
    ("multitap", {}),
    ("multitap", {"sync": "beats", "times": [0.25, 0.5], "levels": [0.5, -0.3]}),
    ("vibrato", {}),
    ("vibrato", {"shape": "triangle", "sync": "beats"}),
    ("chorus", {}),
    ("flanger", {}),
    ("phaser", {}),
    ("phaser", {"feedback": 0.6, "stages": 6}),
    *(("saturate", {"kind": kind}) for kind in ("tanh", "cubic", "hard", "fold")),
    ("crush", {}),
)
PORTS = {
    "crossover2": ("low", "high"),
    "crossover3": ("low", "mid", "high"),
    "crossover4": ("low", "low_mid", "high_mid", "high"),
    "ms_split": ("mid", "side"),
    "meter": ("out", "peak", "rms", "loudness"),
}
"""Effects with several outputs."""


def all_of_them() -> dict[str, Any]:
    """A graph with a strip and an output for each case, and one for each port."""
    mixer: list[dict[str, Any]] = []
    outputs: list[Any] = []
    for number, (name, settings) in enumerate(CASES):
        link: dict[str, Any] = {"effect": name, "settings": settings} if settings else {"effect": name}
        if name == "ducker":
            link["inputs"] = {"sidechain": "key"}
        mixer.append({"strip": f"{name}_{number}", "input": "track", "chain": [link]})
        outputs.append(f"{name}_{number}")
    for name, ports in PORTS.items():
        mixer.append({"strip": name, "input": "track", "chain": [name]})
        outputs += [{"name": f"{name}_{port}", "from": f"{name}@{name}.{port}"} for port in ports]
    join = {"effect": "ms_join", "inputs": {"side": "ms_split@ms_split.side"}}
    mixer.append({"strip": "joined", "input": "ms_split@ms_split.mid", "chain": [join]})
    mixer.append({"strip": "mono", "input": "mono", "chain": ["filter"], "to": "wide"})
    mixer.append({"bus": "wide", "channels": "stereo", "chain": ["gain"]})
    mixer.append({"strip": "key", "input": "key"})
    inputs: list[dict[str, Any]] = [{"name": "track"}, {"name": "key"}, {"name": "mono", "channels": "mono"}]
    return {
        "djgraph": 1,
        "name": "all",
        "inputs": inputs,
        "mixer": mixer,
        "outputs": [*outputs, "joined", "wide"],
    }


def depths(got: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, float]:
    return {name: depth(got[name], signal) for name, signal in wanted.items()}


@needs_node
@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_effects_null(seed: int, tmp_path: Path) -> None:
    one = case(all_of_them(), samples=20_011, seed=seed)
    found = depths(heard(one, tmp_path), one.mixed())
    for name, value in found.items():
        print(f"{name:16s} {value:7.1f} dB")
    assert {name: value for name, value in found.items() if value >= LIMIT} == {}


def test_all_that_have_javascript_are_tried() -> None:
    ours = {entry.name for entry in djgraph.registry().exporters.values() if entry.plugin == "fx"}
    assert ours == {*(name for name, _ in CASES), *PORTS, "ms_join"}
