"""Jobs on several threads: their order, their errors, and a process that was forked."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from numba.core import caching

from djgraph.simd import jit
from djgraph.simd.threads import in_threads


@pytest.fixture(autouse=True, params=[1, 2, 5])
def count(request: Any) -> Iterator[int]:
    """Threads of PyTorch."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("jobs", [0, 1, 2, 7, 300])
def test_results_come_in_the_order_of_the_jobs(jobs: int) -> None:
    assert in_threads(lambda job: job * job, range(jobs)) == [job * job for job in range(jobs)]


def test_every_job_runs_once() -> None:
    done: list[int] = []
    in_threads(done.append, range(500))
    assert sorted(done) == list(range(500))


def test_as_many_jobs_at_a_time_as_pytorch_has_threads(count: int) -> None:
    together = min(count, os.cpu_count() or 1)
    meet = threading.Barrier(together, timeout=20)
    who: set[int] = set()

    def work(job: int) -> None:
        who.add(threading.get_ident())
        meet.wait()

    in_threads(work, range(together))
    assert len(who) == together
    assert threading.get_ident() in who


@pytest.mark.parametrize("bad", [0, 1, 6, 11])
def test_an_error_of_any_job_comes_out_and_the_next_call_works(bad: int) -> None:
    def work(job: int) -> int:
        if job == bad:
            raise LookupError(f"job {job}")
        return job

    with pytest.raises(LookupError, match=f"^'job {bad}'|^job {bad}$"):
        in_threads(work, range(12))
    assert in_threads(abs, [-3, 2, -1]) == [3, 2, 1]


def test_errors_of_all_jobs() -> None:
    def work(job: int) -> None:
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        in_threads(work, range(12))


def _in_child(results: Any) -> None:
    results.put(in_threads(abs, [-3, 2, -1, -7]))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_process_has_threads_of_its_own() -> None:
    assert in_threads(abs, [-1, -2, -3]) == [1, 2, 3]  # the parent's are there
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    child = context.Process(target=_in_child, args=(results,))
    child.start()
    child.join(timeout=30)
    hangs = child.is_alive()
    if hangs:
        child.kill()
        child.join()
    assert not hangs
    assert child.exitcode == 0
    assert results.get() == [3, 2, 1, 7]
    assert in_threads(abs, [-1, -2, -3]) == [1, 2, 3]


def _stamp_of(folder: Path) -> str:
    spec = importlib.util.spec_from_file_location("copied_jit", folder / "jit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.stamp()


def test_the_stamp_changes_with_any_source(tmp_path: Path) -> None:
    folder = tmp_path / "simd"
    shutil.copytree(Path(jit.__file__).parent, folder, ignore=shutil.ignore_patterns("__pycache__"))
    before = _stamp_of(folder)
    assert before == jit.stamp() == _stamp_of(folder)
    sources = sorted(folder.glob("*.py"))
    assert {"fft.py", "gains.py", "lanes.py", "rows.py"} < {source.name for source in sources}
    for source in sources:
        text = source.read_text(encoding="utf-8")
        source.write_text(text + "\n", encoding="utf-8")
        assert _stamp_of(folder) != before
        source.write_text(text, encoding="utf-8")
    assert _stamp_of(folder) == before


def test_code_is_compiled_where_it_cannot_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def twice(x):
        return 2 * x

    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])
    assert jit.kept(twice)(4) == 8
