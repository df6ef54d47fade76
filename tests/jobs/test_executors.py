"""Every job is done once, wherever: workers that die are replaced, errors come back as they are."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import job_examples as examples
import pytest
import torch

from djgraph.errors import DJGraphError, InputError
from djgraph.jobs import Executor, Here, Processes, Ray, executor_of, run_jobs
from djgraph.jobs.task import Queue

SQUARES = sorted(n * n for n in range(12))
posix = pytest.mark.skipif(os.name != "posix", reason="kills by signal")


def squares(executor: Executor, make: Any, *arguments: Any) -> list[int]:
    return sorted(square for square, _, _ in run_jobs(make, arguments, range(12), executor))


def test_here() -> None:
    torch.set_num_threads(2)
    try:
        done = list(run_jobs(examples.square, (), range(3), 1))
        assert done == [(0, os.getpid(), 1), (1, os.getpid(), 1), (4, os.getpid(), 1)]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    with pytest.raises(InputError, match="4 is wrong"):
        squares(Here(), examples.wrong, 4)


def test_a_job_is_handed_out_until_it_is_done_or_hopeless() -> None:
    queue = Queue(range(3))
    assert [queue.next() for _ in range(4)] == [0, 1, 2, None]
    queue.lost([2, 1], "why")
    assert [queue.next() for _ in range(3)] == [1, 2, None]
    queue.lost([1], "why")
    queue.put_back(queue.next() or 0)
    with pytest.raises(DJGraphError, match=r"for want of memory \(why\), and job 1 .* 3 times"):
        queue.lost([1], "why")


def test_a_cluster_that_is_connected_already_may_have_other_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ray", raising=False)
    assert Ray().shares_disk
    assert not Ray("10.0.0.1:6379").shares_disk
    for connected in (True, False):
        ray = SimpleNamespace(is_initialized=lambda connected=connected: connected)
        monkeypatch.setitem(sys.modules, "ray", ray)
        assert Ray().shares_disk is not connected
    assert isinstance(Ray(), Executor)


def test_what_workers_may_be() -> None:
    assert isinstance(executor_of(1), Here)
    assert isinstance(executor_of(8, jobs=1), Here)
    many = executor_of(8, jobs=3)
    assert isinstance(many, Processes)
    assert many.workers == 3
    assert executor_of(many) is many
    for bad in (0, -1, 1.5, "2", True, [2]):
        with pytest.raises(InputError, match="workers"):
            executor_of(bad)  # type: ignore[arg-type]


def test_ray_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(DJGraphError, match=r'pip install "djgraph\[scale\]"'):
        squares(Ray(), examples.square)


@pytest.mark.parametrize("address", ["", "host", "host:", ":1", "http://host:80", "host:99999", "host:x"])
def test_what_is_no_address(address: str) -> None:
    pytest.importorskip("ray")
    with pytest.raises(DJGraphError, match="expected HOST:PORT"):
        Ray(address).check()


def test_nobody_answers() -> None:
    pytest.importorskip("ray")
    with pytest.raises(
        DJGraphError, match=r"no Ray cluster answers at 127\.0\.0\.1:1.*(.|\n)*ray start --head"
    ):
        Ray("127.0.0.1:1").check()


@pytest.mark.slow
@posix
def test_processes(tmp_path: Path) -> None:
    executor = Processes(1)
    done = list(run_jobs(examples.dies, (str(tmp_path), 3, 1), range(12), executor))
    assert sorted(square for square, _, _ in done) == SQUARES
    assert os.getpid() not in {process for _, process, _ in done}
    assert {threads for _, _, threads in done} == {1}
    assert (tmp_path / "died-0").exists()


@pytest.mark.slow
def test_errors_come_back_from_processes() -> None:
    with pytest.raises(InputError, match="this machine lacks it"):
        squares(Processes(1), examples.not_to_be_had)
