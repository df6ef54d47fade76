"""A project's folder: every save is a file of its own, so that none is ever written over, and old ones are thinned.

Below the folder lie ``saves/`` (numbered files), ``left.json`` (where one was), and ``exports/``.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal

from pydantic import Field

from djgraph.atomic import lock, write_text
from djgraph.errors import InputError
from djgraph.reading import MIB, Stored, read_json
from djgraph.studio.project import Project

LARGEST = 256 * MIB
"""Bytes of a save."""
RECENT = 40
"""Saves that are kept in any case, of the last ones."""
SPARSE = ((24 * 3600, 600), (30 * 24 * 3600, 24 * 3600))
"""Of those before: up to so many seconds of age, one in so many seconds; of older ones, one a month."""
MONTH = 30 * 24 * 3600
SAVES, EXPORTS, LEFT, LOCK = "saves", "exports", "left.json", ".lock"
_NAME = re.compile(r"(\d{6,12})-(\d{8}T\d{6}Z)(-kept)?\.json\Z")
_STAMP = "%Y%m%dT%H%M%SZ"


class Saved(Stored):
    """A file of ``saves/``. what: was done last, in words. note: of who asked for the save to be kept."""

    save: Literal[1] = 1
    what: Annotated[str, Field(max_length=1000)] = ""
    note: Annotated[str, Field(max_length=200)] = ""
    project: Project


class Left(Stored):
    """Where one was: seconds of the clip, and which view was open."""

    seconds: Annotated[float, Field(ge=0, le=1e6)] = 0.0
    view: Annotated[str, Field(max_length=50)] = ""


@dataclass(frozen=True)
class Save:
    """One that lies there. at: seconds since 1970. kept: it is not thinned out."""

    number: int
    at: float
    kept: bool
    path: Path


class Keep:
    """The folder of one project, made where it is not there, and open to nobody else until it is closed.

    Raises InputError where another studio has it open, and where it cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notes: list[str] = []
        """What was wrong with saves that were passed over."""
        try:
            (folder / SAVES).mkdir(parents=True, exist_ok=True)
            self._lock: BinaryIO = open(folder / LOCK, "ab")  # noqa: SIM115  # until close
        except OSError as problem:
            raise InputError(
                f"{folder} cannot be a project's folder: {problem.strerror or problem}"
            ) from None
        if lock(self._lock) is False:
            self._lock.close()
            raise InputError(f"{folder} is open in another studio; close it there, or give another --project")
        self._numbers = max((save.number for save in self.saves()), default=0)
        self._known: dict[Path, Saved] = {}

    @property
    def exports(self) -> Path:
        return self.folder / EXPORTS

    def saves(self) -> list[Save]:
        """All that lie there, the oldest first."""
        return saves_of(self.folder)

    def newest(self) -> Saved | None:
        """The last save that can be read; None where there is none. Those that cannot are passed over, and noted.
        Raises InputError, with place and reason, where there are saves and none can be read."""
        self.notes.clear()
        for save in reversed(self.saves()):
            try:
                return self._read(save)
            except InputError as error:
                self.notes.append(str(error))
        if self.notes:
            raise InputError(f"no save in {self.folder} can be read:\n" + "\n".join(self.notes[:5]))
        return None

    def read(self, number: int) -> Saved:
        """A save by its number. Raises InputError where there is none, or where it cannot be read."""
        save = next((save for save in self.saves() if save.number == number), None)
        if save is None:
            raise InputError(f"there is no save {number} any more")
        return self._read(save)

    def save(self, project: Project, what: str = "", note: str = "") -> Save:
        """Write one more, and thin out old ones. Raises InputError where it cannot be written."""
        now = datetime.datetime.now(datetime.UTC)
        self._numbers += 1
        name = f"{self._numbers:06d}-{now.strftime(_STAMP)}{'-kept' if note else ''}.json"
        path = self.folder / SAVES / name
        saved = Saved(what=what[:1000], note=note[:200], project=project)
        write_text(path, saved.model_dump_json() + "\n", InputError)
        self._known = {path: saved, **{key: self._known[key] for key in list(self._known)[:200]}}
        self._thin(now.timestamp())
        return Save(self._numbers, int(now.timestamp()), bool(note), path)

    def list(self, most: int = 200) -> list[dict[str, Any]]:
        """The saves, the newest first, for a page."""
        out = []
        for save in self.saves()[: -most - 1 : -1]:
            try:
                saved = self._read(save)
                words = {"what": saved.what, "note": saved.note}
            except InputError as error:
                words = {"problem": str(error)}
            out.append({"number": save.number, "at": save.at, "kept": save.kept, **words})
        return out

    @property
    def left(self) -> Left:
        """Where one was; the beginning, where that is not known."""
        path = self.folder / LEFT
        if not path.is_file():
            return Left()
        try:
            return read_json(path, InputError, MIB).read_as(Left)
        except InputError as error:
            self.notes.append(str(error))
            return Left()

    def leave(self, left: Left) -> None:
        """Note where one is."""
        write_text(self.folder / LEFT, left.model_dump_json() + "\n", InputError)

    def close(self) -> None:
        """Let others open it. A folder in which nothing was saved goes away."""
        if not self._lock.closed and not self.saves():
            with contextlib.suppress(OSError):  # there is something else in it
                (self.folder / LOCK).unlink()
                (self.folder / SAVES).rmdir()
                self.folder.rmdir()
        self._lock.close()

    def _read(self, save: Save) -> Saved:
        if save.path not in self._known:
            self._known[save.path] = read_json(save.path, InputError, LARGEST).read_as(Saved, tuples=True)
        return self._known[save.path]

    def _thin(self, now: float) -> None:
        for save in thinned(self.saves(), now):
            with contextlib.suppress(OSError):  # it stays, then
                save.path.unlink()


def saves_of(folder: Path) -> list[Save]:
    """The saves below a project's folder, the oldest first; none where it is no such folder."""
    out = []
    try:
        names = os.listdir(folder / SAVES)
    except OSError:
        return []
    for name in names:
        if (match := _NAME.match(name)) is None:
            continue
        try:
            at = datetime.datetime.strptime(match[2], _STAMP).replace(tzinfo=datetime.UTC).timestamp()
        except ValueError:
            continue
        out.append(Save(int(match[1]), at, match[3] is not None, folder / SAVES / name))
    return sorted(out, key=lambda save: save.number)


def thinned(saves: Iterable[Save], now: float) -> list[Save]:
    """Those of saves, the oldest first, that go: of old ones that are too near to one another, all but the first."""
    gone = []
    taken: set[tuple[int, int]] = set()
    for save in list(saves)[:-RECENT]:
        age = now - save.at
        step = next((step for oldest, step in SPARSE if age <= oldest), MONTH)
        place = step, int(save.at // step)
        if not save.kept and place in taken:
            gone.append(save)
        taken.add(place)
    return gone
