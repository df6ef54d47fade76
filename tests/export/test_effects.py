"""Every built-in effect that has JavaScript nulls against the mixer: all of them in one graph, each with its output."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import djgraph
from export.nulls import DYNAMICS, LIMIT, case, depth, heard, needs_node

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
    *DYNAMICS,
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
    *(("saturate", {"oversampling": factor}) for factor in (2, 4, 8)),
    *(("saturate", {"kind": kind, "oversampling": 4}) for kind in ("cubic", "hard", "fold")),
    ("crush", {}),
    ("brake", {}),
    ("spinback", {"curve": 2}),
    ("roll", {}),
    ("slip_roll", {"longest": 0.1}),
    ("stutter", {}),
    ("reverse", {}),
    ("fdn", {}),
    ("fdn", {"lines": 16, "size": 20}),
    ("shimmer", {"window": 40}),
    ("shimmer", {"interval": -12, "window": 40}),
    ("spiral", {}),
    ("spiral", {"sync": "beats", "window": 20}),
    ("looper", {"beats": 0.25}),
    ("quad_pan", {}),
    ("surround_pan", {}),
    ("noise", {}),
    ("noise", {"kind": "white", "mono": True, "seed": 7}),
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
    mixer.append({"strip": "tone", "chain": ["oscillator"]})
    mixer.append({"strip": "saw", "chain": [{"effect": "oscillator", "settings": {"wave": "saw"}}]})
    mixer.append({"strip": "down", "input": "surround", "chain": ["downmix"]})
    inputs: list[dict[str, Any]] = [{"name": "track"}, {"name": "key"}, {"name": "mono", "channels": "mono"}]
    inputs.append({"name": "surround", "channels": "5.1"})
    return {
        "djgraph": 1,
        "name": "all",
        "inputs": inputs,
        "mixer": mixer,
        "outputs": [*outputs, "joined", "wide", "tone", "saw", "down"],
    }


def depths(got: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, float]:
    return {name: depth(got[name], signal) for name, signal in wanted.items()}


@needs_node
@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
def test_effects_null(seed: int, tmp_path: Path) -> None:
    one = case(all_of_them(), samples=20_011, seed=seed)
    found = depths(heard(one, tmp_path), one.mixed())
    for name, value in found.items():
        print(f"{name:16s} {value:7.1f} dB")
    assert {name: value for name, value in found.items() if value >= LIMIT} == {}


@needs_node
@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 3])
def test_what_lags_nulls_to_its_end(seed: int, tmp_path: Path) -> None:
    """Behind the clip's end controls hold, wherever their frames are."""
    graph = {
        "djgraph": 1,
        "name": "late",
        "inputs": [{"name": "track"}],
        "mixer": [{"strip": "strip", "input": "track", "chain": ["gain", "limiter", "lowpass"]}],
        "outputs": ["strip"],
    }
    one = case(graph, samples=1_501, frames=12, seed=seed, level=1.0)
    assert depths(heard(one, tmp_path), one.mixed())["strip"] < LIMIT


@needs_node
@pytest.mark.slow
def test_switches_null(tmp_path: Path) -> None:
    """Switches that go on and off, with passes short enough for a clip to have many."""
    names = ("roll", "slip_roll", "stutter", "reverse", "brake", "spinback")
    graph = {
        "djgraph": 1,
        "name": "switches",
        "inputs": [{"name": "track"}],
        "mixer": [{"strip": name, "input": "track", "chain": [name]} for name in names],
        "outputs": list(names),
    }
    one = case(graph, samples=60_011, frames=30)
    made = torch.Generator().manual_seed(1)
    frames, layout = len(one.params), one.mixer.layout
    for name in names:
        on = torch.rand(frames, generator=made) < 0.7
        one.params[:, layout.index(f"{name}.{name}.on")] = on.float()
        if f"{name}.{name}.beats" in layout:
            lengths = torch.tensor([1 / 32, 1 / 16, 1 / 8])[torch.randint(0, 3, (frames,), generator=made)]
            one.params[:, layout.index(f"{name}.{name}.beats")] = lengths
        else:
            one.params[:, layout.index(f"{name}.{name}.time")] = 200
    wanted = one.mixed()
    assert all(float((signal - one.stems[0]).abs().max()) > 0.5 for signal in wanted.values())
    assert all(value < LIMIT for value in depths(heard(one, tmp_path), wanted).values())


@needs_node
@pytest.mark.slow
def test_delays_next_to_the_shortest_null(tmp_path: Path) -> None:
    """A loop knows nothing nearer than its shortest delay: within that sample the mixer's cubic goes on by itself."""
    effects = ("echo", "dub_echo", "flanger", "spiral")
    graph = {
        "djgraph": 1,
        "name": "short",
        "inputs": [{"name": "track"}],
        "mixer": [{"strip": name, "input": "track", "chain": [name]} for name in effects],
        "outputs": list(effects),
    }
    made = torch.Generator().manual_seed(3)
    params = {
        f"{name}.{name}.time": 20 + 0.03 * torch.rand(8, generator=made) for name in ("echo", "dub_echo")
    }
    params |= {"flanger.flanger.delay": 0.5, "flanger.flanger.depth": 0.01 * torch.rand(8, generator=made)}
    params |= {"spiral.spiral.time": 20 + 30 * torch.rand(8, generator=made)}
    one = case(graph, seed=2, params=params)
    assert {
        name: value for name, value in depths(heard(one, tmp_path), one.mixed()).items() if value >= LIMIT
    } == {}


@needs_node
@pytest.mark.parametrize(
    ("rate", "tempo"),
    [
        # A delay of 5512.5 samples.
        (44_100, [120.0, 120.0]),
        # 50 ms of 1102.5 samples, in which one delay cross-fades into the next.
        pytest.param(22_050, [110.0, 150.0], marks=pytest.mark.slow),
    ],
)
def test_halves_are_rounded_as_the_mixer_rounds_them(rate: int, tempo: list[float], tmp_path: Path) -> None:
    effects: dict[str, Any] = {
        "delay_beats": {"settings": {"beats": 0.25}},
        "looper": {"settings": {"beats": 0.25}, "controls": {"record": 1, "play": 1, "keep": 0.5}},
        "echo": {"settings": {"sync": "beats"}, "controls": {"mix": 1, "beats": 0.25, "feedback": 0.5}},
        "multitap": {"settings": {"sync": "beats", "times": [0.25], "levels": [1]}, "controls": {"mix": 1}},
    }
    graph = {
        "djgraph": 1,
        "name": "halves",
        "sample_rate": rate,
        "inputs": [{"name": "track"}],
        "mixer": [
            {"strip": name, "input": "track", "chain": [{"effect": name, **how}, {"effect": "gain"}]}
            for name, how in effects.items()
        ],
        "outputs": list(effects),
    }
    one = case(graph, samples=9_001, frames=2, params={f"{name}.gain.gain": 1 for name in effects})
    one = replace(one, tempo=torch.tensor([tempo[: len(one.positions)]]))
    found = depths(heard(one, tmp_path), one.mixed())
    assert {name: value for name, value in found.items() if value >= LIMIT} == {}


def test_the_page_lists_them() -> None:
    text = (Path(__file__).parents[2] / "docs" / "export.md").read_text(encoding="utf-8")
    (listed,) = re.findall(r"These have one, (.*?)\.\s+Others", text, re.DOTALL)
    ours = sorted(entry.name for entry in djgraph.registry().exporters.values() if entry.plugin == "fx")
    assert re.findall(r"`(\w+)`", listed) == ours


def test_all_that_have_javascript_are_tried() -> None:
    ours = {entry.name for entry in djgraph.registry().exporters.values() if entry.plugin == "fx"}
    assert ours == {
        *(name for name, _ in CASES),
        *PORTS,
        "ms_join",
        "oscillator",
        "downmix",
        "deck",
        "sampler",
    }
