"""docs/unmixing.md: its Python runs, and it names what the report holds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "unmixing.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_example_runs_and_the_report_is_described(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict = {}
    for example in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(example, "docs/unmixing.md", "exec"), namespace)
    start = namespace["done"].warp.tracks["track_a"].passages[0].start
    assert start == pytest.approx(-10, abs=0.02)
    report = namespace["result"].report
    assert report["si_sdr_db"] > 30
    assert (tmp_path / "moves.yaml").exists()
    undescribed = {
        "graph",
        "output",
        "frames",
        "seconds",
        "fit_seconds",
        "mixer_steps",
    }  # they say themselves
    for key in set(report) - undescribed:
        assert f"`{key}`" in PAGE, f"docs/unmixing.md does not describe {key}"
    for key in next(iter(report["controls"].values())):
        assert f"`{key}`" in PAGE or f"`controls.*.{key}`" in PAGE
