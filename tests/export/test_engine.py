"""The engine of a page nulls against the mixer under the causal lowering."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import djgraph
from djgraph.errors import CompileError
from djgraph.export import program_of
from export.nulls import LIMIT, Case, case, depth, heard, needs_node, null_depth

pytestmark = needs_node

SHIPPED = sorted(path.stem for path in (Path(__file__).parents[2] / "graphs").glob("*.yaml"))


def chain(*links: Any, **more: Any) -> dict[str, Any]:
    """A graph of one strip."""
    return {
        "djgraph": 1,
        "name": "one_strip",
        "inputs": [{"name": "track"}],
        "mixer": [{"strip": "strip", "input": "track", "chain": list(links)}],
        "outputs": ["strip"],
        **more,
    }


def test_a_fader_nulls(tmp_path: Path) -> None:
    assert null_depth(case(chain("gain"), samples=1501), tmp_path) < LIMIT


@pytest.mark.slow
@pytest.mark.parametrize("graph", SHIPPED)
def test_shipped_graphs_null(graph: str, tmp_path: Path) -> None:
    assert null_depth(case(graph), tmp_path) < LIMIT


@pytest.mark.slow
@pytest.mark.parametrize("blocks", [(1,), (128,), (127, 3, 64)])
def test_blocks_of_any_length_null(blocks: tuple[int, ...], tmp_path: Path) -> None:
    graph = chain("gain", "eq3", "lowpass", {"effect": "reverb", "settings": {"decay_time": 0.2}})
    assert null_depth(case(graph, samples=5003), tmp_path, blocks) < LIMIT


@pytest.mark.slow
def test_a_long_response_nulls(tmp_path: Path) -> None:
    """Behind 4096 samples the response is convolved in longer partitions."""
    graph = chain({"effect": "reverb", "settings": {"decay_time": 0.7, "pre_delay": 60}})
    assert null_depth(case(graph, samples=44_100, params={"strip.reverb.mix": 1}), tmp_path) < LIMIT


@pytest.mark.slow
def test_hands_are_frames_at_the_ends_of_blocks(tmp_path: Path) -> None:
    """A stream with live frames is what a hand on a slider is: a value is reached at its block's last sample.

    Of a control that is held it is the nearest value that there is, of two as near the even step.
    """
    graph = chain("gain", "lowpass", "polarity", {"effect": "pump", "controls": {"depth": 1}})
    one = case(graph, samples=2048, frames=1)
    names = ("gain.gain", "lowpass.cutoff", "polarity.invert", "pump.beats")
    gain, cutoff, invert, beats = (one.mixer.layout.index(f"strip.{name}") for name in names)
    one.params[:, gain] = 1
    moves = {
        3: [(gain, 0.25), (invert, 0.6)],
        4: [(gain, 0.75), (cutoff, 0.3)],
        7: [(invert, 0.5), (beats, 0.3)],
        9: [(gain, 0.1)],
        12: [(invert, 0.9), (beats, 0.2)],
    }
    got = heard(one, tmp_path, hands=[moves.get(number, []) for number in range(16)])["strip"]
    row, rows, places = one.params[0].clone(), [one.params[0].clone()], [0]
    for number in range(16):
        for column, value in moves.get(number, []):
            row[column] = value
        rows.append(row.clone())
        places.append(number * 128 + 127)
    live = Case(one.mixer, torch.stack(rows), places, one.tempo, one.stems)
    assert depth(got, live.mixed()["strip"]) < LIMIT


@pytest.mark.slow
def test_it_begins_anywhere(tmp_path: Path) -> None:
    """Effects know nothing of what was played before, controls and time go on: a stream with ``start=``."""
    one = case(chain("gain", "eq3"), samples=6000)
    start = 1500
    got = heard(one, tmp_path, start=start)["strip"]
    stream = one.mixer.stream(score=(one.params, [place - start for place in one.positions]))
    with torch.no_grad():
        made = torch.cat((stream({"track": one.stems[0][None, :, start:]}), stream.finish()), -1)
    wanted = made[0, :, stream.latency :]
    inner = slice(600, wanted.shape[-1] - 600)  # corners at the clip's ends are rounded by narrower boxes
    assert depth(got[:, start:][:, inner], wanted[:, inner]) < LIMIT


def test_scripts_and_settings_are_told_once() -> None:
    program = case("dj_mixer", samples=10).program
    assert len(program.scripts) == 5  # the same sweeps the lowpass and the highpass
    assert len(program.data["settings"]) < len(program.data["ops"]) / 4


HOLDING: dict[str, dict[str, Any]] = {
    "delay_samples": {"effect": "delay_samples", "settings": {"samples": 77}},
    "delay": {"effect": "delay", "settings": {"time": 2}, "controls": {"mix": 1}},
    "delay_beats": {"effect": "delay_beats", "settings": {"beats": 0.125}},
    "echo": {"effect": "echo", "controls": {"mix": 1}},
    "tape": {"effect": "echo", "settings": {"change": "tape"}, "controls": {"mix": 1}},
    "ping_pong": {"effect": "echo", "settings": {"mode": "ping_pong"}, "controls": {"mix": 1}},
    "dub_echo": {"effect": "dub_echo", "controls": {"dry": 0}},
    "in_beats": {"effect": "echo", "settings": {"sync": "beats"}, "controls": {"mix": 1}},
}


@pytest.mark.slow
def test_loops_that_effects_close_null(tmp_path: Path) -> None:
    """Sends that come back at once, through effects that hold their signal back; the tempo moves."""
    graph = {
        "djgraph": 1,
        "name": "loops",
        "inputs": [{"name": "track"}],
        "mixer": [
            {"strip": "track", "input": "track", "sends": [{"to": name, "level": 1} for name in HOLDING]},
            *(
                {
                    "bus": name,
                    "chain": [{"effect": "gain", "controls": {"gain": 0.7}}, link],
                    "sends": [{"to": name, "feedback": True, "level": {"max": 0.5}}],
                }
                for name, link in HOLDING.items()
            ),
        ],
        "outputs": list(HOLDING),
    }
    made = torch.Generator().manual_seed(1)
    echoes = ("echo", "tape", "ping_pong", "dub_echo")
    times = {
        f"{name}.{HOLDING[name]['effect']}.time": 20 + 30 * torch.rand(8, generator=made) for name in echoes
    }
    one = case(graph, seed=1, params=times)
    one = replace(one, tempo=torch.linspace(110, 140, len(one.positions))[None])
    assert all(op["held"] for op in one.program.data["ops"] if op["kind"] == "loop")
    got = heard(one, tmp_path, (128, 77))
    found = {name: depth(got[name], signal) for name, signal in one.mixed().items()}
    assert {name: value for name, value in found.items() if value >= LIMIT} == {}


@pytest.mark.slow
def test_loops_that_delays_close_null(tmp_path: Path) -> None:
    """Sends that come back later, one of them more than once in a block."""
    delays = {"short": "1 ms", "long": "20 ms"}
    graph = chain(outputs=list(delays))
    graph["mixer"] = [
        {"strip": "strip", "input": "track", "sends": [{"to": name, "level": 1} for name in delays]},
        *(
            {
                "bus": name,
                "chain": ["gain", "eq3"],
                "sends": [{"to": name, "feedback": True, "delay": delay, "level": {"max": 0.5}}],
            }
            for name, delay in delays.items()
        ),
    ]
    one = case(graph, seed=1)
    assert [
        way["samples"] for op in one.program.data["ops"] if op["kind"] == "loop" for way in op["ways"]
    ] == [44, 882]
    assert null_depth(one, tmp_path, (128, 77)) < LIMIT


LOOP = {
    **chain(),
    "mixer": [
        {"strip": "strip", "input": "track", "sends": [{"to": "back", "level": 1}]},
        {"bus": "back", "chain": [HOLDING["delay_samples"]], "sends": [{"to": "back", "feedback": True}]},
    ],
    "outputs": ["back"],
}


def test_a_loop_through_an_effect_without_early_is_refused() -> None:
    entry = djgraph.registry().exporters["delay_samples"]
    without = replace(entry, exporter=replace(entry.exporter, early=False))
    registry: Any = SimpleNamespace(exporters={"delay_samples": without})
    with pytest.raises(CompileError, match=r"back\.delay_samples.*holding its signal back.*no `early`"):
        program_of(djgraph.compile(LOOP, lowering="causal"), registry)


def test_a_processor_that_lacks_the_early_that_its_record_promises_stops_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be heard as what the block before left there."""
    one = case(LOOP, samples=300)
    lacking = replace(
        one.program, scripts=tuple(text.replace("early(", "late(") for text in one.program.scripts)
    )
    monkeypatch.setattr(Case, "program", lacking)
    with pytest.raises(AssertionError, match="its processor has no early"):
        heard(one, tmp_path)
