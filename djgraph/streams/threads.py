"""One thread for short blocks.

PyTorch splits an operation on 32768 numbers among its threads, which then wait for each other. That costs as much as it
saves, and where the machine has other work, a wait lasts until the other thread gets its turn: several blocks.
``torch.set_num_threads`` would change the whole process; OpenMP and MKL themselves keep the number by thread.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import torch

MKL = "MKL_Set_Num_Threads_Local"
"""Takes the number of this thread's threads, 0 for the default, and returns the one before."""
FEW = 1 << 14
"""Samples of all signals that come in with a block that is worked on by one thread."""


@contextmanager
def calling_thread_only() -> Iterator[None]:
    """Within, operations that this thread calls run on this thread alone; others keep theirs.

    Where PyTorch was built with another library for its threads nothing changes.
    """
    threads = (
        torch.get_num_threads()
    )  # which also sets OpenMP's number, when a thread asks for the first time
    library = _library()
    if threads == 1 or library is None:
        yield
        return
    set_mkl = getattr(library, MKL, None)
    library.omp_set_num_threads(1)
    mkl = set_mkl(1) if set_mkl else 0
    try:
        yield
    finally:
        library.omp_set_num_threads(threads)
        if set_mkl:
            set_mkl(mkl)


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL | None:
    """PyTorch's library for the CPU, through which that of its threads is found."""
    folder = Path(torch.__file__).parent / "lib"
    for file in sorted(folder.glob("libtorch_cpu.*")):
        try:
            library = ctypes.CDLL(str(file))
            library.omp_set_num_threads.argtypes = (ctypes.c_int,)
        except (OSError, AttributeError):
            continue
        if hasattr(library, MKL):
            getattr(library, MKL).argtypes = (ctypes.c_int,)
        return library
    return None
