"""Effects that Pedalboard has too, one by one: what it runs, and ours on like work.

Pedalboard's settings stand still within a call, and one plugin runs one signal on one core; a pool of threads runs the
signals. What it computes is not the same everywhere: its filters are fixed biquads, its limiter is two compressors
that do not look ahead, its distortion is a tanh without anti-aliasing, its reverb is Freeverb. Its chorus has one
voice, and so ours is set to one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.pool import ThreadPool
from typing import Any

import torch
from torch import Tensor

from benchmarks.peers import load
from benchmarks.work import SAMPLE_RATE
from djgraph.effects import Block, Environment, TimeEffect
from djgraph.plugins import registry

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Match:
    """An effect and what it is held against.

    settings: ours. rests: controls that stand still, all others at their neutral values. moves: controls that change
    at every sample, from one value to another. peer: Pedalboard's plugins in series, each with its arguments.
    """

    effect: str
    peer: tuple[tuple[str, Settings], ...]
    settings: Settings = field(default_factory=dict)
    rests: Mapping[str, float] = field(default_factory=dict)
    moves: Mapping[str, tuple[float, float]] = field(default_factory=dict)


BANDS = ("HighpassFilter", "LowShelfFilter", *("PeakFilter",) * 4, "HighShelfFilter", "LowpassFilter")
MATCHES = (
    Match("filter", (("PeakFilter", {}),), rests={"mix": 1, "q": 2}, moves={"cutoff": (200, 8000)}),
    Match("ladder", (("LadderFilter", {}),), rests={"mix": 1}, moves={"cutoff": (200, 8000)}),
    Match("peq", tuple((name, {}) for name in BANDS), moves={"bell1_gain": (-6, 6), "bell3_gain": (6, -6)}),
    Match(
        "compressor",
        (("Compressor", {"threshold_db": -20, "ratio": 4}),),
        rests={"attack": 5, "release": 80},
        moves={"threshold": (-24, -16), "ratio": (2, 6)},
    ),
    Match(
        "limiter",
        (("Limiter", {"threshold_db": -12}),),
        rests={"mix": 1},
        moves={"ceiling": (-16, -8)},
    ),
    Match(
        "gate",
        (("NoiseGate", {"threshold_db": -30}),),
        rests={"range": 40},
        moves={"threshold": (-40, -20)},
    ),
    Match("chorus", (("Chorus", {}),), {"voices": 1}, rests={"depth": 3}, moves={"mix": (0.2, 0.6)}),
    Match("phaser", (("Phaser", {}),), rests={"depth": 3}, moves={"mix": (0.2, 0.6)}),
    Match("saturate", (("Distortion", {"drive_db": 15}),), rests={"mix": 1}, moves={"drive": (10, 20)}),
    Match(
        "delay",
        (("Delay", {"delay_seconds": 0.375, "feedback": 0.3}),),
        rests={"feedback": 0.4},
        moves={"mix": (0.2, 0.6)},
    ),
    Match("reverb", (("Reverb", {}),), moves={"mix": (0.2, 0.6)}),
)


class Ours:
    """One of our effects on ``[signals, channels, samples]``."""

    def __init__(self, match: Match, audio: Tensor) -> None:
        environment = Environment(SAMPLE_RATE)
        cls = registry().effects[match.effect].effect
        self.effect = cls(cls.Settings(**match.settings), environment)
        assert isinstance(self.effect, TimeEffect)
        self.audio, rows, samples = audio, len(audio), audio.shape[-1]
        self.controls: dict[str, Tensor] = {}
        for control in self.effect.controls:
            if control.id in match.moves:
                low, high = match.moves[control.id]
                curve = torch.linspace(low, high, samples).expand(rows, 1, -1).contiguous()
            else:
                value = float(match.rests.get(control.id, control.neutral))
                curve = torch.full((rows, 1, 1), value).expand(-1, -1, samples)
            self.controls[control.id] = curve

    def __call__(self) -> Tensor:
        with torch.no_grad():
            return self.run(self.audio, self.controls)

    def run(self, audio: Tensor, controls: Mapping[str, Tensor]) -> Tensor:
        """The output, with gradients where they are wanted."""
        rows, channels, samples = audio.shape
        assert isinstance(self.effect, TimeEffect)
        state = self.effect.initial_state(rows, channels, audio)
        sources = {port.name: audio for port in self.effect.inputs}
        outputs, _ = self.effect.process(sources, controls, state, Block(0, samples, SAMPLE_RATE))
        return outputs["out"]


class Theirs:
    """Pedalboard's plugins on the same signals. Raises Unavailable where Pedalboard is not installed."""

    def __init__(self, match: Match, audio: Tensor, pool: ThreadPool) -> None:
        pedalboard = load("pedalboard")
        self._pool = pool
        self._jobs = [
            (pedalboard.Pedalboard([getattr(pedalboard, name)(**given) for name, given in match.peer]), one)
            for one in audio.numpy()
        ]

    def __call__(self) -> list[Any]:
        return self._pool.starmap(lambda board, one: board(one, SAMPLE_RATE), self._jobs, chunksize=1)
