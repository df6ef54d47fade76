"""What goes out of a project: its automation, the mix, a picture, a project for DAWs, a set file.

``python -m djgraph.studio.exporting JOB`` does one in a process of its own, and tells its progress as lines of JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from djgraph.atomic import write_text
from djgraph.errors import DJGraphError, InputError
from djgraph.reading import Stored, read_json
from djgraph.rendering import Silent, Steps, paths_beside
from djgraph.studio.curves import automation_of
from djgraph.studio.keeping import LARGEST
from djgraph.studio.opening import Opened, open_blocks, open_origin
from djgraph.studio.project import Name, Project

if TYPE_CHECKING:
    from djgraph.automation import Automation
    from djgraph.sets import SetPlan

What = Literal["automation", "mix", "picture", "daw", "set"]
FORMS: Mapping[What, tuple[str, ...]] = {
    "automation": ("yaml", "json", "csv"),
    "mix": ("flac", "wav", "mp3"),
    "picture": ("svg", "png"),
    "daw": ("dawproject",),
    "set": ("yaml",),
}
"""Endings of files, by what is in them; the first is what is written where none is said."""


class Job(Stored):
    """One export. path: of the file, which is not there yet. outputs: of the graph, of a mix; the first goes to path,
    others beside it; none stands for the main one."""

    what: What
    path: Annotated[str, Field(max_length=4096)]
    outputs: Annotated[tuple[Name, ...], Field(max_length=1000)] = ()
    normalize: bool = False
    project: Project


@dataclass(frozen=True)
class Written:
    """What was written. notes: what of it is not as it is heard, for people."""

    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()


def export(job: Job, steps: Steps | None = None, opened: Opened | None = None) -> Written:
    """Write what a job asks for. opened: what the project is played with, where that is open already.

    Files are written whole or not at all. Raises DJGraphError for what cannot be opened or written, InputError where
    the file is there.
    """
    steps = Silent() if steps is None else steps
    path, project = Path(job.path), job.project
    if path.exists():
        raise InputError(f"{path} is there already; nothing is written over")
    if opened is None:
        if project.origin is None:
            raise InputError("the project does not say what it is played with")
        steps.begin("opening")
        opened = open_origin(project.origin, project.graph, project.clock, steps)
    path.parent.mkdir(parents=True, exist_ok=True)
    write: Callable[[Job, Opened, Path, Steps], Written] = {
        "automation": _automation,
        "mix": _mix,
        "picture": _picture,
        "daw": _daw,
        "set": _set,
    }[job.what]
    return write(job, opened, path, steps)


def moves_of(project: Project, opened: Opened) -> Automation:
    """All that the controls do."""
    layout = opened.layout
    return automation_of(project, layout, opened.seconds)


def _automation(job: Job, opened: Opened, path: Path, steps: Steps) -> Written:
    auto = moves_of(job.project, opened)
    form = path.suffix.lower()
    text = auto.to_json() if form == ".json" else auto.to_csv() if form == ".csv" else auto.to_yaml()
    write_text(path, text if text.endswith("\n") else text + "\n", InputError)
    return Written((path,))


def _mix(job: Job, opened: Opened, path: Path, steps: Steps) -> Written:
    """As ``djgraph render`` with the project's automation."""
    from djgraph.mixer import compile_graph
    from djgraph.rendering import Score, check_outputs, mix_down

    graph = opened.graph
    paths = paths_beside(path, job.outputs or list(graph.outputs)[:1])
    if there := next((one for one in paths.values() if one.exists()), None):
        raise InputError(f"{there} is there already; nothing is written over")
    check_outputs(paths, graph, opened.feed.samples)
    steps.begin("compiling")
    mixer = compile_graph(graph, outputs=list(paths), lowering=opened.origin.lowering)
    auto = moves_of(job.project, opened)
    with open_blocks(opened) as source:
        frames = auto.render_exact(mixer, samples=source.samples, sample_rate=graph.sample_rate)
        score = Score(frames.params, frames.positions, frames.tempo)
        normalize: Literal["together"] | None = "together" if job.normalize else None
        summary = mix_down(mixer, source, score, paths, steps, normalize=normalize)
    notes = []
    for name, file in zip(paths, summary.files, strict=True):
        which = f"{name}: " if len(paths) > 1 else ""
        loud = "" if file.lufs is None else f", {file.lufs:.1f} LUFS"
        notes.append(f"{which}peak {file.peak_dbfs:.1f} dBFS{loud}")
        if file.clipped:
            notes.append(f"{which}{file.clipped} samples clipped: normalise it, or turn it down")
    return Written(tuple(paths.values()), tuple(notes))


def _picture(job: Job, opened: Opened, path: Path, steps: Steps) -> Written:
    from djgraph.automation.plot import plot_automation

    steps.begin("drawing")
    plot_automation(moves_of(job.project, opened), opened.layout, path, opened.seconds)
    return Written((path,))


def _daw(job: Job, opened: Opened, path: Path, steps: Steps) -> Written:
    from djgraph.daw.dawproject import write_dawproject
    from djgraph.sets.to_daw import arrangement_of

    steps.begin("arranging")
    plan, files = plan_of(job.project, opened, path)
    arrangement = arrangement_of(plan)
    write_dawproject(arrangement, path, embed=False)
    notes = [f"its audio lies beside it, in {file.name}: keep both together" for file in files]
    notes += [f"not as it is in the mix: {note}" for note in arrangement.notes]
    return Written((path, *files), tuple(notes))


def plan_of(project: Project, opened: Opened, path: Path) -> tuple[SetPlan, tuple[Path, ...]]:
    """What is played, as tracks at places; and the files that had to be written for that, beside ``path``: tracks that
    are nowhere on disk. Raises InputError where there is nothing on disk and nothing to write."""
    from djgraph.rendering.planned import plan_placed, plan_synced
    from djgraph.studio.placings import placings_of

    auto = moves_of(project, opened)
    if opened.plan is not None:
        return replace(opened.plan, automation=auto), ()
    name = project.name
    if opened.synced is not None:
        return plan_synced(opened.synced, opened.graph, auto, name, None), ()
    placings, written = placings_of(project, opened, path)
    return plan_placed(placings, list(placings.places), opened.graph, auto, name), written


def _set(job: Job, opened: Opened, path: Path, steps: Steps) -> Written:
    from djgraph.studio.set_file import set_text

    moves = path.with_name(f"{path.stem}.moves.yaml")
    if moves.exists():
        raise InputError(f"{moves} is there already; nothing is written over")
    text = set_text(job.project, opened, moves.name)
    write_text(moves, moves_of(job.project, opened).to_yaml(), InputError)
    write_text(path, text, InputError)
    return Written((path, moves))


class Telling:
    """Steps as lines of JSON on standard output."""

    def __init__(self) -> None:
        self._what, self._total, self._done, self._told = "", 0, 0, -1

    def begin(self, what: str, total: int | None = None, done: int = 0) -> None:
        self._what, self._total, self._done, self._told = what, total or 0, done, -1
        self._tell()

    def advance(self, amount: int = 1) -> None:
        self._done += amount
        self._tell()

    def analysed(self, done: int, total: int) -> None:
        if done <= 1:
            self.begin(f"analysing {total} tracks", total)
        self.advance()

    def _tell(self) -> None:
        share = int(1000 * self._done / self._total) if self._total else 0
        if share != self._told:
            self._told = share
            tell({"step": self._what, "share": min(share / 1000, 1.0)})


def tell(what: dict[str, Any]) -> None:
    """One line."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main(job: str) -> int:
    """Do what the file of a job says."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    if hasattr(os, "nice"):
        os.nice(5)  # the sound comes first
    try:
        written = export(read_json(job, InputError, LARGEST).read_as(Job, tuples=True), Telling())
    except KeyboardInterrupt:
        return 130
    except (DJGraphError, OSError, MemoryError) as error:
        tell({"problem": str(error) or type(error).__name__})
        return 1
    tell({"files": [path.name for path in written.files], "notes": list(written.notes)})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
