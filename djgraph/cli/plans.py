"""Options of the commands about plans: how to compile, and the clip to cost it for."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from djgraph.errors import CompileError, did_you_mean

if TYPE_CHECKING:
    import torch

    from djgraph.graph.ir import Graph
    from djgraph.mixer import Mixer


class Precision(StrEnum):
    """Floating point formats that a mixer runs in."""

    float32 = "float32"
    float64 = "float64"

    @property
    def dtype(self) -> torch.dtype:
        import torch

        return torch.float32 if self is Precision.float32 else torch.float64


class LoweringName(StrEnum):
    """How spectral effects are computed; :data:`djgraph.compiler.causal.Lowering`."""

    studio = "studio"
    causal = "causal"


LoweringOption = Annotated[
    LoweringName,
    typer.Option("--lowering", help="studio: zero phase, by transforms; causal: recursions, for live use."),
]
NoOptimize = Annotated[bool, typer.Option("--no-optimize", help="Run no pass: one operation for each node.")]
Without = Annotated[
    list[str] | None,
    typer.Option("--without", metavar="PASS", help="Leave out a pass; may be repeated."),
]
StreamPlan = Annotated[
    bool, typer.Option("--stream", help="The plan that a stream runs, with latencies and no costs.")
]
Batch = Annotated[int, typer.Option("--batch", min=1, help="How many clips at a time.")]
Frames = Annotated[int, typer.Option("--frames", min=1, help="Control frames of a clip.")]
Dtype = Annotated[Precision, typer.Option("--dtype", help="Floating point format.")]


def compile_without(
    graph: Graph,
    no_optimize: bool,
    without: list[str] | None,
    lowering: LoweringName = LoweringName.studio,
) -> Mixer:
    """A mixer compiled with all passes but some. Raises CompileError for a pass that there is not."""
    import djgraph
    from djgraph.compiler.pipeline import PASS_NAMES

    for name in without or ():
        if name not in PASS_NAMES:
            raise CompileError(f"there is no pass {name!r}{did_you_mean(name, PASS_NAMES)}")
    chosen = [] if no_optimize else [name for name in PASS_NAMES if name not in (without or ())]
    return djgraph.compile(graph, optimize=chosen, lowering=lowering.value)
