"""Compiled code of one process in another: functions are told apart by their names alone."""

from __future__ import annotations

import gc
import importlib
import os
import pkgutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from numba.core.dispatcher import Dispatcher

import djgraph.simd

TWO_FILTERS = """
import torch
from djgraph import simd
from djgraph.dsp import first_order, svf

audio = torch.randn(3, 300, generator=torch.Generator().manual_seed(0))
runs = {
    "first_order": lambda: first_order(audio, 0.1, 0.0, -0.9)[0],
    "svf": lambda: svf(audio, 500.0, 2.0, 1.0, 0.0, 0.0, sample_rate=8000)[0],
}
compiled = {name: runs[name]() for name in NAMES}
simd.takes = lambda tensor: False
for name, out in compiled.items():
    torch.testing.assert_close(out, runs[name](), rtol=1e-4, atol=1e-4)
"""


def test_no_two_compiled_functions_have_one_name() -> None:
    for module in pkgutil.iter_modules(djgraph.simd.__path__):
        importlib.import_module(f"djgraph.simd.{module.name}")
    meanings = defaultdict(set)
    for one in gc.get_objects():
        if issubclass(type(one), Dispatcher) and (one.py_func.__module__ or "").startswith("djgraph."):
            function = one.py_func
            closed = tuple(cell.cell_contents for cell in function.__closure__ or ())
            meanings[f"{function.__module__}.{function.__qualname__}"].add((function.__code__, closed))
    assert len(meanings) > 50
    assert [name for name, different in meanings.items() if len(different) > 1] == []


@pytest.mark.slow
def test_recursions_from_disk_beside_new_ones(tmp_path: Path) -> None:
    for names in (["first_order"], ["first_order", "svf"], ["svf", "first_order"]):
        subprocess.run(
            [sys.executable, "-c", f"NAMES = {names}\n{TWO_FILTERS}"],
            env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
            check=True,
        )


TEXTS = """
import torch
from numba.core import event
from djgraph.dsp import delay_history, first_order, read_delay

class Compiled(event.Listener):
    modules = set()
    def on_start(self, happened):
        self.modules.add(happened.data["dispatcher"].py_func.__module__)
    def on_end(self, happened):
        pass

event.register("numba:compile", Compiled())
audio = torch.randn(3, 300, requires_grad=True)
filtered, _ = first_order(audio, 0.1, 0.0, -0.9)
delayed, _ = read_delay(filtered, 7.5, filtered.new_zeros(3, delay_history(20)))
delayed.sum().backward()
assert any(name.startswith("djgraph.") for name in Compiled.modules)
assert not any("unicode" in name for name in Compiled.modules), Compiled.modules
"""


@pytest.mark.slow
def test_no_kernel_compiles_numbas_texts(tmp_path: Path) -> None:
    """Where arrays are assigned to slices Numba compiles a message on their shapes: 4 s for nothing."""
    subprocess.run(
        [sys.executable, "-c", TEXTS], env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}, check=True
    )
