"""``djgraph new``: a plugin's distribution, or a graph, to grow from."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from djgraph.cli.options import Json
from djgraph.cli.output import print_json

app = typer.Typer(
    name="new",
    help="Start a plugin or a graph of your own.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

Into = Annotated[Path, typer.Option("--into", metavar="FOLDER", help="The folder to make it in.")]


class KindName(StrEnum):
    """The kinds of effects, as :data:`djgraph.scaffold.KINDS` has them; here, since help must load nothing."""

    memoryless = "memoryless"
    amplitude = "amplitude"
    matrix = "matrix"
    recursive = "recursive"
    delay = "delay"
    spectral = "spectral"
    ratio = "ratio"
    generator = "generator"
    source = "source"
    ports = "ports"
    clock = "clock"


@app.command("plugin", short_help="Write a plugin with an effect, its tests and a graph.")
def plugin(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="Lower-case words parted by _ or -: the plugin's and the effect's."
        ),
    ],
    kind: Annotated[KindName, typer.Option("--kind", "-k", help="What kind of effect it begins with.")],
    into: Into = Path("."),
    as_json: Json = False,
) -> None:
    """Write a plugin: a Python distribution with an effect that works, to be changed into yours.

    The folder NAME has a pyproject.toml with the entry point, the effect, the same sound computed another way by
    NumPy, tests (the comparison of both, the conformance kit, gradients), a graph with the effect in it, and a README.
    Nothing that exists is overwritten.

    \b
    Kinds:
      memoryless  each sample by itself: a soft clipper
      amplitude   all channels times one number: a monitor level with dim
      matrix      channels mixed without memory: turns and widens the stereo picture
      recursive   a filter with moving controls: a bell of an equaliser
      delay       a delay line with feedback: a slapback echo whose time may move
      spectral    a gain for each frame and frequency: a bell without phase
      ratio       such a gain as a sum of curves over another, with its causal twin: a shelf
      generator   no input: a sine
      source      plays material: a record, forwards and backwards
      ports       several inputs and outputs: ducks one signal under another
      clock       musical time: breathes with the beat

    \b
    Examples:
      djgraph new plugin acme_bell --kind recursive
      djgraph new plugin acme-pump --kind clock --into ~/effects
    """
    from djgraph.scaffold import new_plugin

    paths = new_plugin(name, kind.value, into)
    folder = into / name
    if as_json:
        print_json({"folder": str(folder), "files": [str(path) for path in paths]})
        return
    for path in paths:
        typer.echo(path)
    effect = name.replace("-", "_")
    typer.echo(
        f"\nnow: cd {folder}\n     pip install -e '.[test]'\n     djgraph check {effect}\n     pytest\n"
        "and change src/…/effect.py into yours; README.md says how"
    )


@app.command("graph", short_help="Write a small mixer to grow.")
def graph(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Lower-case words parted by _ or -: the mixer's.")
    ],
    decks: Annotated[
        int, typer.Option("--decks", metavar="N", min=1, max=32, help="How many tracks come in.")
    ] = 2,
    stems: Annotated[
        str,
        typer.Option(
            "--stems", metavar="NAMES", help="What each track is made of, parted by commas; else one signal."
        ),
    ] = "",
    into: Into = Path("."),
    as_json: Json = False,
) -> None:
    """Write a mixer to NAME.yaml, to be grown.

    It has comments, decks with EQ, filter and fader, a crossfader, a reverb to send to, a limiter, and a cue.
    Nothing that exists is overwritten.

    \b
    Examples:
      djgraph new graph my_mixer
      djgraph new graph my_mixer --decks 4
      djgraph new graph stem_mixer --stems drums,bass,vocals,other --into graphs
    """
    from djgraph.scaffold import new_graph

    path = new_graph(name, decks, [stem.strip() for stem in stems.split(",")] if stems else [], into)
    if as_json:
        print_json({"file": str(path)})
        return
    typer.echo(f"{path}\n\nnow: djgraph validate {path}\n     djgraph layout {path}")
