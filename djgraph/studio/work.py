"""What a studio's jobs do, in their own process: a fit of a graph to a mix, and what a model proposes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from djgraph.errors import InputError
from djgraph.studio.excerpt import Signal, read_signal, taken_up

if TYPE_CHECKING:
    from djgraph.fitting import Progress
    from djgraph.graph.ir import Graph
    from djgraph.studio.jobs import Tell

SIGNALS = "signals"
TARGET = "target"
AUTOMATION = "found.json"
INTERVALS = "around.csv"
FIT_ERROR = 0.005
"""Largest error of a fit's curves, as a share of each control's range: that of ``djgraph fit``."""
MODEL_ERROR = 0.01
"""Of a model's curves: that of examples/play_transition.py."""


@dataclass(frozen=True)
class FitWork:
    """A graph, its stems, and a mix of them. channels: of the mix, which is at the graph's rate. lowering: as of
    :func:`djgraph.compile`. tempo: BPM. level: of the mix in dB, None: found."""

    graph: Graph
    lowering: Any
    signals: list[Signal]
    channels: int
    steps: int
    tempo: float
    level: float | None


@dataclass(frozen=True)
class ModelWork:
    """A checkpoint, what it is told, and what it hears. beats: in seconds. channels: of a mix; 0 where there is none.
    plan: recipe, start and length in seconds, or None."""

    graph: Graph
    path: Path
    remap: bool
    other_sound: bool
    signals: list[Signal]
    channels: int
    beats: list[float]
    plan: tuple[str, float, float] | None


def run_fit(spec: FitWork, folder: Path, tell: Tell, stopped: Callable[[], bool]) -> dict[str, Any]:
    """Leaves the controls and their intervals in the folder; returns the report. Stopped after a step, it returns the
    best that was found."""
    from djgraph.fitting import fit
    from djgraph.fitting.progress import Stopped
    from djgraph.mixer import compile_graph
    from djgraph.studio.jobs import JobError

    def step(progress: Progress) -> bool:
        tell(
            {
                "stage": progress.stage,
                "step": progress.step,
                "steps": progress.steps,
                "loss": progress.loss,
                "seconds_left": progress.seconds_left,
            }
        )
        return stopped()

    tell({"stage": "listening"})
    mixer = compile_graph(spec.graph, lowering=spec.lowering)
    target = read_signal(folder / TARGET, spec.channels)
    try:
        result = fit(
            mixer,
            taken_up(spec.signals, folder),
            target,
            steps=spec.steps,
            tempo=spec.tempo,
            level=None if spec.level is None else 10 ** (spec.level / 20),
            callback=step,
        )
    except Stopped:
        raise JobError("it was stopped before anything was found", "Stopped") from None
    tell({"stage": "writing"})
    result.to_automation(FIT_ERROR).save(folder / AUTOMATION)
    result.save_intervals(folder / INTERVALS)
    return {key: value for key, value in result.report.items() if key != "loss_curve"}


def run_model(spec: ModelWork, folder: Path, tell: Tell, stopped: Callable[[], bool]) -> dict[str, Any]:
    """Leaves the controls in the folder."""
    from djgraph import automation
    from djgraph.features import BeatGrid
    from djgraph.transitions import Plan, load_player

    tell({"stage": "listening"})
    player = load_player(spec.path, spec.graph, remap=spec.remap, other_sound=spec.other_sound)
    senses = player.senses
    if senses.sample_rate != spec.graph.sample_rate:
        raise InputError(
            f"the model listens at {senses.sample_rate} Hz, and the graph runs at {spec.graph.sample_rate}"
        )
    signals = player.signals(taken_up(spec.signals, folder))
    samples = next(iter(signals.values())).shape[-1]
    seconds = samples / senses.sample_rate
    mix = None
    if spec.channels:
        mix = read_signal(folder / TARGET, spec.channels)[:, :samples]
    grid = BeatGrid.from_beats(seconds, spec.beats, senses.per_beat)
    plan = None if spec.plan is None else Plan(*spec.plan)
    tell({"stage": "proposing"})
    params = player.propose(signals, grid, mix=mix, plan=plan)
    layout = player.layout
    errors = {c.name: MODEL_ERROR * (c.control.max - c.control.min) for c in layout}
    found = automation.from_params(layout, params, seconds, error=errors, name="model")
    found.save(folder / AUTOMATION)
    return {"frames": len(params), "seconds": seconds, "remapped": player.remapped}
