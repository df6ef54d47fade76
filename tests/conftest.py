"""What all tests share."""

import gc
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from effort import examples
from hypothesis import HealthCheck, settings

# Many images set PYTHONDONTWRITEBYTECODE, for the sake of their size. With it every worker would rewrite the asserts of
# all test modules in every run, and every process that a test starts would compile the whole package.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Kernels for GPUs run in Triton's interpreter. It asks when Triton is first imported, which PyTorch does at any time.
os.environ.setdefault("TRITON_INTERPRET", "1")

# Most tests work on small tensors, where a second thread costs more than it brings; on a busy machine far more.
torch.set_num_threads(1)

# No test asserts a time: what is slow on a busy machine is not wrong.
# Tests that name a number of examples take it from `effort.examples`, which knows the profile.
settings.register_profile(
    "djgraph", max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("djgraph")


def pytest_collection_finish() -> None:
    """Takes what imports and collection made (half a million objects, which live to the end) out of the rounds of the
    garbage collector: each full round would walk through all of them. The rounds are fewer, too."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture
def engines_by_cost() -> None:
    """Engines are chosen as they are for users: clips of a few frames run by PyTorch's operators."""


@pytest.fixture(autouse=True)
def vectors_first(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests' clips are short: the vector units run them as they run long ones, wherever they can."""
    if "engines_by_cost" not in request.fixturenames:
        from djgraph.region.engines.vectors import Vectors

        monkeypatch.setattr(Vectors, "seconds", lambda self, load: 0.0)


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of what is fetched from URLs, of this test alone; nothing is known of any file."""
    from djgraph.storage import cache

    monkeypatch.setenv(cache.FOLDER, str(tmp_path / "cache"))
    for name, empty in (("_remotes", {}), ("_versions", {}), ("_checked", set())):
        monkeypatch.setattr(cache, name, empty)
    return tmp_path / "cache"


@pytest.fixture
def memory(cached: Path) -> Any:
    """fsspec's file system in memory, ``memory://``, empty."""
    fs = pytest.importorskip("fsspec", reason="needs fsspec: pip install djgraph[scale]").filesystem("memory")
    fs.store.clear()
    fs.pseudo_dirs[:] = [""]
    return fs
