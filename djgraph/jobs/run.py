"""The one way to have many jobs done: an executor says where."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from typing import Any, Protocol, runtime_checkable

from djgraph.arguments import whole
from djgraph.jobs.here import Here
from djgraph.jobs.processes import Processes
from djgraph.jobs.task import Maker

Made = Generator[Any]
"""What jobs return, as they are done."""


@runtime_checkable
class Executor(Protocol):
    """Where jobs are done."""

    @property
    def shares_memory(self) -> bool:
        """In the caller's process."""
        ...

    @property
    def shares_disk(self) -> bool:
        """On the caller's machine."""
        ...

    def run(self, make: Maker, arguments: tuple[Any, ...], numbers: Iterable[int]) -> Made:
        """See :func:`run_jobs`."""
        ...


def run_jobs(
    make: Maker, arguments: tuple[Any, ...], numbers: Iterable[int], executor: Executor | int
) -> Made:
    """The results of ``make(*arguments)(number)`` for every number, as they come.

    executor: where; a number is so many processes on this machine, 1 this very process. Every worker calls ``make``
    once and computes on one thread. A job whose worker is lost (killed, out of memory, its machine gone) is handed to
    another, three times at most: so jobs have to do the same again when they are done twice. Closing the iterator, or
    an exception such as KeyboardInterrupt while it waits, lets the jobs in hand end and starts no others.

    Raises DJGraphError where no worker can be had, or one job loses its worker each time, and what a job raises.
    """
    return executor_of(executor).run(make, arguments, numbers)


def executor_of(workers: Executor | int | None, jobs: int | None = None) -> Executor:
    """An executor for what a caller gives for ``workers``: so many processes (None: one for each core), no more than
    there are jobs; an executor is taken as it is. InputError for a number that is none."""
    if isinstance(workers, Executor):
        return workers
    count = cores() if workers is None else whole(workers, "workers", 1)
    if jobs is not None:
        count = min(count, jobs)
    return Here() if count <= 1 else Processes(count)


def cores() -> int:
    """The processor's cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
