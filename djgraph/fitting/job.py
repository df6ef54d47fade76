"""Un-mixing: the controls that make a graph's mix of given stems sound like a given recording."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from djgraph.arguments import shown
from djgraph.compiler.causal import Lowering
from djgraph.errors import InputError, did_you_mean
from djgraph.fitting.guess import guess
from djgraph.fitting.listen import remarks
from djgraph.fitting.prepare import check_options, prepare
from djgraph.fitting.priors import Priors
from djgraph.fitting.problem import FitProblem, Loss, listen
from djgraph.fitting.progress import Callback, Log, Progress, Stopped
from djgraph.fitting.report import result_of
from djgraph.fitting.result import FitResult
from djgraph.fitting.settle import settle
from djgraph.fitting.through import descend
from djgraph.graph.ir import Graph, InputNode
from djgraph.mixer import Mixer, compile_graph
from djgraph.runtime.mixing import check_clock
from djgraph.speakers import word

__all__ = ["Progress", "fit"]


@torch.inference_mode(False)  # it descends along gradients, wherever it is called
def fit(
    graph: Mixer | Graph | str | Mapping[str, Any],
    inputs: Mapping[str, Any],
    target: Tensor,
    *,
    target_rate: int | None = None,
    output: str | None = None,
    frames: int | None = None,
    loss: Loss | None = None,
    steps: int = 20,
    tolerance: float = 5e-3,
    priors: Priors | None = None,
    delay: float | None = None,
    level: float | None = None,
    tempo: float | None = None,
    lowering: Lowering | None = None,
    callback: Callback | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: str | os.PathLike[str] | None = None,
    truth: Tensor | None = None,
) -> FitResult:
    """Recovers a mixer's controls over time from the stems that went in and a recording of what came out.

    graph: a compiled mixer, a graph, or what :func:`djgraph.load` takes. inputs: as for the mixer, one clip, each
    ``[channels, samples]``. target: ``[channels, samples]`` of any length.
    target_rate: its sample rate in Hz (default: the graph's). output: which output it is (default: the main one).
    frames: control frames over the clip (default: 20 a second).
    loss: how far a mix ``[1, channels, samples]`` is from the target of the same shape, differentiable; the default
    is :class:`djgraph.fitting.MixLoss`. The first guess is by least squares either way.
    steps: at most so many steps through the mixer; 0 leaves the guess. tolerance: a step that gains less than this
    share of the loss is the last. priors: what is preferred where the sound does not decide.
    delay: seconds by which the target lags the stems; level: its gain (ratio). Both are found where left out.
    tempo: BPM, for graphs with effects that follow a clock.
    lowering: how a graph is compiled (:func:`djgraph.compile`): ``causal`` for what was recorded from a live mixer;
    default ``studio``, or that of a compiled mixer, from which it may not differ.
    callback: called with a :class:`Progress` after each step; if it returns True the fit stops there. Ctrl-C does the
    same: what was best so far is returned, with ``report["interrupted"]``. Before the first step there is nothing to
    return, and Ctrl-C is a KeyboardInterrupt as elsewhere.
    checkpoint: a file that says after each step where the fit stands. resume: such a file, of a fit of the same sounds,
    to go on from.
    truth: known params ``[frames, controls]``, for the report's errors.

    A target of inverted polarity, or with left and right exchanged, is turned round first; the report says so.

    A mix that stays far from the target makes ``report["warnings"]``, which say why.

    Raises CompileError for a lowering that the graph does not have, and InputError where the graph has no controls,
    the target is silent, far shorter than the stems or no mix of them, where ``resume`` belongs to another layout or
    to other sounds, and for numbers out of range.
    """
    if isinstance(graph, Mixer):
        mixer = graph
        if lowering not in (None, mixer.lowering):
            raise InputError(
                f"lowering is {lowering!r}, but the mixer is compiled with {mixer.lowering!r}; leave lowering out, or "
                "give the graph instead of a mixer"
            )
    else:
        mixer = compile_graph(graph, lowering=lowering or "studio")
    chosen = output or next(iter(mixer.outputs))
    if chosen not in mixer.outputs:
        raise InputError(f"the mixer has no output {chosen!r}{did_you_mean(chosen, mixer.outputs)}")
    check_options(frames, steps, tolerance, delay, level)
    if not len(mixer.layout):
        raise InputError(
            f"the graph {mixer.graph.name!r} has no controls, so there is nothing to fit; give its effects "
            "controls that are free, or play it with djgraph render"
        )
    if not isinstance(inputs, Mapping):
        raise InputError(f"inputs: expected a mapping of names to audio, got {shown(inputs)}")
    if truth is not None:
        if not isinstance(truth, Tensor):
            raise InputError(f"truth: expected params [frames, controls], got {shown(truth)}")
        truth = truth.clone() if truth.is_inference() else truth
        if truth.ndim != 2 or truth.shape[-1] != len(mixer.layout):
            expected = f"params [frames, {len(mixer.layout)}]"
            raise InputError(f"truth: expected {expected}, got shape {list(truth.shape)}")
        mixer.layout.check(truth)
    check_clock(mixer.compiled, tempo)
    channels = mixer.graph.channels(mixer.outputs[chosen])
    _check_narrow(mixer, chosen, channels)
    began = time.perf_counter()
    problem = FitProblem.of(mixer, chosen, loss, priors or Priors(), tempo)
    with torch.no_grad():
        material = prepare(mixer.graph, inputs, target, target_rate, channels)
        listened = listen(problem, material, delay, level, resume)
        remarks(
            listened.heard, material, mixer.graph.sample_rate
        )  # what is no mix of these is told before the work
        log, interrupted = Log(problem, listened, steps, callback, checkpoint, began), False
        try:
            standing = guess(problem, listened, frames, log)
            listened, standing = settle(problem, listened, standing, log)
            standing = descend(problem, listened, standing, steps, tolerance, log)
        except (KeyboardInterrupt, Stopped):
            if log.best is None:  # nothing was found that a result could hold
                raise
            standing, interrupted = log.best, True
        return result_of(problem, listened, standing, log, interrupted, truth)


def _check_narrow(mixer: Mixer, output: str, channels: int) -> None:
    """InputError where more than left and right would have to be compared."""
    wide = [node for node in mixer.graph.nodes if isinstance(node, InputNode) and node.channels > 2]
    what = f"the output {output!r} is {word(channels)}" if channels > 2 else ""
    if wide:
        what = what or f"the input {wide[0].input!r} is {word(wide[0].channels)}"
    if what:
        raise InputError(f"{what}, and mixes are compared in mono or stereo: fit one of a stereo graph")
