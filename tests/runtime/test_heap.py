"""Memory that is kept: counted in page faults, in a process of its own, since the setting lasts as long as that."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

SCRIPT = """
import resource, sys
import torch
from djgraph.runtime.heap import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.empty(20 * 2**20, dtype=torch.uint8).zero_()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

if sys.argv[1] == "keep":
    keep_freed_memory()
# Now and then a block comes from fresh memory beside what is kept: where nothing is kept, each does.
print(min(faults() for _ in range(8)))
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no such thresholds")
def test_freed_memory_is_used_again() -> None:
    def run(what: str) -> int:
        command = [sys.executable, "-c", SCRIPT, what]
        environment = {"PATH": "", "MALLOC_TRIM_THRESHOLD_": str(2**17), "OMP_NUM_THREADS": "1"}
        if what == "keep":
            environment.pop("MALLOC_TRIM_THRESHOLD_")  # which would hold the thresholds where they are
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return int(done.stdout)

    pages = 20 * 2**20 // 4096
    # Where a process lies in memory is chance, and now and then leaves no room to keep: one of a few has it.
    assert min(run("keep") for _ in range(4)) < pages // 10
    assert run("leave") > pages // 2
