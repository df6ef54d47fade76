"""``--batch``: a command for everything in a folder, each a job; gone on with, in processes or on Ray."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from djgraph.cli.jobs import command_line, executor
from djgraph.cli.output import count, print_json
from djgraph.cli.progress import Steps

if TYPE_CHECKING:
    from djgraph.cli.batch_items import Item

Batch = Annotated[
    str | None,
    typer.Option(
        "--batch",
        metavar="FOLDER",
        help="Do it for everything in FOLDER, or behind a URL; -o is the folder, or the URL, of the results.",
    ),
]
_OWN = ("batch", "out", "workers", "ray", "as_json")
_SHOWN = 20
MANIFEST = "batch.json"


def run_batch(
    function: Callable[..., None],
    kind: str,
    find: Callable[[Path], list[Item]],
    suffix: str,
    single: Collection[str],
) -> None:
    """Run the command under way for all that ``find`` finds, and exit with 1 where something went wrong.

    function: the command. suffix: of the results. single: its options that name one file, and make no sense for many.
    """
    line = command_line()
    given = line.values
    for name in single:
        if name in line.words:
            raise typer.BadParameter(f"--{name.replace('_', '-')} is for one, not for --batch")
    if "out" not in line.words:
        raise typer.BadParameter("--batch needs -o, a folder or a URL for the results")
    from djgraph.cli.batch_items import behind, folder_of
    from djgraph.cli.batch_jobs import Commands, Order, Outcome, done_before
    from djgraph.errors import InputError
    from djgraph.jobs import executor_of, run_jobs
    from djgraph.storage import announced, is_url, lies_in, local_path, open_storage, shown_url

    where, source = place_of(given["out"]), given["batch"]
    chosen = executor_of(executor(given["workers"], given["ray"]))
    if not is_url(where):
        where = os.path.abspath(where)
    with folder_of(source) as (folder, sketch):
        path = local_path(where, InputError) if is_url(where) else Path(where)
        if sketch is None:
            inside = path is not None and Path(os.path.realpath(path)).is_relative_to(
                os.path.realpath(folder)
            )
        else:
            inside = path is None and lies_in(where, source, InputError)
        if inside:
            raise InputError(f"-o {shown_url(where)} lies in the folder that is read; choose another one")
        if sketch is not None:
            open_storage(source, InputError, shared=not chosen.shares_memory)
        items = find(folder)
        if sketch is not None:
            items = [behind(sketch, item) for item in items]
    storage = open_storage(where, InputError, shared=not chosen.shares_memory)
    order = Order(
        function=function,
        kind=kind,
        words=tuple(word for name, words in line.words.items() if name not in _OWN for word in words),
        suffix=suffix,
        items=tuple(items),
        where=where,
        folder=None if chosen.shares_memory else os.getcwd(),
        source=None if sketch is None else source,
    )
    results: dict[int, tuple[str, ...]] = done_before(storage, order)
    kept = len(results)
    todo = [number for number in range(len(items)) if number not in results]
    wrong: dict[str, str] = {}
    if chosen.shares_disk and not given["ray"]:
        chosen = executor_of(given["workers"], len(todo))
    with Steps() as steps:
        steps.begin(f"{kind}: {count(len(items), 'item')}", len(items), kept)
        seen = announced(storage, not chosen.shares_disk)
        try:
            with seen as token, contextlib.closing(run_jobs(Commands, (order, token), todo, chosen)) as jobs:
                outcome: Outcome
                for outcome in jobs if todo else ():
                    if outcome.problem is None:
                        results[outcome.number] = outcome.outputs
                    else:
                        wrong[items[outcome.number].name] = outcome.problem
                    steps.advance()
        finally:
            _write_manifest(storage, kind, items, results, wrong)
    _tell(storage.shown(""), kind, len(items), len(results) - kept, kept, wrong, given["as_json"])
    if wrong:
        raise typer.Exit(1)


def place_of(out: Path) -> str:
    """Where results go: a path, or the URL that was taken for one on the command line, which leaves it one slash."""
    match = re.fullmatch(r"([A-Za-z][A-Za-z0-9+.-]+):/(?!/)(.*)", out.as_posix())
    if match is None:
        return str(out)
    return f"{match[1]}://{'/' if match[1] == 'file' else ''}{match[2]}"


def _write_manifest(
    storage: Any,
    kind: str,
    items: Sequence[Item],
    results: dict[int, tuple[str, ...]],
    wrong: dict[str, str],
) -> None:
    data = {
        "command": kind,
        "done": {items[number].name: list(results[number]) for number in sorted(results)},
        "failed": dict(sorted(wrong.items())),
        "left": [item.name for n, item in enumerate(items) if n not in results and item.name not in wrong],
    }
    storage.write(
        MANIFEST, (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "replace")
    )


def _tell(
    out: str, kind: str, items: int, made: int, kept: int, wrong: dict[str, str], as_json: bool
) -> None:
    if as_json:
        print_json(
            {"path": out, "items": items, "done": made, "kept": kept, "failed": dict(sorted(wrong.items()))}
        )
        return
    typer.echo(f"{out}: {count(items, 'item')}, {made} done now, {kept} before, {len(wrong)} failed")
    from djgraph.text import printable

    for name, problem in sorted(wrong.items())[:_SHOWN]:
        typer.echo(f"error: {printable(name)}: {printable(problem)}", err=True)
    if len(wrong) > _SHOWN:
        typer.echo(f"… and {len(wrong) - _SHOWN} more, in {MANIFEST}", err=True)
