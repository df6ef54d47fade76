"""Every leak that was once met."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .samples import command_files
from .seeds import GROUPS, Seed
from .worker import Worker

LONG = ("graph", "params", "corpus", "command")
"""Groups of a few seconds."""


@pytest.mark.parametrize(
    "group", [pytest.param(group, marks=pytest.mark.slow) if group in LONG else group for group in GROUPS]
)
def test_seeds(worker: Worker, tmp_path: Path, group: str) -> None:
    wrong = []
    for number, seed in enumerate(GROUPS[group]()):
        folder = tmp_path / str(number)
        folder.mkdir()
        if found := fault(worker, seed, folder):
            wrong.append(f"{seed.name} ({folder}): {found}")
    if wrong:
        pytest.fail(f"{len(wrong)} of {number + 1}:\n" + "\n\n".join(wrong), pytrace=False)


def fault(worker: Worker, seed: Seed, folder: Path) -> str:
    """What went wrong; nothing where it went as it should."""
    kind, why = worker.run(seed.case, folder)
    if kind == "fault":
        return why
    if seed.refused is not None and kind != ("refused" if seed.refused else "whole"):
        return f"{kind}, where it should be {'refused' if seed.refused else 'taken'}: {why}"
    if seed.case.target == "command":
        before: dict[str, Any] = dict(command_files())
        if changed := [name for name in before if (folder / name).read_bytes() != before[name]]:
            return f"destroyed what it read: {changed}"
    return ""
