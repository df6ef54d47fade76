"""Reading ahead and writing behind: order, errors, and what happens at the end."""

from __future__ import annotations

import threading

import pytest
import torch

from djgraph.errors import AudioFileError
from djgraph.rendering.side_by_side import Behind, ahead, one_core_left


def test_blocks_come_in_order() -> None:
    numbers = iter(range(100))
    written: list[int] = []
    with ahead(lambda: next(numbers, -1)) as read, Behind(written.append) as write:
        while (block := read()) >= 0:
            write(block)
    assert written == list(range(100))


def test_what_is_next_is_read_meanwhile() -> None:
    begun = threading.Event()
    count = 0

    def read() -> int:
        nonlocal count
        count += 1
        if count == 2:
            begun.set()
        return count

    with ahead(read) as take:
        assert take() == 1
        assert begun.wait(10)  # the second, though nobody has asked for it


def test_errors_of_reading() -> None:
    def fails() -> int:
        raise AudioFileError("cut short")

    with ahead(fails) as take, pytest.raises(AudioFileError, match="cut short"):
        take()


def test_errors_of_writing() -> None:
    def fails(block: int) -> None:
        raise AudioFileError("disk full")

    write = Behind(fails)
    write(1)
    with pytest.raises(AudioFileError, match="disk full"):
        write(2)
    with pytest.raises(AudioFileError, match="disk full"), Behind(fails) as last:
        last(1)


def test_an_error_while_mixing_is_the_one_that_is_told() -> None:
    def fails(block: int) -> None:
        raise AudioFileError("disk full")

    def mix() -> None:
        with Behind(fails) as write:
            write(1)
            raise AudioFileError("the mixer")

    with pytest.raises(AudioFileError, match="the mixer"):
        mix()


def test_threads_are_given_back() -> None:
    before = torch.get_num_threads()
    with one_core_left():
        assert torch.get_num_threads() == max(1, before - 1)
    assert torch.get_num_threads() == before
