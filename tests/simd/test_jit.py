"""Compiled code that several processes have left on disk is what each of them compiled."""

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys, torch
from djgraph.dsp import first_order, follow
signal = torch.linspace(-1, 1, 40, dtype=torch.float64)[None]
if "filter" in sys.argv:
    print(first_order(signal, 0.5, 0.1, -0.4)[0].sum().item())
if "follower" in sys.argv:
    print(follow(signal, 1.0, 3.0, sample_rate=1000.0)[0].sum().item())
"""


def test_recursions_compiled_by_several_processes_are_not_mixed_up(tmp_path: Path) -> None:
    """Closures of one name get the same number in each process; loaded together, one would run for the other."""
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}

    def run(*kernels: str) -> str:
        command = [sys.executable, str(script), *kernels]
        return subprocess.run(
            command, env=environment, text=True, capture_output=True, check=True, timeout=300
        ).stdout

    apart = run("filter") + run("follower")
    assert run("filter", "follower") == apart
