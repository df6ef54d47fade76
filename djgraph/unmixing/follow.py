"""A track with key lock, as the recording has it: pieces at its own pitch, each where it fits what is heard.

Programs that keep the pitch put together pieces of a track at its own speed (or frames of a transform, whose phases
they turn), and each puts them elsewhere by some milliseconds. A stretch of one's own would sound alike, but its
waveform would not fit the recording's, and nothing could be subtracted. So the recording is asked: in every frame the
track is compared with it at all small offsets, and the likeliest path through these is taken, on which offsets stay as
they are or jump, near the passage's line (Viterbi, IEEE Trans. Information Theory 13(2), 1967). Of a track that was put
together from pieces that is the waveform itself; of others it is what fits best.
"""

from __future__ import annotations

import dataclasses
import itertools
import math

import torch
from torch import Tensor

from djgraph.alignment import Passage
from djgraph.decks import Tape

FRAME = 2048
"""Samples that are compared at a time, at 44.1 kHz."""
HOP = 512
REACH = 0.016
"""Seconds either way of the passage's line in which a piece may lie."""
JUMP = 12.0
"""Log likelihood that a jump has to be worth."""
FADE = 0.012
"""Seconds for which neighbouring pieces are faded into each other."""
AT_ONCE = 512
"""Frames that are transformed at a time."""
EMPHASIS = 0.95
"""Of the sample before, what is taken away before comparing: music is loud at the bottom, where nothing tells places
apart."""


def pieces(material: Tape, passage: Passage, recording: Tensor, sample_rate: int) -> list[Passage]:
    """The passage as pieces at rate 1, in order and without gaps.

    recording: ``[channels, samples]``.
    """
    scale = sample_rate / 44100
    frame, hop = 2 * round(FRAME * scale / 2), max(1, round(HOP * scale))
    reach = round(REACH * sample_rate)
    first, last = max(0.0, passage.begins), min(float(recording.shape[-1]), passage.ends)
    count = max(1, int((last - first) // hop))
    middles = first + hop * (torch.arange(count, dtype=torch.float64, device="cpu") + 0.5)
    line = passage.start + passage.rate * (middles - passage.begins)
    base = (line - middles).round().long()  # the track's sample less the mix's
    path = _path(_evidence(material, recording, middles.round().long(), base, frame, reach), base)
    offsets = base + path - reach
    edges = [0, *(torch.nonzero(offsets.diff()).flatten() + 1).tolist(), count]
    found = []
    for low, high in itertools.pairwise(edges):
        begins = passage.begins if low == 0 else first + hop * low
        ends = passage.ends if high == count else first + hop * high
        start = begins + float(offsets[low])
        found.append(
            dataclasses.replace(
                passage, begins=begins, ends=ends, start=start, rate=1.0, key_locked=False, also=()
            )
        )
    return found


def read_pieces(material: Tape, found: list[Passage], samples: int, sample_rate: int) -> Tensor:
    """``[channels of all signals, samples]`` of the mix, silent outside the pieces; neighbours are faded into each
    other along straight lines, as programs do that put them together."""
    half = max(1, round(FADE * sample_rate / 2))
    out = torch.zeros(sum(material.widths.values()), samples, dtype=torch.float32, device="cpu")
    for number, one in enumerate(found):
        begins, ends = math.ceil(one.begins), min(math.ceil(one.ends), samples)
        before = half if number else 0
        after = half if number + 1 < len(found) else 0
        low, high = max(begins - before, 0), min(ends + after, samples)
        if high <= low:
            continue
        audio = material.read(low + round(one.start - one.begins), high - low)
        n = torch.arange(low, high, dtype=torch.float32, device="cpu")
        weight = torch.ones_like(n)
        if before:
            weight = weight * ((n - begins + half + 0.5) / (2 * half)).clamp(0, 1)
        if after:
            weight = weight * ((ends - n + half - 0.5) / (2 * half)).clamp(0, 1)
        out[:, low:high] += audio * weight
    return out


def _evidence(
    material: Tape, recording: Tensor, middles: Tensor, base: Tensor, frame: int, reach: int
) -> Tensor:
    """How well each frame fits at each offset: log likelihood ``[frames, 2·reach + 1]``."""
    window = torch.hann_window(frame, periodic=False, dtype=torch.float32, device="cpu")
    heard = torch.nn.functional.pad(_emphasised(recording.mean(0)), (frame, frame))
    size = 1 << (frame + 2 * reach - 1).bit_length()
    rows = []
    for at in range(0, len(middles), AT_ONCE):
        here, there = middles[at : at + AT_ONCE], (middles + base)[at : at + AT_ONCE]
        low = int(there.min()) - frame // 2 - reach
        length = int(there.max()) - int(there.min()) + frame + 2 * reach
        track = _emphasised(material.read(low, length).mean(0))
        index = torch.arange(frame, device="cpu")
        y = heard[(here + frame // 2)[:, None] + index] * window
        y = y / y.square().sum(1, keepdim=True).sqrt().clamp(min=1e-9)
        wide = torch.arange(frame + 2 * reach, device="cpu")
        x = track[(there - frame // 2 - reach - low)[:, None] + wide]
        cross = torch.fft.irfft(torch.fft.rfft(x, size) * torch.fft.rfft(y, size).conj(), size)[
            :, : 2 * reach + 1
        ]
        power = torch.fft.irfft(
            torch.fft.rfft(x.square(), size) * torch.fft.rfft(window.square(), size).conj(), size
        )[:, : 2 * reach + 1]
        like = cross.clamp(min=0).square() / power.clamp(min=1e-9)
        rows.append(-torch.log(1 - like.clamp(0, 0.9999)))
    return torch.cat(rows) * (frame / 16)


def _emphasised(audio: Tensor) -> Tensor:
    return torch.cat((audio[:1], audio[1:] - EMPHASIS * audio[:-1]))


def _path(evidence: Tensor, base: Tensor) -> Tensor:
    """The likeliest offset of each frame, as an index into its row."""
    count, width = evidence.shape
    come = torch.full((count, width), -1, dtype=torch.int32, device="cpu")
    value = evidence[0].clone()
    shifts = base.diff().tolist()
    for number, shift in enumerate(shifts, 1):
        best = int(value.argmax())
        stayed = torch.full_like(value, -torch.inf)
        if abs(shift) < width:  # the same offset has another index where the line has moved
            if shift >= 0:
                stayed[: width - shift] = value[shift:]
            else:
                stayed[-shift:] = value[:shift]
        jumped = float(value[best]) - JUMP
        stays = stayed >= jumped
        come[number] = torch.where(stays, -1, best).to(torch.int32)
        value = torch.where(stays, stayed, jumped) + evidence[number]
        value -= value.max()
    path = torch.empty(count, dtype=torch.long, device="cpu")
    at = int(value.argmax())
    for number in range(count - 1, -1, -1):
        path[number] = at
        if number:
            before = int(come[number, at])
            at = before if before >= 0 else at + int(shifts[number - 1])
    return path
