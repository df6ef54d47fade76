"""Functions that torch.compile leaves alone."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import torch

P = ParamSpec("P")
R = TypeVar("R")


def opaque(function: Callable[P, R]) -> Callable[P, R]:
    """Run ``function`` as it stands inside a program that torch.compile traces.

    For functions that are already as few calls as they can be: tracing would unroll their loops over blocks, one
    by one, and could not follow what they do with NumPy and with caches.

    This is ``torch.compiler.disable``, which is only imported once something is compiled: it takes seconds.
    """

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if torch.compiler.is_compiling():
            return torch.compiler.disable(function)(*args, **kwargs)
        return function(*args, **kwargs)

    return call
