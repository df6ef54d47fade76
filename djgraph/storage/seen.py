"""Whether other machines see a place as this one does: by a word that lies there while they work."""

from __future__ import annotations

import contextlib
import secrets
import socket
from collections.abc import Iterator

from djgraph.errors import DJGraphError
from djgraph.storage.place import Storage


@contextlib.contextmanager
def announced(storage: Storage, needed: bool) -> Iterator[str | None]:
    """Within, a word lies there for :func:`check_seen`; None, and nothing is written, unless it is needed."""
    if not needed:
        yield None
        return
    word = secrets.token_hex(8)
    storage.write(_name(word), word.encode())
    try:
        yield word
    finally:
        storage.remove(_name(word))


def check_seen(storage: Storage, word: str | None) -> None:
    """The storage's error where this machine sees another place under its name, or none; nothing without a word."""
    if word is None:
        return
    try:
        seen = storage.read(_name(word), 100)
    except DJGraphError:
        seen = b""
    if seen != word.encode():
        raise storage.error(
            f"the machine {socket.gethostname()} does not see {storage.shown('')} as it is where this was started; give"
            " a folder that all machines share, or a URL that all reach"
        )


def _name(word: str) -> str:
    # Hidden, and of no other run: two may work at one place.
    return f".{word}.token.part"
