"""Exported programs carry digests of the mixer that they are from: another process runs them by the same one, or not at
all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

import djgraph
from djgraph.dsp.operators import Handles, Unknown
from djgraph.graph import load
from djgraph.runtime.identity import graph_identity

from .documents import REGISTRY

ARGS = "sample_rate=16000, n_fft=64, hop_length=16, reverb_decay_time=0.05"
MAKE = f"""import torch, djgraph
m = djgraph.compile('dj_mixer', {ARGS}); torch.manual_seed(0)
stems = ('drums', 'bass', 'vocals', 'other')
x = {{t: {{s: .1 * torch.randn(1, 2, 900) for s in stems}} for t in ('track_a', 'track_b')}}
p = m.layout.from_unit(torch.rand(1, 4, 54))
torch.export.save(torch.export.export(m, (x, p)), 'm.pt2'); torch.save((x, p, m(x, p)), 'want.pt')"""
PLAY = """import torch, djgraph
others = [djgraph.compile('filter_knob'), djgraph.compile('dj_mixer', reverb_decay_time=0.3)]
{}
x, p, want = torch.load('want.pt')
torch.testing.assert_close(torch.export.load('m.pt2').module()(x, p), want)"""


def python(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=folder, capture_output=True, text=True
    )


@pytest.mark.slow
def test_another_process_runs_the_same_mixer_or_none(tmp_path: Path) -> None:
    made = python(MAKE, tmp_path)
    assert made.returncode == 0, made.stderr
    right = python(PLAY.format(f"keep = djgraph.compile('dj_mixer', {ARGS})"), tmp_path)
    assert right.returncode == 0, right.stderr
    wrong = python(PLAY.format(""), tmp_path)
    assert (
        "CompileError: this program was exported or compiled from a mixer of graph 'dj_mixer'" in wrong.stderr
    )


@pytest.mark.slow
def test_weights_of_the_program_count_not_those_of_the_mixer_that_is_found() -> None:
    document = {
        "djgraph": 1,
        "name": "learn",
        "transform": {"size": 64, "hop": 16},
        "inputs": [{"name": "in"}],
        "mixer": [{"strip": "a", "input": "in", "chain": ["drive", "shaper"]}],
        "outputs": ["a"],
    }
    graph = load(document, registry=REGISTRY)
    first, second = djgraph.Mixer(graph), djgraph.Mixer(graph)
    with torch.no_grad():
        for weight in second.parameters():
            weight.mul_(1.7).add_(0.2)
    audio, params = {"in": torch.randn(1, 2, 300)}, first.layout.pack()
    wanted = [mixer(audio, params).detach() for mixer in (first, second)]
    programs = [torch.export.export(mixer, (audio, params)).module() for mixer in (first, second)]
    for program, want in zip(programs, wanted):
        torch.testing.assert_close(program(audio, params), want)
    assert not torch.allclose(*wanted)


def test_the_identity_is_of_what_is_heard() -> None:
    base = graph_identity(djgraph.load("dj_mixer"))
    assert base == graph_identity(djgraph.load("dj_mixer"))
    assert base == graph_identity(djgraph.load(Path(str(djgraph.load("dj_mixer").file))))
    for change in (
        {"sample_rate": 48000},
        {"reverb_decay_time": 1.5000001},
        {"delay_default_ms": 376},
        {"lpf_max_freq": 19999.0},
        {"hop_length": 256},
    ):
        assert graph_identity(djgraph.load("dj_mixer", **change)) != base, change


def test_handles_find_what_lives() -> None:
    class Thing:
        pass

    handles, one, twin, other = Handles(), Thing(), Thing(), Thing()
    number = handles.add(one, "the same")
    assert handles.add(twin, "the same") == number != handles.add(other, "another")
    assert handles.add(Thing()) != handles.add(Thing())
    assert handles[number] in (one, twin)
    del one
    assert handles[number] is twin
    del twin
    with pytest.raises(Unknown):
        handles[number]
