"""Inputs that a command is given by URL: files of this machine for as long as it runs."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from djgraph.errors import DJGraphError, InputError

_URL = re.compile(r"([^=]+)=(.+)", re.DOTALL)


@contextlib.contextmanager
def fetched_inputs(texts: Sequence[str], fetch: bool = True) -> Iterator[list[str]]:
    """``NAME=PATH`` words as they are, and ``NAME=URL`` words with the path of what is fetched from there. Errors that
    are raised within name the URL. InputError for what cannot be fetched, and for all that would be without ``fetch``.
    """
    from djgraph.storage import UrlPath, is_url, local_path, put_about_there, put_there

    with contextlib.ExitStack() as stack:
        words: list[str] = []
        places: dict[str, str] = {}
        for text in texts:
            match = _URL.fullmatch(text)
            if match is None or not is_url(match[2]):
                words.append(text)
                continue
            place = UrlPath(match[2])
            path = local_path(match[2], InputError)
            if path is None and not fetch:
                raise InputError(
                    f"{match[1]}={place}: this command, or what it writes, comes back to its inputs later, so they"
                    " have to be files of this machine"
                )
            if path is None:
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="djgraph-"))
                path = Path(folder).resolve() / place.name
                put_there(place, path, InputError)
                places[str(path)] = str(place)
                if path.is_file() and (about := put_about_there(place, path, InputError)) is not None:
                    places[str(path.with_suffix(".json"))] = str(about)
            words.append(f"{match[1]}={path}")
        with told_as(places):
            yield words


@contextlib.contextmanager
def told_as(places: dict[str, str]) -> Iterator[None]:
    """Errors that are raised within name places by what stands behind them here."""
    try:
        yield
    except DJGraphError as problem:
        text = str(problem)
        for path, place in places.items():
            text = text.replace(path, place)
        if text == str(problem):
            raise
        raise type(problem)(text) from problem


def names_url(texts: Sequence[str]) -> bool:
    """Whether one of some ``NAME=PATH`` words may have a URL for its path: :func:`fetched_inputs` knows."""
    return any("://" in text or "::" in text for text in texts)
