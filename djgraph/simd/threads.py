"""Compiled work on several threads."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")

SMALL = 1 << 15
"""Numbers that one thread has worked through before a second one has begun."""

_pool: tuple[int, ThreadPoolExecutor] | None = None


def over_rows(work: Callable[[slice], None], rows: int, numbers: int) -> None:
    """``work`` on slices of ``rows`` rows, one for each thread; numbers: how many there are in all rows."""
    threads = 1 if numbers < SMALL else min(torch.get_num_threads(), rows)
    if threads < 2:
        work(slice(0, rows))
        return
    edges = [rows * part // threads for part in range(threads + 1)]
    in_threads(work, [slice(low, high) for low, high in pairwise(edges)])


def in_threads(work: Callable[[T], R], jobs: Sequence[T]) -> list[R]:
    """``work`` on every job, on as many threads as PyTorch uses, this one among them.

    Compiled code runs without Python's lock.
    """
    global _pool
    threads = min(torch.get_num_threads(), len(jobs))
    if threads < 2:
        return [work(job) for job in jobs]
    if _pool is None or _pool[0] != os.getpid():  # a forked process has none of its parent's threads
        _pool = (os.getpid(), ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="djgraph-simd"))
    waiting = iter(enumerate(jobs))
    results: dict[int, R] = {}

    def drain() -> None:
        for number, job in waiting:
            results[number] = work(job)

    others = [_pool[1].submit(drain) for _ in range(threads - 1)]
    try:
        drain()
    finally:
        for other in others:
            other.result()
    return [results[number] for number in range(len(jobs))]
