"""Saves: numbered files, none written over, thinned by age; what a kill leaves; files of strangers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from djgraph.errors import InputError
from djgraph.studio.keeping import RECENT, Keep, Left, Save, saves_of, thinned
from djgraph.studio.project import Lane, LanePoint, Origin, Project


def project(value: float = 0.5, points: int = 1) -> Project:
    lane = Lane(control="crossfader", points=tuple(LanePoint(at=i, value=value) for i in range(points)))
    return Project(name="mine", origin=Origin(), lanes=(lane,))


def test_every_save_is_a_file_of_its_own_and_the_newest_is_opened(tmp_path: Path) -> None:
    keep = Keep(tmp_path / "p")
    assert keep.newest() is None
    first = keep.save(project(0.1), "one")
    text = first.path.read_bytes()
    keep.save(project(0.2), "two", note="before the drop")
    keep.close()
    again = Keep(tmp_path / "p")
    found = again.newest()
    assert found is not None
    assert (found.project, found.what, found.note) == (
        project(0.2),
        "two",
        "before the drop",
    )
    assert first.path.read_bytes() == text
    assert again.read(1).project == project(0.1)
    assert [(save["number"], save["kept"]) for save in again.list()] == [(2, True), (1, False)]
    assert again.save(project(0.3)).number == 3
    again.close()


def test_a_project_is_open_once(tmp_path: Path) -> None:
    keep = Keep(tmp_path)
    keep.save(project())
    with pytest.raises(InputError, match="open in another studio"):
        Keep(tmp_path)
    keep.close()
    Keep(tmp_path).close()


def test_a_folder_in_which_nothing_was_saved_goes_away(tmp_path: Path) -> None:
    Keep(tmp_path / "p").close()
    assert not (tmp_path / "p").exists()


def test_a_damaged_save_is_passed_over_and_told(tmp_path: Path) -> None:
    keep = Keep(tmp_path)
    keep.save(project(0.1))
    last = keep.save(project(0.2))
    last.path.write_text(last.path.read_text()[:100])
    keep.close()
    keep = Keep(tmp_path)
    found = keep.newest()
    assert found is not None
    assert found.project == project(0.1)
    assert len(keep.notes) == 1
    assert last.path.name in keep.notes[0]
    assert "problem" in keep.list()[0]
    keep.close()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data: data["project"]["lanes"][0]["points"][0].update(at=-1), "at"),
        (lambda data: data["project"]["lanes"][0]["points"][0].update(value="loud"), "value"),
        (lambda data: data["project"].update(tempo=[]), "tempo"),
        (lambda data: data["project"].update(graph="x" * (1 << 21)), "graph"),
        (lambda data: data["project"].update(letter="C"), "letter"),
        (lambda data: data.update(save=2), "save"),
        (lambda data: data.update(project=[]), "project"),
        (lambda data: data["project"]["origin"].update(lowering="other"), "lowering"),
        (lambda data: data["project"].update(other={"other": {}}), "two versions"),
    ],
)
def test_files_of_strangers_are_refused_with_place_and_reason(tmp_path: Path, change, reason: str) -> None:  # type: ignore[no-untyped-def]
    keep = Keep(tmp_path)
    path = keep.save(project()).path
    keep.close()
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data, indent=1))
    keep = Keep(tmp_path)
    with pytest.raises(InputError, match=rf"(?s)\.json:\d+:\d+.*{reason}"):
        keep.newest()
    keep.close()


@pytest.mark.parametrize(
    "text", ["", "[]", "null", '{"save": 1}', "[" * 10_000, '{"save": NaN}', "\0", '{"a": 1, "a": 2}']
)
def test_what_is_no_save_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "saves").mkdir()
    (tmp_path / "saves" / "000001-20260101T000000Z.json").write_text(text)
    keep = Keep(tmp_path)
    with pytest.raises(InputError, match="000001"):
        keep.newest()
    keep.close()


def test_files_of_other_names_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "saves").mkdir()
    for name in (
        "notes.txt",
        "000001.json",
        "000001-20269901T000000Z.json",
        ".000001-20260101T000000Z.json.1.part",
    ):
        (tmp_path / "saves" / name).write_text("mine")
    keep = Keep(tmp_path)
    assert keep.newest() is None
    keep.save(project())
    keep.close()
    assert len(list((tmp_path / "saves").iterdir())) == 5


def test_old_saves_are_thinned_and_kept_ones_stay() -> None:
    now = 1_800_000_000.0
    ages = [now - 60.0 * i for i in range(40 * 24 * 60)][::-1]  # one a minute, forty days
    saves = [Save(i, at, i == 7, Path(str(i))) for i, at in enumerate(ages)]
    gone = {save.number for save in thinned(saves, now)}
    left = [save for save in saves if save.number not in gone]
    assert [save.number for save in left[-RECENT:]] == [save.number for save in saves[-RECENT:]]
    assert any(save.number == 7 for save in left)
    day = [save for save in left if now - save.at <= 24 * 3600]
    month = [save for save in left if 24 * 3600 < now - save.at <= 30 * 24 * 3600]
    assert 6 * 24 <= len(day) <= 6 * 24 + 2 + RECENT
    assert 28 <= len(month) <= 31
    assert not thinned(left, now)  # what was thinned once is not thinned further at once


def test_where_one_was(tmp_path: Path) -> None:
    keep = Keep(tmp_path)
    assert keep.left == Left()
    keep.leave(Left(seconds=12.5, view="timeline"))
    assert keep.left == Left(seconds=12.5, view="timeline")
    (tmp_path / "left.json").write_text("{")
    assert keep.left == Left()
    assert keep.notes
    keep.save(project())
    keep.close()


KILLED = """
import sys
from pathlib import Path
from tests.studio.test_keeping import project
from djgraph.studio.keeping import Keep
keep = Keep(Path(sys.argv[1]))
for number in range(1, 100_000):
    keep.save(project(number, 3000), str(number))
    print(number, flush=True)
"""


@pytest.mark.slow
def test_a_kill_in_the_middle_of_a_save_loses_nothing(tmp_path: Path) -> None:
    for after in (0.0, 0.003, 0.011):
        folder = tmp_path / str(after)
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(folder)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        for _ in range(20):
            process.stdout.readline()
        time.sleep(after)
        os.kill(process.pid, signal.SIGKILL)
        told = [line for line in process.communicate()[0].split() if line.isdigit()]
        done = int(told[-1]) if told else 20
        keep = Keep(folder)
        found = keep.newest()
        assert found is not None
        assert not keep.notes
        # What was told to be saved is there; the one under way is there whole, or not at all.
        assert found.what in (str(done), str(done + 1))
        assert found.project == project(float(found.what), 3000)
        assert keep.save(project()).number == int(found.what) + 1
        assert saves_of(folder)[-1].number == int(found.what) + 1
        keep.close()
