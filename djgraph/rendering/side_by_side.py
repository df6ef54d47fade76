"""Reading, mixing and writing at one time: while a block is mixed, the next is read and the one before written."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Block = TypeVar("Block")


@contextlib.contextmanager
def ahead(read: Callable[[], Block]) -> Iterator[Callable[[], Block]]:
    """``read`` in a thread of its own, one block ahead. What is yielded gives the next block, and raises what
    reading it raised. Nothing else may read meanwhile."""
    pool = ThreadPoolExecutor(1, "reading")
    try:
        following: list[Future[Block]] = [pool.submit(read)]

        def take() -> Block:
            block = following[0].result()
            following[0] = pool.submit(read)
            return block

        yield take
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class Behind(Generic[Block]):
    """``write`` in a thread of its own, one block behind. A context manager: at its normal end all is written."""

    def __init__(self, write: Callable[[Block], object]) -> None:
        self._write = write
        self._pool = ThreadPoolExecutor(1, "writing")
        self._last: Future[object] | None = None

    def __call__(self, block: Block) -> None:
        """Hand on a block that nobody changes any more. Raises what writing the one before raised."""
        self.wait()
        self._last = self._pool.submit(self._write, block)

    def wait(self) -> None:
        """Until all is written."""
        if self._last is not None:
            last, self._last = self._last, None
            last.result()

    def __enter__(self) -> Behind[Block]:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.wait()
        finally:
            self._pool.shutdown(wait=True, cancel_futures=True)


@contextlib.contextmanager
def one_core_left() -> Iterator[None]:
    """PyTorch on one thread fewer, where it has several: files take about as long as mixing does, and threads of which
    there are more than cores wait for each other."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, threads - 1))
    try:
        yield
    finally:
        torch.set_num_threads(threads)
