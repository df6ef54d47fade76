"""The typer application: its commands, and the options that stand before them."""

from __future__ import annotations

from typing import Annotated

import typer

from djgraph.cli import (
    analyse,
    certify,
    check,
    dataset,
    demo,
    export,
    find,
    fit,
    graphs,
    live,
    new,
    plugins,
    profile,
    render,
    reports,
    sets,
    studio,
    train,
    transitions,
    unpack,
)
from djgraph.cli.errors import Group
from djgraph.cli.jobs import JobsCommand
from djgraph.cli.sync import StudioCommand, SyncCommand

app = typer.Typer(
    name="djgraph",
    cls=Group,
    help="Differentiable DJ mixers from graph files: render, inspect, check.",
    epilog="Start with: djgraph demo. Options and examples: djgraph COMMAND --help",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

app.command("report", cls=SyncCommand, short_help="Say what goes wrong in the transitions of a mix.")(
    reports.report
)
app.command("render", cls=JobsCommand, short_help="Mix stems through a graph to a file.")(render.render)
app.command("demo", short_help="Mix two tracks that djgraph makes itself.")(demo.demo)
app.command("transitions", short_help="List the transition recipes, or describe one.")(
    transitions.transitions
)
app.command("analyse", short_help="Find tempo, beats, key, loudness and phrases of tracks.")(analyse.analyse)
app.command("unpack", short_help="Take stem files (.stem.mp4) apart into folders of stems.")(unpack.unpack)
app.command("find", short_help="Find where tracks lie in a recording of a mix.")(find.find)
app.command("fit", cls=JobsCommand, short_help="Recover the controls from stems and a mix.")(fit.fit)
app.command("train", short_help="Train a model that plays transitions.")(train.train)
app.command("export", cls=SyncCommand, short_help="Write a graph as a web page that plays it.")(export.export)
app.command("studio", cls=StudioCommand, short_help="Open a graph on a page: see it, play it, record it.")(
    studio.studio
)
app.command("live", cls=SyncCommand, short_help="Play a graph on a sound card, with MIDI and OSC.")(live.live)
app.command("validate", short_help="Check graph files.")(graphs.validate)
app.command("layout", short_help="Print a graph's parameter layout.")(graphs.layout)
app.command("explain", short_help="Print the plan that a graph compiles to.")(graphs.explain)
app.command("profile", short_help="Measure what each operation of a plan takes.")(profile.profile)
app.command("certify", short_help="Measure causal twins against a graph's spectral effects.")(certify.certify)
app.command("draw", short_help="Draw a graph as SVG, PNG or HTML.")(graphs.draw)
app.command("graphs", short_help="List the graphs that ship.")(graphs.graphs)
app.command("schema", short_help="Print the JSON Schema of graph files.")(graphs.schema)
app.command("effects", short_help="List the effects, or describe one.")(plugins.effects)
app.command("check", short_help="Hold an effect to its contract.")(check.check)
app.command("plugins", short_help="List the plugins, loaded and failed.")(plugins.plugins)

app.add_typer(dataset.app)
app.add_typer(new.app)
app.add_typer(sets.app)


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
