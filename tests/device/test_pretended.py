"""Every shipped graph and every built-in effect on a CUDA device that is not there: no mixing of devices, and from the
second call on nothing that the host would wait for, forward and backward."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from djgraph.effects import SourceEffect
from djgraph.plugins import registry

ROOT = Path(__file__).parents[2]
SHIPPED = sorted(path.stem for path in (ROOT / "graphs").glob("*.yaml"))
EXAMPLES = [str(ROOT / "examples" / "mixers" / f"{name}.yaml") for name in ("decks", "quad")]
"""Source effects, and more than two channels."""
EFFECTS = [
    f"effect:{name}" for name, one in registry().effects.items() if not issubclass(one.effect, SourceEffect)
]


@functools.cache
def checked(*names: str) -> dict[str, dict[str, Any]]:
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "device.pretended", *names],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    results: dict[str, dict[str, Any]] = json.loads(run.stdout.splitlines()[-1])
    return results


def faults(*names: str) -> str:
    """All of them, or nothing."""
    found = [
        f"{name}: {one['fault']}\n{''.join(one['where'])}"
        for name, one in checked(*names).items()
        if "fault" in one
    ]
    return "\n".join(found)


@pytest.mark.slow
def test_what_is_left_on_the_cpu_or_copied_in_each_call_is_found() -> None:
    found = checked("broken:filter_knob", "copied:filter_knob")
    assert "cpu" in found["broken:filter_knob"]["fault"]
    assert "_to_copy" in found["copied:filter_knob"]["fault"]
    assert "cpu" in found["copied:filter_knob"]["fault"]


@pytest.mark.slow
def test_shipped_graphs() -> None:
    names = [*SHIPPED, *EXAMPLES]
    assert not faults(*names)
    (made, *_) = checked(*names)["dj_mixer"].values()
    assert made == ["cuda", [2, 2, 500], "float32"]


@pytest.mark.slow
def test_effects() -> None:
    assert not faults(*EFFECTS)
