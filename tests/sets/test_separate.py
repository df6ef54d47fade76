"""Plain files: as one stem, or separated first."""

from __future__ import annotations

import importlib.metadata
import shutil
from pathlib import Path

import pytest

from djgraph.analysis.find import find_sources
from djgraph.errors import InputError
from djgraph.sets.build import plan_set
from djgraph.sets.separate import GROUP, separated
from tests.sets.tracks import track, write_set


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Puts a separator in place: ``test`` of this module; what is returned notes what it did."""

    class Point:
        name = "test"

        def load(self) -> object:
            return separate

    done.clear()
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [Point()] if group == GROUP else [])
    return done


done: list[str] = []


def separate(path: Path, folder: Path) -> None:
    done.append(path.name)
    if "bad" in path.name:
        raise RuntimeError("no memory")
    for stem in ("drums", "bass", "vocals", "other"):
        shutil.copy(path, folder / f"{stem}.flac")


def plain(folder: Path, name: str) -> Path:
    """A file whose analysis is there."""
    track(folder / "from", 120, 16, stems=("drums",))
    path = folder / f"{name}.flac"
    shutil.copy(folder / "from" / "drums.flac", path)
    (source,) = find_sources([path])
    text = (folder / "from" / "track.json").read_text()
    (before,) = find_sources([folder / "from"])
    source.about.write_text(text.replace(before.digest(), source.digest()).replace('"drums"', '"mixture"'))
    return path


def test_a_file_is_one_stem(tmp_path: Path) -> None:
    path = plain(tmp_path, "song")
    track(tmp_path / "two", 126, 16)
    plan = plan_set(write_set(tmp_path, "song.flac", "two"))
    assert plan.tracks[0].stems == {"other": (path,)}
    assert plan.tracks[0].title == "song"


def test_a_file_is_separated_once(tmp_path: Path, install: list[str]) -> None:
    path = plain(tmp_path, "song")
    folder = separated(path)
    assert folder == tmp_path / "song.flac.stems"
    assert separated(path) == folder
    assert install == ["song.flac"]
    shutil.copy(tmp_path / "from" / "drums.flac", path)
    with open(path, "ab") as file:
        file.write(b"\0")
    separated(path)
    assert install == ["song.flac"] * 2


def test_a_separator_that_fails_leaves_nothing(tmp_path: Path, install: list[str]) -> None:
    path = plain(tmp_path, "bad")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match="the separator 'test' failed: no memory"):
        separated(path)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_of_somebody_else_s_stays(tmp_path: Path, install: list[str]) -> None:
    path = plain(tmp_path, "song")
    (tmp_path / "song.flac.stems").mkdir()
    with pytest.raises(InputError, match="in the way"):
        separated(path)
