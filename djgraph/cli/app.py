"""The typer application: its commands, and the options that stand before them."""

from __future__ import annotations

from typing import Annotated

import typer

from djgraph.cli import demo, graphs, plugins, render
from djgraph.cli.errors import Group

app = typer.Typer(
    name="djgraph",
    cls=Group,
    help="Differentiable DJ mixers from graph files: render, inspect, check.",
    epilog="Start with: djgraph demo. A command's options and examples: djgraph COMMAND --help",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

app.command("render")(render.render)
app.command("demo")(demo.demo)
app.command("validate")(graphs.validate)
app.command("layout")(graphs.layout)
app.command("explain")(graphs.explain)
app.command("graphs")(graphs.graphs)
app.command("schema")(graphs.schema)
app.command("effects")(plugins.effects)
app.command("plugins")(plugins.plugins)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(f"djgraph {version('djgraph')}")
        except PackageNotFoundError:
            typer.echo("djgraph, not installed (run `pip install -e .` in its folder)")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", envvar="DJGRAPH_DEBUG", help="Show the traceback of an error.")
    ] = False,
) -> None:
    """Differentiable DJ mixers from graph files: render, inspect, check."""
