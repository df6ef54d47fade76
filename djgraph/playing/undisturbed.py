"""Python's own work, kept out of the way of the thread that makes sound."""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Iterator

SWITCH = 0.0005
"""Seconds after which a thread of Python's lets another one run while there is sound, in place of 5 ms."""


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """While there is sound: the garbage collector leaves alone what is there already, which is nearly all, so that a
    full collection, 150 ms with PyTorch and a mixer in memory, takes no time to speak of; and other threads hold
    Python's lock for half a millisecond, not five."""
    before = sys.getswitchinterval()
    leave_alone()
    sys.setswitchinterval(SWITCH)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
        gc.unfreeze()


def leave_alone(collect: bool = True) -> None:
    """Within :func:`undisturbed`: what is there by now is left alone as well. collect: what can be given up is given up
    first, which takes as long as it did before."""
    if collect:
        gc.collect()
    gc.freeze()
