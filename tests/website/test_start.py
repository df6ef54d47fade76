"""docs/start.md: its Python runs; its commands are there; its sound is what the page says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "start.md").read_text(encoding="utf-8")


def test_python_runs() -> None:
    namespace: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE):
        exec(compile(block, "docs/start.md", "exec"), namespace)
    assert namespace["mix"].shape == (1, 2, 44100)


def test_commands_exist() -> None:
    from typer.main import get_command

    from djgraph.cli.app import app

    known = get_command(app).commands  # type: ignore[attr-defined]
    assert set(re.findall(r"^djgraph (\w+)", PAGE, re.MULTILINE)) <= set(known)


@pytest.mark.slow
def test_the_sound_is_the_one_that_is_rendered_now() -> None:
    from sitebuild.sound import RATE, transition

    heard, rate = soundfile.read(DOCS / "listen/bass_swap.mp3", dtype="float32", always_2d=True)
    made = transition("bass_swap").T.numpy()
    assert rate == RATE
    assert abs(len(heard) - len(made)) < 0.1 * RATE
    shortest = min(len(heard), len(made))
    alike = np.corrcoef(heard[:shortest, 0], made[:shortest, 0])[0, 1]
    assert alike > 0.98, "run: PYTHONPATH=tools python -m sitebuild.sound docs/listen/bass_swap.mp3"
