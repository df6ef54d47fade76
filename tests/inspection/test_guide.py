"""docs/explain.md: its snippet runs, and it names what the tables show."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import djgraph

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "explain.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_python_runs() -> None:
    namespace: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE):
        exec(compile(block, "explain.md", "exec"), namespace)
    assert namespace["trace"]["traceEvents"]
    assert namespace["data"]["workload"]["seconds"] == 2


def test_every_column_is_explained() -> None:
    mixer = djgraph.compile("filter_knob")
    tables = [mixer.explain(seconds=0.1), str(mixer.profile(0.1, repeats=1))]
    for table in tables:
        (header,) = [line for line in table.splitlines() if line.startswith("# ")]
        for column in re.split(r" {2,}", header):
            assert f"`{column}`" in TEXT or column == "#"


def test_the_stream_plan_shown_is_that_of_the_graph_shown(tmp_path: Path) -> None:
    (graph,) = re.findall(r"^```yaml\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    (plan,) = re.findall(r"^```text\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    path = tmp_path / "booth.yaml"
    path.write_text(graph, encoding="utf-8")
    assert djgraph.compile(str(path)).explain(stream=True) + "\n" == plan
