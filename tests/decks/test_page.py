"""docs/decks.md: its code runs, and the blocks are what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch

PAGE = (Path(__file__).parents[2] / "docs" / "decks.md").read_text(encoding="utf-8")


def test_the_page_runs() -> None:
    namespace: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE):
        exec(compile(block, "decks.md", "exec"), namespace)
    assert {name: x.shape for name, x in namespace["block"].items()} == {
        "drums": (2, 4096),
        "bass": (2, 4096),
    }
    assert float(namespace["block"]["drums"].std()) > 0.05
    again = namespace["deck"].read(10 * 44100 - 1000, 5096)["bass"][:, 1000:]
    assert torch.equal(again, namespace["block"]["bass"])
    clock, looped = namespace["clock"], namespace["looped"]
    # 40 beats, then from the track's beat 4 to its end.
    ends = float(namespace["grid"].beat_at(40.0))
    assert looped.samples == -int(-clock.seconds(40 + ends - 4) * 44100 // 1)


def test_the_snippets_on_stretching_run() -> None:
    page = (Path(__file__).parents[2] / "docs" / "kernels.md").read_text(encoding="utf-8")
    whole, by_block = [
        one
        for one in re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
        if "import stretch" in one or "Stretcher(" in one
    ]
    names = {"torch": torch}
    exec(compile(whole, "kernels.md", "exec"), names)
    exec(compile(by_block, "kernels.md", "exec"), names)
