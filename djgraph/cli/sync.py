"""Tracks of other tempos at one mix's beats: what ``render --sync`` reads in place of plain inputs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand

from djgraph.arguments import FASTEST, SLOWEST
from djgraph.cli.fetched import fetched_inputs, names_url
from djgraph.errors import InputError
from djgraph.rendering.synced import SYNCS, Tempo

if TYPE_CHECKING:
    from djgraph.rendering.synced import SyncedBlocks

_TIME = re.compile(r"\s*([0-9]*\.?[0-9]+)\s*(beats?|bars?)\s*\Z")


class SyncCommand(TyperCommand):
    """A command whose option ``--sync`` may have a value behind it, and needs none, and whose inputs may be URLs."""

    fetches = True

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the value there."""
        parsed: list[str] = super().parse_args(ctx, filled(args, "--sync", SYNCS[0], SYNCS.__contains__))
        return parsed

    def invoke(self, ctx: Any) -> Any:
        """Run it, on what is fetched where an input is named by a URL; of a batch each of its jobs does that."""
        inputs = ctx.params.get("input") or ()
        if ctx.params.get("batch") is not None or not names_url(inputs):
            return super().invoke(ctx)
        with fetched_inputs(inputs, self.fetches and not _refers(ctx.params)) as words:
            ctx.params["input"] = words
            return super().invoke(ctx)


class StudioCommand(SyncCommand):
    """A command that keeps where its inputs are, and comes back to them: they have to be files of this machine."""

    fetches = False


def _refers(given: Mapping[str, Any]) -> bool:
    """Whether what is written refers to the inputs' files where they are: a project for a DAW, unless it has them in
    itself."""
    embedded = bool(given.get("embed"))
    return given.get("reaper") is not None or (given.get("dawproject") is not None and not embedded)


def filled(args: list[str], option: str, value: str, takes: Callable[[str], bool]) -> list[str]:
    """The words of a command, with ``value`` behind an option that no word follows that it takes."""
    ends = args.index("--") if "--" in args else len(args)
    words: list[str] = []
    for i, word in enumerate(args):
        words.append(word)
        if word == option and i < ends and not (i + 1 < len(args) and takes(args[i + 1])):
            words.append(value)
    return words


def tempo_of(text: str) -> Tempo:
    """``128``, or ``124:130`` as two; a usage error for anything else, InputError for tempos that cannot be."""
    words = text.split(":")
    try:
        tempos = [float(word) for word in words]
    except ValueError:
        tempos = []
    if not 1 <= len(tempos) <= 2:
        raise typer.BadParameter(
            f"{text!r} is no tempo; expected BPM, such as 128, or two for a transition between them, 124:130",
            param_hint="--tempo",
        )
    for tempo in tempos:
        if not SLOWEST <= tempo <= FASTEST:
            raise InputError(f"--tempo is {text}; expected {SLOWEST:g} to {FASTEST:,.0f} BPM")
    return tempos[0] if len(tempos) == 1 else (tempos[0], tempos[1])


def beats_of(text: str, option: str, meter: int = 4) -> float:
    """``64beats`` or ``16bars`` as beats; a usage error for anything else."""
    match = _TIME.match(text)
    if match is None:
        raise typer.BadParameter(
            f"{text!r} is no place in beats; expected such as 64beats or 16bars", param_hint=option
        )
    return float(match[1]) * (meter if match[2].startswith("bar") else 1)


def settings_in_beats(
    source: SyncedBlocks, arguments: Mapping[str, Any], chosen: Mapping[str, Any]
) -> dict[str, Any]:
    """``start`` and ``length`` of a recipe, as far as it has them and they are not set: the transition's."""
    out: dict[str, Any] = {}
    if "start" in arguments and "start" not in chosen:
        out["start"] = f"{source.start:g}beats"
    if "length" in arguments and "length" not in chosen and arguments["length"] not in (0, "0s"):
        out["length"] = f"{source.length:g}beats"
    return out
