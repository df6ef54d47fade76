"""What the JavaScript of a page makes of a graph, against the mixer: run in Node, or skipped where there is none."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import djgraph
from djgraph.analysis import Grid
from djgraph.decks import MemoryMaterial
from djgraph.export import Program, program_of
from djgraph.export.scripts import engine_source
from djgraph.mixer import Mixer

NODE = shutil.which("node")
RUN = Path(__file__).with_name("run.js")
LIMIT = -80.0
"""dB below the loudest sample: the most that a page may differ from the mixer."""

DYNAMICS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("compressor", {}),
    ("compressor", {"detector": "rms", "linked": False}),
    ("limiter", {}),
    ("limiter", {"true_peak": True, "linked": False}),
    ("limiter", {"lookahead": 0}),
    ("gate", {}),
    ("gate", {"window": 1}),
    ("expander", {}),
    ("ducker", {}),
    ("deesser", {}),
    ("transient", {}),
    ("leveler", {}),
)
"""Effects that follow a level, each with its settings."""

needs_node = pytest.mark.skipif(NODE is None, reason="no Node to run a page's JavaScript")


@dataclass(frozen=True)
class Case:
    """A mixer with what it plays; stems by their place in the program, ``[channels, samples]``. samples: of the clip,
    where no stem that is no source's says so. grids: of the tracks that sources play, by input."""

    mixer: Mixer
    params: Tensor
    positions: list[int]
    tempo: float | Tensor | None
    stems: list[Tensor]
    samples: int | None = None
    grids: Mapping[str, Grid] = field(default_factory=dict)

    @property
    def program(self) -> Program:
        return program_of(self.mixer, djgraph.registry(), self.params, self.positions, self.tempo, self.grids)

    def mixed(self) -> dict[str, Tensor]:
        """What the mixer makes of it, by output: ``[channels, samples]``."""
        inputs: dict[str, Any] = {}
        for told, audio in zip(self.program.data["inputs"], self.stems):
            if told["stem"] is None:
                inputs[told["input"]] = audio[None]
            else:
                inputs.setdefault(told["input"], {})[told["stem"]] = audio[None]
        for name, grid in self.grids.items():
            signals = inputs[name] if isinstance(inputs[name], dict) else {name: inputs[name]}
            inputs[name] = MemoryMaterial({stem: audio[0] for stem, audio in signals.items()}, grid=grid)
        with torch.no_grad():
            made = self.mixer(
                inputs, self.params[None], positions=self.positions, tempo=self.tempo, samples=self.samples
            )
        made = made if isinstance(made, Mapping) else {next(iter(self.mixer.outputs)): made}
        return {name: signal[0] for name, signal in made.items()}


def case(
    graph: Any,
    samples: int = 20_011,
    frames: int = 8,
    seed: int = 0,
    params: Mapping[str, Any] | None = None,
    tempo: float | None = 126.0,
    level: float = 0.3,
    moving: bool = True,
    grids: Mapping[str, Grid] | None = None,
) -> Case:
    """Random controls, at random samples, on noise of which a part is quiet; params: columns that are set instead."""
    made = torch.Generator().manual_seed(seed)
    mixer = djgraph.compile(graph, lowering="causal")
    layout = mixer.layout
    unit = torch.rand(frames, len(layout), generator=made)
    if not moving:
        unit = unit[:1].expand(frames, -1)
    values = layout.from_unit(unit, snap=True)
    for name, value in (params or {}).items():
        values[:, layout.index(name)] = torch.as_tensor(value, dtype=values.dtype)
    positions = sorted({0, *torch.randint(1, samples + 500, (frames - 1,), generator=made).tolist()})
    program = program_of(mixer, djgraph.registry(), tempo=tempo, grids=grids)
    envelope = torch.ones(samples)
    envelope[samples // 2 : samples * 3 // 4] = 0.03
    stems = [
        level * envelope * torch.randn(one["channels"], samples, generator=made)
        for one in program.data["inputs"]
    ]
    clip = samples if mixer.graph.sources else None
    return Case(mixer, values[: len(positions)], positions, tempo, stems, clip, grids or {})


def heard(one: Case, folder: Path, blocks: Sequence[int] = (128,), **more: Any) -> dict[str, Tensor]:
    """What the page's engine makes of it, in blocks of these lengths in turn; by output."""
    assert NODE is not None
    program = one.program
    (folder / "engine.js").write_text(engine_source(program.scripts), encoding="utf-8")
    files = []
    for number, audio in enumerate(one.stems):
        files.append([str(folder / f"in{number}.{channel}") for channel in range(len(audio))])
        for path, signal in zip(files[-1], audio):
            Path(path).write_bytes(signal.numpy().tobytes())
    job = {
        "engine": str(folder / "engine.js"),
        "program": program.data,
        "inputs": files,
        "samples": one.samples or one.stems[0].shape[-1],
        "blocks": list(blocks),
        "out": str(folder / "out"),
        **more,
    }
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    done = subprocess.run(
        [NODE, str(RUN), str(folder / "job.json")], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return {
        told["name"]: torch.stack(
            [
                torch.from_numpy(np.fromfile(folder / f"out.{number}.{channel}", dtype=np.float32))
                for channel in range(told["channels"])
            ]
        )
        for number, told in enumerate(program.data["outputs"])
    }


def depth(got: Tensor, wanted: Tensor) -> float:
    """The largest difference in dB below the loudest sample of what is wanted."""
    assert got.shape == wanted.shape
    loudest = max(float(wanted.abs().max()), 1e-6)
    return 20 * math.log10(max(float((got - wanted).abs().max()) / loudest, 1e-12))


def null_depth(one: Case, folder: Path, blocks: Sequence[int] = (128,)) -> float:
    """The worst depth of all outputs."""
    got = heard(one, folder, blocks)
    return max(depth(got[name], signal) for name, signal in one.mixed().items())
