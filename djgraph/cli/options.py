"""Arguments that several commands share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from djgraph.cli.streams import answers, is_unicode, keep_for_answer
from djgraph.text import json_printable

if TYPE_CHECKING:
    from djgraph.graph.ir import Graph

GraphName = Annotated[
    str,
    typer.Argument(metavar="GRAPH", help="A name from djgraph graphs, or a YAML or JSON file."),
]
Args = Annotated[
    list[str] | None,
    typer.Option("--arg", metavar="NAME=VALUE", help="Set an argument of the graph; may be repeated."),
]


def _json(wanted: bool) -> bool:
    if wanted:
        keep_for_answer()
    return wanted


Json = Annotated[bool, typer.Option("--json", callback=_json, help="Print JSON.")]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write to a file rather than the screen.")
]


def load_graph(name: str, args: list[str] | None) -> Graph:
    """The graph of that name or path, with ``--arg`` values; a value is JSON, or else text."""
    import djgraph

    return djgraph.load(name, **given(args))


def given(args: list[str] | None) -> dict[str, Any]:
    """The values of ``--arg``."""
    return {key: value_of(text) for key, text in pairs("--arg", args).items()}


def pairs(option: str, texts: list[str] | None, what: str = "VALUE") -> dict[str, str]:
    """``NAME=VALUE`` texts as a mapping; a usage error for other texts and for a name given twice.

    ``what`` is the word for the value in the message.
    """
    values: dict[str, str] = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise typer.BadParameter(f"{option} takes NAME={what}, not {text!r}")
        if name in values:
            raise typer.BadParameter(f"{option} gives {name!r} twice")
        values[name] = value
    return values


def emit(text: str, out: Path | None, kind: str = "text") -> None:
    """Print, or write to a file that appears only when complete.

    kind: ``json`` and ``svg`` stay what they are on a screen with few characters, and with what a screen would obey.
    """
    if out is None:
        if kind == "json":
            text = json_printable(text if is_unicode(answers()) else json.dumps(json.loads(text), indent=2))
        elif kind == "svg" and not is_unicode(answers()):
            text = text.encode("ascii", "xmlcharrefreplace").decode("ascii")
        typer.echo(text.removesuffix("\n"), file=answers())
        return
    from djgraph.atomic import write_text

    write_text(out, text if text.endswith("\n") else f"{text}\n")


def value_of(text: str) -> Any:
    """The value that a text on the command line stands for: JSON, or else the text."""
    try:
        return json.loads(text)
    except ValueError:
        return text
