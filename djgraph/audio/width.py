"""Which files serve a signal of so many channels, and in which order formats keep them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from djgraph.arguments import is_whole, shown
from djgraph.audio.formats import MAX_CHANNELS
from djgraph.errors import AudioFileError
from djgraph.speakers import speakers, word

Samples = np.ndarray[Any, np.dtype[Any]]
"""``[samples, channels]``, as files hold them."""

_OGG = {
    3: (0, 2, 1),
    5: (0, 2, 1, 3, 4),
    6: (0, 2, 1, 4, 5, 3),
    7: (0, 2, 1, 5, 6, 4, 3),
    8: (0, 2, 1, 6, 7, 4, 5, 3),
}
"""Our channel at each place of an Ogg file: Vorbis I, section 4.3.9, and RFC 7845, section 5.1.1.2 (Opus)."""

_ALIKE = {4: (0x603,), 5: (0x607,), 6: (0x60F,)}
"""Further masks of WAVE files with the same order: surrounds that are called side speakers."""


def check_channels(path: Path, channels: object) -> None:
    """AudioFileError for a number of channels that files are not read with; None is as the file is."""
    if channels is not None and (not is_whole(channels) or not 1 <= int(channels) <= MAX_CHANNELS):  # type: ignore[call-overload]
        raise AudioFileError(f"{path}: channels is {shown(channels)}; expected 1 to {MAX_CHANNELS}, or None")


def check_serves(path: Path, file: Any, wanted: int | None) -> None:
    """AudioFileError where an open soundfile.SoundFile cannot be read as so many channels.

    Mono serves any number, stereo mono as well; any other has to agree, with its order of speakers.
    """
    have = int(file.channels)
    if wanted is None or have == 1 or (have, wanted) == (2, 1):
        return
    if have != wanted:
        layout = speakers(have)
        named = f"{have} channels ({layout.word})" if layout and have > 2 else word(have)
        raise AudioFileError(
            f"{path}: {named} cannot be read as {word(wanted)}: only mono is put on any number of channels, and "
            f"stereo taken for mono; an input with `channels: {word(have).split()[0]}` takes the file"
        )
    layout, mask = speakers(have), _mask(file)
    if have > 2 and layout is not None and mask and mask not in (layout.mask, *_ALIKE.get(have, ())):
        raise AudioFileError(
            f"{path}: its channel mask {mask:#x} is not that of {layout.word}, {layout.mask:#x} "
            f"({', '.join(layout.order)}): its channels are for other speakers; put them in this order first"
        )


def as_wide(audio: Tensor, wanted: int | None) -> Tensor:
    """``[channels, samples]`` as so many channels: the mean of stereo for mono, mono on all."""
    if wanted is None or len(audio) == wanted:
        return audio
    if wanted == 1:
        return audio.mean(0, keepdim=True)
    return audio.expand(wanted, -1).contiguous()


def from_file(file: Any, block: Samples) -> Samples:
    """A block that a soundfile.SoundFile gave, in our order of channels."""
    places = _OGG.get(block.shape[1]) if file.format == "OGG" else None
    return block if places is None else np.ascontiguousarray(block[:, np.argsort(places)])


def to_file(container: str, block: Tensor) -> Tensor:
    """``[channels, samples]`` in the order in which a format keeps them."""
    places = _OGG.get(len(block)) if container == "OGG" else None
    return block if places is None else block[torch.tensor(places, device="cpu")]


def _mask(file: Any) -> int:
    """The channel mask of an open WAVE file; 0 where it says none."""
    found = re.search(r"Channel Mask\s*:\s*0x([0-9A-Fa-f]+)", str(file.extra_info))
    return int(found[1], 16) if found else 0
