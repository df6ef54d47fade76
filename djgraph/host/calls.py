"""Runs effects' own code, so that whatever goes wrong in it names the effect, its plugin and its place in the graph.

What an effect returns is checked against the contract here, and nowhere else: the rest of the runtime may rely on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Integral
from typing import Any, cast

import torch
from torch import Tensor

from djgraph.effects import (
    AmplitudeEffect,
    Block,
    Effect,
    Link,
    Material,
    RatioEffect,
    SourceEffect,
    SpectralEffect,
    State,
    TimeEffect,
)
from djgraph.effects.contract import ordinary_tensors
from djgraph.effects.raised import is_made, meant, raised_at, said
from djgraph.errors import DJGraphError, EffectError, shorten
from djgraph.graph.ir import EffectNode

SHOWN = 3
"""Nodes that a message names of those that share a call."""


class EffectCall:
    """The methods of one effect module, for the nodes that it runs in one call.

    Raises EffectError, chained from what the effect raised, or where it returned something else than its contract
    says. What is no fault of the effect passes: lack of memory, KeyboardInterrupt, SystemExit, and PyTorch's own
    signals.
    """

    def __init__(self, module: Effect, nodes: Sequence[EffectNode]) -> None:
        self.module, self.nodes = module, tuple(nodes)
        self._mask: Callable[[Mapping[str, Tensor]], Tensor] | None = None
        if isinstance(module, SpectralEffect):
            self._mask = module.mask

    def latency(self) -> int:
        """See :meth:`Effect.latency`."""
        if torch.compiler.is_compiling():
            return self.module.latency()
        with guarded(self.module, self.nodes, "latency"):
            lag: Any = self.module.latency()
        if isinstance(lag, bool) or not isinstance(lag, Integral) or lag < 0:
            raise self._wrong("latency", f"it returned {lag!r}")
        return int(lag)

    def link(self) -> Link | None:
        """See :meth:`TimeEffect.link`."""
        with guarded(self.module, self.nodes, "link"):
            link: Any = cast(TimeEffect, self.module).link()
        if link is None:
            return None
        if not isinstance(link, Link):
            raise self._wrong("link", f"it returned {_shown(link)}")
        known = [control.id for control in self.module.controls]
        if strange := [name for name in link.controls if name not in known]:
            raise self._wrong("link", f"it names a control that there is not: {strange[0]!r}")
        if len(link.controls) != link.kernel.curves:
            raise self._wrong(
                "link", f"its kernel reads {link.kernel.curves} controls, and it names {len(link.controls)}"
            )
        return link

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """See :meth:`TimeEffect.initial_state`."""
        module = cast(TimeEffect, self.module)
        if torch.compiler.is_compiling():
            return module.initial_state(batch, channels, like)
        with guarded(self.module, self.nodes, "initial_state"):
            state = module.initial_state(batch, channels, like)
        if not isinstance(state, Mapping) or not all(isinstance(part, Tensor) for part in state.values()):
            raise self._wrong("initial_state", f"it returned {_shown(state)}")
        for name, part in state.items():
            if fault := _unusable(part, (like,)):
                raise self._wrong("initial_state", f"its {name!r} is {fault}")
        return state

    def held_back_now(self, controls: Mapping[str, Tensor], state: State, block: Block) -> Tensor | None:
        """See :meth:`TimeEffect.held_back_now`; int64 on the CPU."""
        with guarded(self.module, self.nodes, "held_back_now"), torch.no_grad():
            held: Any = cast(TimeEffect, self.module).held_back_now(controls, state, block)
        if held is None:
            return None
        if not isinstance(held, Tensor) or held.shape != (block.length,) or held.is_complex():
            raise self._wrong("held_back_now", f"it returned {_shown(held)}, not [{block.length}]")
        return held.to("cpu", torch.int64)

    def process(
        self,
        audio: Mapping[str, Tensor],
        controls: Mapping[str, Tensor],
        state: State,
        block: Block,
        size: tuple[int, int, int],
    ) -> tuple[dict[str, Tensor], State]:
        """See :meth:`TimeEffect.process`; size: batch, channels, samples."""
        module = cast(TimeEffect, self.module)
        if torch.compiler.is_compiling():
            return module.process(audio, controls, state, block)
        with guarded(self.module, self.nodes, "process"):
            result: Any = module.process(audio, controls, state, block)
        if not isinstance(result, tuple) or len(result) != 2:
            raise self._wrong("process", f"it returned {_shown(result)}")
        outputs, after = result
        if not isinstance(outputs, Mapping) or outputs.keys() != {port.name for port in module.outputs}:
            raise self._wrong("process", f"the first thing that it returned is {_shown(outputs)}")
        if not isinstance(after, Mapping):
            raise self._wrong("process", f"the state that it returned is {_shown(after)}")
        if state and not after:
            raise self._wrong(
                "process", f"the state that it returned is empty, and it was given {_shown(state)}"
            )
        batch, channels, samples = size
        for port in module.outputs:
            wanted, tensor = (batch, port.channels or channels, samples), outputs[port.name]
            if not isinstance(tensor, Tensor) or tensor.shape != wanted or not tensor.is_floating_point():
                raise self._wrong("process", f"output {port.name} is {_shown(tensor)}, not {list(wanted)}")
            if fault := _unusable(tensor, (*audio.values(), *controls.values())):
                raise self._wrong("process", f"output {port.name} is {fault}")
            given = next(iter((audio or controls).values()), tensor)
            if tensor.dtype != given.dtype and not self._may_change_type(given):
                raise self._wrong(
                    "process", f"output {port.name} is {_shown(tensor)}, not of {_type(given.dtype)}"
                )
        return cast(dict[str, Tensor], outputs), cast(State, after)

    def source_state(self, batch: int, like: Tensor) -> State:
        """See :meth:`SourceEffect.initial_state`."""
        with guarded(self.module, self.nodes, "initial_state"):
            state: Any = cast(SourceEffect, self.module).initial_state(batch, like)
        if not isinstance(state, Mapping) or not all(isinstance(part, Tensor) for part in state.values()):
            raise self._wrong("initial_state", f"it returned {_shown(state)}")
        return cast(State, state)

    def play(
        self,
        material: Material,
        controls: Mapping[str, Tensor],
        state: State,
        block: Block,
        size: tuple[int, int, int],
    ) -> tuple[Tensor, State]:
        """See :meth:`SourceEffect.process`; size: batch, channels, samples."""
        with guarded(self.module, self.nodes, "process"):
            result: Any = cast(SourceEffect, self.module).process(material, controls, state, block)
        if not isinstance(result, tuple) or len(result) != 2:
            raise self._wrong("process", f"it returned {_shown(result)}")
        audio, after = result
        if not isinstance(audio, Tensor) or audio.shape != size or not audio.is_floating_point():
            raise self._wrong("process", f"its sound is {_shown(audio)}, not {list(size)}")
        if not isinstance(after, Mapping) or after.keys() != state.keys():
            raise self._wrong("process", f"the state that it returned is {_shown(after)}")
        return audio, cast(State, after)

    def passed(self, material: Material, controls: Mapping[str, Tensor], block: Block, state: State) -> State:
        """See :meth:`SourceEffect.passed`."""
        with guarded(self.module, self.nodes, "passed"):
            after: Any = cast(SourceEffect, self.module).passed(material, controls, state, block)
        if not isinstance(after, Mapping) or after.keys() != state.keys():
            raise self._wrong("passed", f"the state that it returned is {_shown(after)}")
        return cast(State, after)

    def at_rest(self, state: State, quiet: float) -> bool:
        """See :meth:`TimeEffect.at_rest`."""
        with guarded(self.module, self.nodes, "at_rest"):
            rests: Any = cast(TimeEffect, self.module).at_rest(state, quiet)
        if not isinstance(rests, bool):
            raise self._wrong("at_rest", f"it returned {_shown(rests)}")
        return rests

    def asleep(self, controls: Mapping[str, Tensor], state: State, block: Block) -> State:
        """See :meth:`TimeEffect.asleep`."""
        with guarded(self.module, self.nodes, "asleep"):
            after: Any = cast(TimeEffect, self.module).asleep(controls, state, block)
        if not isinstance(after, Mapping) or after.keys() != state.keys():
            raise self._wrong("asleep", f"it returned {_shown(after)}, and was given {_shown(state)}")
        return cast(State, after)

    @property
    def changes_asleep(self) -> bool:
        """Whether the effect's state goes on while it is at rest."""
        return type(self.module).asleep is not TimeEffect.asleep  # type: ignore[attr-defined]

    def _may_change_type(self, given: Tensor) -> bool:
        """Whether outputs may be of another type than ``given``: a clock is float64 and may widen them, autocast may
        narrow them."""
        device = given.device.type
        narrows = torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
        return self.module.uses_clock or narrows

    def magnitude(self, controls: Mapping[str, Tensor], rows: int, points: int, bins: int) -> Tensor | None:
        """See :meth:`Effect.magnitude`; ``[rows, points, bins]``, or ``[rows, points, 1]`` where it is one number."""
        with guarded(self.module, self.nodes, "magnitude"):
            gain: Any = self.module.magnitude(controls)
        if gain is None:
            return None
        flat = isinstance(gain, Tensor) and gain.ndim > 0 and gain.shape[-1] == 1
        return self._expand("magnitude", gain, (rows, points, 1 if flat else bins), controls)

    def frequency_response(
        self, controls: Mapping[str, Tensor], rows: int, points: int, bins: int
    ) -> Tensor | None:
        """See :meth:`Effect.frequency_response`; complex, ``[rows, points, bins]``."""
        with guarded(self.module, self.nodes, "frequency_response"):
            response: Any = self.module.frequency_response(controls)
        if response is None:
            return None
        if not isinstance(response, Tensor) or not response.is_complex():
            raise self._wrong("frequency_response", f"it returned {_shown(response)}")
        parts = (
            self._expand("frequency_response", part, (rows, points, bins), controls)
            for part in (response.real, response.imag)
        )
        return torch.complex(*parts)

    def amplitude(self, controls: Mapping[str, Tensor], rows: int, samples: int) -> Tensor:
        """See :meth:`AmplitudeEffect.amplitude`; ``[rows, 1, samples]`` or broadcastable to it."""
        with guarded(self.module, self.nodes, "amplitude"):
            amplitude = cast(AmplitudeEffect, self.module).amplitude(controls)
        self._expand("amplitude", amplitude, (rows, 1, samples), controls)
        return amplitude

    def mask(
        self,
        controls: Mapping[str, Tensor],
        shape: tuple[int, int, int],
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """See :meth:`SpectralEffect.mask`; shape: batch, frames and bins, to which it is expanded.

        dtype: what it is converted to; left as it is where left out.
        """
        assert self._mask is not None
        if torch.compiler.is_compiling():
            return self._mask(controls).expand(shape)
        with guarded(self.module, self.nodes, "mask"):
            mask = self._mask(controls)
        return self._expand("mask", mask, shape, controls, dtype)

    def weights(
        self,
        controls: Mapping[str, Tensor],
        rows: int,
        frames: int,
        ranks: tuple[int, int],
        dtype: torch.dtype,
    ) -> list[Tensor]:
        """See :meth:`RatioEffect.weights`: those above and, where there are curves below, below, each
        ``[rows, frames, rank]``."""
        with guarded(self.module, self.nodes, "weights"):
            weights: Any = cast(RatioEffect, self.module).weights(controls)
        if not isinstance(weights, tuple) or len(weights) != 2:
            raise self._wrong("weights", f"it returned {_shown(weights)}")
        expanded = []
        for part, rank, side in zip(weights, ranks, ("above", "below")):
            if (part is None) != (rank == 0):
                raise self._wrong(
                    "weights", f"constants() has {rank} curves {side}, but weights() {_shown(part)}"
                )
            if part is not None:
                expanded.append(self._expand("weights", part, (rows, frames, rank), controls, dtype))
        return expanded

    def curves(self) -> list[Tensor]:
        """The curves of a ratio effect above and, if there are any, below: ``[curves, bins]`` each."""
        with guarded(self.module, self.nodes, "constants"), ordinary_tensors():
            constants: Any = self.module.constants()
            curves = [constants[name] for name in ("above", "below") if name in constants]
        bins = self.module.environment.transform.bins
        if not curves or any(curve.ndim != 2 or curve.shape[1] != bins for curve in curves):
            raise self._wrong(
                "constants", f"it returned {', '.join(map(_shown, curves)) or 'no curves above'}"
            )
        for curve in curves:
            if fault := _unusable(curve, ()):
                raise self._wrong("constants", f"it returned {fault}")
        return curves

    def _expand(
        self,
        method: str,
        returned: Any,
        shape: tuple[int, int, int],
        controls: Mapping[str, Tensor],
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        if isinstance(returned, Tensor):
            if fault := _unusable(returned, controls.values()):
                raise self._wrong(method, f"it returned {fault}")
            try:
                return returned.to(dtype).expand(shape) if dtype is not None else returned.expand(shape)
            except RuntimeError:
                pass
        raise self._wrong(
            method, f"it returned {_shown(returned)}, which does not broadcast to {list(shape)}"
        )

    def _wrong(self, method: str, what: str) -> EffectError:
        cls = type(self.module)
        said = f"effect {cls.type!r} does not keep to the contract of {method}(): {what}"
        return EffectError(said + _where(cls, self.nodes) + _expected(cls, method))


def build(node: EffectNode, environment: Any) -> Effect:
    """The module of an effect node. Raises EffectError, chained from whatever its ``__init__`` raised, and where its
    ``__init__`` does not call that of its base."""
    with guarded(node.effect, (node,), "__init__"):
        module = node.effect(node.settings, environment)
    if not is_made(module):
        raise EffectError(
            f"effect {node.effect.type!r} does not keep to the contract of __init__(): it does not call"
            f" super().__init__(settings, environment){_where(node.effect, (node,))}"
        )
    with guarded(node.effect, (node,), "latency"):
        memoryless_lag = getattr(module, "memoryless", False) and module.latency()
    if memoryless_lag:
        raise EffectError(
            f"effect {node.effect.type!r} says it is memoryless, but has a latency{_where(node.effect, (node,))}"
        )
    return module


@contextmanager
def guarded(effect: Effect | type[Effect], nodes: Sequence[EffectNode], method: str) -> Iterator[None]:
    """Runs a method of an effect, for these nodes, inside: what it raises becomes EffectError, chained from it."""
    try:
        yield
    except BaseException as error:
        if _passes(error):
            raise
        cls = effect if isinstance(effect, type) else type(effect)
        kind = "" if isinstance(error, DJGraphError) else f"{type(error).__name__}: "
        raise EffectError(
            f"effect {cls.type!r} failed in {method}(): {kind}{said(error)}"
            + _where(cls, nodes)
            + _raised(cls, error)
            + _expected(cls, method)
            + "".join(f"\n  {line}" for line in meant(cls, error))
        ) from error


def _passes(error: BaseException) -> bool:
    """What is no fault of the effect: lack of memory, the end of the program or of a generator that it runs in, and
    what PyTorch raises to steer itself (activation checkpoints stop a forward pass so)."""
    own = type(error).__module__.partition(".")[0] == "torch" and not isinstance(
        error, torch.linalg.LinAlgError
    )
    return own or isinstance(error, (MemoryError, KeyboardInterrupt, SystemExit, GeneratorExit))


def _unusable(tensor: Tensor, given: Iterable[Tensor]) -> str | None:
    """What a tensor is that holds no values, or not one for each place; None for any other.

    given: what the effect was called with. Where that is on the meta device, so may the result be.
    """
    if tensor.layout is not torch.strided:
        return (
            f"{_shown(tensor)} with the layout {str(tensor.layout).removeprefix('torch.')}, not a dense one"
        )
    if tensor.device.type == "meta" and all(other.device.type != "meta" for other in given):
        return f"{_shown(tensor)} on the meta device, which holds no values"
    return None


def _where(effect: type[Effect], nodes: Sequence[EffectNode]) -> str:
    names = [f"{node.id} ({node.position})" if node.position else node.id for node in nodes]
    return (
        f"\n  node{'s' if len(names) > 1 else ''}: {shorten(names, SHOWN)}"
        f"\n  from: {_origin(effect)}, class {effect.__module__}.{effect.__qualname__}"
    )


def _raised(effect: type[Effect], error: BaseException) -> str:
    place = None if isinstance(error, DJGraphError) else raised_at(effect, error)
    return f"\n  raised at: {place}" if place else ""


def _origin(effect: type[Effect]) -> str:
    from djgraph.errors import PluginError
    from djgraph.plugins import registry

    try:
        entry = registry().effects.get(effect.type)
    except PluginError:  # two plugins clash: this one may be neither
        entry = None
    return str(entry.origin) if entry is not None and entry.effect is effect else "a plugin of this process"


def _expected(effect: type[Effect], method: str) -> str:
    ports = ", ".join(
        f"'{port.name}': [batch, {port.channels or 'channels'}, samples]" for port in effect.outputs
    )
    said = {
        "process": f"process() must return ({{{ports}}}, state)",
        "at_rest": "at_rest() must return True or False",
        "asleep": "asleep() must return a state like the one that it was given",
        "initial_state": "initial_state() must return a mapping of names to tensors, {} where nothing is kept",
        "latency": "latency() must return a whole number of samples from 0",
        "frequency_response": "frequency_response() must return a complex [batch, points, bins] or None",
        "magnitude": "magnitude() must return [batch, points, bins], [batch, points, 1] or None",
        "mask": "mask() must return [batch, frames, bins], or a tensor that broadcasts to it",
        "amplitude": "amplitude() must return [batch, 1, samples] or [batch, 1, 1]",
        "weights": "weights() must return (above, below), [batch, frames, curves] each; below None without its curves",
        "constants": "constants() must return float64 tensors, of a ratio effect 'above' and 'below' as [curves, bins]",
    }
    return f"\n  expected: {said[method]}" if method in said else ""


def _type(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _shown(value: object) -> str:
    if isinstance(value, Tensor):
        return f"a tensor {list(value.shape)} of {_type(value.dtype)}"
    if isinstance(value, Mapping):
        return f"a mapping with {', '.join(map(repr, value)) or 'nothing in it'}"
    return "None" if value is None else f"a {type(value).__name__}"
