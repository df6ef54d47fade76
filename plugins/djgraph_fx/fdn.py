"""A room from a feedback delay network: what of it may change while it sounds are its controls."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from djgraph.dsp import delay_history, fdn, read_delay, steady, svf
from djgraph.effects import (
    Block,
    Conflict,
    Control,
    ControlModel,
    Environment,
    SettingModel,
    State,
    TimeEffect,
    Unit,
    Use,
    is_silent,
)
from djgraph.effects.use import beyond_half_the_rate, out_of_order
from djgraph_fx.room import DAMPING_CORNER, DAMPING_DEPTH

SPREAD = 3.0
"""The longest line over the shortest one."""
CUTS = {"low_cut": (0.0, 0.0, 1.0), "high_cut": (1.0, 0.0, 0.0)}
"""Low, band and high of the filters behind the network."""


def line_lengths(lines: int, mean: float) -> tuple[int, ...]:
    """Different primes, so that no two lines have a common divisor; even steps in pitch about a mean in samples."""
    lengths: list[int] = []
    for k in range(lines):
        length = max(2, math.ceil(mean * SPREAD ** (k / (lines - 1) - 0.5)))
        while length in lengths or any(length % d == 0 for d in range(2, math.isqrt(length) + 1)):
            length += 1
        lengths.append(length)
    return tuple(lengths)


def entering(lines: int) -> Tensor:
    """``[lines, channels]`` for as many channels as lines, ±1/√lines: orthogonal rows of Hadamard's matrix, each times
    the signs of Golay, Rudin and Shapiro, which are like none of the rows."""
    place = torch.arange(lines, device="cpu")
    scrambled = _parity(place[:, None] & place) ^ _parity(place & place >> 1)[:, None]
    return (1 - 2 * scrambled.double()) / math.sqrt(lines)


def leaving(lines: int) -> Tensor:
    """``[channels, lines]``: the matrix's rows in another order, every third one.

    What two channels have in common enters half of the lines. In this order they hear these with different signs.
    """
    place = torch.arange(lines, device="cpu")
    return (1 - 2 * _parity((3 * place % lines)[:, None] & place).double()) / math.sqrt(lines)


def _parity(numbers: Tensor) -> Tensor:
    """Whether an odd number of the lowest four bits is set: 0 or 1."""
    return (numbers ^ numbers >> 1 ^ numbers >> 2 ^ numbers >> 3) & 1


class Fdn(TimeEffect):
    """``out = (1 − mix)·x + mix·cuts(C·y)``: y the lines' ends of a feedback delay network that x enters by B.

    See :func:`djgraph.dsp.fdn`. All channels share the network; B and C have a row for each channel.
    """

    type = "fdn"
    family = "rooms"
    description = "Reverb from a feedback delay network: decay, damping, cuts and freeze may move"

    class Settings(SettingModel):
        size: Annotated[float, Unit("ms")] = Field(
            40.0, ge=5, le=200, description="Mean length of the lines in ms: how large the room is"
        )
        lines: Literal[8, 16] = Field(
            8, description="How many delay lines; 16 are denser and cost twice as much"
        )
        corner: Annotated[float, Unit("Hz")] = Field(
            DAMPING_CORNER,
            ge=200,
            le=10000,
            description="Frequency in Hz at which damping has half its effect",
        )

    class Controls(ControlModel):
        mix: Annotated[
            float,
            Control(
                0,
                1,
                neutral=0,
                smoothing=5.0,
                description="0 is dry, 1 is reverberation only",
                role="reverb_send",
            ),
        ] = 0.0
        decay: Annotated[
            float,
            Control(
                0.1, 30, neutral=2, unit="s", scale="log", smoothing=20.0,
                description="Time in which low frequencies die away by 60 dB (RT60)",
            ),
        ] = 2.0  # fmt: skip
        damping: Annotated[
            float,
            Control(0, 1, neutral=0.5, smoothing=20.0, description="How much sooner high frequencies die"),
        ] = 0.5
        freeze: Annotated[
            float,
            Control(
                0,
                1,
                neutral=0,
                smoothing=20.0,
                description="1 holds what sounds for ever and lets nothing in",
            ),
        ] = 0.0
        predelay: Annotated[
            float,
            Control(
                0, 200, neutral=10, unit="ms", smoothing=20.0, description="Before the reverberation begins"
            ),
        ] = 10.0
        low_cut: Annotated[
            float,
            Control(
                20, 2000, neutral=20, unit="Hz", scale="log", smoothing=5.0,
                description="Reverberation below it is cut by 12 dB per octave",
            ),
        ] = 20.0  # fmt: skip
        high_cut: Annotated[
            float,
            Control(
                500, 20000, neutral=20000, unit="Hz", scale="log", smoothing=5.0,
                description="Reverberation above it is cut by 12 dB per octave",
            ),
        ] = 20000.0  # fmt: skip

    LONGEST_PREDELAY = 200.0
    HIGHEST = 0.45
    """Of the sample rate, for the corner: where rates are low."""

    @classmethod
    def conflicts(cls, use: Use, environment: Environment) -> Iterator[Conflict]:
        yield from out_of_order(use, ("low_cut", "high_cut"), "Hz")
        yield from beyond_half_the_rate(use, ("low_cut", "high_cut"), environment.sample_rate)

    def __init__(self, settings: Any, environment: Environment) -> None:
        super().__init__(settings, environment)
        self.delays = line_lengths(settings.lines, settings.size * environment.sample_rate / 1000)

    def tail(self) -> int | None:
        return None

    def constants(self) -> dict[str, Tensor]:
        """``enter``, ``[lines, lines]``, and ``leave``: for as many channels as lines; see :meth:`_rows`."""
        lines = self.settings.lines
        return {"enter": entering(lines), "leave": leaving(lines)}

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``before``: of the pre-delay. ``lines``, ``damping``: of :func:`djgraph.dsp.fdn`, ``[batch, lines, …]``.
        ``low_cut``, ``high_cut``: of :func:`djgraph.dsp.svf`."""
        lines = self.settings.lines
        longest = self.LONGEST_PREDELAY * self.environment.sample_rate / 1000
        return {
            "before": like.new_zeros(batch, channels, delay_history(longest)),
            "lines": like.new_zeros(batch, lines, max(self.delays)),
            "damping": like.new_zeros(batch, lines, dtype=torch.float64),
            **{cut: like.new_zeros(batch, channels, 2) for cut in CUTS},
        }

    def at_rest(self, state: State, quiet: float) -> bool:
        return is_silent(*state.values(), below=quiet)

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal, mix = audio["in"], controls["mix"]
        wet, after = self.reverberated(signal, controls, state, block)
        return {"out": (1 - mix) * signal + mix * wet}, after

    def reverberated(
        self, signal: Tensor, controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[Tensor, State]:
        """What is heard of the room alone, and the state after the block."""
        rate = block.sample_rate
        decay, damping, freeze = (steady(controls[name].double()) for name in ("decay", "damping", "freeze"))
        predelay = controls["predelay"].double() * (rate / 1000)
        late, before = read_delay(signal, predelay, state["before"])
        loss = 60 / decay
        heard = (self._level(loss) * (1 - freeze)).to(signal.dtype)
        enters = torch.einsum("lc,bcn->bln", self._rows("enter", signal), late * heard)
        ends, lines, filters = fdn(
            enters,
            ((1 - freeze) * loss)[:, 0],
            ((1 - freeze) * loss / (1 - DAMPING_DEPTH * damping))[:, 0],
            state["lines"],
            state["damping"],
            delays=self.delays,
            corner=min(self.settings.corner, self.HIGHEST * rate),
            sample_rate=rate,
        )
        wet = torch.einsum("cl,bln->bcn", self._rows("leave", signal), ends)
        after = {"before": before, "lines": lines, "damping": filters}
        for cut, parts in CUTS.items():
            wet, after[cut] = svf(wet, controls[cut], 0.5**0.5, *parts, state[cut], sample_rate=rate)
        return wet, after

    def _level(self, loss: Tensor) -> Tensor:
        """With which the input enters, so that white noise keeps its level, however long it stays.

        After each of its ways round, of D samples, a share g² = 10^(−loss·D/(10·rate)) of its energy is left, and read:
        g²/(1 − g²) in all. The last factor g² is a room's own: one that decays within a line's length hardly sounds.
        """
        way = sum(self.delays) / len(self.delays) / self.environment.sample_rate
        return (-self.settings.lines * torch.expm1(loss * (-way * math.log(10) / 10))).sqrt()

    def _rows(self, name: str, signal: Tensor) -> Tensor:
        """The matrix for as many channels as the signal has; more than there are lines share rows."""
        matrix, channels = self.constant(name, signal), signal.shape[1]
        place = torch.arange(channels, device=signal.device) % self.settings.lines
        return matrix[:, place] if name == "enter" else matrix[place]
