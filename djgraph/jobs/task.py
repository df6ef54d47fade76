"""What a job is, and how often one whose worker is lost is tried again."""

from __future__ import annotations

import contextlib
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch

from djgraph.errors import DJGraphError

Job = Callable[[int], Any]
"""Does what has that number, and returns what is to be known of it."""
Maker = Callable[..., Job]
"""Called once in every worker: holds what its jobs share, such as a compiled mixer. To be pickled by name."""

TRIES = 3
"""Times that a job may lose its worker before it is given up: a job that kills its workers would go on for ever."""


class Queue:
    """Numbers that are to be done, each until it has a result."""

    def __init__(self, numbers: Iterable[int]) -> None:
        self._left = iter(numbers)
        self._again: deque[int] = deque()
        self._lost: Counter[int] = Counter()

    def next(self) -> int | None:
        """One more to hand out; None where there is none."""
        return self._again.popleft() if self._again else next(self._left, None)

    def put_back(self, number: int) -> None:
        """It was not begun."""
        self._again.append(number)

    def lost(self, numbers: Iterable[int], why: str) -> None:
        """Whoever had these in hand is gone: they are handed out again. DJGraphError, with ``why``, for one that was
        lost too often."""
        for number in sorted(numbers):
            self._lost[number] += 1
            if self._lost[number] >= TRIES:
                raise DJGraphError(
                    f"a worker process died, perhaps for want of memory ({why}), and job {number} was in hand each of"
                    f" {TRIES} times; what is finished is kept: go on with fewer workers"
                )
            self._again.append(number)


@contextlib.contextmanager
def as_in_a_worker() -> Iterator[None]:
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
