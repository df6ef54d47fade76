"""What a fit gives back, and how it is written to files."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from djgraph.arguments import shown
from djgraph.atomic import write_text
from djgraph.errors import InputError
from djgraph.layout import ParameterLayout
from djgraph.reading import MIB, Stored, read_json

if TYPE_CHECKING:
    from djgraph.automation import Automation
    from djgraph.fitting.around import Around


@dataclass(frozen=True)
class FitResult:
    """Recovered controls and how good they are.

    params: ``[frames, controls]`` in plain units. mix: the mixer's output for them, ``[channels, samples]``, at the
    stems' own time and level (the target may lie elsewhere: ``report["delay_ms"]``, ``report["level_db"]``). report:
    plain data for JSON; docs/unmixing.md lists its keys. audible: ``[blocks, controls]``, where a small move of a
    control is heard. low, high: ``[frames, controls]`` in plain units, between which nine of ten controls and moments
    lie. told: ``[frames, controls]``, False where that is so wide that it cannot be told what was played.
    """

    params: Tensor
    mix: Tensor
    report: dict[str, Any]
    layout: ParameterLayout
    seconds: float
    audible: Tensor
    low: Tensor
    high: Tensor
    told: Tensor

    @property
    def automation(self) -> Automation:
        """The controls as a :class:`djgraph.automation.Automation`, breakpoints where they are needed."""
        return self.to_automation()

    def to_automation(self, error: float = 0.005) -> Automation:
        """The same with another largest error of the curves, as a share of each control's range."""
        from djgraph import automation

        errors = {c.name: error * (c.control.max - c.control.min) for c in self.layout.columns}
        return automation.from_params(self.layout, self.params, self.seconds, error=errors, name="unmixed")

    def save_report(self, path: str | os.PathLike[str]) -> None:
        """The report as JSON."""
        write_text(
            path, json.dumps(self.report, indent=2, ensure_ascii=False, allow_nan=False) + "\n", InputError
        )

    def save_intervals(self, path: str | os.PathLike[str]) -> None:
        """Every control at every frame as CSV: ``seconds, control, value, low, high, told``; ``told`` is 1 or 0."""
        import csv
        import io

        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(("seconds", "control", "value", "low", "high", "told"))
        times = torch.linspace(0, self.seconds, len(self.params), dtype=torch.float64, device="cpu").tolist()
        for index, name in enumerate(self.layout.names):
            columns = (tensor[:, index].tolist() for tensor in (self.params, self.low, self.high))
            for time, value, low, high, told in zip(times, *columns, self.told[:, index].int().tolist()):
                rows.writerow((f"{time:.4f}", name, f"{value:.6g}", f"{low:.6g}", f"{high:.6g}", told))
        write_text(path, text.getvalue(), InputError)

    def plot(self, path: str | os.PathLike[str], truth: Tensor | None = None) -> None:
        """Every control over time as a picture (PNG, SVG, PDF by suffix); needs matplotlib."""
        from djgraph.fitting.plot import plot_controls

        plot_controls(path, self.layout, self.params, self.audible, self.seconds, truth, self.around)

    @property
    def around(self) -> Around:
        """The intervals of all controls."""
        from djgraph.fitting.around import Around

        return Around(self.low, self.high, self.told)


CHECKPOINT = 2
"""Version of the checkpoint file."""
LARGEST = 512 * MIB
"""Bytes of a checkpoint file."""
SAME_SOUNDS = 1e-3
"""Relative difference up to which lengths and levels are those of the same sounds."""


@dataclass(frozen=True)
class FitState:
    """Where a fit stands.

    positions: ``[frames, controls]``. delay: in samples. level: a ratio. rungs: how many rounds of curves are done, or
    None once all are. steps: how many through the mixer. sounds: :meth:`djgraph.fitting.prepare.Prepared.sounds`.
    """

    positions: Tensor
    delay: float
    level: float
    rungs: int | None
    steps: int
    sounds: list[float]

    def save(self, path: str | os.PathLike[str], layout: ParameterLayout) -> None:
        """As JSON, with the layout, so that it is never applied to another one by mistake."""
        data = {
            "djgraph_fit": CHECKPOINT,
            "fingerprint": layout.fingerprint,
            "delay": self.delay,
            "level": self.level,
            "rungs": self.rungs,
            "steps": self.steps,
            "sounds": self.sounds,
            "positions": {n: c.tolist() for n, c in zip(layout.names, self.positions.double().unbind(-1))},
        }
        write_text(path, json.dumps(data) + "\n", InputError)

    @classmethod
    def load(cls, path: str | os.PathLike[str], layout: ParameterLayout, sounds: list[float]) -> FitState:
        """Raises InputError for a file that is no checkpoint, or one of another layout or of other sounds."""
        file = read_json(path, InputError, LARGEST)
        version = file.data.get("djgraph_fit") if isinstance(file.data, dict) else None
        if version != CHECKPOINT:
            raise InputError(
                f"{path} is not the state of a fit: its version is {shown(version)}, not {CHECKPOINT}; begin anew"
                " without --resume"
            )
        try:
            state = file.read_as(FitStateFile)
        except InputError as problem:
            raise InputError(f"{path} is not the state of a fit: {problem}") from None
        if state.fingerprint != layout.fingerprint or set(state.positions) != set(layout.names):
            missing = [name for name in layout.names if name not in state.positions]
            extra = [name for name in state.positions if name not in layout.names]
            what = f"; missing there: {', '.join(missing[:5])}" if missing else ""
            what += f"; unknown here: {', '.join(extra[:5])}" if extra else ""
            raise InputError(
                f"{path} belongs to a fit of another layout ({state.fingerprint}, here {layout.fingerprint}){what}"
            )
        lengths = {len(column) for column in state.positions.values()}
        if len(lengths) > 1:
            file.refuse(f"controls have between {min(lengths)} and {max(lengths)} frames", ("positions",))
        if len(state.sounds) != len(sounds) or not all(
            math.isclose(a, b, rel_tol=SAME_SOUNDS) for a, b in zip(state.sounds, sounds)
        ):
            raise InputError(
                f"{path} belongs to a fit of another target or of other stems; begin anew without it, or "
                "give the files of that fit"
            )
        columns = [state.positions[name] for name in layout.names]
        positions = torch.tensor(columns, dtype=torch.float64, device="cpu").T.contiguous()
        return cls(positions, state.delay, state.level, state.rungs, state.steps, state.sounds)


class FitStateFile(Stored):
    """The file of a :class:`FitState`."""

    fingerprint: str
    delay: Annotated[float, Field(ge=-1e9, le=1e9)]
    level: Annotated[float, Field(gt=0, le=1e9)]
    rungs: Annotated[int, Field(ge=0, le=1000)] | None
    steps: Annotated[int, Field(ge=0, le=10**9)]
    sounds: list[float]
    positions: dict[str, Annotated[list[Annotated[float, Field(ge=0, le=1)]], Field(min_length=1)]]
