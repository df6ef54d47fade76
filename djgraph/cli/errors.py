"""What the shell sees when something goes wrong: one message on stderr, an exit code, no traceback."""

from __future__ import annotations

import contextlib
import errno
import os
import warnings
from typing import Any, TextIO

import typer
from typer.core import TyperGroup

from djgraph.cli.streams import answers, nothing_to_print_to, screens
from djgraph.errors import DJGraphError, on_command_line
from djgraph.guard import guarded, written
from djgraph.text import printable

FAILED = 1
INTERRUPTED = 130
BROKEN_PIPE = 141

ANSWER_BY_CODE = ("validate", "dataset")
"""Commands that are asked for their exit code: nothing is lost where they cannot print."""


class Group(TyperGroup):
    """Turns what a command raises into a message and an exit code.

    DJGraphError and OSError give 1, Ctrl-C 130 and a reader that went away (``| head``) 141, as if by signal.
    Anything else is a bug and keeps its traceback. ``--debug`` shows the traceback of all. A command that only prints
    gives 1 where standard output is closed; no command overwrites a file that it has read.
    """

    def main(self, *args: Any, **kwargs: Any) -> Any:
        with screens(), guarded(), on_command_line():
            return super().main(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            try:
                result = super().invoke(ctx)
                answers().flush()  # here, where a full disk or a closed pipe can still be told of
                if nothing_to_print_to() and not written() and ctx.invoked_subcommand not in ANSWER_BY_CODE:
                    raise DJGraphError("standard output is closed, so what this command prints is lost")
                return result
            except KeyboardInterrupt:
                if ctx.params.get("debug"):
                    raise
                typer.echo("interrupted", err=True)
                raise typer.Exit(INTERRUPTED) from None
            except BrokenPipeError:
                _discard_stdout()
                raise typer.Exit(BROKEN_PIPE) from None
            except (EOFError, typer.Abort) as error:  # typer would end these with the one word "Aborted!"
                what = f"something that was read ended too early ({type(error).__name__}: {error})"
                if ctx.params.get("debug"):
                    raise RuntimeError(what) from error
                typer.echo(f"error: {what}; --debug shows where", err=True)
                raise typer.Exit(FAILED) from None
            except (DJGraphError, OSError, MemoryError, RuntimeError) as error:
                if isinstance(error, RuntimeError) and not _out_of_memory(error):
                    raise
                if ctx.params.get("debug"):
                    raise
                typer.echo(f"error: {printable(sentence(error))}", err=True)
                if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                    _discard_stdout()
                raise typer.Exit(FAILED) from None


def sentence(error: BaseException) -> str:
    """An error in a person's words."""
    if isinstance(error, DJGraphError):
        return str(error)
    if isinstance(error, OSError):
        name = os.fsdecode(error.filename) if isinstance(error.filename, bytes) else error.filename
        return f"{name}: {error.strerror}" if name else error.strerror or str(error)
    return f"not enough memory for this; shorter audio needs less ({error or type(error).__name__})"


def warn(text: str) -> None:
    """A warning on stderr."""
    typer.echo(f"warning: {printable(text)}", err=True)


def _out_of_memory(error: RuntimeError) -> bool:
    # torch has a class of its own for this only on GPUs.
    return "allocate memory" in str(error) or "out of memory" in str(error)


def _discard_stdout() -> None:
    """Let Python's own flush at exit go nowhere, rather than fail once more."""
    with contextlib.suppress(OSError):  # a stdout that is no file has no such flush
        os.dup2(os.open(os.devnull, os.O_WRONLY), answers().fileno())


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    warn(str(message))
