"""What a plugin's exception says, whatever it is: it may lie, be endless, or fail itself when asked."""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Iterator

from djgraph.errors import Terminated
from djgraph.plugins.records import Origin, PluginFailure
from djgraph.text import clip, one_line, printable

_MESSAGE = 1_000
_TRACEBACK = 20_000


@contextlib.contextmanager
def apart() -> Iterator[None]:
    """A plugin's code runs inside: what it prints goes to standard error, so that ours (JSON) stays whole."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


def is_ours(error: BaseException) -> bool:
    """Whether somebody else than the plugin raised it: the user with Ctrl-C, or the system that ends the program."""
    return isinstance(error, KeyboardInterrupt | Terminated)


def failure(origin: Origin, error: BaseException) -> PluginFailure:
    """The record of a plugin that raised ``error``."""
    try:
        text = "".join(traceback.format_exception(error))
    except BaseException as problem:
        if is_ours(problem):
            raise
        text = said(error)
    return PluginFailure(
        origin.plugin, origin.distribution, origin.version, said(error), printable(clip(text, _TRACEBACK))
    )


def said(error: BaseException) -> str:
    """The exception's type and message on one line, of bounded length."""
    name = type(error).__name__
    try:
        text = str(error)
    except BaseException as problem:
        if is_ours(problem):
            raise
        return f"{name}, whose message cannot be told: {type(problem).__name__}"
    text = one_line(clip(" ".join(clip(text, 10 * _MESSAGE).split()), _MESSAGE))
    return f"{name}: {text}" if text else name
