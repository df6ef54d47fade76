"""``djgraph transitions``: the recipes that are installed; and what ``render`` needs to play one."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from djgraph.cli.options import Json, load_graph, pairs, value_of
from djgraph.cli.output import print_json, table
from djgraph.errors import InputError, PluginError

if TYPE_CHECKING:
    from djgraph.automation import Recipe, Template

Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="NAME=VALUE", help="Set an argument of the recipe: length=16beats; repeated."
    ),
]


def transitions(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="A recipe, or the file of one; all are listed where left out."),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="Draw what the controls do: svg, png or pdf."),
    ] = None,
    graph: Annotated[
        str, typer.Option("--graph", metavar="GRAPH", help="The graph to draw it for.")
    ] = "dj_mixer",
    seconds: Annotated[
        float, typer.Option("--seconds", metavar="S", help="Length of the clip to draw it for.")
    ] = 32.0,
    tempo: Annotated[
        float | None, typer.Option("--tempo", metavar="BPM", help="Tempo to draw it for.")
    ] = None,
    settings: Set = None,
    as_json: Json = False,
) -> None:
    """List the transition recipes, or describe one: what it does, its arguments, the controls it needs.

    \b
    Examples:
      djgraph transitions
      djgraph transitions bass_swap
      djgraph transitions bass_swap --plot bass_swap.svg --set length=16beats --tempo 128
      djgraph render dj_mixer -i track_a=one -i track_b=two -t bass_swap --set start=8s -o mix.flac
    """
    from djgraph import automation
    from djgraph.guard import claim

    if name is None:
        if plot is not None or settings:
            raise typer.BadParameter("--plot and --set belong to a recipe: djgraph transitions NAME …")
        if as_json:
            print_json([_data(automation.recipe(each)) for each in automation.recipes()])
            return
        typer.echo(table(("recipe", "what it is"), list(automation.recipes().items())))
        return
    claim(plot)
    recipe = automation.recipe(name)
    if plot is not None:
        from djgraph.automation.plot import plot_automation

        auto = automation.load(name, **settings_of(settings))
        plot_automation(auto, load_graph(graph, None), plot, seconds, tempo)
        typer.echo(f"{plot}")
    elif as_json:
        print_json(_data(recipe))
    else:
        typer.echo(_page(recipe, name))


def settings_of(texts: list[str] | None) -> dict[str, Any]:
    """``--set`` values: JSON, or else text."""
    return {key: value_of(text) for key, text in pairs("--set", texts).items()}


def find_recipe(name: str, option: str = "--transition") -> Template:
    """A recipe by name, or an automation file by path; a usage error, of ``option``, for a name that is none."""
    from djgraph import automation
    from djgraph.automation.recipes import is_file
    from djgraph.plugins import registry

    if not is_file(name):
        try:
            registry().recipe(name)
        except PluginError as error:
            raise typer.BadParameter(str(error), param_hint=option) from None
    return automation.template(name)


def cue_settings(cue_in: float | None, cue_out: float | None, seconds: float) -> dict[str, Any]:
    """``start`` and ``length`` of a recipe for cue points in seconds; nothing where neither is given.

    seconds: the length of the audio; infinity for any values that will do, while it is not known.
    """
    if cue_in is None and cue_out is None:
        return {}
    first, last = cue_in or 0.0, seconds if cue_out is None else cue_out
    if seconds == math.inf:  # not known yet
        return {"start": 0.0, "length": 0.0}
    if not 0 <= first < last <= seconds:
        raise InputError(
            f"--cue-in {first:g} s and --cue-out {last:g} s do not fit: "
            f"0 <= cue-in < cue-out <= {seconds:g} s, the length of the audio"
        )
    return {"start": first, "length": last - first}


def track_settings(tracks: str | None) -> dict[str, Any]:
    """``a`` and ``b`` of a recipe for ``--tracks A,B``."""
    if tracks is None:
        return {}
    names = [name.strip() for name in tracks.split(",")]
    if len(names) != 2 or len(set(names)) != 2 or not all(names):
        raise InputError(f"--tracks takes two tracks, as in A,B, and not {tracks!r}")
    return dict(zip(("a", "b"), names))


def _data(recipe: Recipe) -> dict[str, Any]:
    return {
        "name": recipe.name,
        "title": recipe.title,
        "description": recipe.description,
        "arguments": [
            {"name": a.name, "default": a.default, "description": a.description} for a in recipe.arguments
        ],
        "controls": list(recipe.controls),
        "path": str(recipe.path),
    }


def _page(recipe: Recipe, given: str) -> str:
    lines = [f"{recipe.name}: {recipe.title}" if recipe.title else recipe.name]
    if recipe.description:
        import textwrap

        lines += ["", *textwrap.wrap(recipe.description, 96)]
    if recipe.arguments:
        rows = [
            (a.name, "required" if a.default is None else str(a.default), a.description)
            for a in recipe.arguments
        ]
        lines += ["", table(("argument", "default", "description"), rows)]
    if recipe.controls:
        lines += ["", "moves", *(f"  {control}" for control in recipe.controls)]
    lines += ["", f"djgraph render GRAPH -i … -t {given} -o mix.flac"]
    return "\n".join(lines)
