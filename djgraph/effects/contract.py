"""The effect contract: what a plugin author subclasses, and what the rest of djgraph may rely on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import torch
from pydantic import BaseModel
from torch import Tensor, nn

from djgraph.effects.control import (
    IDENTIFIER,
    Control,
    ControlModel,
    Gradient,
    SettingModel,
    collect_controls,
)
from djgraph.effects.use import Conflict, Use
from djgraph.errors import EffectError

Domain = Literal["time", "spectral", "source"]
AtNeutral = Literal["identity", "allpass"]
FAMILIES = (
    "level",
    "filters",
    "dynamics",
    "colour",
    "modulation",
    "time",
    "rooms",
    "tools",
    "sources",
    "other",
)
"""Families of effects, in the order of listings."""
ModelClass = type[BaseModel]
State = dict[str, Tensor]
"""What an effect remembers between blocks; every tensor's first dimension is the batch."""


@dataclass(frozen=True)
class Port:
    """A named input or output. ``channels`` is a number, or None for "as many as the signal has".

    All ports of one node that say None carry the same number of channels.

    apart: of an input beside the first, as a sidechain: it has as many channels as its own signal, whatever the others
    have. default: of an input beside the first: an input before it, whose signal it reads where a graph connects
    nothing to it; None where it has to be connected. gradient: of an input: what the effect's output has to it, as of a
    :class:`Control`: ``exact``; ``surrogate``, a stand-in, for example through rounding; or ``none``, as where another
    library computes the output.
    """

    name: str
    channels: int | None = None
    apart: bool = False
    default: str | None = None
    gradient: Gradient = "exact"


@dataclass(frozen=True)
class Transform:
    """The short-time Fourier transform of a graph: periodic Hann window of ``size``, every ``hop`` samples."""

    size: int = 2048
    hop: int = 512

    @property
    def bins(self) -> int:
        return self.size // 2 + 1

    def frames(self, samples: int) -> int:
        """How many frames a clip of that many samples has; frame t is centred on sample t·hop."""
        return 1 + samples // self.hop


@dataclass(frozen=True)
class Environment:
    """What an effect knows of its surroundings when it is built."""

    sample_rate: int
    transform: Transform = Transform()

    def frequencies(self) -> Tensor:
        """Centre of each STFT bin in Hz, ``[bins]``, float64."""
        return torch.arange(self.transform.bins, dtype=torch.float64, device="cpu") * (
            self.sample_rate / self.transform.size
        )


@dataclass(frozen=True)
class Clock:
    """Musical time, for effects with ``uses_clock``.

    tempo: BPM, broadcastable to ``[batch, 1, samples]``. beats: position in beats since the clip began,
    ``[batch, 1, samples]``. Both are float64 whatever the audio is in: wrap beats, then make them the audio's dtype.
    """

    tempo: Tensor
    beats: Tensor


@dataclass(frozen=True)
class Block:
    """The stretch of time that one call of :meth:`TimeEffect.process` covers.

    ``owned``: nobody else reads the state that the call is given, nor will anybody later, and no derivative is taken:
    it may be written to, and returned. So a long delay line need not be copied for every short block of a stream.
    """

    start: int
    length: int
    sample_rate: int
    clock: Clock | None = None
    owned: bool = False


@dataclass(frozen=True)
class Link:
    """What an effect is that is one kernel of :mod:`djgraph.dsp` and nothing else; see :meth:`TimeEffect.link`.

    kernel: made by a function of ``djgraph.dsp`` whose name ends in ``_link``. controls: the ids of those that it reads
    as curves, in its order, all of rate sample. state: the name of the state, which begins with zeros; None where the
    kernel has none.
    """

    kernel: Any
    controls: tuple[str, ...]
    state: str | None = None


@contextmanager
def ordinary_tensors() -> Iterator[None]:
    """Within, tensors are made on the CPU and may be saved for a backward pass, whatever mode a caller is in.

    For what is made once and kept: a mixer may be built while another device is the default (``with
    torch.device("meta")``, as frameworks do that defer weights) or in inference mode, and be trained later.
    """
    with torch.inference_mode(False), torch.device("cpu"):
        yield


class NoSettings(SettingModel):
    """For effects without settings."""


class NoControls(ControlModel):
    """For effects without controls."""


class Effect(nn.Module):
    """Base of all effects; subclass :class:`TimeEffect`, :class:`SpectralEffect` or :class:`SourceEffect`.

    Every effect promises:

    - *batch independence*: item i of the output depends on item i of input and controls only, so that the
      compiler may stack nodes of one type and equal settings along the batch and run them in one call;
    - *identity at neutral*: with every control at its neutral value the output is the input (or, where ``at_neutral``
      says so, an all-pass of it);
    - *finite gradients* everywhere in range, silence and range ends included;
    - no change of its inputs, no global random state, no host synchronisation, any float dtype, any device.

    :mod:`djgraph.effects.checks` holds an effect to these promises.
    """

    type: ClassVar[str]  # type: ignore[assignment]  # instead of the method that torch.nn.Module has
    """Name in graph files, lower-case letters, digits and underscores."""
    description: ClassVar[str] = ""
    family: ClassVar[str] = "other"
    """What kind of effect it is, for listings: one of :data:`FAMILIES`, or a word of your own."""
    domain: ClassVar[Domain]
    Settings: ClassVar[ModelClass] = NoSettings
    Controls: ClassVar[ModelClass] = NoControls
    inputs: ClassVar[tuple[Port, ...]] = (Port("in"),)
    outputs: ClassVar[tuple[Port, ...]] = (Port("out"),)
    uses_clock: bool = False
    """Whether blocks carry a clock. An effect that is not memoryless may set it by its settings, in ``__init__``."""
    controls: ClassVar[tuple[Control, ...]] = ()
    """The declared controls in order; collected from ``Controls``."""

    def __init__(self, settings: Any, environment: Environment) -> None:
        super().__init__()
        self.settings = settings
        self.environment = environment
        self._constants: dict[tuple[torch.dtype, torch.device], dict[str, Tensor]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        name = f"{cls.__module__}.{cls.__qualname__}"
        cls.controls = collect_controls(name, cls.Controls)
        if getattr(cls, "type", None) is nn.Module.type:  # an abstract base: only torch's method of that name
            return
        if not isinstance(cls.type, str) or not IDENTIFIER.match(cls.type):
            raise EffectError(f"{name}: type {cls.type!r} is not lower-case letters, digits and underscores")
        if not isinstance(cls.family, str) or not IDENTIFIER.match(cls.family):
            raise EffectError(f"{name}: family {cls.family!r} is not one word of lower-case letters")
        if not hasattr(cls, "domain"):
            raise EffectError(f"{name}: subclass TimeEffect, SpectralEffect or SourceEffect")
        for ports in (cls.inputs, cls.outputs):
            names = [port.name for port in ports]
            if len(set(names)) != len(names) or not all(IDENTIFIER.match(port) for port in names):
                raise EffectError(f"{name}: ports {names} need distinct names of lower-case letters")
        if not cls.outputs:
            raise EffectError(f"{name}: has no output")
        for place, port in enumerate((*cls.inputs, *cls.outputs)):
            kinds = get_args(Gradient) if place < len(cls.inputs) else ("exact",)
            if port.gradient not in kinds:
                raise EffectError(
                    f"{name}: port {port.name!r}: gradient {port.gradient!r} is none of {', '.join(kinds)}"
                    + ("" if len(kinds) > 1 else "; inputs declare it, outputs do not")
                )
            further = 0 < place < len(cls.inputs)
            if (port.apart and (not further or port.channels is not None)) or (
                port.default is not None
                and port.default not in [p.name for p in cls.inputs[: place * further]]
            ):
                raise EffectError(
                    f"{name}: port {port.name!r}: only an input behind the first, of any number of channels, may be "
                    "apart, and its default is an input before it"
                )

    def latency(self) -> int:
        """Samples by which the output lags in a stream. A whole signal is always processed with none."""
        return 0

    def tail(self) -> int | None:
        """Samples that go on sounding after the input has ended; None where they never quite end."""
        return 0

    @classmethod
    def conflicts(cls, use: Use, environment: Environment) -> Iterable[Conflict]:
        """What in a graph's use of this effect contradicts itself, or does nothing because of the rest.

        Settings that no use allows are for ``Settings`` to refuse. This is for what only the whole shows: a setting
        that another one takes the place of, controls fixed out of order, a control that the settings turn off. A graph
        with conflicts is refused, each with its place in the file.
        """
        return ()

    @classmethod
    def held_back(cls, use: Use, environment: Environment) -> int:
        """Samples that pass at least before anything of what goes in comes out; 0 where something does at once.

        That has to hold for all that the controls can be in this use: an echo holds back by its shortest delay, where
        its mix is fixed at echoes only. A loop of a graph may close through such an effect.
        """
        return 0

    @classmethod
    def limits(cls, use: Use, environment: Environment) -> bool:
        """Whether what comes out stays within a bound however loud what goes in is, for all that the controls can be in
        this use: a saturation that is all wet, a limiter. A loop that goes through it cannot grow without end.
        """
        return False

    def magnitude(self, controls: Mapping[str, Tensor]) -> Tensor | None:
        """The gain over frequency while the controls rest; None where there is none to tell, whatever the controls.

        controls: by id, ``[batch, points, 1]`` in plain units; each point is a setting of its own. Returns
        ``[batch, points, bins]`` at ``environment.frequencies()``, or ``[batch, points, 1]`` where the gain is one
        number, the same for all channels and never below 0. What depends on the signal's level, on time or on the
        other channels has no such gain. ``djgraph fit`` solves for the controls of effects that have one, and
        pictures are drawn of it. Where :meth:`frequency_response` is given, it is that one's magnitude.
        """
        response = self.frequency_response(controls)
        return None if response is None else response.abs()

    def frequency_response(self, controls: Mapping[str, Tensor]) -> Tensor | None:
        """The same with phases, complex; None where the effect turns no phase, or tells only its gain.

        Arguments and shapes are those of :meth:`magnitude`. ``djgraph fit`` needs it for filters in time: two that
        have one gain, and different phases, do not sound alike where signals are added.
        """
        return None

    def constants(self) -> dict[str, Tensor]:
        """Fixed tensors that processing needs (window, response, powers of frequency), float64 on the CPU.

        They follow the signal's dtype and device by themselves; learnable tensors are ``nn.Parameter`` instead.
        """
        return {}

    def constant(self, name: str, like: Tensor) -> Tensor:
        """One of :meth:`constants`, in the dtype and on the device of ``like``; computed once for each."""
        key = (like.dtype, like.device)
        if key not in self._constants:
            with ordinary_tensors():
                tensors = self.constants()
            # A tensor made in inference mode could not be saved for a backward pass later.
            with torch.inference_mode(False):
                tensors = {k: v.to(device=like.device, dtype=like.dtype) for k, v in tensors.items()}
            self._constants[key] = tensors
        return self._constants[key][name]

    def kept(self) -> list[Tensor]:
        """The constants that were made so far."""
        return [tensor for tensors in self._constants.values() for tensor in tensors.values()]

    def __getstate__(self) -> dict[str, Any]:
        # Constants are recomputed, so copies and pickles stay small.
        return {**self.__dict__, "_constants": {}}


def _giver(cls: type[TimeEffect], promise: str) -> type[TimeEffect]:
    """The class from which another has a method or an attribute."""
    return next(base for base in cls.__mro__ if promise in vars(base))


def _computes_what(cls: type[TimeEffect], promise: str) -> bool:
    """Whether a class computes what the one does that made a promise: whichever base overrides it."""
    giver = _giver(cls, promise)
    names = ("process", "amplitude", "initial_state")
    return all(getattr(cls, name, None) is getattr(giver, name, None) for name in names)


class TimeEffect(Effect):
    """An effect that maps audio to audio."""

    type: ClassVar[str]  # again, so that type checkers compare subclasses with this
    domain = "time"
    at_neutral: ClassVar[AtNeutral] = "identity"
    """What it is with every control at its neutral value: ``identity``, or ``allpass`` where every frequency keeps its
    level but not its phase, as behind the crossovers of an isolator."""
    memoryless: ClassVar[bool] = False
    """True where sample n of the output depends on nothing but sample n of inputs and per-sample controls (or
    per-clip ones), and there is no state: the compiler may then run it on any stretch of the signal."""

    blockwise: ClassVar[bool] = False
    """True where short blocks cost no more for each sample than long ones: no transform of a whole block, no long
    history that each block copies. On a CPU whole clips then run in blocks that stay in its cache, which is faster."""

    foreign_memory: ClassVar[bool] = False
    """True where some of what it remembers is in another library's objects, which no tensor holds: a state is good for
    one call, in the process that made it. Streams run; their states cannot be kept."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # A subclass that computes something else is not the kernel that its base is, nor at rest when that is.
        if not _computes_what(cls, "link"):
            cls.link = TimeEffect.link  # type: ignore[method-assign]
        if _giver(cls, "at_rest").process is not TimeEffect.process and not _computes_what(cls, "at_rest"):
            cls.at_rest = TimeEffect.at_rest  # type: ignore[method-assign]
            cls.asleep = TimeEffect.asleep  # type: ignore[method-assign]

    def link(self) -> Link | None:
        """The effect as one kernel, where it is no more than that: one input, one output, and what :meth:`process`
        returns is the kernel's output and state, to rounding. None where it is anything else.

        In single precision on a CPU, and where no derivative is taken, such effects one behind the other run in one
        pass over memory, and their controls need not exist as curves; :meth:`process` runs everywhere else. A subclass
        with a ``process``, ``amplitude`` or ``initial_state`` of its own does not inherit it.
        """
        return None

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """State before the first sample, for a batch of signals in the dtype and on the device of ``like``."""
        return {}

    def held_back_now(self, controls: Mapping[str, Tensor], state: State, block: Block) -> Tensor | None:
        """By how many samples at least it holds back what comes out at each sample of a block: ``[samples]``, of any
        dtype, for all of the batch together; None where :meth:`held_back` has said all there is.

        That one has to hold for all that controls can be; this one knows what they are. A loop that closes through the
        effect then runs in longer blocks. Arguments are those of :meth:`process`, which is to come.
        """
        return None

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        """One block of audio.

        audio: by input port, ``[batch, channels, samples]``; an effect without inputs takes the size from
        ``block.length`` and its controls.
        controls: by id, ready to broadcast against audio: ``[batch, 1, samples]`` for rate sample,
        ``[batch, 1, frames]`` for rate frame (frame t at the block's sample t·hop, from its first sample to the one
        after its last; such blocks begin at a multiple of the hop), ``[batch, 1, 1]`` for rate clip.
        Returns audio by output port, and the state after the block. Cutting a signal into blocks, each
        processed with the state that the one before gave, equals one call on the whole.
        """
        raise NotImplementedError

    def at_rest(self, state: State, quiet: float) -> bool:
        """Whether silence that comes in goes out as silence from here on, whatever the controls do meanwhile.

        quiet: what counts as silence; what is left in the state has to be within ±``quiet``, and
        :func:`djgraph.effects.is_silent` looks. A stream asks it of an effect behind a switch that is closed, where it
        takes no gradients; one item of a stack at a time. While it is True and silence comes in, :meth:`asleep` is
        called instead of :meth:`process`, if at all. False is always right, and costs time only. The default says True
        of effects without state and tail.
        """
        return not state and self.tail() == 0

    def asleep(self, controls: Mapping[str, Tensor], state: State, block: Block) -> State:
        """The state after a block of silence in an effect that is at rest; what :meth:`process` would return of it.

        What goes on by itself goes on here: the phase of an oscillator, a delay that glides. Without such things there
        is nothing to do, which is the default. Arguments are those of :meth:`process`.
        """
        return state


TimeEffectClass = type[TimeEffect]


class AmplitudeEffect(TimeEffect):
    """A time effect that multiplies all channels by one number at every sample: a fader, a tremolo.

    The compiler multiplies on the way into the transform that follows, without a pass over the audio of its own.
    """

    type: ClassVar[str]
    memoryless = True
    closed_by: ClassVar[str | None] = None
    """A control, of rate sample, at whose 0 the amplitude is 0, exactly and whatever the others are: where a switch
    closes such a gain, a stream need not compute what leads to nowhere else, nor what only silence leads to. A subclass
    with an ``amplitude`` of its own does not inherit it."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not _computes_what(cls, "closed_by"):
            cls.closed_by = None
        rates = {control.id: control.rate for control in cls.controls}
        if cls.closed_by is not None and rates.get(cls.closed_by) != "sample":
            raise EffectError(
                f"{cls.__qualname__}: closed_by names no control of rate sample: {cls.closed_by!r}"
            )
        if cls.process is not AmplitudeEffect.process:
            raise EffectError(
                f"{cls.__qualname__}: an amplitude effect has amplitude(), and no process() of its own"
            )
        if [port.name for port in (*cls.inputs, *cls.outputs)] != ["in", "out"]:
            raise EffectError(
                f"{cls.__qualname__}: an amplitude effect has one input, in, and one output, out"
            )

    def amplitude(self, controls: Mapping[str, Tensor]) -> Tensor:
        """What the audio is multiplied by, ``[batch, 1, samples]`` or ``[batch, 1, 1]``.

        controls: by id, as :meth:`TimeEffect.process` gets them; of rate sample or clip.
        """
        raise NotImplementedError

    def magnitude(self, controls: Mapping[str, Tensor]) -> Tensor | None:
        """The amplitude without its sign, ``[batch, points, 1]``."""
        return self.amplitude({name: values.mT for name, values in controls.items()}).mT.abs()

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        """Audio times amplitude."""
        return {"out": audio["in"] * self.amplitude(controls)}, state


class SpectralEffect(Effect):
    """An effect that is a real, non-negative gain per STFT frame and frequency, the same for all channels."""

    type: ClassVar[str]  # again, so that type checkers compare subclasses with this
    domain = "spectral"
    causal_twin: ClassVar[TimeEffectClass | None] = None
    """What takes its place under the causal lowering; :class:`djgraph.effects.CausalTwin` declares it. A subclass does
    not inherit it, since its gain may be another one."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.causal_twin = None
        if any(control.rate == "sample" for control in cls.controls):
            raise EffectError(f"{cls.__qualname__}: a spectral effect reads controls per frame or per clip")
        if len(cls.inputs) != 1 or len(cls.outputs) != 1:
            raise EffectError(f"{cls.__qualname__}: a spectral effect has one input and one output")

    def mask(self, controls: Mapping[str, Tensor]) -> Tensor:
        """The gain, ``[batch, frames, bins]`` or broadcastable to it.

        controls: by id, ``[batch, frames, 1]`` for rate frame and ``[batch, 1, 1]`` for rate clip, in plain
        units, read at each frame's centre. Frame t of the gain depends on frame t of the controls only. Bin
        frequencies are ``environment.frequencies()``. An effect without controls returns ``[bins]``.
        """
        raise NotImplementedError

    def magnitude(self, controls: Mapping[str, Tensor]) -> Tensor | None:
        """The mask."""
        return self.mask(controls)


class RatioEffect(SpectralEffect):
    """A spectral effect whose gain is a sum of fixed curves over another sum of fixed curves.

    ``gain = Σ above[r]·ABOVE[r](f) / Σ below[r]·BELOW[r](f)``: equalisers, crossovers and filters can be written like
    this. Where the compiler knows it, a whole chain of such effects costs one pass over the bins, and its gradient
    another, whatever the controls do.

    :meth:`constants` gives the curves, ``"above"`` and, unless there is nothing to divide by, ``"below"``:
    ``[curves, bins]`` each. Sums have to stay above 0 and within what single precision holds; where both are equal, the
    gain is exactly 1.
    """

    type: ClassVar[str]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.mask is not RatioEffect.mask:
            raise EffectError(f"{cls.__qualname__}: a ratio effect has weights(), and no mask() of its own")

    def weights(self, controls: Mapping[str, Tensor]) -> tuple[Tensor, Tensor | None]:
        """What the curves above and below are weighted with, ``[batch, frames, curves]`` (batch and frames may be 1).

        controls: by id, as :meth:`SpectralEffect.mask` gets them. Without curves below, the second is None.
        """
        raise NotImplementedError

    def mask(self, controls: Mapping[str, Tensor]) -> Tensor:
        """The gain. Not to be overridden: what the compiler runs comes from :meth:`weights` alone."""
        above, below = self.weights(controls)
        gain = torch.matmul(above, self.constant("above", above))
        if below is not None:
            gain = gain / torch.matmul(below, self.constant("below", below))
        return gain
