"""One mix of a whole clip: what a caller hands in is checked, run through a plan, and checked again."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from djgraph.dsp.placed import timeline_of
from djgraph.effects import Clock
from djgraph.errors import InputError, option
from djgraph.region.stacks import Stacks
from djgraph.runtime.clock import make_clock
from djgraph.runtime.compiled import Compiled
from djgraph.runtime.executor import Executor, Run
from djgraph.runtime.inputs import Inputs, input_names, prepare_audio, prepare_params, prepare_positions
from djgraph.runtime.outputs import check_finite, reads_values
from djgraph.runtime.sources import likeness, played, samples_of, silences


def mix(
    executor: Executor,
    inputs: Inputs,
    params: Tensor,
    out_of_range: str = "clamp",
    tempo: float | Tensor | None = None,
    positions: Tensor | Sequence[int] | None = None,
    samples: int | None = None,
) -> dict[str, Tensor]:
    """The plan's outputs, by the names that :meth:`Compiled.points` gives; see :meth:`djgraph.Mixer.forward`."""
    compiled = executor.compiled
    audio, batch, length = prepare_audio(compiled.graph, inputs)
    like = next(iter(audio.values())) if audio else likeness(compiled.graph, inputs, params)
    samples = samples_of(samples, length)
    # Under autocast a plugin's matrix product would lose most of its precision.
    with torch.autocast(like.device.type, enabled=False):
        given = like.dtype
        if given in (torch.float16, torch.bfloat16):
            # Transforms need single precision; the result goes back to what came.
            audio = {name: tensor.float() for name, tensor in audio.items()}
            like = like.float()
        sources = played(compiled.graph, compiled.modules, compiled.bank, inputs, like)
        batch = max([batch, *(source.batch for source in sources)])
        check = reads_values(like.device, out_of_range == "error")
        params = prepare_params(compiled.layout, params, like, batch, out_of_range, check)
        batch = max(batch, params.shape[0])
        placed = prepare_positions(positions, params, check)
        rows = compiled.bank.rows(params.expand(batch, -1, -1))
        timeline = timeline_of(samples, params.shape[1], placed)
        clock = clock_of(compiled, tempo, batch, samples, like, placed)
        for source in sources:
            audio |= executor.play(source, rows, timeline, clock, like)
        audio |= silences(compiled.graph, audio, like, samples)
        run = Run(audio=audio, rows=rows, timeline=timeline, clock=clock, values=Stacks())
        results = executor(run)
        if check:
            outputs = {name: tensor for name, tensor in results.items() if name.startswith("output ")}
            check_finite(outputs, audio, input_names(compiled.graph))
        return {name: tensor.to(given) for name, tensor in results.items()}


def clock_of(
    compiled: Compiled,
    tempo: float | Tensor | None,
    batch: int,
    samples: int,
    like: Tensor,
    positions: Tensor | None = None,
) -> Clock | None:
    """The clip's clock. Raises InputError where effects follow one and there is no tempo."""
    check_clock(compiled, tempo)
    return make_clock(tempo, batch, samples, compiled.graph.sample_rate, like, positions)


def check_clock(compiled: Compiled, tempo: float | Tensor | None) -> None:
    """Raises InputError where effects follow a clock and there is no tempo."""
    if tempo is None and compiled.uses_clock:
        raise InputError(
            f"graph {compiled.graph.name} has effects that follow a clock: give its tempo in BPM, {option('tempo')}"
        )
