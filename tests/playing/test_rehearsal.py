"""Nothing is compiled once a player is prepared, whatever hands do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.mark.slow
def test_nothing_is_compiled_while_it_sounds(tmp_path: Path) -> None:
    """On a machine where nothing has been compiled before."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False
    )
    assert not done.returncode, done.stderr
