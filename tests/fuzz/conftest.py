"""One child process for all."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from .worker import Worker

if os.name != "posix":
    collect_ignore_glob = ["test_*.py"]  # the limits on memory and the waiting are POSIX


@pytest.fixture(scope="session")
def worker() -> Iterator[Worker]:
    child = Worker()
    yield child
    child.close()
