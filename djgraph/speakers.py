"""Speaker layouts: what a number of channels is called, which channel is which, and how loudly each counts.

As in FLAC the number is the layout: six channels are 5.1, in one order. A number without a name is just channels.
"""

from __future__ import annotations

from dataclasses import dataclass

MOST = 32
"""Most channels of one signal."""

_SURROUND = 1.41
"""Weight of a speaker between 60° and 120° to the side (ITU-R BS.1770-5, tables 3 and 4)."""

# Bits of a WAVE file's channel mask.
_L, _R, _C, _LFE, _LB, _RB, _CB, _LS, _RS = 0x1, 0x2, 0x4, 0x8, 0x10, 0x20, 0x100, 0x200, 0x400


@dataclass(frozen=True)
class Speakers:
    """One layout. order: the channels' labels. mask: of a WAVE file (``dwChannelMask`` of WAVEFORMATEXTENSIBLE).
    weights: of each channel in a loudness; 0 for the LFE, which BS.1770 leaves out."""

    word: str
    order: tuple[str, ...]
    mask: int
    weights: tuple[float, ...]


# The order is that of the mask's bits and of RFC 9639 (FLAC), 9.1.3; labels after ITU-R BS.2051. In 7.1 the rear pair
# comes before the side pair, and in 6.1 the rear centre does.
LAYOUTS: tuple[Speakers, ...] = (
    Speakers("mono", ("C",), _C, (1.0,)),
    Speakers("stereo", ("L", "R"), _L | _R, (1.0, 1.0)),
    Speakers("3.0", ("L", "R", "C"), _L | _R | _C, (1.0, 1.0, 1.0)),
    Speakers("quad", ("L", "R", "Ls", "Rs"), _L | _R | _LB | _RB, (1.0, 1.0, _SURROUND, _SURROUND)),
    Speakers(
        "5.0",
        ("L", "R", "C", "Ls", "Rs"),
        _L | _R | _C | _LB | _RB,
        (1.0, 1.0, 1.0, _SURROUND, _SURROUND),
    ),
    Speakers(
        "5.1",
        ("L", "R", "C", "LFE", "Ls", "Rs"),
        _L | _R | _C | _LFE | _LB | _RB,
        (1.0, 1.0, 1.0, 0.0, _SURROUND, _SURROUND),
    ),
    Speakers(
        "6.1",
        ("L", "R", "C", "LFE", "Cs", "Ls", "Rs"),
        _L | _R | _C | _LFE | _CB | _LS | _RS,
        (1.0, 1.0, 1.0, 0.0, 1.0, _SURROUND, _SURROUND),
    ),
    Speakers(
        "7.1",
        ("L", "R", "C", "LFE", "Lrs", "Rrs", "Lss", "Rss"),
        _L | _R | _C | _LFE | _LB | _RB | _LS | _RS,
        (1.0, 1.0, 1.0, 0.0, 1.0, 1.0, _SURROUND, _SURROUND),
    ),
)
"""The layouts that have names, from one channel to eight."""

WORDS: dict[str, int] = {layout.word: len(layout.order) for layout in LAYOUTS}
"""Word → number of channels."""


def speakers(channels: int) -> Speakers | None:
    """The layout of so many channels; None where there is none."""
    return LAYOUTS[channels - 1] if 1 <= channels <= len(LAYOUTS) else None


def word(channels: int) -> str:
    """What so many channels are called: ``stereo``, ``5.1``, ``9 channels``."""
    layout = speakers(channels)
    return f"{channels} channels" if layout is None else layout.word


def loudness_weights(channels: int) -> tuple[float, ...] | None:
    """The weight of each channel in the loudness of ITU-R BS.1770-5; None where the number has no layout."""
    layout = speakers(channels)
    return None if layout is None else layout.weights
