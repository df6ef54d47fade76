"""One command for one item of a batch, in a worker: its results go where the batch's go, whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import socket
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import typer

from djgraph.cli.batch_items import AT, Item
from djgraph.cli.errors import INTERRUPTED, sentence
from djgraph.cli.fetched import told_as
from djgraph.cli.sync import SyncCommand
from djgraph.data.stored import PathInside
from djgraph.errors import DJGraphError, InputError
from djgraph.guard import guarded
from djgraph.reading import Stored, parse_json
from djgraph.storage import Storage, UrlPath, check_seen, is_url, open_storage, put_there, shown_url, versions
from djgraph.version import __version__

DONE = "done"
"""The folder of what is known of items that are done."""
_LIMIT = 1 << 20
_SAID = 4000
"""Characters kept of what a command says."""


class Done(Stored):
    """What stands in ``done/NAME.json``, written last. key: of all that the results depend on."""

    key: str
    outputs: dict[PathInside, int]
    said: str


@dataclass(frozen=True)
class Outcome:
    """What became of an item: its results' names, or what went wrong."""

    number: int
    outputs: tuple[str, ...] = ()
    problem: str | None = None


@dataclass(frozen=True)
class Order:
    """What all items of a batch share.

    function: the command. words: of it, those that stand for all. kind: ``render`` or ``fit``. suffix: of the result.
    where, folder: the place of the results, and the folder that relative paths begin at. source: the URL that the items
    are fetched from, where they are no files of this machine.
    """

    function: Callable[..., None]
    kind: str
    words: tuple[str, ...]
    suffix: str
    items: tuple[Item, ...]
    where: str
    folder: str | None
    source: str | None = None


class Commands:
    """Runs the command for items by their numbers. token: what a machine looks for at the place of the results
    (:func:`djgraph.storage.check_seen`)."""

    def __init__(self, order: Order, token: str | None = None) -> None:
        self.order = order
        self.storage = open_storage(order.where)
        check_seen(self.storage, token)
        if order.folder is not None:
            try:
                os.chdir(order.folder)
            except OSError as problem:
                raise DJGraphError(
                    f"the machine {socket.gethostname()} does not see {order.folder}: {problem.strerror}; start this"
                    " from a folder that all machines share"
                ) from problem
        app = typer.Typer(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)
        app.command(cls=SyncCommand)(order.function)
        self.command = typer.main.get_command(app)

    def __call__(self, number: int) -> Outcome:
        """One item; what goes wrong with it is its outcome."""
        item = self.order.items[number]
        with (
            tempfile.TemporaryDirectory(prefix="djgraph-") as scratch,
            tempfile.TemporaryDirectory(prefix="djgraph-") as copies,
        ):
            said = io.StringIO()
            began = time.perf_counter()
            try:
                key = key_of(self.order, item)  # of the files as they are read, not as they are afterwards
                words = self._words(item, Path(scratch), self._fetch(item, Path(copies).resolve()))
                with (
                    contextlib.redirect_stdout(said),
                    contextlib.redirect_stderr(said),
                    guarded(),
                    told_as(self._names(copies)),
                ):
                    code = self.command.main(words, self.order.kind, standalone_mode=False)
            except (KeyboardInterrupt, SystemExit):
                raise
            except typer.BadParameter as problem:
                return Outcome(number, problem=problem.format_message())
            except (DJGraphError, OSError, MemoryError) as problem:
                return Outcome(number, problem=sentence(problem))
            except Exception as problem:  # a bug, which is not to stop the others
                return Outcome(number, problem=f"{type(problem).__name__}: {problem}")
            if code == INTERRUPTED:
                raise KeyboardInterrupt
            if code:
                return Outcome(number, problem=said.getvalue().strip()[-_SAID:] or f"exit code {code}")
            try:
                return Outcome(
                    number,
                    self._store(item, key, Path(scratch), said.getvalue().replace(f"{scratch}/", ""), began),
                )
            except (DJGraphError, OSError) as problem:
                return Outcome(number, problem=sentence(problem))

    def _fetch(self, item: Item, copies: Path) -> list[str]:
        """An item's words, with its files where they are."""
        if self.order.source is None:
            return list(item.words)
        for file in item.files:
            put_there(UrlPath(self.order.source, file), copies / file, InputError)
        return [word.replace(AT, str(copies)) for word in item.words]

    def _names(self, copies: str) -> dict[str, str]:
        source = self.order.source
        return {} if source is None else {str(Path(copies).resolve()): shown_url(source).rstrip("/")}

    def _words(self, item: Item, scratch: Path, own: Sequence[str]) -> list[str]:
        out = scratch / f"{Path(item.name).name}{self.order.suffix}"
        more = ["--report", str(out.with_suffix(".report.json"))] if self.order.kind == "fit" else []
        return [*self.order.words, *own, "--out", str(out), *more]

    def _store(self, item: Item, key: str, scratch: Path, said: str, began: float) -> tuple[str, ...]:
        folder = item.name.rpartition("/")[0]
        files = sorted(file for file in scratch.iterdir() if not file.name.startswith("."))
        sizes = {f"{folder}/{file.name}" if folder else file.name: file.stat().st_size for file in files}
        # What is known of it goes first and comes last: what is stopped in between is not done.
        self.storage.remove(done_name(item))
        for name, file in zip(sizes, files):
            self.storage.put(name, file)
        done = {
            "key": key,
            "outputs": sizes,
            "said": said[-_SAID:],
            "seconds": round(time.perf_counter() - began, 3),
        }
        self.storage.write(
            done_name(item), (json.dumps(done, ensure_ascii=False) + "\n").encode("utf-8", "replace")
        )
        return tuple(sizes)


def done_name(item: Item) -> str:
    """Of the file that says that an item is done."""
    return f"{DONE}/{quote(item.name, safe='')}.json"


def key_of(order: Order, item: Item) -> str:
    """A hash of what an item's results depend on: the command, its files' names, sizes and times, djgraph's version."""
    digest = hashlib.sha256(
        repr((__version__, order.kind, order.words, item.words)).encode("utf-8", "surrogateescape")
    )
    own = item.files if order.source is None else ()
    for file in [*own, *_named_files(order.words)]:
        for path in _below(file):
            about = os.stat(path)
            digest.update(repr((path, about.st_size, about.st_mtime_ns)).encode("utf-8", "surrogateescape"))
    away = [UrlPath(order.source, file) for file in item.files] if order.source is not None else []
    for place in [*away, *(UrlPath(url) for url in _named_urls(order.words))]:
        digest.update(repr(versions(place, InputError)).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def done_before(storage: Storage, order: Order) -> dict[int, tuple[str, ...]]:
    """Number → results of the items that are done, from the same as now."""
    there = storage.sizes(DONE)
    sizes: dict[str, dict[str, int]] = {}
    found = {}
    for number, item in enumerate(order.items):
        name = done_name(item)
        if name.rpartition("/")[2] not in there:
            continue
        try:
            text = storage.read(name, _LIMIT).decode("utf-8", "replace")
            done = parse_json(text, storage.shown(name), DJGraphError).read_as(Done)
            key = key_of(order, item)
        except (DJGraphError, OSError):
            continue  # it is done again
        whole = done.key == key
        for output, size in done.outputs.items():
            folder, _, file = output.rpartition("/")
            if folder not in sizes:
                sizes[folder] = storage.sizes(folder)
            whole = whole and sizes[folder].get(file) == size
        if whole:
            found[number] = tuple(done.outputs)
    return found


def _named_files(words: Sequence[str]) -> list[str]:
    """Those of the words, or behind their ``=``, that are files or folders."""
    paths = [word.partition("=")[2] or word for word in words]
    return [path for path in paths if os.path.exists(path)]


def _named_urls(words: Sequence[str]) -> list[str]:
    return [path for word in words if "=" in word and is_url(path := word.partition("=")[2])]


def _below(path: str) -> list[str]:
    if not os.path.isdir(path):
        return [path]
    return sorted(os.path.join(place, name) for place, _, names in os.walk(path) for name in names)
