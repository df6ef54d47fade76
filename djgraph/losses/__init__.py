"""Losses for training through a mixer: of audio (over auraloss) and of the controls themselves.

All are finite, with finite gradients, on silence. The losses of audio need auraloss:
``pip install "djgraph[train]"``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from djgraph.losses.controls import monotone, neutral_sparsity, total_variation

if TYPE_CHECKING:
    from djgraph.losses.spectral import MelSTFT, MultiResolutionSTFT, SumAndDifference

_SPECTRAL = ("MelSTFT", "MultiResolutionSTFT", "SumAndDifference")

__all__ = [
    "MelSTFT",
    "MultiResolutionSTFT",
    "SumAndDifference",
    "monotone",
    "neutral_sparsity",
    "total_variation",
]


def __getattr__(name: str) -> Any:
    if name not in _SPECTRAL:
        raise AttributeError(f"module 'djgraph.losses' has no attribute {name!r}")
    from djgraph.losses import spectral

    return getattr(spectral, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
