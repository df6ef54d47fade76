"""The command: which cases run, where results go, and what an interruption leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks import cli, runner
from benchmarks.cases import CASES
from benchmarks.context import Context
from benchmarks.results import CaseReport, Result
from benchmarks.store import NAMES
from benchmarks.timing import Spread

pytest.importorskip("matplotlib", reason="the plot needs matplotlib")


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """Stands in for all cases; says which ran on what scale."""
    seen: list[tuple[str, Any]] = []

    def find(name: str) -> Any:
        def run(context: Context) -> CaseReport:
            seen.append((name, context.scale))
            return CaseReport(name, CASES[name], (Result(f"of {name}", Spread(1, 1, 1), "×"),))

        return run

    monkeypatch.setattr(runner, "find", find)
    return seen


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(CASES)


def test_every_case_is_a_module() -> None:
    from benchmarks import cases

    folder = Path(cases.__file__).parent
    assert {path.stem for path in folder.glob("*.py")} == {*CASES, "__init__"}


def test_chosen_cases_run_in_their_own_order_and_write_nothing(
    ran: list[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "FOLDER", tmp_path)
    assert cli.main(["console", "forward", "--threads", "1"]) == 0
    assert [name for name, _ in ran] == ["forward", "console"]
    assert not list(tmp_path.iterdir())
    out, err = capsys.readouterr()
    assert "of forward" in out
    assert "[2/2] console" in err


@pytest.mark.slow
def test_a_complete_run_is_written(ran: list[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cli, "FOLDER", tmp_path)
    assert cli.main(["--threads", "1", "--rounds", "4"]) == 0
    assert [name for name, _ in ran] == list(CASES)
    assert {scale.rounds for _, scale in ran} == {scale.slow_rounds for _, scale in ran} == {4}
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(NAMES)


def test_quick_writes_only_where_it_is_told(
    ran: list[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "FOLDER", tmp_path / "results")
    assert cli.main(["--quick", "--threads", "1"]) == 0
    assert not (tmp_path / "results").exists()
    assert "less work" in capsys.readouterr().err
    assert cli.main(["forward", "--quick", "--threads", "1", "--output", str(tmp_path / "mine")]) == 0
    assert (tmp_path / "mine" / "results.json").exists()


def test_interruption_leaves_earlier_results(
    ran: list[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "FOLDER", tmp_path)
    assert cli.main(["--threads", "1"]) == 0
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    stand_in = runner.find

    def interrupted(name: str) -> Any:
        if name == "console":
            raise KeyboardInterrupt
        return stand_in(name)

    monkeypatch.setattr(runner, "find", interrupted)
    capsys.readouterr()
    assert cli.main(["--threads", "1"]) == cli.INTERRUPTED
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    out, err = capsys.readouterr()
    assert "of forward" in out  # what was measured until then has been shown
    assert "interrupted" in err


def test_unknown_case(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["forwards"]) == 1
    assert "did you mean 'forward'" in capsys.readouterr().err


@pytest.mark.parametrize("count", ["0", "-1", "two", "1.5"])
def test_bad_counts(count: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--rounds", count])
    assert "whole number" in capsys.readouterr().err


def test_no_matplotlib_is_said_before_the_work(
    ran: list[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert cli.main(["forward", "--output", str(tmp_path)]) == 1
    assert "djgraph[bench]" in capsys.readouterr().err
    assert not ran


def test_redraw_measures_nothing(ran: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["forward", "--output", str(tmp_path)]) == 0
    made = {name: (tmp_path / name).read_bytes() for name in NAMES}
    ran.clear()
    for name in NAMES[1:]:
        (tmp_path / name).unlink()
    assert cli.main(["--redraw", "--output", str(tmp_path)]) == 0
    assert {name: (tmp_path / name).read_bytes() for name in NAMES} == made
    assert not ran


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot be read"),
        ("{", "is not the results of a run"),
        ("[]", "is not the results of a run"),
        ('{"format": 1}', "has format 1, and 2 is read here; measure anew"),
        ('{"format": 2}', "is not the results of a run"),
    ],
)
def test_redraw_of_what_is_no_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, words: str
) -> None:
    if text is not None:
        (tmp_path / "results.json").write_text(text)
    assert cli.main(["--redraw", "--output", str(tmp_path)]) == 1
    assert words in " ".join(capsys.readouterr().err.split())
