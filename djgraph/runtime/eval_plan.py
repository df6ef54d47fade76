"""Runs any plan, at any stage, one operation at a time on whole clips: what operations mean, without their speed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor
from torch.nn.functional import pad

from djgraph.compiler.plan import (
    Add,
    Analyse,
    Delay,
    Load,
    Loop,
    Mask,
    Op,
    Plan,
    Process,
    Region,
    Silence,
    Synthesise,
)
from djgraph.controls.bank import ControlBank
from djgraph.controls.reader import ControlReader, read_frames
from djgraph.dsp import stft
from djgraph.dsp.curve import Timeline
from djgraph.effects import Clock, Effect
from djgraph.graph.ir import EffectNode
from djgraph.host.build import process_clip
from djgraph.host.calls import EffectCall


@dataclass(frozen=True)
class EvalClip:
    """A clip, and who works on it.

    modules: by node id. audio: by input node, ``[batch, channels, samples]``. rows: of the bank,
    ``[rows, batch, frames]``, which lie along the clip as ``timeline`` says. clock: for effects that follow one.
    """

    modules: Mapping[str, Effect]
    audio: Mapping[str, Tensor]
    bank: ControlBank
    rows: Tensor
    timeline: Timeline
    clock: Clock | None = None


def eval_plan(plan: Plan, clip: EvalClip) -> dict[str, Tensor]:
    """The outputs by name, ``[batch, channels, samples]``.

    A clip that is whole has no latency, so the delays of stream plans hand on what they read. Raises KeyError where
    a plan reads what it has not written, or has freed.
    """
    values: dict[str, Tensor] = {}
    for index, op in enumerate(plan.ops):
        values |= _run(op, values, plan, clip)
        for name in plan.frees[index] if plan.frees else ():
            del values[name]
    return {name: values[value] for name, value in plan.outputs.items()}


def _run(op: Op, values: Mapping[str, Tensor], plan: Plan, clip: EvalClip) -> dict[str, Tensor]:
    """What an operation writes, of what has been written before."""
    batch, samples = clip.rows.shape[1], clip.timeline.samples
    size, hop = plan.graph.transform.size, plan.graph.transform.hop
    match op:
        case Load():
            return {op.out: clip.audio[op.node].expand(batch, -1, -1)}
        case Silence():
            return {op.out: clip.rows.new_zeros(batch, plan.channels[op.out], samples)}
        case Add():
            return {op.out: torch.stack([values[name] for name in op.sources]).sum(0)}
        case Delay():
            return {op.out: values[op.source]}
        case Mask():
            return {op.out: values[op.source] * _gain(op.node, plan, clip, values[op.source])}
        case Analyse():
            return {op.out: stft.analyse(values[op.source], size, hop)}
        case Synthesise():
            return {op.out: stft.synthesise(values[op.source], size, hop, samples)}
        case Process():
            read = [[values[name] for name in ins] for ins in op.ins]
            written = [_processed(node, signals, plan, clip) for node, signals in zip(op.nodes, read)]
            return dict(zip(chain(*op.outs), chain(*written)))
        case Loop():
            return _looped(op, values, plan, clip)
        case Region():
            inside: dict[str, Tensor] = {}
            for inlet in op.inlets:
                signals = [values[inlet.source]]
                for node in inlet.nodes:
                    signals = _processed(node, signals, plan, clip)
                inside[inlet.out] = stft.analyse(signals[0], size, hop)
            for step in (*op.body, *op.results):
                inside |= _run(step, inside, plan, clip)
            return {name: inside[name] for name in op.writes}
    raise TypeError(type(op).__name__)


def _looped(op: Loop, values: Mapping[str, Tensor], plan: Plan, clip: EvalClip) -> dict[str, Tensor]:
    """A loop again and again on the whole clip: each time one more block of what comes back on some way is right."""
    batch, samples = clip.rows.shape[1], clip.timeline.samples
    inside = dict(values)
    for way in op.ways:
        inside[way.out] = clip.rows.new_zeros(batch, plan.channels[way.out], samples)
    for effect in op.early:
        for name in effect.writes:
            inside[name] = clip.rows.new_zeros(batch, plan.channels[name], samples)
    count = -(-samples // op.block)
    for _ in range((len(op.ways) + len(op.held)) * (count + 1) if op.held else count):
        for step in op.body:
            inside |= _run(step, inside, plan, clip)
        for way in op.ways:
            inside[way.out] = pad(inside[way.source], (way.samples, 0))[..., :samples]
    return {name: inside[name] for name in op.results}


def _processed(node: EffectNode, signals: list[Tensor], plan: Plan, clip: EvalClip) -> list[Tensor]:
    """What a time effect makes of signals by its input ports, by its output ports."""
    reader = ControlReader((node,), clip.bank, plan.graph.sample_rate, plan.graph.transform.hop)
    audio = {port.name: signal for port, signal in zip(node.effect.inputs, signals)}
    size = (clip.rows.shape[1], node.channels, clip.timeline.samples)
    call = EffectCall(clip.modules[node.id], (node,))
    written = process_clip(call, audio, reader(clip.rows, clip.timeline), clip.rows, size, clip.clock)
    return [written[port.name] for port in node.effect.outputs]


def _gain(node: EffectNode, plan: Plan, clip: EvalClip, spectrum: Tensor) -> Tensor:
    """A mask, ``[batch, 1, frames, bins]``."""
    batch, _, frames, bins = spectrum.shape
    controls = read_frames(node, clip.bank, clip.rows, clip.timeline, plan.graph.transform.hop, frames)
    return EffectCall(clip.modules[node.id], (node,)).mask(controls, (batch, frames, bins)).unsqueeze(1)
