"""The process that damaged inputs are tried in: a line of JSON in for each, a line of JSON out.

Run as ``python tests/fuzz/child.py TARGET FILE`` it tries one by hand, and shows the traceback.
"""

from __future__ import annotations

import contextlib
import faulthandler
import io
import json
import math
import os
import re
import resource
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from two_decks import GRAPH

import djgraph
from djgraph import automation, checkpoint
from djgraph.audio.excerpts import read_excerpt
from djgraph.cli import main
from djgraph.cli.params import read_params
from djgraph.data import Corpus, check_corpus, find_tracks
from djgraph.drawing import to_svg
from djgraph.effects import Effect
from djgraph.fitting.result import FitState
from djgraph.layout import ParameterLayout
from djgraph.runtime.reference import Reference

LONGEST = 64 * 1024
"""Characters of a message: more is nothing that anybody reads."""
MEMORY = 3 << 30
"""Bytes beyond what the imports took."""
PATIENCE = 180
"""Seconds for one input, however busy the machine; the stacks are shown after that."""
HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Characters that change what a terminal shows around them."""
SOUNDS = [1.0, 0.5, 0.25]

_graph = djgraph.load(GRAPH)
_layout = ParameterLayout.from_graph(_graph)


def try_graph(path: Path) -> None:
    graph = djgraph.load(path)
    layout = ParameterLayout.from_graph(graph)
    layout.to_json(), layout.to_markdown(), layout.to_csv(), layout.to_rows()
    to_svg(graph)
    if len(graph.nodes) > 60 or graph.transform.size > 4096 or graph.sample_rate > 96_000:
        return
    mixer = djgraph.compile(graph)
    mixer.explain()
    _mix(graph, mixer)


def _mix(graph: Any, mixer: Any) -> None:
    """A few hundred samples, as the reference interpreter mixes them."""
    generator = torch.Generator().manual_seed(0)
    effects = mixer.compiled.modules if isinstance(mixer, djgraph.Mixer) else None
    reference = Reference(graph, effects)
    mixer, reference = mixer.double(), reference.double()
    channels = {(node.input, node.stem): node.channels for node in graph.nodes if hasattr(node, "stem")}

    def noise(count: int) -> torch.Tensor:
        return 0.2 * torch.randn(1, count, 300, dtype=torch.float64, generator=generator)

    inputs: dict[str, Any] = {
        name: noise(channels[name, None])
        if stems is None
        else {stem: noise(channels[name, stem]) for stem in stems}
        for name, stems in graph.inputs.items()
    }
    layout = mixer.layout
    low, high = layout.minimum.double(), layout.maximum.double()
    params = low + (high - low) * torch.rand(1, 3, len(layout), dtype=torch.float64, generator=generator)
    params = layout.snap(params) if hasattr(layout, "snap") else params
    clocked = any(module.uses_clock for module in mixer.modules() if isinstance(module, Effect))
    tempo = {"tempo": 120.0} if clocked else {}
    with torch.no_grad():
        found, wanted = mixer(inputs, params, **tempo), reference(inputs, params, **tempo)
    for name in found if isinstance(found, dict) else [None]:
        mine, other = (found, wanted) if name is None else (found[name], wanted[name])
        scale = max(float(other.abs().max()), 1e-3)
        assert torch.allclose(mine, other, rtol=0, atol=1e-5 * scale, equal_nan=True), (
            f"output {name}: off by {float((mine - other).abs().max())} at a scale of {scale}"
        )


def try_automation(path: Path) -> None:
    auto = automation.load(path)
    params = auto.render(_layout, duration=4.0, tempo=120.0)
    assert torch.isfinite(params).all()


def try_recipe(path: Path) -> None:
    found = automation.recipe(path)
    str(found.controls)
    automation.load(path).render(djgraph.compile("dj_mixer").layout, duration=32.0, tempo=120.0)


def try_params(path: Path) -> None:
    assert torch.isfinite(read_params(path, djgraph.compile("dj_mixer").layout)).all()


def try_corpus(path: Path) -> None:
    root = next(folder for folder in path.parents if (folder / "corpus.json").exists())
    _check_text("\n".join(check_corpus(root)[1].values()))
    corpus = Corpus(root, partial=True)
    for position in range(min(len(corpus), 2)):
        _ = corpus[position]


def try_track(path: Path) -> None:
    for track in find_tracks(path.parent, ["drums", "bass"]):
        track.read(0, 100, 8000)
        assert track.tempo is None or math.isfinite(track.tempo)


def try_fit_state(path: Path) -> None:
    state = FitState.load(path, _layout, SOUNDS)
    assert math.isfinite(math.log10(state.level)), f"level {state.level}"
    assert math.isfinite(state.delay), f"delay {state.delay}"
    assert state.steps >= 0, f"steps {state.steps}"
    assert state.positions.ndim == 2, f"positions {list(state.positions.shape)}"
    assert len(state.positions), f"positions {list(state.positions.shape)}"


def try_checkpoint(path: Path) -> None:
    found = checkpoint.load(path)
    model = torch.nn.Linear(3, 2)
    found.load_model(model, found.layout)


def try_audio(path: Path) -> None:
    audio, _ = djgraph.audio.read(path)
    assert torch.isfinite(audio).all()
    read_excerpt(path, 0, 10, 8000, 2)
    with djgraph.audio.open_blocks(path, start=1) as reader:
        blocks = [reader.read(1000) for _ in range(0, max(1, reader.samples), 1000)]
    assert torch.equal(torch.cat(blocks, dim=1), audio[:, 1:])


def try_command(arguments: list[str]) -> None:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(arguments)
    said = err.getvalue()
    assert code in (0, 1, 2), f"exit code {code}"
    assert "Traceback" not in said, said[-3000:]
    assert "Aborted!" not in said, said
    assert code == 0 or said.strip(), "an exit code without a word"
    _check_text(said.replace("\r", ""))
    if code:
        raise djgraph.errors.DJGraphError("exit code 1")


def _check_text(text: str) -> None:
    assert len(text) <= LONGEST, f"a message of {len(text)} characters: {text[:300]}…"
    hidden = HIDDEN.search(text)
    assert hidden is None, f"{hidden[0]!r} in a message: {text[max(0, hidden.start() - 100) :][:300]!r}"


def attempt(target: str, what: Any) -> tuple[str, str]:
    """``("whole" | "refused" | "fault", why)``."""
    call = globals()[f"try_{target}"]
    try:
        try:
            call(what if target == "command" else Path(what))
        except djgraph.errors.DJGraphError as error:
            _check_text(str(error))
            return "refused", str(error)[:1000]
        return "whole", ""
    except BaseException as error:
        # Not the whole traceback of an error without an end.
        return (
            "fault",
            f"{type(error).__name__}: {str(error)[:1500]}\n{traceback.format_exc(limit=-8)[-4000:]}",
        )


def serve() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if os.path.exists("/proc/self/statm") else 0
    if pages:
        limit = pages * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    torch.set_num_threads(1)
    answers.write("ready\n")
    answers.flush()
    for line in sys.stdin:
        request = json.loads(line)
        os.chdir(request["folder"])
        faulthandler.dump_traceback_later(PATIENCE, exit=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kind, why = attempt(request["target"], request["what"])
        faulthandler.cancel_dump_traceback_later()
        answers.write(json.dumps({"kind": kind, "why": why}) + "\n")
        answers.flush()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        globals()[f"try_{sys.argv[1]}"](sys.argv[2:] if sys.argv[1] == "command" else Path(sys.argv[2]))
    else:
        serve()
