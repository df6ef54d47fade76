"""Jobs by number on many processes, in any order, that end when their parent does."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait as wait_for
from typing import Any

import torch

from djgraph.errors import DJGraphError
from djgraph.signals import held

Task = Callable[[int], Any]

_AHEAD = 2  # jobs for each worker that are handed out before they are needed
_PATIENCE = 0.2  # seconds until Ctrl-C is looked for
_PARENTS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGHUP") if hasattr(signal, name))
"""Signals that a terminal sends to all processes in it; for the workers their parent decides."""
_task: Task | None = None


def run_jobs(
    make: Callable[..., Task], arguments: tuple[Any, ...], numbers: Iterable[int], workers: int
) -> Generator[Any]:
    """The results of ``make(*arguments)(number)`` for every number, as they come.

    Every worker process calls ``make`` once and computes on one thread. One worker is this very process.
    Closing the iterator, or an exception such as KeyboardInterrupt while it waits, lets the jobs in hand end
    and starts no others. Raises DJGraphError where a worker dies, and what a job raises.
    """
    if workers <= 1:
        yield from _run_here(make, arguments, numbers)
        return
    # spawn: a fork of a process whose torch has threads may hang.
    context = multiprocessing.get_context("spawn")
    left = iter(numbers)
    try:
        pool = ProcessPoolExecutor(
            workers, mp_context=context, initializer=_begin, initargs=(make, arguments)
        )
    except OSError as problem:  # a pool's locks lie in shared memory
        raise DJGraphError(
            f"worker processes cannot be started: {problem.strerror or problem}. They need a little shared memory:"
            " /dev/shm is full or may not be written to; free some, or work without them (workers=1, -j 1)"
        ) from problem
    # Noted and raised where it does no harm: an exception out of the middle of the pool's own code could leave a lock
    # of its held for ever.
    with held() as interrupted:
        try:
            waiting: set[Future[Any]] = set()
            while True:
                with _deaf():  # a worker that starts inherits deafness to Ctrl-C: its parent decides
                    while len(waiting) < workers * _AHEAD and (number := next(left, None)) is not None:
                        waiting.add(pool.submit(_do, number))
                if not waiting:
                    break
                done, waiting = wait(waiting, timeout=_PATIENCE, return_when=FIRST_COMPLETED)
                interrupted()
                for future in done:
                    yield future.result()
        except BrokenProcessPool as problem:
            interrupted()  # what ended this process ended its workers, too
            raise DJGraphError(
                "a worker process died, perhaps for want of memory; what is finished is kept: go on with fewer "
                "workers"
            ) from problem
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _run_here(
    make: Callable[..., Task], arguments: tuple[Any, ...], numbers: Iterable[int]
) -> Generator[Any, None, None]:
    with _as_in_a_worker():
        job = make(*arguments)
    for number in numbers:
        with _as_in_a_worker():
            result = job(number)
        yield result


@contextlib.contextmanager
def _as_in_a_worker() -> Iterator[None]:
    """What a caller has changed in torch is as in a fresh process: it would change the results.

    Sums over threads round in another order; the default type and device are where tensors are made.
    """
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float32)
    try:
        with torch.device("cpu"):
            yield
    finally:
        torch.set_default_dtype(dtype)
        torch.set_num_threads(threads)


def _begin(make: Callable[..., Task], arguments: tuple[Any, ...]) -> None:
    global _task
    for kind in _PARENTS:
        signal.signal(kind, signal.SIG_IGN)
    sys.stdout = sys.stderr  # what effects print: the parent's standard output may be read as JSON
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _task = make(*arguments)


def _end_with_parent() -> None:
    # A killed parent tells nobody, and its workers would wait for ever for their next job.
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)


def _do(number: int) -> Any:
    assert _task is not None
    return _task(number)


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {kind: signal.signal(kind, signal.SIG_IGN) for kind in _PARENTS}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
