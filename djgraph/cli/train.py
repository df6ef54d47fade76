"""``djgraph train``: trains a model of transitions as a configuration file says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from djgraph.cli.options import pairs, value_of
from djgraph.cli.progress import Steps

INTERRUPTED = 130


def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="What to train: a YAML file.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run that is there.")] = False,
    remap: Annotated[
        bool, typer.Option("--remap", help="Carry a checkpoint of another layout over, by control names.")
    ] = False,
    other_sound: Annotated[
        bool, typer.Option("--other-sound", help="Take a checkpoint of a mixer that sounds otherwise.")
    ] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A key of the file, with another value; repeated."),
    ] = None,
) -> None:
    """Train a model that plays transitions, hold it against others, write a checkpoint and a report.

    The file names a corpus (djgraph dataset make) and a folder for the run. Stopped by Ctrl-C or by force, the same
    command with --resume goes on, with the same result. Several processes share the work under torchrun.

    \b
        djgraph train training.yaml
        djgraph train training.yaml --resume
        torchrun --nproc-per-node 2 -m djgraph train training.yaml
    """
    from djgraph.training import load_training, processes
    from djgraph.training.session import Start
    from djgraph.training.session import train as run

    changes = {key.replace("-", "_"): value_of(text) for key, text in pairs("--set", settings).items()}
    model = load_training(config, **changes)
    try:
        stopped = run(model, Start(resume, remap, other_sound), Steps(), typer.echo) is None
        writes = processes.rank() == 0
    finally:
        processes.end()
    if stopped and writes:
        raise typer.Exit(INTERRUPTED)
