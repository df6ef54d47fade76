"""What all wrapped plugins have in common as effects: settings, steps of controls, state, latency, gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import pad

from djgraph.effects import (
    Block,
    Control,
    ControlModel,
    Environment,
    Port,
    SettingModel,
    State,
    TimeEffect,
)
from djgraph.effects.contract import ModelClass
from djgraph.errors import EffectError
from djgraph_pedalboard.estimate import Estimate, perturbed
from djgraph_pedalboard.instance import Instance, Latency, Setter
from djgraph_pedalboard.seats import Seat, Seats

MIX = Control(0, 1, neutral=0, smoothing=5.0, description="0 is the signal, 1 the plugin's output only")


class MixControls(ControlModel):
    """What every wrapped plugin has beside its own parameters."""

    mix: Annotated[float, MIX] = 0.0


class PluginSettings(SettingModel):
    """How a plugin is run."""

    block: int = Field(256, ge=16, le=8192, description="Samples for which its controls keep their values")
    gradients: Literal["none", "spsa"] = Field(
        "none", description="Of its controls: none, or estimated by simultaneous perturbation"
    )
    directions: int = Field(1, ge=1, le=64, description="Estimates that are averaged, two runs each")
    perturbation: float = Field(
        0.02, gt=0, le=0.5, description="How far an estimate moves controls, in parts of their range"
    )
    seed: int = Field(0, ge=0, description="Of the chance by which estimates move controls")
    audio_gradient: Literal["none", "wire"] = Field(
        "none", description="Of its input: none, or as if the plugin were a wire"
    )


class WrappedPlugin(TimeEffect):
    """A plugin of Pedalboard's interface as an effect.

    Its controls are read at every ``block``-th sample, for the samples up to the next. ``mix`` is djgraph's own: at
    every sample, with exact gradients. Subclasses say how a plugin is made and how its parameters are set.

    whole_blocks: the plugin gets blocks of full length only, and the effect lags by as much: for plugins that lag
    themselves, and those that may depend on how long blocks are.
    """

    type: ClassVar[str]
    Settings: ClassVar[ModelClass] = PluginSettings
    Controls = MixControls
    inputs = (Port("in", gradient="surrogate"),)
    foreign_memory = True
    whole_blocks: ClassVar[bool] = False
    again: ClassVar[bool] = False
    """Whether plugins are expensive to make, so that one is used again for another clip."""

    def __init__(self, settings: Any, environment: Environment) -> None:
        super().__init__(settings, environment)
        self._seats = Seats()
        self._drawn = 0
        self._own = tuple(control for control in self.controls if control.id != "mix")
        self._copies = 1 + (2 * settings.directions if settings.gradients == "spsa" else 0)

    def make(self) -> Any:
        """A new plugin. Raises whatever the library does where it cannot be loaded."""
        raise NotImplementedError

    def silence(self) -> int:
        """Blocks of silence that a plugin hears before the first sample of a clip."""
        return 1

    def setters(self) -> Sequence[Setter]:
        """How the parameter of each control but ``mix`` is set, in the order of declaration."""
        raise NotImplementedError

    @cached_property
    def _lags(self) -> Latency:
        """How the plugin itself lags, with its controls at their defaults."""
        instance = self._instance(self.inputs[0].channels or 2)
        instance.start([control.default for control in self._own])
        return instance.latency()

    def expected(self) -> Latency | None:
        """How a plugin has to lag while it plays; None where that is not looked at."""
        return None

    def latency(self) -> int:
        return self.settings.block - 1 + self._lags.measured if self.whole_blocks else 0

    def tail(self) -> int | None:
        return None

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``ticket`` and ``at``, ``[batch]``, whole numbers: which plugins, see ``seats.py``, and the samples that they
        have had. ``held``, ``[batch, copies, controls]``: what controls are at since the last step. With a latency
        ``dry`` and ``mix``, what has not come out yet; ``waiting``, input that does not fill a block; ``made``, output
        of those that did."""
        state = {
            "ticket": like.new_zeros(batch, dtype=torch.float64),
            "at": like.new_zeros(batch, dtype=torch.float64),
            "held": like.new_zeros(batch, self._copies, len(self._own), dtype=torch.float64),
        }
        if self.whole_blocks:
            rest, lag = self.settings.block - 1, self.latency()
            state["waiting"] = like.new_zeros(batch, channels, rest)
            state["made"] = like.new_zeros(batch, self._copies, channels, rest)
            state["dry"] = like.new_zeros(batch, channels, lag)
            state["mix"] = like.new_zeros(batch, 1, lag)
        return state

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        sound, mix = audio["in"], controls["mix"]
        if sound.is_meta:  # without data, to count costs: the shapes, and nothing of the plugin
            return {"out": torch.lerp(sound, sound, mix)}, dict(state)
        wet, after = self._run(sound, controls, state)
        dry = sound
        if self.whole_blocks:
            samples = sound.shape[-1]
            waiting, mixes = torch.cat((state["dry"], sound), -1), torch.cat((state["mix"], mix), -1)
            dry, mix = waiting[..., :samples], mixes[..., :samples]
            after["dry"], after["mix"] = waiting[..., samples:], mixes[..., samples:]
        return {"out": torch.lerp(dry, wet, mix)}, after

    def _run(self, sound: Tensor, controls: Mapping[str, Tensor], state: State) -> tuple[Tensor, State]:
        """What the plugins make of a block, and the state after it (but for the dry signal's)."""
        size = self.settings.block
        batch, channels, samples = sound.shape
        at = int(state["at"][0])
        first = -at % size  # the first sample at which controls step
        places = torch.arange(first, max(first, samples), size, device=sound.device)
        values = self._values(controls, places, batch)
        positions = self._positions(values)
        estimated = self._copies > 1 and positions.requires_grad and torch.is_grad_enabled()
        copies = self._copies if estimated else 1
        plain, distances = values.detach()[:, None], positions.detach().new_zeros(0, *positions.shape)
        if estimated:
            moved, distances = self._perturbed(positions.detach())
            plain = torch.cat((plain, self._plain(moved, plain)), 1)  # [batch, copies, controls, steps]
        steps = torch.cat((state["held"][:, : plain.shape[1], :, None], plain), -1)
        if first == 0:
            steps = steps[..., 1:]
        tickets, seats = self._take_seats(state, at, batch, channels, steps, copies)
        given = sound.detach()
        if self.whole_blocks:
            given = torch.cat((state["waiting"][..., size - 1 - at % size :].to(given), given), -1)
            given = given[..., : given.shape[-1] // size * size]
            cuts = list(range(0, given.shape[-1] + 1, size))
        else:
            cuts = sorted({0, *range(first, samples, size), samples})
        made = self._feed(seats, given, cuts, steps, copies).to(sound)
        for seat in seats:
            seat.at = at + samples
        after = {"ticket": tickets, "at": state["at"] + samples, "held": state["held"]}
        if len(places):
            after["held"] = pad(plain[..., -1], (0, 0, 0, self._copies - plain.shape[1]))
        made = pad(made, (0, 0, 0, 0, 0, self._copies - copies))
        starts = places
        if self.whole_blocks:
            queue = torch.cat((state["made"][..., at % size :], made), -1)
            made, rest = queue[..., :samples], queue[..., samples:]
            after["made"] = pad(rest, (size - 1 - rest.shape[-1], 0))
            after["waiting"] = torch.cat((state["waiting"], sound.detach()), -1)[..., samples:]
            starts = places + size - 1
        wet = made[:, 0]
        wire = self.latency() if self.settings.audio_gradient == "wire" else None
        if estimated or (wire is not None and sound.requires_grad):
            up, down = made[:, 1:copies:2], made[:, 2:copies:2]
            differences = (up - down).transpose(0, 1)
            wet = Estimate.apply(sound, positions, wet, differences, distances, starts, wire)
        return wet, after

    def _take_seats(
        self, state: State, at: int, batch: int, channels: int, steps: Tensor, copies: int
    ) -> tuple[Tensor, list[Seat]]:
        """The plugins of a state, which begin where it is a clip's first; with their tickets."""
        tickets, seats = state["ticket"].tolist(), []
        first = steps[..., 0].tolist() if steps.shape[-1] else []
        for item, ticket in enumerate(tickets):
            if ticket:
                seat = self._seats.find(ticket, at)
                if len(seat.instances) < copies:
                    raise EffectError(
                        "gradients are wanted of a stream that began without: its perturbed copies would have to hear "
                        "it from the start; begin the stream with gradients on"
                    )
                seat.instances = seat.instances[:copies]
            else:

                def make(free: list[Instance], values: list[list[float]] = first[item]) -> Seat:
                    instances = [
                        free[copy]
                        if self.again and copy < len(free)
                        else self._instance(channels, self.expected())
                        for copy in range(copies)
                    ]
                    for instance, own in zip(instances, values):
                        instance.start(own, self.silence())
                    return Seat(instances)

                tickets[item], seat = self._seats.begin(make, batch)
            seats.append(seat)
        return torch.tensor(tickets, dtype=torch.float64, device=state["ticket"].device), seats

    def _instance(self, channels: int, expected: Latency | None = None) -> Instance:
        names = [control.id for control in self._own]
        rate, size = self.environment.sample_rate, self.settings.block
        return Instance(self.make(), self.setters(), channels, rate, size, names, expected)

    def _feed(
        self, seats: Sequence[Seat], sound: Tensor, cuts: Sequence[int], steps: Tensor, copies: int
    ) -> Tensor:
        """Every signal through its plugins, ``[batch, copies, channels, samples]``; a step of controls at each cut."""
        given = np.ascontiguousarray(sound.to("cpu", torch.float32).numpy())
        values = steps.tolist()
        made = np.empty((len(seats), copies, *given.shape[1:]), np.float32)
        for item, seat in enumerate(seats):
            for copy, instance in enumerate(seat.instances[:copies]):
                own = list(zip(*values[item][copy])) if self._own else []
                for number, (start, stop) in enumerate(pairwise(cuts)):
                    if own:
                        instance.set(own[number])
                    made[item, copy, :, start:stop] = instance.feed(given[item, :, start:stop])
        return torch.from_numpy(made)

    def _values(self, controls: Mapping[str, Tensor], places: Tensor, batch: int) -> Tensor:
        """What controls are at these samples: ``[batch, controls, steps]``, float64."""
        if not self._own:
            return torch.zeros(batch, 0, len(places), dtype=torch.float64, device=places.device)
        values = [controls[control.id][:, 0].index_select(-1, places) for control in self._own]
        return torch.stack(values, 1).double()

    def _positions(self, values: Tensor) -> Tensor:
        """Where in their ranges the values are: as they, 0…1."""
        places = [_position(control, values[:, place]) for place, control in enumerate(self._own)]
        return torch.stack(places, 1) if places else values

    def _plain(self, positions: Tensor, values: Tensor) -> Tensor:
        """The inverse, ``[batch, copies, controls, steps]``. values: of the plugin itself, for controls with a grid."""
        plain = [
            values[:, :, place].expand(-1, positions.shape[1], -1)
            if control.held
            else _value(control, positions[:, :, place])
            for place, control in enumerate(self._own)
        ]
        return torch.stack(plain, 2)

    def _perturbed(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """The positions moved up, then down, in each direction: ``[batch, 2·directions, controls, steps]``; and how far
        apart the two of a direction are, ``[directions, batch, controls, steps]``, without end for what stays."""
        self._drawn += 1
        chance = np.random.default_rng((self.settings.seed, self._drawn))
        # Values on a grid stay where they are: between them there is nothing to estimate.
        free = [0.0 if control.held else 1.0 for control in self._own]
        moving = torch.tensor(free, dtype=torch.float64, device=positions.device)[:, None]
        moved, distances = [], []
        for _ in range(self.settings.directions):
            signs = torch.from_numpy(chance.choice((-1.0, 1.0), positions.shape)).to(positions) * moving
            up, down = perturbed(positions, signs, self.settings.perturbation)
            moved += [up, down]
            distances.append(torch.where(moving == 0, torch.inf, up - down))
        return torch.stack(moved, 1), torch.stack(distances)


def _position(control: Control, values: Tensor) -> Tensor:
    if control.scale == "log":
        ratio = control.max / control.min
        return (values / control.min).log() / float(np.log(ratio))
    return (values - control.min) / (control.max - control.min)


def _value(control: Control, positions: Tensor) -> Tensor:
    if control.scale == "log":
        plain = control.min * (control.max / control.min) ** positions
    else:
        plain = control.min + positions * (control.max - control.min)
    return plain.clamp(control.min, control.max)
