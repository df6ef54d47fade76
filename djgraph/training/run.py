"""The folder of a run: its checkpoint, its log, its report."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from djgraph.arguments import is_whole
from djgraph.atomic import write_text
from djgraph.errors import CheckpointError, InputError
from djgraph.reading import MIB, parse_json, read_text

CHECKPOINT = "checkpoint.safetensors"
LOG = "log.jsonl"
LOG_LIMIT = 1024 * MIB
REPORT = "report.json"


class Run:
    """Where a training writes.

    ``checkpoint.safetensors``: all that is needed to go on. ``log.jsonl``: a line for each step, mapping of
    numbers. ``report.json``: the verdict at the end. TensorBoard's own files, too, where it is installed
    (``pip install "djgraph[tensorboard]"``).

    resume: go on with the run that is there. Raises InputError where there is a run but no ``resume``, or
    ``resume`` but no run; writer: whether this process writes.
    """

    def __init__(self, folder: str | os.PathLike[str], resume: bool, writer: bool = True) -> None:
        self.folder = Path(folder)
        self.writer = writer
        self._board: Any = None
        self._file: Any = None
        there = self.checkpoint.is_file()
        if resume and not there:
            raise InputError(
                f"there is nothing to go on with: {self.checkpoint} does not exist; leave out --resume"
            )
        if there and not resume:
            raise InputError(
                f"{self.folder} holds a run already; --resume goes on with it, or choose another folder"
            )
        if self.folder.exists() and not self.folder.is_dir():
            raise InputError(f"{self.folder} is a file; a run is a folder")

    @property
    def checkpoint(self) -> Path:
        """Its checkpoint."""
        return self.folder / CHECKPOINT

    def open(self, step: int) -> None:
        """Begin to log after ``step``; lines after it, of a run that went on beyond its last checkpoint, are
        dropped."""
        if not self.writer:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise CheckpointError(f"{self.folder} cannot be made: {problem.strerror or problem}") from problem
        path = self.folder / LOG
        kept = [line for line in read_log(path) if line["step"] <= step]
        write_text(path, "".join(json.dumps(line) + "\n" for line in kept), CheckpointError)
        self._file = open(path, "a", encoding="utf-8")  # noqa: SIM115 (closed by close)
        self._board = _board(self.folder, step)

    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        """Write a step's numbers."""
        if self._file is None:
            return
        self._file.write(json.dumps({"step": step, **numbers}) + "\n")
        self._file.flush()
        if self._board is not None:
            for name, number in numbers.items():
                self._board.add_scalar(name, number, step)

    def report(self, data: Mapping[str, Any]) -> None:
        """Write the verdict."""
        if self.writer:
            text = json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
            write_text(self.folder / REPORT, text, CheckpointError)

    def close(self) -> None:
        """Nothing more is logged."""
        for file in (self._file, self._board):
            if file is not None:
                file.close()
        self._file = self._board = None


def read_log(path: Path) -> list[dict[str, Any]]:
    """The lines of a log, up to the first that is none: a kill cuts off the last one. CheckpointError where the
    file cannot be read."""
    lines: list[dict[str, Any]] = []
    if not path.is_file():
        return lines
    for text in read_text(path, CheckpointError, LOG_LIMIT).splitlines():
        try:
            line = parse_json(text, str(path), CheckpointError, "keep").data
        except CheckpointError:
            break
        if not (isinstance(line, dict) and is_whole(line.get("step"))):
            break
        lines.append(line)
    return lines


def _board(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:  # it is optional
        return None
    return SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)
