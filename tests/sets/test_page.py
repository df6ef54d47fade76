"""docs/sets.md and examples/sets: what stands there is read, and runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from djgraph.sets.load import load_set
from djgraph.sets.places import TrackPlace
from tests.sets.tracks import track

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "sets.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.S)


@pytest.mark.parametrize("text", blocks("yaml"))
def test_set_files(text: str) -> None:
    load_set(text)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "examples" / "sets").glob("*.yaml")), ids=lambda path: path.stem
)
def test_examples(path: Path) -> None:
    load_set(path)


def test_places() -> None:
    section = PAGE.split("### Places")[1].split("\n## ")[0]
    rows = re.findall(r"^\| ((?:`[^`]*`(?:, )?)+) \|", section, re.M)
    places = [place for row in rows for place in re.findall(r"`([^`]*)`", row)]
    assert len(places) >= 8
    for place in places:
        TrackPlace.parse(place)


def test_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one", "two"):
        track(tmp_path / name, 124.0, 16)
    monkeypatch.chdir(tmp_path)
    (code,) = blocks("python")
    exec(code, {})
    assert "echo_out" in capsys.readouterr().out
    assert (tmp_path / "moves.yaml").is_file()
