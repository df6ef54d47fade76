"""The bench on which the conformance checks run an effect: made-up signals, controls and clocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, Literal, cast

import torch
from pydantic import BaseModel, ValidationError
from torch import Tensor

from djgraph.effects.checks.cases import AudioKind, Case, hold, signal, spread, stand_still
from djgraph.effects.checks.material import Noise
from djgraph.effects.contract import (
    Block,
    Clock,
    Effect,
    Environment,
    Port,
    SpectralEffect,
    State,
    TimeEffect,
)
from djgraph.effects.control import Control
from djgraph.effects.grid import neighbours
from djgraph.effects.raised import is_made
from djgraph.effects.source import SourceEffect
from djgraph.effects.use import Conflict, ControlUse, Use
from djgraph.errors import EffectError

MORE = 500
"""Samples by which the material of a source is longer than what is played of it."""
WITHIN = 0.04
"""Seconds up to which a source is asked for places in its material."""
LAYOUTS = (1, 2, 4, 6)
"""Channels of mono, stereo, quad and 5.1."""
SLOWEST, FASTEST = 40.0, 300.0
"""Tempos in BPM that an effect with a clock has to bear."""


class CheckFailed(EffectError, AssertionError):
    """An effect does not keep a promise of the contract."""


class WrongReturn(CheckFailed):
    """What a method of an effect returned or did is not what the contract says; spoils whatever check called it.

    kind: what is wrong, without the sizes that differ from check to check.
    """

    def __init__(self, message: str, kind: str = "", method: str = "process") -> None:
        super().__init__(message)
        self.kind, self.method = kind or message, method


class CheckSlow(CheckFailed):
    """An effect is right, and takes orders of magnitude longer than it has to."""


class CheckSkipped(Exception):
    """A check does not apply to an effect; the message says why."""


class CheckInconclusive(Exception):
    """A check that applies could not be done here: neither passed nor failed. The message says why."""


class Bench:
    """One effect class with its settings and environment, and the means to run it."""

    def __init__(
        self,
        effect_class: type[Effect],
        settings: BaseModel | Mapping[str, Any] | None = None,
        environment: Environment | None = None,
    ) -> None:
        self.effect_class = effect_class
        self.environment = environment or Environment(44100)
        self._given = settings

    @cached_property
    def settings(self) -> BaseModel:
        """The settings given, or the defaults."""
        if isinstance(self._given, BaseModel):
            return self._given
        try:
            return self.effect_class.Settings(**(self._given or {}))
        except ValidationError as error:
            raise CheckFailed(
                f"the settings cannot be made; hand over `settings=…` that can: {error}"
            ) from error

    @property
    def spectral(self) -> bool:
        return issubclass(self.effect_class, SpectralEffect)

    @property
    def plays(self) -> bool:
        """Whether it is a source effect."""
        return issubclass(self.effect_class, SourceEffect)

    @property
    def samples(self) -> int:
        """An ordinary length: a few STFT frames and no round number."""
        return 3 * self.environment.transform.hop + 57

    @property
    def long(self) -> int:
        """A length at which delays of half a second are heard."""
        return int(0.55 * self.environment.sample_rate)

    @cached_property
    def controls(self) -> tuple[Control, ...]:
        """The declared controls, with their ranges at the sample rate of the environment."""
        rate = self.environment.sample_rate
        controls = tuple(control.at_rate(rate) for control in self.effect_class.controls)
        for control in controls:
            if not control.min < control.max:
                raise CheckFailed(
                    f"control {control.id} has no range at {rate} Hz: it begins at {control.min:g}, and "
                    f"{control.below_rate:g} of the sample rate is {control.max:g}"
                )
        if self.plays:  # places in its material are within it: beyond there is silence only
            return tuple(
                one.replace(max=min(one.max, one.min + WITHIN)) if one.unit == "s" else one
                for one in controls
            )
        return controls

    @cached_property
    def channel_options(self) -> tuple[int, ...]:
        """The channel counts that are tried of those that a node of this effect can have, from few to many.

        Where its ports leave the number open they are those of mono, stereo, quad and 5.1 that ``conflicts()`` lets
        through.
        """
        ports = (*self.effect_class.inputs, *self.effect_class.outputs)
        if not self.spectral and all(port.channels is not None for port in ports):
            return (ports[0].channels or 1,)
        taken = tuple(count for count in LAYOUTS if not list(self.conflicts(self.use(count))))
        return taken or LAYOUTS

    @property
    def channels(self) -> int:
        """How many channels most checks try: stereo, or what comes nearest."""
        return min(self.channel_options, key=lambda count: (abs(count - 2), count))

    @property
    def fewest(self) -> int:
        """How many channels costly checks try."""
        return self.channel_options[0]

    def at(self, sample_rate: int) -> Bench:
        """The same effect on a bench of another sample rate."""
        return Bench(self.effect_class, self._given, replace(self.environment, sample_rate=sample_rate))

    def use(
        self,
        channels: int,
        ranges: Mapping[str, tuple[float, float]] | None = None,
        rest: Literal["default", "low", "high"] = "default",
    ) -> Use:
        """The use of a graph that says nothing of this effect but ``ranges`` of controls, from low to high, and where
        in them they rest."""
        ranges = ranges or {}
        controls = {}
        for control in self.controls:
            low, high = ranges.get(control.id, (control.min, control.max))
            rests = {"default": min(max(control.default, low), high), "low": low, "high": high}
            controls[control.id] = ControlUse(low, high, rests[rest], control.default, control.id in ranges)
        return Use(self.settings, frozenset(), controls, channels)

    def conflicts(self, use: Use) -> Iterable[Conflict]:
        """What in a use a graph would be refused for."""
        return self.effect_class.conflicts(use, self.environment)

    def build(self, dtype: torch.dtype = torch.float64) -> Effect:
        """A new instance; weights, if it has any, in that dtype, and the same ones every time."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return self.new().to(dtype)

    def new(self) -> Effect:
        """A new instance as it is made; weights start at random."""
        effect = self.effect_class(self.settings, self.environment)
        if not is_made(effect):
            message = "__init__() does not call super().__init__(settings, environment)"
            raise WrongReturn(message, method="__init__")
        return effect

    def case(
        self,
        *,
        batch: int = 3,
        channels: int | None = None,
        samples: int | None = None,
        dtype: torch.dtype = torch.float64,
        audio: AudioKind = "noise",
        values: Mapping[str, float] | None = None,
        seed: int = 0,
        plateaus: bool = False,
        ranges: Mapping[str, tuple[float, float]] | None = None,
    ) -> Case:
        """Made-up input. ``values`` pins controls to plain values; the others wander within their range, or within
        that of ``ranges``.

        plateaus: in the last item they stand still for a while at a time, often at an end of the range, as a gate does.
        """
        random = torch.Generator().manual_seed(seed)
        channels = self.channels if channels is None else channels
        samples = self.samples if samples is None else samples
        like = torch.zeros(batch, channels, samples, dtype=dtype, device="cpu")
        inputs = () if self.spectral else self.effect_class.inputs
        signals = {
            port.name: signal(audio, (batch, _count(port, channels), samples), random).to(dtype)
            for port in inputs
        }
        if self.plays:
            shape = (batch, channels, samples + MORE)
            signals = {"material": signal(audio, shape, random).to(dtype)}
        controls = {}
        for control in self.controls:
            unit = torch.rand(
                self.control_shape(control, batch, samples),
                generator=random,
                dtype=torch.float64,
                device="cpu",
            )
            unit = 0.02 + 0.96 * unit
            if plateaus:
                unit[-1:] = stand_still(unit[-1:], random)
            low, high = (ranges or {}).get(control.id, (control.min, control.max))
            plain = spread(control, unit, low, high).clamp(low, high)
            if values is not None and control.id in values:
                pinned = values[control.id]
                plain = torch.full_like(plain, neighbours(control, pinned)[0] if control.held else pinned)
            controls[control.id] = plain.to(dtype)
        clock = self._clock(batch, samples, random) if self.build().uses_clock else None
        return Case(signals, controls, batch, channels, samples, like, clock)

    def corners(
        self, count: int, switches: tuple[int, ...] = (), **options: Any
    ) -> tuple[Case, list[dict[str, float]]]:
        """A case in whose items controls stand still, and their values: all at their minimum, all at their maximum, at
        random ends, and anywhere. ``options`` are those of :meth:`case`.

        switches: at each of these samples some of the later half of the items go over to other ends: from minimum to
        maximum, and back, among them. The values are those at the start.
        """
        random = torch.Generator().manual_seed(7)
        case = self.case(batch=count, **options)
        moving = count - count // 2 if switches else 0
        still = count - moving
        # Of the items that move: when, and whether it is the first or the second one that moves then.
        times = [switches[place * len(switches) // moving] for place in range(moving)]
        turns = [place - times.index(time) for place, time in enumerate(times)]
        values: list[dict[str, float]] = [{} for _ in range(count)]
        for control in self.controls:
            unit, later = torch.rand(2, count, 1, 1, generator=random, dtype=torch.float64, device="cpu")
            unit[0], unit[1] = 0, 1
            unit[2 : 2 + count // 2] = unit[2 : 2 + count // 2].round()
            later[:still] = unit[:still]
            for place, turn in enumerate(turns, start=still):
                unit[place], later[place] = (0, 1, unit[place].round())[min(turn, 2)], later[place].round()
                if turn < 2:
                    later[place] = 1 - turn
            plain, then = (
                spread(control, part).clamp(control.min, control.max).to(case.like.dtype)
                for part in (unit, later)
            )
            for place, value in enumerate(plain.flatten().tolist()):
                values[place][control.id] = value
            shape, hop = case.controls[control.id].shape, self.environment.transform.hop
            held = torch.tensor([0] * still + times, device="cpu").view(-1, 1, 1)
            points = {"sample": held, "frame": held // hop, "clip": held * 0 + 1}[control.rate]
            before = torch.arange(shape[-1], device="cpu") < points
            case.controls[control.id] = torch.where(before, plain, then).expand(shape).contiguous()
        return case, values

    def control_shape(self, control: Control, batch: int, samples: int) -> tuple[int, int, int]:
        """The shape in which the effect is given a control."""
        frames = self.environment.transform.frames(samples)
        points = {"sample": samples, "frame": frames, "clip": 1}[control.rate]
        return (batch, points, 1) if self.spectral else (batch, 1, points)

    def _clock(self, batch: int, samples: int, random: torch.Generator) -> Clock:
        # Every item has its own tempo, which drifts; among them are the slowest and the fastest.
        drawn = torch.rand(2, batch, 1, 1, generator=random, dtype=torch.float64, device="cpu")
        start, end = SLOWEST + (FASTEST - SLOWEST) * drawn
        start[0], end[-1] = SLOWEST, FASTEST
        tempo = start + (end - start) * torch.linspace(0, 1, samples, dtype=torch.float64, device="cpu")
        step = tempo / 60 / self.environment.sample_rate
        return Clock(tempo, step.cumsum(-1) - step)

    def place(self, sample: int) -> int:
        """The last sample up to this one at which a block may begin: a whole hop where a control comes every hop."""
        framed = not self.spectral and any(c.rate == "frame" for c in self.controls)
        return sample // self.environment.transform.hop * self.environment.transform.hop if framed else sample

    def state(self, effect: Effect, case: Case) -> State:
        """The state before the first sample; empty for a spectral effect."""
        if isinstance(effect, SourceEffect):
            state: Any = effect.initial_state(case.batch, case.like)
        elif isinstance(effect, TimeEffect):
            state = effect.initial_state(case.batch, case.channels, case.like)
        else:
            return {}
        if not _is_state(state):
            message = f"initial_state() returned {_shown(state)}, not a mapping of names to tensors"
            raise WrongReturn(message, method="initial_state")
        return cast(State, state)

    def run(self, effect: Effect, case: Case) -> dict[str, Tensor]:
        """The whole signal in one call: audio by output port, or a spectral effect's full-size ``mask``."""
        if isinstance(effect, SpectralEffect):
            frames, bins = self.environment.transform.frames(case.samples), self.environment.transform.bins
            return {"mask": effect.mask(case.controls).expand(case.batch, frames, bins)}
        return self.process(effect, case, 0, case.samples, self.state(effect, case))[0]

    def process(
        self,
        effect: Effect,
        case: Case,
        start: int,
        end: int,
        state: State,
        since: int = 0,
        owned: bool = False,
    ) -> tuple[dict[str, Tensor], State]:
        """One block of a time effect; one with controls of rate frame begins at a whole hop, see :meth:`place`.

        since: samples that have gone by before the case's first, for the block and the clock. owned: see
        :class:`Block`.
        """
        controls, block = self.told(effect, case, start, end, since, owned)
        if isinstance(effect, SourceEffect):
            result: Any = effect.process(Noise(case.audio["material"]), controls, state, block)
            if isinstance(result, tuple) and len(result) == 2:
                result = {"out": result[0]}, result[1]
        else:
            assert isinstance(effect, TimeEffect)
            audio = {port: tensor[..., start:end] for port, tensor in case.audio.items()}
            result = effect.process(audio, controls, state, block)
        _hold_to_contract(effect, result, (case.batch, case.channels, end - start))
        outputs, after = result
        return outputs, after

    def told(
        self, effect: Effect, case: Case, start: int, end: int, since: int = 0, owned: bool = False
    ) -> tuple[dict[str, Tensor], Block]:
        """What :meth:`process` tells an effect beside audio and state."""
        rates = {control.id: control.rate for control in effect.controls}
        hop = self.environment.transform.hop
        spans = {
            "sample": slice(start, end),
            "frame": slice(start // hop, start // hop + 1 + (end - start) // hop),
            "clip": slice(None),
        }
        controls = {name: tensor[..., spans[rates[name]]] for name, tensor in case.controls.items()}
        clock = None
        if case.clock:
            gone = case.clock.tempo[..., :1] * since / (60 * self.environment.sample_rate)
            clock = Clock(case.clock.tempo[..., start:end], case.clock.beats[..., start:end] + gone)
        block = Block(since + start, end - start, self.environment.sample_rate, clock, owned)
        return controls, block

    def run_without_latency(self, effect: Effect, case: Case) -> dict[str, Tensor]:
        """As :meth:`run` with the lag taken out: as many more samples go in, the first are dropped."""
        lag = 0 if self.spectral else effect.latency()
        if not lag:
            return self.run(effect, case)
        samples = case.samples + lag
        audio = {port: torch.nn.functional.pad(tensor, (0, lag)) for port, tensor in case.audio.items()}
        controls = {}
        for control in effect.controls:
            tensor = case.controls[control.id]
            points = self.control_shape(control, case.batch, samples)[-1]
            controls[control.id] = hold(tensor, points - tensor.shape[-1])
        clock = case.clock and Clock(hold(case.clock.tempo, lag), hold(case.clock.beats, lag))
        longer = replace(case, audio=audio, controls=controls, samples=samples, clock=clock)
        return {port: tensor[..., lag:] for port, tensor in self.run(effect, longer).items()}

    def loss(self, outputs: Mapping[str, Tensor]) -> Tensor:
        """A number that every output sample moves by its own weight, of the order of 1."""
        return torch.stack([part.sum() for part in self._weighted(outputs, 1)]).sum()

    def losses(self, outputs: Mapping[str, Tensor], count: int) -> tuple[Tensor, float]:
        """:meth:`loss` of each of ``count`` cases that ran as one batch, and the size of what it is a sum of."""
        parts = [part.flatten(1) for part in self._weighted(outputs, count)]
        size = sum(float(part.square().sum(1).max()) for part in parts) ** 0.5
        return torch.stack([part.sum(1) for part in parts]).sum(0), size

    def _weighted(self, outputs: Mapping[str, Tensor], count: int) -> Iterator[Tensor]:
        """By output, ``[count, …]``: every sample times its weight, the same in each of the cases."""
        random = torch.Generator().manual_seed(99)
        for name in sorted(outputs):
            each = outputs[name].unflatten(0, (count, -1))
            weight = torch.randn(each.shape[1:], generator=random, dtype=torch.float64, device="cpu")
            yield each * (weight.to(each.dtype) / max(1, weight.numel()) ** 0.5)


def gradients(loss: Tensor, case: Case) -> dict[str, Tensor]:
    """The gradient of each of the case's tensors, zeros where the loss does not depend on it."""
    tensors = case.tensors()
    if not loss.requires_grad:
        return {name: torch.zeros_like(tensor) for name, tensor in tensors.items()}
    by_tensor = torch.autograd.grad(
        loss, list(tensors.values()), retain_graph=True, allow_unused=True, materialize_grads=True
    )
    return dict(zip(tensors, by_tensor, strict=True))


def expect(condition: bool, message: str) -> None:
    """Raise CheckFailed with that message unless the condition holds."""
    if not condition:
        raise CheckFailed(message)


def expect_close(got: Tensor, want: Tensor, tolerance: float, what: str) -> None:
    """Raise CheckFailed, with the worst place and both values, unless they agree.

    The tolerance is absolute, and relative to the largest value wanted where that is above 1.
    """
    expect(got.shape == want.shape, f"{what}: shape {tuple(got.shape)} instead of {tuple(want.shape)}")
    if not got.numel():
        return
    got, want = got.detach().double(), want.detach().double()
    error = (got - want).abs()
    scale = max(1.0, float(want.abs().max()))
    if bool((error <= tolerance * scale).all()):
        return
    worst = int(error.nan_to_num(nan=float("inf")).argmax())
    place = [int(index) for index in torch.unravel_index(torch.tensor(worst, device="cpu"), got.shape)]
    raise CheckFailed(
        f"{what}: {float(got.flatten()[worst]):.9g} instead of {float(want.flatten()[worst]):.9g} at {place}"
    )


def _hold_to_contract(effect: Effect, result: Any, size: tuple[int, int, int]) -> None:
    """Raise WrongReturn unless that is what process() has to return. size: batch, channels, samples."""
    if not isinstance(result, tuple) or len(result) != 2:
        raise WrongReturn(f"process() returned {_shown(result)}, not (outputs, state)", "no pair")
    outputs, after = result
    names = sorted(port.name for port in effect.outputs)
    if not isinstance(outputs, Mapping):
        message = f"process() returned {_shown(outputs)} for its outputs, not a mapping of ports to tensors"
        raise WrongReturn(message, "no outputs")
    if sorted(map(str, outputs)) != names:
        raise WrongReturn(f"gives ports {sorted(map(str, outputs))} instead of {names}")
    if not _is_state(after):
        message = f"process() returned {_shown(after)} for its state, not a mapping of names to tensors"
        raise WrongReturn(message, "no state")
    batch, channels, samples = size
    for port in effect.outputs:
        tensor, wanted = outputs[port.name], (batch, port.channels or channels, samples)
        if not isinstance(tensor, Tensor):
            raise WrongReturn(f"output {port.name} is {_shown(tensor)}, not a tensor")
        if tuple(tensor.shape) != wanted:
            raise WrongReturn(
                f"output {port.name} has shape {tuple(tensor.shape)} instead of {wanted} "
                f"for batch {batch}, {channels} channels, {samples} samples",
                f"shape of {port.name}",
            )


def _is_state(state: Any) -> bool:
    return isinstance(state, Mapping) and all(isinstance(part, Tensor) for part in state.values())


def _shown(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor {list(value.shape)}"
    if isinstance(value, Mapping):
        return f"a mapping with {', '.join(map(repr, value)) or 'nothing in it'}"
    return "None" if value is None else f"a {type(value).__name__}"


def _count(port: Port, channels: int) -> int:
    if port.apart:  # other than those of the rest
        return {1: 2, 2: 1, 4: 6}.get(channels, 4)
    return channels if port.channels is None else port.channels
