"""Builds the effect modules of a graph, and runs a time effect on a whole clip."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from djgraph.effects import Block, Clock, Effect, TimeEffect
from djgraph.effects.contract import ordinary_tensors
from djgraph.errors import CompileError
from djgraph.graph.ir import EffectNode, Graph
from djgraph.graph.loops import loops
from djgraph.host.calls import EffectCall, build
from djgraph.layout.values import home


@torch.inference_mode(False)
def build_effects(graph: Graph) -> dict[str, Effect]:
    """One module for each effect node, by node id.

    Nodes of one type and equal settings share a module, unless the effect has weights or buffers of its own:
    then each node learns for itself. Weights lie on torch's default device, but on the CPU where that is ``meta``,
    which holds no values. Raises EffectError that names the node whose effect cannot be built.
    """
    modules: dict[str, Effect] = {}
    shared: dict[tuple[type[Effect], str], Effect] = {}
    for node in (*graph.sources.values(), *graph.nodes):
        if not isinstance(node, EffectNode):
            continue
        key = (node.effect, node.settings.model_dump_json())
        module = shared.get(key)
        if module is None:
            with ordinary_tensors():
                module = build(node, graph.environment)
            module.to(home())
            if not module.state_dict():
                shared[key] = module
        modules[node.id] = module
    return modules


@torch.inference_mode(False)
def leave_inference_mode(module: nn.Module) -> None:
    """Replaces weights, buffers and other tensors of a module that was copied or unpickled in inference mode.

    Those could never be trained, nor saved for a backward pass.
    """
    copies: dict[int, Tensor] = {}

    def ordinary(tensor: Tensor) -> Tensor:
        if id(tensor) not in copies:
            copy = tensor.detach().clone()
            weight = isinstance(tensor, nn.Parameter)
            copies[id(tensor)] = nn.Parameter(copy, tensor.requires_grad) if weight else copy
        return copies[id(tensor)]

    for part in module.modules():
        stores: tuple[dict[str, Any], ...] = (part._parameters, part._buffers, part.__dict__)
        for places in stores:
            for name, value in list(places.items()):
                if isinstance(value, Tensor) and value.is_inference():
                    places[name] = ordinary(value)


def check_loops(graph: Graph, modules: Mapping[str, Effect]) -> None:
    """modules: by node id. Raises CompileError that names all effects in loops that cannot run in blocks of any length
    as they are: those that lag, and those in time whose controls come every hop."""
    faults = []
    for loop, node in ((one, node) for one in loops(graph) for node in one.effects):
        lag = EffectCall(modules[node.id], (node,)).latency()
        fault = f"effect {node.effect.type} looks {lag} samples ahead" if lag else None
        if any(control.rate == "frame" for control in node.effect.controls):
            fault = f"effect {node.effect.type} runs in blocks of whole hops"
        if fault is not None:
            back = loop.ways[0].position
            closed = f"; the loop is closed at {back}" if back else ""
            faults.append(f"  {node.id}{f' ({node.position})' if node.position else ''}: {fault}{closed}")
    if faults:
        raise CompileError(
            f"in a loop of graph {graph.name} effects have to give each sample when it comes:\n"
            + "\n".join(faults)
        )


def as_module_dict(modules: dict[str, Effect]) -> nn.ModuleDict:
    """The same as a container that moves, saves and lists them; a module's name cannot hold a dot."""
    return nn.ModuleDict({node.replace(".", "/"): module for node, module in modules.items()})


def process_clip(
    call: EffectCall,
    audio: Mapping[str, Tensor],
    controls: Mapping[str, Tensor],
    like: Tensor,
    size: tuple[int, int, int],
    clock: Clock | None,
) -> dict[str, Tensor]:
    """A time effect on a whole clip from its initial state, without its latency.

    size: batch, channels, samples. An effect that lags gets as many samples of silence after the clip, with its
    controls held, and what it gives before the clip's first sample is dropped.
    """
    batch, channels, samples = size
    module = cast(TimeEffect, call.module)
    lag = call.latency()
    if lag:
        audio = {port: pad(tensor, (0, lag)) for port, tensor in audio.items()}
        controls = hold_controls(module, controls, (0, samples), lag)
        if clock is not None:
            clock = longer_clock(clock, lag, module.environment.sample_rate)
    state = call.initial_state(batch, channels, like)
    block = Block(0, samples + lag, module.environment.sample_rate, clock)
    outputs, _ = call.process(audio, controls, state, block, (batch, channels, samples + lag))
    if clock is not None:  # which is float64, and may have widened the outputs
        outputs = {port: tensor.to(like.dtype) for port, tensor in outputs.items()}
    return {port: tensor[..., lag:] for port, tensor in outputs.items()} if lag else outputs


def block_controls(
    effect: Effect, read: Callable[[tuple[int, int]], Mapping[str, Tensor]], start: int, stop: int, last: int
) -> Mapping[str, Tensor]:
    """The controls of a block, samples ``start…stop − 1``, of which those from ``last`` on lie behind the clip: there
    they are what they were at its end. read: gives them on a span of the clip's samples."""
    span, behind = (min(start, last - 1), min(stop, last)), max(stop - last, 0)
    controls = read(span)
    if behind:
        controls = hold_controls(effect, controls, span, behind)
    if span[0] < start:  # the block begins behind the clip
        sampled = {control.id for control in effect.controls if control.rate == "sample"}
        controls = {
            name: values[..., start - stop :] if name in sampled else values
            for name, values in controls.items()
        }
    return controls


def block_clock(
    read: Callable[[int, int], Clock], start: int, stop: int, last: int, sample_rate: int
) -> Clock:
    """The same of the clock, which goes on at its last tempo."""
    clock = longer_clock(read(min(start, last - 1), min(stop, last)), max(stop - last, 0), sample_rate)
    return Clock(clock.tempo[..., start - stop :], clock.beats[..., start - stop :])


def hold_controls(
    effect: Effect, controls: Mapping[str, Tensor], span: tuple[int, int], count: int
) -> dict[str, Tensor]:
    """Controls that were read on a span of samples, held for ``count`` samples behind it."""
    length, hop = span[1] - span[0], effect.environment.transform.hop
    more = {"sample": count, "frame": (length + count) // hop - length // hop, "clip": 0}
    rates = {control.id: control.rate for control in effect.controls}
    return {
        name: pad(values, (0, more[rates[name]]), mode="replicate") if more[rates[name]] else values
        for name, values in controls.items()
    }


def longer_clock(clock: Clock, lag: int, sample_rate: int) -> Clock:
    """The clock for so many samples more, at its last tempo."""
    tempo = pad(clock.tempo, (0, lag), mode="replicate")
    step = clock.tempo[..., -1:] / (60 * sample_rate)
    after = clock.beats[..., -1:] + step * torch.arange(1, lag + 1, device=step.device)
    return Clock(tempo, torch.cat([clock.beats, after], -1))
