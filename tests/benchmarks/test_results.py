"""Bars, tables, the plot, the machine's description, and files that are written whole or not at all."""

from __future__ import annotations

import getpass
import json
import socket
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from effort import few

from benchmarks import store
from benchmarks.bars import BARS, Bar
from benchmarks.errors import BenchmarkError
from benchmarks.machine import describe
from benchmarks.report import duration, number, result_row, time_row, to_markdown
from benchmarks.results import CaseReport, Result, Run, Timed
from benchmarks.timing import Spread, Times
from benchmarks.work import FULL, QUICK

pytest.importorskip("matplotlib", reason="the plot needs matplotlib")


def make_run(value: float = 7.0) -> Run:
    measured = Spread(value, value - 1, value + 1, value - 0.5)
    forward = CaseReport(
        "forward",
        "forward, against the plain baseline",
        (Result("forward | plain", measured, "×", "forward"), Result("aside", Spread(1, 1, 1), "MB")),
        (Timed("djgraph, forward", Times((0.2, 0.1, 0.3)), 10.0), Timed("load", Times((2.0,)))),
        ("A note.",),
    )
    missing = CaseReport("gpu", "a GPU", unavailable="there is no CUDA device here")
    return Run(describe(2) | {"load_average_after": 0.5}, FULL, (forward, missing))


@pytest.mark.parametrize(
    ("bar", "value", "reached", "aim"),
    [
        (Bar(6, 10, "higher", "faster"), 5.99, False, False),
        (Bar(6, 10, "higher", "faster"), 6.0, True, False),
        (Bar(6, 10, "higher", "faster"), 10.0, True, True),
        (Bar(2.5, 1.6, "lower", "faster"), 2.51, False, False),
        (Bar(2.5, 1.6, "lower", "faster"), 2.5, True, False),
        (Bar(2.5, 1.6, "lower", "faster"), 1.6, True, True),
        (Bar(31, None, "lower", "faster"), 1.0, True, False),
    ],
)
def test_bars(bar: Bar, value: float, reached: bool, aim: bool) -> None:
    assert (bar.reached(value), bar.aim_reached(value)) == (reached, aim)


def test_every_aim_is_beyond_its_bar() -> None:
    for name, bar in BARS.items():
        assert bar.aim is None or bar.reached(bar.aim), name


@pytest.mark.parametrize(("value", "word"), [(5.0, "no"), (7.0, "yes"), (11.0, "aim")])
def test_result_row(value: float, word: str) -> None:
    row = result_row(make_run(value).cases[0].results[0])
    assert row[1].endswith("×")
    assert row[-3:] == ("≥ 6.00", "≥ 10.0", word)
    assert result_row(make_run().cases[0].results[1])[2:] == ("", "", "", "", "")


def test_time_row() -> None:
    timed = make_run().cases[0].times
    assert time_row(timed[0]) == ("djgraph, forward", "200 ms", "100 ms", "3", "50.0 ×")
    assert time_row(timed[1]) == ("load", "2.00 s", "2.00 s", "1", "")


def test_numbers() -> None:
    assert [number(value) for value in (0, 0.123, 9.994, 12.34, 123.4)] == [
        "0",
        "0.12",
        "9.99",
        "12.3",
        "123",
    ]
    assert [duration(value) for value in (0.0123, 1.5)] == ["12.3 ms", "1.50 s"]


def test_markdown() -> None:
    text = to_markdown(make_run())
    assert "| forward \\| plain | 7.00 × | 6.00 … 8.00 | 6.50 | ≥ 6.00 | ≥ 10.0 | yes |" in text
    assert "Not measured: there is no CUDA device here." in text
    assert "A note." in text
    widths = {line.replace("\\|", "").count("|") for line in text.splitlines() if line.startswith("| ")}
    assert widths == {8, 6}


def test_less_work_is_said() -> None:
    run = make_run()
    assert not run.less_work
    few = Run(run.machine, QUICK, run.cases)
    assert few.less_work
    assert "less work than the bars" in to_markdown(few)
    assert "less work than the bars" not in to_markdown(run)


def test_saved_files(tmp_path: Path) -> None:
    paths = store.save(make_run(), tmp_path / "new")
    assert [path.name for path in paths] == list(store.NAMES)
    data = json.loads(paths[0].read_text(encoding="utf-8"))
    result = data["cases"][0]["results"][0]
    assert result["value"] == 7
    assert result["bar"] == {
        "name": "forward",
        "must": 6,
        "aim": 10,
        "better": "higher",
        "reached": True,
        "aim_reached": False,
    }
    assert data["cases"][0]["times"][0]["seconds"] == [0.2, 0.1, 0.3]
    assert data["work"]["seconds"] == 10
    assert ET.parse(paths[2]).getroot().tag.endswith("svg")
    assert paths[2].read_bytes() == store.save(make_run(), tmp_path / "new")[2].read_bytes()


@pytest.mark.parametrize("broken", few(["to_svg", "to_markdown", "atomic_writer"], 1))
def test_a_failure_leaves_all_files_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    paths = store.save(make_run(), tmp_path)
    before = [path.read_bytes() for path in paths]
    real: Any = getattr(store, broken)

    def fail(*arguments: Any) -> Any:
        if broken != "atomic_writer" or str(arguments[0]).endswith(".svg"):
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(store, broken, fail)
    with pytest.raises(KeyboardInterrupt):
        store.save(make_run(1.0), tmp_path)
    assert [path.read_bytes() for path in paths] == before
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(store.NAMES)


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BenchmarkError, match="file"):
        store.save(make_run(), tmp_path / "file" / "folder")


def test_nothing_names_the_machine(tmp_path: Path) -> None:
    # Short names (a container's "a1", a user called "c") would be found in any text.
    private = {socket.gethostname(), str(Path.home()), str(Path.cwd()), getpass.getuser()}
    for path in store.save(make_run(), tmp_path):
        text = path.read_text(encoding="utf-8")
        assert not [word for word in private if len(word) > 4 and word in text]


def test_machine() -> None:
    machine = describe(2)
    assert machine["threads"] == 2
    assert machine["cores"] >= 1
    assert machine["cpu"]
    assert set(machine["peers"]) == {"pedalboard", "GRAFX", "dasp-pytorch"}
