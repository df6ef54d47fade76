"""Random numbers that depend on a key alone: not on the worker, the order, or the version of a library."""

from __future__ import annotations

import operator

import numpy as np

from djgraph.arguments import is_whole, shown
from djgraph.errors import InputError


def random_state(*key: int) -> np.random.RandomState:
    """A generator for a key such as ``(seed, epoch, index)``; whole numbers from 0.

    RandomState, whose stream NumPy has frozen for good, unlike a Generator's. Keys that differ anywhere give
    unrelated streams. Raises InputError for a key with other numbers in it.
    """
    if not all(is_whole(part) and part >= 0 for part in key):
        raise InputError(f"seeds are whole numbers from 0, not {', '.join(map(shown, key))}")
    key = tuple(map(operator.index, key))
    # The length is part of the key: SeedSequence takes [1] and [1, 0] for the same.
    return np.random.RandomState(np.random.SeedSequence([len(key), *key]).generate_state(8))
