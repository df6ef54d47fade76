"""What an effect's own code costs: counted on tensors without data, whoever wrote the effect."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from djgraph.dsp.operators import counted
from djgraph.effects import Beats, Block, Clock, Effect, SourceEffect, SpectralEffect, TimeEffect
from djgraph.graph.ir import EffectNode
from djgraph.host.calls import EffectCall, guarded
from djgraph.inspection.meter import Meter
from djgraph.runtime.sources import material_of

SHORT = 8192
"""Samples on which an effect is counted that needs real data; the count is scaled to the length asked for."""
SHORT_SOURCE = 1 << 16
"""The same, of a source: frames of a key lock begin before the first sample, and end behind the last."""


@dataclass(frozen=True)
class Work:
    """flops: floating point operations. moved: bytes read and written. memory: the most bytes held at a time,
    beyond those that were there before."""

    flops: float = 0.0
    moved: float = 0.0
    memory: float = 0.0

    def __add__(self, other: Work) -> Work:
        """One after the other."""
        return Work(self.flops + other.flops, self.moved + other.moved, max(self.memory, other.memory))

    def scaled(self, factor: float) -> Work:
        return Work(self.flops * factor, self.moved * factor, self.memory * factor)


@dataclass(frozen=True)
class Both:
    """Work forward, and backward."""

    forward: Work
    backward: Work = Work()


@dataclass(frozen=True)
class Call:
    """One call of an effect: its sizes, and what gradients are wanted for.

    rows: nodes times batch. length: samples for a time effect and a source, frames for a spectral one. widths: channels
    of each signal of a source's material, which is as long as the clip.
    """

    rows: int
    channels: int
    length: int
    audio_gradient: bool
    control_gradients: frozenset[str]
    dtype: torch.dtype
    widths: tuple[int, ...] = ()


class EffectCosts:
    """Counts effects' code, each kind of call once."""

    def __init__(self, modules: Mapping[str, Effect], nodes: Mapping[str, EffectNode]) -> None:
        """modules: by kernel name. nodes: one that each kernel runs, which errors name."""
        self._modules, self._nodes = modules, nodes
        self._known: dict[tuple[str, Call], Both] = {}
        self._copies: dict[tuple[str, str], EffectCall] = {}

    def has_weights(self, kernel: str) -> bool:
        return any(weight.requires_grad for weight in self._modules[kernel].parameters())

    def of(self, kernel: str, call: Call) -> Both:
        """The work of ``process`` or ``mask``, without reading its controls off the layout's columns.

        Raises EffectError where the effect's code fails on real tensors.
        """
        key = (kernel, call)
        if key not in self._known:
            self._known[key] = self._count(kernel, call)
        return self._known[key]

    def _count(self, kernel: str, call: Call) -> Both:
        try:
            return _measure(self._copy(kernel, "meta"), call, "meta")
        except Exception:
            # A plugin's code may look at values, or know nothing of this device. Then it runs on real ones, and
            # what is wrong with it comes out here.
            real = self._copy(kernel, "cpu")
            hop = real.module.environment.transform.hop
            short = min(call.length, _short(real.module, hop))
            with counted():
                sample = _measure(real, replace(call, length=short), "cpu")
            factor = call.length / short
            return Both(sample.forward.scaled(factor), sample.backward.scaled(factor))

    def _copy(self, kernel: str, device: str) -> EffectCall:
        # A copy, so that no constant is kept on a device that nobody uses.
        key = (kernel, device)
        if key not in self._copies:
            module, nodes = self._modules[kernel], (self._nodes[kernel],)
            with guarded(module, nodes, "__deepcopy__"):
                self._copies[key] = EffectCall(copy.deepcopy(module).to(device), nodes)
        return self._copies[key]


def _measure(effect: EffectCall, call: Call, device: str) -> Both:
    run, leaves = _arrange(effect, call, device)
    with torch.no_grad():
        run()  # constants are made here, once, and not counted
        with Meter() as meter:
            results = run()
            forward = Work(meter.flops, meter.moved, meter.peak)
            del results
    leaves += [weight for weight in effect.module.parameters() if weight.requires_grad]
    if not leaves:
        return Both(forward)
    with torch.enable_grad(), Meter() as meter:
        ends = [tensor for tensor in run() if tensor.requires_grad]
        starts = [torch.ones_like(tensor) for tensor in ends]
        held = meter.held
        meter.restart()
        if ends:
            torch.autograd.grad(ends, leaves, starts, allow_unused=True)
        return Both(forward, Work(meter.flops, meter.moved, meter.peak - held))


def _arrange(effect: EffectCall, call: Call, device: str) -> tuple[Callable[[], list[Tensor]], list[Tensor]]:
    """A function that makes the call, and the tensors that it differentiates by."""
    module = effect.module

    def empty(*shape: int) -> Tensor:
        return torch.zeros(shape, dtype=call.dtype, device=device)

    if isinstance(module, SpectralEffect):
        sizes = {"frame": call.length, "clip": 1, "sample": call.length}
        shapes = {control.id: (call.rows, sizes[control.rate], 1) for control in module.controls}
    else:
        lag = 0 if isinstance(module, SourceEffect) else effect.latency()
        samples = call.length + lag
        hop = module.environment.transform.hop
        sizes = {"sample": samples, "frame": samples // hop + 1, "clip": 1}
        shapes = {control.id: (call.rows, 1, sizes[control.rate]) for control in module.controls}
    controls = {control.id: empty(*shapes[control.id]) + control.default for control in module.controls}
    leaves = [values.requires_grad_() for name, values in controls.items() if name in call.control_gradients]
    if isinstance(module, SpectralEffect):
        spectral = module

        def mask() -> list[Tensor]:  # as it is: what the mask is expanded to costs nothing
            with guarded(spectral, effect.nodes, "mask"):
                return [spectral.mask(controls)]

        return mask, leaves
    if isinstance(module, SourceEffect):
        return _arrange_source(effect, module, call, controls, empty), leaves
    assert isinstance(module, TimeEffect)
    audio = {port.name: empty(call.rows, port.channels or call.channels, samples) for port in module.inputs}
    if call.audio_gradient:
        leaves += [tensor.requires_grad_() for tensor in audio.values()]
    block = _block(module, call.rows, samples, empty)
    like = empty(1)

    def process() -> list[Tensor]:
        state = effect.initial_state(call.rows, call.channels, like)
        size = (call.rows, call.channels, samples)
        return list(effect.process(audio, controls, state, block, size)[0].values())

    return process, leaves


def _short(module: Effect, hop: int) -> int:
    if isinstance(module, SourceEffect):
        return SHORT_SOURCE
    return max(SHORT // hop, 1) if isinstance(module, SpectralEffect) else SHORT


def _arrange_source(
    effect: EffectCall,
    source: SourceEffect,
    call: Call,
    controls: Mapping[str, Tensor],
    empty: Callable[..., Tensor],
) -> Callable[[], list[Tensor]]:
    """A function that plays material as long as the clip, which wants no gradient, with a beat every half second."""
    channels = sum(call.widths)
    times = torch.tensor([[0.0, 1.0], [0.0, 0.5]], dtype=torch.float64, device="cpu")
    material = material_of(empty(call.rows, channels, call.length), call.widths, Beats(*times))
    block = _block(source, call.rows, call.length, empty)

    def play() -> list[Tensor]:
        state = effect.source_state(call.rows, empty(1, channels, 0))
        size = (call.rows, channels, call.length)
        return [effect.play(material, controls, state, block, size)[0]]

    return play


def _block(module: Effect, rows: int, samples: int, empty: Callable[..., Tensor]) -> Block:
    clock = None
    if module.uses_clock:
        clock = Clock(empty(rows, 1, samples) + 120, empty(rows, 1, samples))
    return Block(0, samples, module.environment.sample_rate, clock)
