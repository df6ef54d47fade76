"""Jobs on processes of this machine, in any order, that end when their parent does."""

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
from djgraph.jobs.task import Job, Maker, Queue
from djgraph.signals import held

_AHEAD = 2  # jobs for each worker that are handed out before they are needed
_PATIENCE = 0.2  # seconds until Ctrl-C is looked for
_PARENTS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGHUP") if hasattr(signal, name))
"""Signals that a terminal sends to all processes in it; for the workers their parent decides."""
_job: Job | None = None
_problem: Exception | None = None


class Processes:
    """So many worker processes, each on one thread. Where one dies, all are started anew and go on with what is left:
    a pool of Python's does not outlive a worker."""

    shares_memory = False
    shares_disk = True

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def run(self, make: Maker, arguments: tuple[Any, ...], numbers: Iterable[int]) -> Generator[Any]:
        """See :func:`djgraph.jobs.run_jobs`."""
        queue = Queue(numbers)
        # Noted and raised where it does no harm: an exception out of the middle of the pool's own code could leave a
        # lock of its held for ever.
        with held() as interrupted:
            while lost := (yield from self._until_one_dies(make, arguments, queue, interrupted)):
                queue.lost(lost, "on this machine")

    def _until_one_dies(
        self, make: Maker, arguments: tuple[Any, ...], queue: Queue, interrupted: Callable[[], None]
    ) -> Generator[Any, None, list[int]]:
        """What was in hand when a worker died; nothing where all is done."""
        pool = self._pool(make, arguments)
        hands: dict[Future[Any], int] = {}
        try:
            while True:
                with _deaf():  # a worker that starts inherits deafness to Ctrl-C: its parent decides
                    while len(hands) < self.workers * _AHEAD and (number := queue.next()) is not None:
                        try:
                            hands[pool.submit(_do, number)] = number
                        except BrokenProcessPool:
                            queue.put_back(number)
                            break
                if not hands:
                    return []
                done, _ = wait(hands, timeout=_PATIENCE, return_when=FIRST_COMPLETED)
                interrupted()  # what ends this process ends its workers, too
                for future in done:
                    if not isinstance(future.exception(), BrokenProcessPool):
                        del hands[future]
                        yield future.result()
                if any(
                    isinstance(future.exception(), BrokenProcessPool) for future in hands if future.done()
                ):
                    for future in wait(hands).done:
                        if future.exception() is None:  # done just before
                            del hands[future]
                            yield future.result()
                    return list(hands.values())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _pool(self, make: Maker, arguments: tuple[Any, ...]) -> ProcessPoolExecutor:
        # spawn: a fork of a process whose torch has threads may hang.
        context = multiprocessing.get_context("spawn")
        try:
            return ProcessPoolExecutor(
                self.workers, mp_context=context, initializer=_begin, initargs=(make, arguments)
            )
        except OSError as problem:  # a pool's locks lie in shared memory
            raise DJGraphError(
                f"worker processes cannot be started: {problem.strerror or problem}. They need a little shared memory:"
                " /dev/shm is full or may not be written to; free some, or work without them (workers=1, -j 1)"
            ) from problem


def _begin(make: Maker, arguments: tuple[Any, ...]) -> None:
    global _job, _problem
    for kind in _PARENTS:
        signal.signal(kind, signal.SIG_IGN)
    sys.stdout = sys.stderr  # what effects print: the parent's standard output may be read as JSON
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        _job = make(*arguments)
    except DJGraphError as problem:  # told by the first job: here it would be the death of all workers
        _problem = problem


def _end_with_parent() -> None:
    # A killed parent tells nobody, and its workers would wait for ever for their next job.
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)


def _do(number: int) -> Any:
    if _problem is not None:
        raise _problem
    assert _job is not None
    return _job(number)


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
