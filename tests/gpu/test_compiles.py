"""Triton makes machine code of all kernels, for which no GPU is needed: the interpreter lets pass what it refuses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_all_kernels_compile(tmp_path: Path) -> None:
    pytest.importorskip("triton", reason="Triton is not installed: kernels for GPUs are not compiled")
    run = subprocess.run(
        [sys.executable, "-m", "gpu.compiles"],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT / "tests"),
            "TRITON_INTERPRET": "0",
            "TRITON_CACHE_DIR": str(tmp_path),
        },
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert len(run.stdout.splitlines()) == 6
