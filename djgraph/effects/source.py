"""Source effects: what an input's sound is made by, from material of any length."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from djgraph.effects.contract import Block, Effect, Port, State
from djgraph.errors import EffectError


@dataclass(frozen=True)
class Beats:
    """Where the beats of material are: a straight line from each anchor to the next, and on as it began and ended.

    beats: numbers of the anchors' beats, ``[anchors]``, ascending, two at least; or ``[batch, anchors]``, where each
    item of a batch plays a track of its own. seconds: when they are, the same. downbeat: a beat at which a bar begins.
    meter: beats in a bar; of a batch, ``[batch, 1]`` both. All tensors are float64 on the CPU.
    """

    beats: Tensor
    seconds: Tensor
    downbeat: int | Tensor = 0
    meter: int | Tensor = 4


@dataclass(frozen=True)
class Markers:
    """Which sample of material a sample of the mix is, as :func:`djgraph.dsp.warp_positions` takes it.

    clip: samples of the mix, ``[markers]`` or ``[batch, markers]``, ascending. track: samples of the material there.
    rate: None for straight lines from marker to marker; else each marker's own, so that there are jumps and loops.
    """

    clip: Tensor
    track: Tensor
    rate: Tensor | None = None


class Material(ABC):
    """What a source effect plays: all signals of one input, one behind the other, of one length.

    An input with stems has the stems' channels in order. Before its first sample and behind its last there is silence.
    """

    samples: int
    """How long it is."""
    channels: int
    """Of all its signals together."""
    widths: tuple[int, ...] = ()
    """Of each of its signals, in order; where that is not said it is one signal."""
    beats: Beats | None = None
    """Its beats, where they are known."""
    markers: Markers | None = None
    """Warp markers, where some are given."""

    @abstractmethod
    def read(self, position: Tensor, rate: Tensor) -> Tensor:
        """The material at a position for each sample, by a windowed sinc; see :func:`djgraph.dsp.read_material`.

        position: in samples of the material, ``[batch, samples]`` or ``[1, samples]``, float64. rate: samples of
        material for each sample of the output there, of the same shape, or ``[batch, 1]``. Returns
        ``[batch, channels, samples]``, differentiable in material, position and rate; a position that is no number is
        silence, and costs next to nothing.
        """


class SourceEffect(Effect):
    """An effect that makes an input's sound from its material: a deck, a sampler.

    It stands at an input of a graph (``source: deck``), not in a chain. All signals of the input are made in one call,
    at the same positions. Instead of *identity at neutral* it promises that with every control at its neutral value the
    output is the material from its beginning on, or silence.
    """

    type: ClassVar[str]  # again, so that type checkers compare subclasses with this
    domain = "source"
    inputs: ClassVar[tuple[Port, ...]] = ()
    outputs: ClassVar[tuple[Port, ...]] = (Port("out"),)
    needs_beats: bool = False
    """Whether its material has to have :attr:`Material.beats`. Settings may say so, in ``__init__``."""

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        if cls.inputs or [port.name for port in cls.outputs] != ["out"]:
            raise EffectError(f"{cls.__qualname__}: a source effect has no inputs, and one output, out")
        if any(control.rate == "frame" for control in cls.controls):
            raise EffectError(f"{cls.__qualname__}: a source effect reads controls per sample or per clip")
        if any(control.smoothing for control in cls.controls):
            raise EffectError(f"{cls.__qualname__}: controls of a source effect are not smoothed")

    def initial_state(self, batch: int, like: Tensor) -> State:
        """State before the first sample, for a batch of inputs. like: of the material's type, device and number of
        channels, ``[any, channels, any]``."""
        return {}

    def process(
        self, material: Material, controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[Tensor, State]:
        """One block of sound.

        controls: by id, ``[batch, 1, samples]`` for rate sample, ``[batch, 1, 1]`` for rate clip. Returns audio,
        ``[batch, channels of the material, samples]``, and the state after the block. Cutting time into blocks, each
        processed with the state that the one before gave, equals one call on the whole.
        """
        raise NotImplementedError

    def passed(self, material: Material, controls: Mapping[str, Tensor], state: State, block: Block) -> State:
        """The state after a block of which nobody hears the sound, as where a player jumps over it: where it goes on is
        the same, and what only its sound has left behind, as frames that overlap, may begin anew. An effect that knows
        it without reading its material says so here; otherwise the sound is made.
        """
        return self.process(material, controls, state, block)[1]
