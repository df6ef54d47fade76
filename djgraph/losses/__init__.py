"""Losses for training through a mixer: of audio and of the controls themselves.

All are finite, with finite gradients, on silence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from djgraph.losses.controls import monotone, neutral_sparsity, total_variation

if TYPE_CHECKING:
    from djgraph.losses.comparison import Target
    from djgraph.losses.lufs import Loudness, loudness
    from djgraph.losses.spectral import Combined, MelSTFT, MultiResolutionSTFT, SumAndDifference

_LATER = {
    **dict.fromkeys(("Combined", "MelSTFT", "MultiResolutionSTFT", "SumAndDifference"), "spectral"),
    "Target": "comparison",
    **dict.fromkeys(("Loudness", "loudness"), "lufs"),
}
"""What is imported when it is asked for, and from which module."""

__all__ = [
    "Combined",
    "Loudness",
    "MelSTFT",
    "MultiResolutionSTFT",
    "SumAndDifference",
    "Target",
    "loudness",
    "monotone",
    "neutral_sparsity",
    "total_variation",
]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'djgraph.losses' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"djgraph.losses.{_LATER[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
