"""``djgraph profile``: what a plan takes when it runs, beside what it was estimated to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from djgraph.cli.options import Args, GraphName, Json, load_graph
from djgraph.cli.output import print_json
from djgraph.cli.plans import (
    Batch,
    Dtype,
    Frames,
    LoweringName,
    LoweringOption,
    NoOptimize,
    Precision,
    Without,
    compile_without,
)
from djgraph.cli.progress import Steps


def profile(
    graph: GraphName,
    seconds: Annotated[float, typer.Option("--seconds", metavar="S", help="Length of the clip.")] = 30.0,
    batch: Batch = 1,
    frames: Frames = 64,
    dtype: Dtype = Precision.float32,
    backward: Annotated[
        bool, typer.Option("--backward/--no-backward", help="Also the gradients of params and weights.")
    ] = True,
    repeats: Annotated[int, typer.Option("--repeats", min=1, help="Runs to take the median of.")] = 3,
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="Threads to compute with.  [default: PyTorch's]")
    ] = None,
    no_optimize: NoOptimize = False,
    without: Without = None,
    lowering: LoweringOption = LoweringName.studio,
    trace: Annotated[
        Path | None,
        typer.Option("--trace", metavar="FILE", help="Write a trace for chrome://tracing or Perfetto."),
    ] = None,
    as_json: Json = False,
    args: Args = None,
) -> None:
    """Run a graph's plan on noise; print each operation's time and memory beside the estimate.

    \b
    Examples:
      djgraph profile dj_mixer
      djgraph profile my_mixer.yaml --seconds 10 --batch 4 --no-backward
      djgraph profile dj_mixer --trace trace.json
    """
    import torch

    from djgraph.atomic import check_target, write_text
    from djgraph.guard import claim

    if trace is not None:  # before the work, not after it
        check_target(trace)
        claim(trace)
    if threads is not None:
        torch.set_num_threads(threads)
    with Steps() as steps:
        steps.begin("compiling")
        mixer = compile_without(load_graph(graph, args), no_optimize, without, lowering)
        steps.begin("running")
        profiled = mixer.profile(
            seconds, batch=batch, frames=frames, dtype=dtype.dtype, backward=backward, repeats=repeats
        )
    if trace is not None:
        write_text(trace, json.dumps(profiled.chrome_trace(), ensure_ascii=False) + "\n")
    if as_json:
        print_json(profiled.to_dict())
    else:
        typer.echo(str(profiled))
