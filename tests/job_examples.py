"""Jobs for tests of executors; by name, so that workers can import them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import torch

from djgraph.errors import InputError

Job = Callable[[int], tuple[int, int, int]]


def square() -> Job:
    """The number squared, the worker's process and how many threads it has."""
    return lambda number: (number * number, os.getpid(), torch.get_num_threads())


def dies(folder: str, number: int, times: int) -> Job:
    """As ``square``; but the worker that has this number in hand is killed, so often."""

    def job(given: int) -> tuple[int, int, int]:
        for i in range(times if given == number else 0):
            try:
                (Path(folder) / f"died-{i}").touch(exist_ok=False)
            except FileExistsError:
                continue
            os.kill(os.getpid(), signal.SIGKILL)
        return square()(given)

    return job


def wrong(number: int) -> Job:
    """As ``square``; but one number is an error."""

    def job(given: int) -> tuple[int, int, int]:
        if given == number:
            raise InputError(f"{given} is wrong")
        return square()(given)

    return job


def not_to_be_had() -> Job:
    """No worker can begin."""
    raise InputError("this machine lacks it")
