"""Jobs one after the other, in this very process."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any

from djgraph.jobs.task import Maker, as_in_a_worker


class Here:
    """One worker: the caller's own process, on one thread."""

    shares_memory = True
    shares_disk = True

    def run(self, make: Maker, arguments: tuple[Any, ...], numbers: Iterable[int]) -> Generator[Any]:
        """Results in the order of the numbers."""
        with as_in_a_worker():
            job = make(*arguments)
        for number in numbers:
            with as_in_a_worker():
                result = job(number)
            yield result
