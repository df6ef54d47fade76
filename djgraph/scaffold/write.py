"""New files and folders: whole or not at all, and never in place of what is there."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from djgraph.errors import InputError
from djgraph.guard import wrote


def new_folder(folder: Path, files: Mapping[str, str]) -> list[Path]:
    """Make a folder with these files, by their paths below it; the paths that they have.

    They are written to a hidden folder beside it, which takes the name in one step. InputError where the name is
    taken, where its parent is no folder, and for what the system reports.
    """
    _check_new(folder)
    part = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.part")
    try:
        part.mkdir()
        for name, text in files.items():
            path = part / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        _check_new(folder)  # since renaming a folder over an empty one works
        os.rename(part, folder)
    except OSError as problem:
        raise InputError(f"{folder}: cannot be written: {problem.strerror or problem}") from problem
    finally:
        shutil.rmtree(part, ignore_errors=True)
    paths = [folder / name for name in files]
    for path in paths:
        wrote(path)
    return paths


def new_file(path: Path, text: str) -> Path:
    """The same for one file."""
    _check_new(path)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        part.write_bytes(text.encode())
        try:
            os.link(part, path)  # which refuses a name that is taken, as renaming does not
        except FileExistsError:
            _check_new(path)
            raise
        except OSError:  # a file system without hard links
            _check_new(path)
            os.rename(part, path)
    except OSError as problem:
        raise InputError(f"{path}: cannot be written: {problem.strerror or problem}") from problem
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    wrote(path)
    return path


def _check_new(path: Path) -> None:
    if os.path.lexists(path):
        raise InputError(
            f"{path} exists already, and is left as it is; choose another name, or another folder"
        )
    if not path.parent.is_dir():
        what = "is not a folder" if path.parent.exists() else "does not exist"
        raise InputError(f"{path}: the folder {path.parent} {what}")
