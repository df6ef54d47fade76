"""What ``djgraph live`` says: the cards and ports there are, how it begins, how it goes, how it ended."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from djgraph.cli.errors import warn
from djgraph.cli.output import finite, print_json, table
from djgraph.errors import DJGraphError

if TYPE_CHECKING:
    from djgraph.live import Engine

SHOWN = 0.25
"""Seconds between two states of the line."""


def list_devices(as_json: bool) -> None:
    """Sound cards and MIDI ports, or why they cannot be known."""
    from djgraph.live.device import devices
    from djgraph.live.midi import ports

    found: dict[str, Any] = {}
    for name, ask in (("cards", devices), ("midi", ports)):
        try:
            found[name] = ask()
        except DJGraphError as error:
            found[name] = str(error)
    if as_json:
        if isinstance(found["midi"], tuple):
            found["midi"] = {"inputs": found["midi"][0], "outputs": found["midi"][1]}
        print_json(found)
        return
    if isinstance(found["cards"], str):
        typer.echo(f"sound cards: {found['cards']}")
    else:
        rows = [
            (
                one["number"],
                one["name"] + (" (default)" if one["default"] else ""),
                one["outputs"],
                one["inputs"],
            )
            for one in found["cards"]
        ]
        typer.echo(table(("number", "sound card", "outputs", "inputs"), rows))
    midi = found["midi"]
    typer.echo("MIDI: " + (midi if isinstance(midi, str) else ", ".join(midi[0]) or "no ports"))


def told_begin(told: dict[str, Any], as_json: bool) -> None:
    """Say what plays, and how late it is heard. told: what the JSON line has."""
    if as_json:
        typer.echo(json.dumps(finite({"live": told})))
        return
    latency = told["latency"]
    whole = latency["card"] + latency["ahead"]
    typer.echo(f"{told['graph']} on {told['card']}: {told['rate']} Hz, blocks of {told['block']}")
    typer.echo(
        f"latency {1000 * whole:.1f} ms: card {1000 * latency['card']:.1f}, blocks ahead "
        f"{1000 * latency['ahead']:.1f}; stream {1000 * latency['stream']:.1f} more for what comes from the card"
    )
    for name in ("midi", "osc", "page"):
        for one in told[name] if isinstance(told.get(name), list) else [told[name]] if name in told else []:
            typer.echo(f"{name}: {one}")


def watch(engine: Engine, recorder: Any, seconds: float | None, as_json: bool) -> None:
    """Show how it goes until somebody ends it, or it ends."""
    from djgraph.live.status import Status, line

    status, began, last = Status(engine), time.monotonic(), 0.0
    screen = getattr(sys.stderr, "raw", sys.stderr) if sys.stderr.isatty() and not as_json else None
    width, failed = 0, False
    with contextlib.suppress(KeyboardInterrupt):
        while engine.error is None and (seconds is None or time.monotonic() - began < seconds):
            time.sleep(
                SHOWN if seconds is None else min(SHOWN, max(0.01, began + seconds - time.monotonic()))
            )
            if recorder is not None and recorder.error is not None and not failed:
                failed = True  # the sound goes on; the error is the command's when it ends
                warn(f"recording has ended: {recorder.error}")
            if screen is not None:
                text = line(status.numbers())
                screen.write("\r" + text.ljust(width))
                screen.flush()
                width = len(text)
            elif as_json and time.monotonic() - last >= 1:
                last = time.monotonic()
                typer.echo(json.dumps(finite({"state": status.numbers()})))
    if screen is not None:
        screen.write("\n")


def told_end(engine: Engine, recorder: Any, controls: Path | None, as_json: bool) -> None:
    """Say how long it was, what was late, and what was written. controls: where the automation is."""
    written = [str(path) for path in recorder.written] if recorder is not None else []
    made = engine.made * engine.card.block / engine.card.rate
    if as_json:
        summary = {"seconds": made, "late": engine.late, "faults": engine.card.faults, "record": written}
        typer.echo(
            json.dumps(finite({"end": {**summary, "controls": None if controls is None else str(controls)}}))
        )
        return
    missed = f", the card missed {engine.card.faults}" if engine.card.faults else ""
    typer.echo(f"{made:.1f} s, {engine.late} late blocks{missed}")
    for path in [*written, *([str(controls)] if controls is not None else [])]:
        typer.echo(f"wrote {path}")
