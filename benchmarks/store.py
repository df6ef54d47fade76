"""Writes a run's three files: all of them whole, or none."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.plot import to_svg
from benchmarks.report import to_markdown
from benchmarks.results import FORMAT, Run
from djgraph.atomic import atomic_writer

FOLDER = Path(__file__).parent / "results"
NAMES = ("results.json", "results.md", "results.svg")


def load(folder: Path) -> Run:
    """The run whose results are there. Raises BenchmarkError where there are none, or of another format."""
    path = folder / NAMES[0]
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            raise BenchmarkError(
                f"{path} has format {data['format']}, and {FORMAT} is read here; measure anew"
            )
        return Run.from_dict(data)
    except OSError as problem:
        raise BenchmarkError(f"{path}: cannot be read: {problem.strerror or problem}") from problem
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise BenchmarkError(f"{path} is not the results of a run: {problem!r}; measure anew") from problem


def save_data(run: Run, path: Path) -> Path:
    """Writes a run's JSON alone: what was measured on one GPU stands beside the machine's results, not in their place.

    Raises BenchmarkError where it cannot be written.
    """
    text = json.dumps(run.to_dict(), indent=1, ensure_ascii=False) + "\n"
    with atomic_writer(path, BenchmarkError) as file:
        file.write(text.encode())
    return path


def save(run: Run, folder: Path) -> list[Path]:
    """Writes JSON, Markdown and SVG over the earlier ones and returns where they are.

    All three are made before any is written, and all are on disk before the first takes its name, so an
    interruption leaves the earlier files. Raises BenchmarkError where the folder cannot be written to.
    """
    text = json.dumps(run.to_dict(), indent=1, ensure_ascii=False) + "\n"
    contents = (text.encode(), to_markdown(run).encode(), to_svg(run))
    paths = [folder / name for name in NAMES]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise BenchmarkError(f"{folder}: cannot be made: {problem.strerror or problem}") from problem
    with ExitStack() as stack:
        files = [stack.enter_context(atomic_writer(path, BenchmarkError)) for path in paths]
        for file, content in zip(files, contents):
            file.write(content)
            file.flush()
    return paths
