"""An unfinished mix on disk: what is mixed so far, and where the mixer stands, so that a killed run can go on.

Beside ``mix.flac`` there is, until it is done, the folder ``mix.flac.part``: the audio so far as float32
(``master.f32``), the stream's state (``state.npz``, NumPy's format, read without pickle), and what both belong to
(``set.json``). The audio runs ahead of the state: what lies behind it is mixed again.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from djgraph.atomic import atomic_writer, lock, write_text
from djgraph.errors import AudioFileError, InputError
from djgraph.reading import MIB, read_arrays, read_json
from djgraph.sets.plan import SetPlan
from djgraph.sound import Sound
from djgraph.version import __version__

SECONDS = 15.0
"""Of work between two states: what a kill costs at most."""
LARGEST = 1024 * MIB
"""Bytes of a state."""
_BLOCK = 1 << 19
_AUDIO, _STATE, _ABOUT = ".f32", "state.npz", "set.json"


def belongs_to(plan: SetPlan, lowering: str, outputs: Mapping[str, int]) -> dict[str, str]:
    """What an unfinished mix depends on, as digests by what they are of, in words. outputs: channels by name."""
    out = {
        "djgraph": __version__,
        "the graph": Sound.of(plan.graph).graph,
        "the lowering": lowering,
        "the outputs": _digest(dict(outputs)),
        "the tempo": _digest(plan.tempo.plain()),
        "the transitions": _digest(plan.automation.to_dict()),
        "the length": str(plan.samples),
    }
    for track in plan.tracks:
        out[f"the audio of {track.name}"] = track.digest
        files = {str(stem): [file.name for file in several] for stem, several in track.stems.items()}
        runs = [(run.begins, run.ends, run.markers) for run in track.runs]
        where = [runs, track.gain, track.key_lock, track.input, track.enters, track.leaves, files]
        out[f"the place of {track.name}"] = _digest(where)
    return out


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Kept:
    """The unfinished mix of one command. A context manager: at a normal end, and after an error, the folder goes away;
    an interrupt leaves it, for the next run.

    path: the file that is to come. outputs: channels by name. resume: go on with what is there. Raises InputError where
    there is nothing, or something else, to resume, and where another process is at it; AudioFileError for what the
    system reports.
    """

    def __init__(
        self, path: Path, plan: SetPlan, lowering: str, outputs: Mapping[str, int], resume: bool
    ) -> None:
        self.folder = folder_of(path)
        self.begins = 0
        """Samples that the stream had got when its state was kept; 0 at the beginning."""
        self.problem: str | None = None
        """Why no state can be kept, where that is so: then nothing can be resumed."""
        self._outputs = dict(outputs)
        self._about = belongs_to(plan, lowering, outputs)
        self._state: Mapping[str, Tensor] | None = None
        self._files: dict[str, BinaryIO] = {}
        self._done = 0
        self._saved = time.monotonic()
        if resume:
            self._check()
            self._state, self.begins, self._done = self._read_state()

    @property
    def state(self) -> Mapping[str, Tensor] | None:
        """Of the stream, to go on with; None at the beginning."""
        return self._state

    def _check(self) -> None:
        if not (self.folder / _ABOUT).is_file():
            raise InputError(f"there is nothing to resume: {self.folder} does not hold an unfinished mix")
        before = read_json(self.folder / _ABOUT, InputError).data
        before = before if isinstance(before, dict) else {}
        changed = [what for what, digest in self._about.items() if before.get(what) != digest]
        changed += [what for what in before if what not in self._about]
        if changed:
            shown = ", ".join(changed[:4]) + (f" and {len(changed) - 4} more" if len(changed) > 4 else "")
            raise InputError(
                f"{self.folder} is of another mix; changed: {shown}; begin anew, without --resume"
            )

    def _read_state(self) -> tuple[Mapping[str, Tensor] | None, int, int]:
        path = self.folder / _STATE
        if not path.is_file():  # killed before the first one
            return None, 0, 0
        arrays = read_arrays(path, InputError, LARGEST)
        try:
            position, done = int(arrays.pop("kept.position")), int(arrays.pop("kept.done"))
            held = {name: torch.from_numpy(array) for name, array in arrays.items()}
        except (ValueError, KeyError, TypeError) as problem:
            raise InputError(f"{path} is damaged ({problem}); begin anew, without --resume") from None
        for name, channels in self._outputs.items():
            audio = self.folder / f"{name}{_AUDIO}"
            if not audio.is_file() or audio.stat().st_size < done * channels * 4:
                raise InputError(f"{audio} is shorter than it was; begin anew, without --resume")
        return held, position, done

    def __enter__(self) -> Kept:
        with self._told():
            if self._state is None and self.folder.exists():
                self._clear()
            self.folder.mkdir(exist_ok=True)
            for name, channels in self._outputs.items():
                file = open(self.folder / f"{name}{_AUDIO}", "ab+")
                self._files[name] = file
                if lock(file) is False:
                    self._close()
                    raise InputError(f"{self.folder} is being written by another process")
                file.truncate(self._done * channels * 4)
            write_text(self.folder / _ABOUT, json.dumps(self._about, indent=1) + "\n", AudioFileError)
        return self

    def _clear(self) -> None:
        """Takes away an earlier mix that nobody is at."""
        for audio in self.folder.glob(f"*{_AUDIO}"):
            with open(audio, "rb+") as file:
                if lock(file) is False:
                    raise InputError(f"{self.folder} is being written by another process")
        for name in (_STATE, _ABOUT):
            (self.folder / name).unlink(missing_ok=True)
        for audio in self.folder.glob(f"*{_AUDIO}"):
            audio.unlink()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        self._close()
        if kind is None or issubclass(kind, Exception) or self.problem is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _close(self) -> None:
        for file in self._files.values():
            with contextlib.suppress(OSError):  # a full disk has been told of
                file.close()
        self._files.clear()

    def blocks(self) -> Iterator[dict[str, Tensor]]:
        """What was mixed before, in blocks ``[channels, samples]`` by output."""
        left = self._done
        for file in self._files.values():
            file.seek(0)
        while left:
            count = min(left, _BLOCK)
            block = {}
            for name, file in self._files.items():
                channels = self._outputs[name]
                with self._told():
                    content = file.read(count * channels * 4)
                values = np.frombuffer(content, "<f4").reshape(-1, channels)
                block[name] = torch.from_numpy(np.array(values.T, dtype=np.float32, order="C"))
            yield block
            left -= count

    def add(self, block: Mapping[str, Tensor]) -> None:
        """Keep what was mixed."""
        with self._told():
            for name, file in self._files.items():
                file.write(np.ascontiguousarray(block[name].numpy().T, dtype="<f4").data)
        self._done += next(iter(block.values())).shape[1]

    def save(self, position: int, state: Callable[[], Mapping[str, Tensor]]) -> None:
        """Keep where the stream stands, if it is time. position: samples that it has got; all that came of
        them has been added."""
        if self.problem is not None or time.monotonic() - self._saved < SECONDS:
            return
        try:
            held = state()
        except InputError as error:  # of a plugin whose memory cannot be read
            self.problem = str(error)
            return
        with self._told():
            for file in self._files.values():
                file.flush()
                os.fsync(file.fileno())
        arrays = {name: tensor.cpu().numpy() for name, tensor in held.items()}
        content = io.BytesIO()
        arrays |= {"kept.position": np.array(position), "kept.done": np.array(self._done)}
        np.savez(content, allow_pickle=False, **arrays)
        with atomic_writer(self.folder / _STATE, AudioFileError) as file:
            file.write(content.getbuffer())
        self._saved = time.monotonic()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as problem:
            raise AudioFileError(
                f"{self.folder}: cannot be written: {problem.strerror or problem}"
            ) from problem


def folder_of(path: Path) -> Path:
    """Where the unfinished mix of a file lies."""
    real = Path(os.path.realpath(path))
    return real.with_name(f"{real.name}.part")


def unfinished(path: Path) -> bool:
    """Whether there is one."""
    return (folder_of(path) / _ABOUT).is_file()
