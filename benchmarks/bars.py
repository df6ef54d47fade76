"""What the numbers have to reach, and what they aim at; each case says which bar its results are held against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Bar:
    """``better``: whether a higher or a lower value is the better one. No aim: reaching the bar is all."""

    must: float
    aim: float | None
    better: Literal["higher", "lower"]

    def reached(self, value: float) -> bool:
        return self._meets(value, self.must)

    def aim_reached(self, value: float) -> bool:
        return self.aim is not None and self._meets(value, self.aim)

    def _meets(self, value: float, mark: float) -> bool:
        return value >= mark if self.better == "higher" else value <= mark


BARS: dict[str, Bar] = {
    "forward": Bar(6, 10, "higher"),  # times as fast as the plain baseline
    "pedalboard": Bar(1.2, 2, "higher"),  # times as fast as Pedalboard with fixed settings
    "backward": Bar(7, 12, "higher"),  # forward and backward, times as fast as the plain baseline
    "memory": Bar(1 / 4, 1 / 8, "lower"),  # forward and backward, of the plain baseline's peak
    "ffts": Bar(2.5, 1.6, "lower"),  # times as long as the bare FFTs
    "stems": Bar(8.5, 8, "lower"),  # 64 stems instead of 8: times as long
    "long": Bar(31, None, "lower"),  # 5 minutes instead of 10 s: times as long
    "long_memory": Bar(1, 1 / 4, "lower"),  # of the inputs' own size
    "live": Bar(0.35, 0.15, "lower"),  # 99th percentile of the time of a block of 512 over its length
    "causal": Bar(1, 1.5, "higher"),  # times as fast as the studio lowering, whole clips
    "causal_live": Bar(0.5, 0.25, "lower"),  # 99th percentile of the time of a block of 128 over its length
    "hour_memory": Bar(600, 300, "lower"),  # MB above the program's own
    "hour": Bar(1.3, 1.1, "lower"),  # times as long as at the whole-clip rate
    "console": Bar(2, 4, "higher"),  # times as fast as one by one
    "batch": Bar(1, None, "higher"),  # times as fast as single calls
    "step": Bar(1, None, "lower"),  # the loss, of the mixer's time in a training step
    "step_loss": Bar(1 / 2, None, "lower"),  # the loss, of its time by PyTorch's operators
    "recursion": Bar(8, 20, "higher"),  # times as fast as torchlpc's filter of two poles
    "recursion_backward": Bar(8, 20, "higher"),  # the same, forward and backward
    "recursion_fixed": Bar(30, 80, "higher"),  # times as fast as torchaudio's fixed biquad
    "effect": Bar(1, 3, "higher"),  # times as fast as Pedalboard's effect of that kind
    "compressor": Bar(4, 10, "higher"),  # times as fast as torchcomp's gain
    "compressor_backward": Bar(4, 10, "higher"),  # the same, forward and backward
    "compile_default": Bar(1, None, "lower"),  # seconds
    "compile_1000": Bar(5, None, "lower"),  # seconds
    "compile_growth": Bar(1, None, "lower"),  # of the exponent that n·log n has over the same sizes
}
