"""A disk without room: a sentence, exit code 1, the old file as it was, and nothing half written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from two_decks import GRAPH

from .test_kills import halves, stems

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="needs limits on files")]
SCRIPT = Path(__file__).with_name("on_full_disk.py")
OLD = b"what was there before\n"
ROOM = 4000


def prepare(root: Path) -> None:
    stems(root)
    (root / "two.json").write_text(json.dumps(GRAPH))


def check(root: Path, limit: int) -> None:
    environment = os.environ | {"DJGRAPH_STRICT_PLUGINS": "", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, SCRIPT, str(limit)],
        cwd=root,
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    results = json.loads(done.stdout)
    assert len(results) == 10
    for name, (code, said) in results.items():
        assert code == 1, (name, code, said)
        lines = [
            line for line in said.splitlines() if not line.startswith("warning: compiled code is not kept")
        ]
        assert lines, (name, said)
        assert lines[0].startswith("error: "), (name, said)
        assert "cannot be written" in said or "No space left" in said or "too large" in said, (name, said)
        assert "Traceback" not in said, (name, said)
        if name != "corpus":
            assert (root / name).read_bytes() == OLD, name
    assert not halves(root)
    assert not list((root / "corpus").glob("shard-*/0*"))


OUTPUTS = ["mix.wav", "mix.flac", "mix.ogg", "mix.mp3", "layout.json", "draw.svg", "schema.json", "again.wav"]


def test_files_may_not_grow(tmp_path: Path) -> None:
    prepare(tmp_path)
    for name in (*OUTPUTS, "model.safetensors"):
        (tmp_path / name).write_bytes(OLD)
    check(tmp_path, ROOM)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 300 KB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(disk)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as problem:
        pytest.skip(f"no disk can be mounted here: {problem}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_disk_that_is_full(small_disk: Path) -> None:
    prepare(small_disk)
    for name in (*OUTPUTS, "model.safetensors"):
        (small_disk / name).write_bytes(OLD)
    with open(small_disk / "filling", "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    check(small_disk, 0)
