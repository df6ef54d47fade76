"""Child processes that take signals: one that a shell starts in the background, or ``nohup``, inherits that they are
ignored."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

_KINDS = [getattr(signal, name) for name in ("SIGINT", "SIGHUP", "SIGTERM") if hasattr(signal, name)]


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Children that are started inside take Ctrl-C, SIGHUP and SIGTERM, whatever this process inherited.

    A handler of this process becomes the system's own default in a child, and only what is ignored stays ignored.
    """
    ignored = [kind for kind in _KINDS if signal.getsignal(kind) is signal.SIG_IGN]
    for kind in ignored:
        signal.signal(kind, signal.default_int_handler)
    try:
        yield
    finally:
        for kind in ignored:
            signal.signal(kind, signal.SIG_IGN)
