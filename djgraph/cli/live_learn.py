"""``djgraph live --learn``: controls are asked for one by one, and what moves for each becomes a mapping."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from djgraph.cli.options import load_graph
from djgraph.errors import DJGraphError, InputError

if TYPE_CHECKING:
    from djgraph.studio.project import Origin


def learn_mapping(origin: Origin, path: Path, port: str | None, patterns: list[str]) -> None:
    """Ask for the controls that ``patterns`` name, or all, and write the mapping. Raises InputError for a file that is
    there already, DJGraphError where no port is named and there is not just one."""
    from djgraph.layout import ParameterLayout
    from djgraph.live.learn import Learner, mapping_text, write_mapping
    from djgraph.live.midi import Port, ports

    if path.exists():
        raise InputError(f"{path} exists; --learn writes a new file")
    graph = load_graph(origin.graph, [f"{name}={value}" for name, value in origin.args.items()])
    layout = ParameterLayout.from_graph(graph)
    chosen = [i for p in patterns for i in (layout.select(p) if "*" in p else [layout.index(p)])]
    names = [layout.columns[i].name for i in dict.fromkeys(chosen)] if patterns else list(layout.names)
    if port is None:
        inputs, _ = ports()
        if len(inputs) != 1:
            there = ", ".join(inputs) or "there are none"
            raise DJGraphError(f"choose a MIDI port with --midi-port ({there})")
        port = inputs[0]
    entries: dict[str, Any] = {}
    state: dict[str, Any] = {"learner": Learner(), "found": None}

    def hear(message: Any) -> None:
        state["found"] = state["learner"].hear(message)

    opened = Port(port, hear)
    typer.echo(
        f"Move what shall move each control, encoders both ways. Enter skips one, Ctrl-C ends. ({opened.name})"
    )
    try:
        with contextlib.suppress(KeyboardInterrupt):
            for control in names:
                state.update(learner=Learner(), found=None)
                typer.echo(f"{control}: ", nl=False)
                for _ in _until_enter():
                    if state["found"] is not None:
                        break
                if (found := state["found"]) is None:
                    typer.echo("skipped")
                    continue
                entries[control] = found
                typer.echo(", ".join(f"{key} {value}" for key, value in found.items()))
    finally:
        opened.close()
    typer.echo("")
    if not entries:
        typer.echo("nothing was learnt, nothing is written")
        return
    write_mapping(path, mapping_text(entries, graph.name, opened.name))
    typer.echo(f"wrote {path}: {len(entries)} controls; play with djgraph live --midi {path}")


def _until_enter() -> Iterator[None]:
    """Now and then, until somebody presses Enter."""
    import select

    while True:
        try:
            ready = sys.stdin in select.select([sys.stdin], [], [], 0.05)[0]
        except (OSError, ValueError):  # no terminal, or Windows: Ctrl-C still ends it
            time.sleep(0.05)
            ready = False
        if ready:
            sys.stdin.readline()
            return
        yield
