"""Where a command's many jobs are done: ``--workers``, ``--ray``."""

from __future__ import annotations

import re
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from djgraph.cli.errors import warn
from djgraph.cli.sync import SyncCommand, filled

if TYPE_CHECKING:
    from djgraph.jobs import Executor

_context: ContextVar[Any] = ContextVar("the command under way")

EMBEDDED = "local"
"""What ``--ray`` alone means."""
_ADDRESS = re.compile(r"auto|local|ray://.*|[^/\s]+:\d+|\d+(\.\d+){3}")

Workers = Annotated[
    int | None, typer.Option("--workers", "-j", min=1, help="Processes.  [default: as many as cores]")
]
OnRay = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="[HOST:PORT|auto]",
        help="On a Ray cluster; alone, on Ray's own start on this machine.",
    ),
]


class JobsCommand(SyncCommand):
    """A command whose option ``--ray`` may have an address behind it, and needs none."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the address there."""
        parsed: list[str] = super().parse_args(
            ctx, filled(args, "--ray", EMBEDDED, lambda word: bool(_ADDRESS.fullmatch(word)))
        )
        return parsed

    def invoke(self, ctx: Any) -> Any:
        """Run it, known to :func:`command_line`."""
        token = _context.set(ctx)
        try:
            return super().invoke(ctx)
        finally:
            _context.reset(token)


@dataclass(frozen=True)
class CommandLine:
    """values: of the command's options, by name. words: those that were given, as on a command line, by option."""

    values: dict[str, Any]
    words: dict[str, list[str]]


def command_line() -> CommandLine:
    """What the command under way was called with."""
    context = _context.get()
    words: dict[str, list[str]] = {}
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name)
        if source is None or source.name != "COMMANDLINE":
            continue
        value = context.params[parameter.name]
        if parameter.param_type_name == "argument":
            words[parameter.name] = [str(value)]
        elif isinstance(value, bool):
            words[parameter.name] = [parameter.opts[0]] if value else []
        else:
            many = value if isinstance(value, list | tuple) else [value]
            words[parameter.name] = [
                word for one in many for word in (parameter.opts[0], str(getattr(one, "value", one)))
            ]
    return CommandLine(dict(context.params), words)


def executor(workers: int | None, ray: str | None) -> int | Executor | None:
    """What functions that take ``workers`` take for these options."""
    if ray is None:
        return workers
    from djgraph.jobs import Ray

    told: set[str] = set()

    def tell(words: str) -> None:
        if words.startswith(("a worker", "waiting")) and words not in told:
            told.add(words)
            warn(words)

    chosen = Ray(ray, workers, told=tell)
    chosen.check()  # before the work
    return chosen
