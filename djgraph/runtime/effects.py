"""Builds the effect modules of a graph, and runs a time effect on a whole clip."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from djgraph.effects import Block, Clock, Effect, TimeEffect
from djgraph.errors import EffectError
from djgraph.graph.ir import EffectNode, Graph


def build_effects(graph: Graph) -> dict[str, Effect]:
    """One module for each effect node, by node id.

    Nodes of one type and equal settings share a module, unless the effect has weights or buffers of its own:
    then each node learns for itself.
    """
    modules: dict[str, Effect] = {}
    shared: dict[tuple[type[Effect], str], Effect] = {}
    for node in graph.nodes:
        if not isinstance(node, EffectNode):
            continue
        key = (node.effect, node.settings.model_dump_json())
        module = shared.get(key)
        if module is None:
            module = node.effect(node.settings, graph.environment)
            if getattr(module, "memoryless", False) and module.latency():
                raise EffectError(f"effect {node.effect.type} says it is memoryless, but has a latency")
            if not module.state_dict():
                shared[key] = module
        modules[node.id] = module
    return modules


def as_module_dict(modules: dict[str, Effect]) -> nn.ModuleDict:
    """The same as a container that moves, saves and lists them; a module's name cannot hold a dot."""
    return nn.ModuleDict({node.replace(".", "/"): module for node, module in modules.items()})


def process_clip(
    module: TimeEffect,
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
    lag = module.latency()
    if lag:
        audio = {port: pad(tensor, (0, lag)) for port, tensor in audio.items()}
        hop = module.environment.transform.hop
        more = {"sample": lag, "frame": (samples + lag) // hop - samples // hop, "clip": 0}
        rates = {control.id: control.rate for control in module.controls}
        controls = {
            name: pad(values, (0, more[rates[name]]), mode="replicate") for name, values in controls.items()
        }
        if clock is not None:
            clock = _longer(clock, lag, module.environment.sample_rate)
    state = module.initial_state(batch, channels, like)
    block = Block(0, samples + lag, module.environment.sample_rate, clock)
    made, _ = module.process(audio, controls, state, block)
    if clock is not None:  # which is float64, and may have widened what the effect made
        made = {port: tensor.to(like.dtype) for port, tensor in made.items()}
    return {port: tensor[..., lag:] for port, tensor in made.items()} if lag else made


def _longer(clock: Clock, lag: int, sample_rate: int) -> Clock:
    """The clock for so many samples more, at its last tempo."""
    tempo = pad(clock.tempo, (0, lag), mode="replicate")
    step = clock.tempo[..., -1:] / (60 * sample_rate)
    after = clock.beats[..., -1:] + step * torch.arange(1, lag + 1, device=step.device)
    return Clock(tempo, torch.cat([clock.beats, after], -1))
