"""Commands about graph files: validate, layout, explain, draw, graphs, schema."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from djgraph.cli.options import Args, GraphName, Json, Out, emit, given, load_graph
from djgraph.cli.output import count, print_json, table
from djgraph.cli.plans import (
    Batch,
    Dtype,
    Frames,
    LoweringName,
    LoweringOption,
    NoOptimize,
    Precision,
    StreamPlan,
    Without,
    compile_without,
)
from djgraph.cli.streams import keep_for_answer
from djgraph.errors import DJGraphError, InputError
from djgraph.speakers import word


class Format(StrEnum):
    """How ``layout`` prints."""

    table = "table"
    json = "json"
    markdown = "markdown"
    csv = "csv"


def validate(
    files: Annotated[
        list[str], typer.Argument(metavar="GRAPH...", help="Files, or names of shipped graphs.")
    ],
    args: Args = None,
    strict: Annotated[bool, typer.Option("--strict", help="Take warnings for errors.")] = False,
) -> None:
    """Check graph files; exit with 1 if any is wrong.

    \b
    Examples:
      djgraph validate my_mixer.yaml
      djgraph validate --strict graphs/*.yaml
    """
    from djgraph.cli.errors import warn
    from djgraph.validation import validate as check

    wrong = 0
    for file in files:
        try:
            validated = check(file, strict=strict, **given(args))
        except DJGraphError as error:
            wrong += 1
            typer.echo(f"error: {error}", err=True)
            continue
        for warning in validated.warnings:
            warn(str(warning))
        graph = validated.graph

        channels = {name: graph.channels(point) for name, point in graph.outputs.items()}
        names = [one if many == 2 else f"{one} ({word(many)})" for one, many in channels.items()]
        sizes = f"{count(len(graph.nodes), 'node')}, {count(len(graph.columns), 'control')}"
        outputs = f"{'output' if len(graph.outputs) == 1 else 'outputs'} {', '.join(names)}"
        typer.echo(f"{file}: {graph.name}, {sizes}, {outputs}")
    if wrong:
        typer.echo(f"{wrong} of {count(len(files), 'graph')} wrong", err=True)
        raise typer.Exit(1)


def layout(
    graph: GraphName,
    format: Annotated[Format, typer.Option("--format", "-f", help="How to print it.")] = Format.table,
    out: Out = None,
    args: Args = None,
) -> None:
    """Print a graph's parameter layout: each column's name, range, default, neutral value and unit.

    \b
    Examples:
      djgraph layout dj_mixer
      djgraph layout my_mixer.yaml --format markdown -o layout.md
      djgraph layout dj_mixer --format csv | cut -d, -f2
    """
    from djgraph.graph.idle import idle_columns
    from djgraph.guard import claim
    from djgraph.layout import ParameterLayout

    claim(out)
    if format is not Format.table:
        keep_for_answer()
    loaded = load_graph(graph, args)
    columns = ParameterLayout.from_graph(loaded)
    if format is Format.json:
        text = columns.to_json(indent=2)
    elif format is Format.markdown:
        text = columns.to_markdown()
    elif format is Format.csv:
        text = columns.to_csv()
    else:
        rows = columns.to_rows()
        header = list(rows[0]) if rows else ["index", "name"]
        body = table(header, [list(row.values()) for row in rows])
        text = f"{body}\n\n{count(len(columns), 'control')}, fingerprint {columns.fingerprint}"
        idle = [f"{name} changes nothing: {why}" for name, why in idle_columns(loaded).items()]
        text = "\n".join([text, *([""] if idle else []), *idle])
    emit(text, out, "json" if format is Format.json else "text")


def explain(
    graph: GraphName,
    stage: Annotated[
        str | None,
        typer.Option(
            "--stage",
            metavar="NAME",
            help="graph, flow, layout, lower, or a pass; the plan that runs where left out.",
        ),
    ] = None,
    diff: Annotated[
        bool, typer.Option("--diff", help="What each pass changed, or the one that --stage names.")
    ] = False,
    flow: Annotated[
        bool,
        typer.Option(
            "--flow", help="The signal flow instead: what each strip and bus hears, does and feeds."
        ),
    ] = False,
    unfold: Annotated[
        bool,
        typer.Option(
            "--unfold", help="With --flow: a paragraph for every strip, also where three are equal."
        ),
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", "-v", help="A plan in full: every node, all that it reads, what is freed."),
    ] = False,
    stream: StreamPlan = False,
    no_optimize: NoOptimize = False,
    without: Without = None,
    lowering: LoweringOption = LoweringName.studio,
    seconds: Annotated[
        float, typer.Option("--seconds", metavar="S", help="Length of the clip to estimate the costs for.")
    ] = 10.0,
    batch: Batch = 1,
    frames: Frames = 64,
    dtype: Dtype = Precision.float32,
    as_json: Json = False,
    args: Args = None,
) -> None:
    """Print the plan that a graph compiles to and what each operation is estimated to cost.

    \b
    Examples:
      djgraph explain dj_mixer
      djgraph explain dj_mixer --flow
      djgraph explain dj_mixer --verbose
      djgraph explain dj_mixer --seconds 300 --batch 4
      djgraph explain dj_mixer --stage graph
      djgraph explain dj_mixer --diff --stage fuse
      djgraph explain dj_mixer --stream
      djgraph explain dj_mixer --lowering causal --stream
      djgraph explain dj_mixer --without fuse --json
    """
    if flow:
        if stage is not None or diff or stream:
            raise typer.BadParameter("--flow goes with none of --stage, --diff and --stream")
        stage = "flow"
    if unfold and stage != "flow":
        raise typer.BadParameter("--unfold goes with --flow")
    mixer = compile_without(load_graph(graph, args), no_optimize, without, lowering)
    load: dict[str, Any] = {"seconds": seconds, "batch": batch, "frames": frames, "dtype": dtype.dtype}
    if not as_json:
        typer.echo(mixer.explain(stage, diff=diff, stream=stream, verbose=verbose, unfold=unfold, **load))
        return
    if stage in ("graph", "flow", "layout"):
        explained = mixer.explain_dict("lower", stream=stream, seconds=seconds)
        explained["stages"] = [{"name": stage, "text": mixer.explain(stage, unfold=unfold)}]
    else:
        explained = mixer.explain_dict(stage, stream=stream, **load)
    print_json(explained)


class ThemeName(StrEnum):
    """Colours of a picture; :data:`djgraph.drawing.THEMES`."""

    light = "light"
    dark = "dark"


def draw(
    graph: GraphName,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="Write to a file, .svg, .png or .html, rather than SVG to the screen.",
        ),
    ] = None,
    theme: Annotated[ThemeName, typer.Option("--theme", help="Colours.")] = ThemeName.light,
    unfold: Annotated[
        bool, typer.Option("--unfold", help="A box for every strip, also where three and more are equal.")
    ] = False,
    args: Args = None,
) -> None:
    """Draw a graph: inputs, strips, buses, outputs, how they are wired, and what macros move.

    \b
    Examples:
      djgraph draw dj_mixer -o dj_mixer.svg
      djgraph draw my_mixer.yaml -o my_mixer.html --theme dark
      djgraph draw my_mixer.yaml --unfold > my_mixer.svg
    """
    from djgraph.drawing import to_html, to_png, to_svg
    from djgraph.guard import claim

    claim(out)
    keep_for_answer()
    loaded = load_graph(graph, args)
    suffix = ".svg" if out is None else out.suffix.lower()
    if suffix == ".svg":
        emit(to_svg(loaded, theme=theme.value, unfold=unfold), out, "svg")
    elif suffix == ".html":
        emit(to_html(loaded, theme=theme.value, unfold=unfold), out)
    elif suffix == ".png":
        from djgraph.atomic import atomic_writer

        picture = to_png(loaded, theme=theme.value, unfold=unfold)
        assert out is not None
        with atomic_writer(out) as file:
            file.write(picture)
    else:
        raise InputError(f"{out}: pictures of graphs are written to .svg, .png and .html")


def graphs(as_json: Json = False) -> None:
    """List the graphs that ship with djgraph and with plugins.

    \b
    Examples:
      djgraph graphs
      djgraph graphs --json
    """
    import djgraph

    entries = djgraph.registry().graphs.values()
    if as_json:
        print_json(
            [
                {
                    "name": entry.name,
                    "title": entry.title,
                    "description": entry.description,
                    "path": str(entry.path),
                    "plugin": entry.plugin,
                    "distribution": entry.distribution,
                    "version": entry.version,
                }
                for entry in entries
            ]
        )
        return
    rows = [(entry.name, entry.title or entry.description, entry.distribution) for entry in entries]
    typer.echo(table(("name", "what it is", "from"), rows))


def schema(
    out: Out = None,
    sets: Annotated[bool, typer.Option("--set", help="That of set files instead.")] = False,
) -> None:
    """Print the JSON Schema of the graph language, with every installed effect in it.

    \b
    An editor that speaks YAML completes and checks graph files with it:
      djgraph schema -o djgraph.schema.json
    and, as the first line of a graph file:
      # yaml-language-server: $schema=djgraph.schema.json
    """
    keep_for_answer()
    if sets:
        from djgraph.sets.document import json_schema as of_sets

        found = of_sets()
    else:
        from djgraph.language.schema import json_schema
        from djgraph.plugins import registry

        found = json_schema(registry())
    emit(json.dumps(found, indent=2, ensure_ascii=False), out, "json")
