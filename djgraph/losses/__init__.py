"""Losses for training through a mixer: of audio, of what goes wrong in transitions, and of the controls themselves.

All are finite, with finite gradients, on silence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from djgraph.losses.controls import (
    control_distance,
    control_groups,
    monotone,
    neutral_sparsity,
    per_group,
    total_variation,
)

if TYPE_CHECKING:
    from djgraph.losses.comparison import Target
    from djgraph.losses.hearing import cancellation, inaudible
    from djgraph.losses.keys import key_clash
    from djgraph.losses.levels import clipping, loudness_hole, loudness_jump
    from djgraph.losses.lufs import Loudness, loudness
    from djgraph.losses.overlaps import bass_overlap, vocal_overlap
    from djgraph.losses.spectral import Combined, MelSTFT, MultiResolutionSTFT, SumAndDifference

_LATER = {
    **dict.fromkeys(("Combined", "MelSTFT", "MultiResolutionSTFT", "SumAndDifference"), "spectral"),
    "Target": "comparison",
    **dict.fromkeys(("Loudness", "loudness"), "lufs"),
    **dict.fromkeys(("bass_overlap", "vocal_overlap"), "overlaps"),
    **dict.fromkeys(("clipping", "loudness_hole", "loudness_jump"), "levels"),
    **dict.fromkeys(("cancellation", "inaudible"), "hearing"),
    "key_clash": "keys",
}
"""What is imported when it is asked for, and from which module."""

__all__ = [
    "Combined",
    "Loudness",
    "MelSTFT",
    "MultiResolutionSTFT",
    "SumAndDifference",
    "Target",
    "bass_overlap",
    "cancellation",
    "clipping",
    "control_distance",
    "control_groups",
    "inaudible",
    "key_clash",
    "loudness",
    "loudness_hole",
    "loudness_jump",
    "monotone",
    "neutral_sparsity",
    "per_group",
    "total_variation",
    "vocal_overlap",
]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'djgraph.losses' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"djgraph.losses.{_LATER[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
