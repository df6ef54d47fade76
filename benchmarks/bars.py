"""What the numbers have to reach, and what they aim at; each case says which bar its results are held against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Figure = Literal["faster", "longer", "share", "seconds", "megabytes"]
"""What a number says: how many times as fast, how many times as long, what share, how long, how much memory."""


@dataclass(frozen=True)
class Bar:
    """``better``: whether a higher or a lower value is the better one. No aim: reaching the bar is all.
    ``figure``: what the number says, so that like is drawn beside like."""

    must: float
    aim: float | None
    better: Literal["higher", "lower"]
    figure: Figure

    def reached(self, value: float) -> bool:
        return self._meets(value, self.must)

    def aim_reached(self, value: float) -> bool:
        return self.aim is not None and self._meets(value, self.aim)

    def _meets(self, value: float, mark: float) -> bool:
        return value >= mark if self.better == "higher" else value <= mark


BARS: dict[str, Bar] = {
    "forward": Bar(6, 10, "higher", "faster"),  # times as fast as the plain baseline
    "pedalboard": Bar(1.2, 2, "higher", "faster"),  # times as fast as Pedalboard with fixed settings
    "backward": Bar(7, 12, "higher", "faster"),  # forward and backward, times as fast as the plain baseline
    "memory": Bar(1 / 4, 1 / 8, "lower", "share"),  # forward and backward, of the plain baseline's peak
    "ffts": Bar(2.5, 1.6, "lower", "longer"),  # times as long as the bare FFTs
    "stems": Bar(8.5, 8, "lower", "longer"),  # 64 stems instead of 8: times as long
    "long": Bar(31, None, "lower", "longer"),  # 5 minutes instead of 10 s: times as long
    "long_memory": Bar(1, 1 / 4, "lower", "share"),  # of the inputs' own size
    "live": Bar(
        0.35, 0.15, "lower", "share"
    ),  # 99th percentile of the time of a block of 512 over its length
    "causal": Bar(1, 1.5, "higher", "faster"),  # times as fast as the studio lowering, whole clips
    "causal_live": Bar(
        0.5, 0.25, "lower", "share"
    ),  # 99th percentile of the time of a block of 128 over its length
    "hour_memory": Bar(600, 300, "lower", "megabytes"),  # MB above the program's own
    "hour": Bar(1.3, 1.1, "lower", "longer"),  # times as long as at the whole-clip rate
    "console": Bar(2, 4, "higher", "faster"),  # times as fast as one by one
    "batch": Bar(1, None, "higher", "faster"),  # times as fast as single calls
    "step": Bar(1, None, "lower", "share"),  # the loss, of the mixer's time in a training step
    "step_loss": Bar(1 / 2, None, "lower", "share"),  # the loss, of its time by PyTorch's operators
    "recursion": Bar(8, 20, "higher", "faster"),  # times as fast as torchlpc's filter of two poles
    "recursion_backward": Bar(8, 20, "higher", "faster"),  # the same, forward and backward
    "recursion_fixed": Bar(30, 80, "higher", "faster"),  # times as fast as torchaudio's fixed biquad
    "deck": Bar(100, 400, "higher", "faster"),  # times as fast as real time
    "key_lock": Bar(30, 60, "higher", "faster"),  # the same, with the pitch kept, four stereo stems
    "gpu": Bar(8, None, "higher", "faster"),  # times as fast as the plain baseline on the same GPU
    "gpu_floor": Bar(4, 2, "lower", "longer"),  # times as long as the bytes take that have to move
    "effect": Bar(1, 3, "higher", "faster"),  # times as fast as Pedalboard's effect of that kind
    "compressor": Bar(4, 10, "higher", "faster"),  # times as fast as torchcomp's gain
    "compressor_backward": Bar(4, 10, "higher", "faster"),  # the same, forward and backward
    "compile_default": Bar(1, None, "lower", "seconds"),  # seconds
    "compile_1000": Bar(5, None, "lower", "seconds"),  # seconds
    "compile_growth": Bar(1, None, "lower", "share"),  # of the exponent that n·log n has over the same sizes
}
