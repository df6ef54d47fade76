"""What happens to a mix on its way: a lossy codec at 192 kbit/s, 48 kHz, 37 ms later, 3 dB quieter."""

from __future__ import annotations

import io

import soundfile
import torch
from torch import Tensor

from djgraph.audio import resample

DELAY_MS = 37.0
LEVEL_DB = -3.0
RATE = 48000
KBITS = 192.0

FORMATS = {"ogg": ("OGG", "VORBIS"), "mp3": ("MP3", "MPEG_LAYER_III")}


def degrade(mix: Tensor, rate: int, codec: str) -> tuple[Tensor, int, float]:
    """The mix as it comes back, its rate, and the kbit/s that the file really has.

    The codec's quality is chosen so that this is as near to KBITS as it gets.
    """
    late = torch.nn.functional.pad(mix * 10 ** (LEVEL_DB / 20), (round(DELAY_MS / 1000 * rate), 0))
    samples = resample(late, rate, RATE).T.numpy()
    container, subtype = FORMATS[codec]
    best: tuple[float, bytes] | None = None
    for level in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7):
        buffer = io.BytesIO()
        soundfile.write(buffer, samples, RATE, format=container, subtype=subtype, compression_level=level)
        kbits = 8e-3 * len(buffer.getvalue()) / (len(samples) / RATE)
        if best is None or abs(kbits - KBITS) < abs(best[0] - KBITS):
            best = kbits, buffer.getvalue()
    assert best is not None
    audio, found = soundfile.read(io.BytesIO(best[1]), dtype="float32", always_2d=True)
    return torch.from_numpy(audio.T.copy()), found, best[0]
