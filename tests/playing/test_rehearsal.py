"""Nothing is compiled once a player is prepared, whatever hands do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from fake_layouts import column

import djgraph
from djgraph import ParameterLayout
from djgraph.playing import Hands, MemoryFeed, Player, rehearsal

PROGRAM = """
import numpy as np, torch
from numba.core import event
import djgraph
from djgraph.playing import MemoryFeed, Player

kinds = {"switch": "kind", "choices": {"none": [], "filter": ["ladder"], "squash": ["compressor"]}}
mixer = djgraph.compile({
    "djgraph": 1, "name": "one", "inputs": [{"name": "deck"}], "outputs": ["out"],
    "mixer": [
        {"strip": "one", "input": "deck", "chain": ["eq3", kinds], "to": "out"},
        {"bus": "out"},
    ],
})
quiet = torch.zeros(2, 44100)
player = Player(mixer, MemoryFeed({"deck": torch.cat((quiet, 0.1 * torch.randn(2, 44100)), 1)}))
with event.install_recorder("numba:compile") as before:
    player.prepare()
assert before.buffer, "nothing is compiled here: the test tests nothing"
with event.install_recorder("numba:compile") as after:
    player.play()
    for column in mixer.layout:
        control = column.control
        for value in control.choices or (control.min, control.default, control.max):
            player.hands.hold(column.name, value)
            for _ in range(8):
                player.block(512)
    player.seek(44100)
    for _ in range(40):
        player.block(512)
made = [str(one.data["dispatcher"]) for _, one in after.buffer if one.is_start]
assert not made, made
"""


def test_every_control_moves_and_every_choice_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = list[np.ndarray]()

    class Watched(Hands):
        def over(self, row: np.ndarray, sample: int) -> np.ndarray:
            seen.append(super().over(row, sample).copy())
            return seen[-1]

    monkeypatch.setattr(rehearsal, "Hands", Watched)
    kinds = {"switch": "kind", "choices": {"none": [], "quiet": ["trim"], "dark": ["lowpass"]}}
    strip = {"strip": "one", "input": "deck", "chain": ["gain", kinds], "to": "out"}
    document = {"djgraph": 1, "name": "one", "inputs": [{"name": "deck"}], "outputs": ["out"]}
    mixer = djgraph.compile({**document, "mixer": [strip, {"bus": "out"}]})
    Player(mixer, MemoryFeed({"deck": torch.zeros(2, 100)})).prepare()
    rows = np.stack(seen)
    assert np.array_equal(rows[0], mixer.layout.default.numpy())
    for one, heard in zip(mixer.layout, rows.T):
        low, span = one.control.min, one.control.max - one.control.min
        assert heard[1:].min() < low + 0.3 * span < low + 0.7 * span < heard[1:].max()
    assert {0, 1, 2} <= set(rows[:, mixer.layout.index("one.kind")])


def test_controls_stand_on_their_grids() -> None:
    layout = ParameterLayout(
        [
            column("shot", step=1.0, default=0.0),
            column("beats", 0.25, 8, choices=(0.25, 1.0, 8.0), default=1.0),
            column("cutoff", 20, 20_000, scale="log"),
        ]
    )
    rows = [[row[name] for name in layout.names] for row in rehearsal._rows(layout)]
    for row, (shot, beats, share) in zip(rows, [(0, 0.25, 1 / 6), (0, 1, 1 / 2), (1, 8, 5 / 6)], strict=True):
        assert row == pytest.approx([shot, beats, 20 * 1000**share], rel=1e-5)


@pytest.mark.slow
def test_nothing_is_compiled_while_it_sounds(tmp_path: Path) -> None:
    """On a machine where nothing has been compiled before."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False
    )
    assert not done.returncode, done.stderr
