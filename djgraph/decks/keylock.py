"""A track at another tempo with its pitch kept, block by block: frames lie on a grid of the mix."""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import NamedTuple

import torch
from torch import Tensor

from djgraph.decks.runs import Run
from djgraph.dsp.phases import phase_turns
from djgraph.dsp.stretch import Cut, frame_spectra, guide_of, overlap_add, places_of
from djgraph.effects import Tape

SPAN = 16_384
"""Samples, about, whose frames are worked on at a time."""
KEPT = 3
"""Groups of frames whose sound is kept."""
MARKS = 32
"""Groups after which the phases are noted, so that going back does not begin with the first."""
MOVED = -(1 << 62)
"""In place of a frame's offset: its phases are turned."""


class _Group(NamedTuple):
    """audio: ``[channels, samples]`` from half a frame before the first frame's middle on. offsets: for each frame,
    what to add to the mix's samples to have the material's, :data:`MOVED` where it is not as simple as that."""

    audio: Tensor
    offsets: Tensor


class KeyLocked:
    """What is heard of one run of a track, with its pitch kept.

    Frames lie on multiples of the hop of the mix, and are worked on in groups that always hold the same ones: so a
    sample does not depend on how blocks are cut, to the bit. Phases come from all frames before; going back, or far
    ahead, takes the spectra of what lies between. Where the track is played at its own tempo from the run's beginning
    on, it is itself, bit for bit.
    """

    def __init__(self, material: Tape, run: Run, sample_rate: float) -> None:
        self.material, self.run = material, run
        self.cut = Cut.at(sample_rate, run.rates[1])
        self._frames = max(SPAN // self.cut.hop, self.cut.size // self.cut.hop)
        # Before the run, or before the track, nothing has to fit anything.
        begins = math.floor(max(run.begins, _mix_sample(run, -self.cut.size)))
        self._start = self.cut.first(begins) - 1
        self._groups: OrderedDict[int, _Group] = OrderedDict()
        bins = self.cut.size // 2 + 1
        self._silence = torch.zeros(bins, dtype=torch.float64, device="cpu")
        self._turns: dict[int, Tensor] = {}
        self._guide = guide_of(list(material.widths.values()))

    def read(self, first: int, samples: int) -> Tensor:
        """``[channels, samples]`` from sample ``first`` of the mix on."""
        hop, half = self.cut.hop, self.cut.size // 2
        low, high = self.cut.first(first) // self._frames, self.cut.last(first + samples - 1) // self._frames
        out = torch.zeros(len(self._guide[0]), samples, dtype=torch.float32, device="cpu")
        offsets = []
        for group in range(low, high + 1):
            audio, turned = self._group(group)
            offsets.append(turned)
            begins = group * self._frames * hop - half - first
            there = slice(max(begins, 0), min(begins + audio.shape[-1], samples))
            if there.start < there.stop:
                out[:, there] += audio[:, there.start - begins : there.stop - begins]
        self._untouched(out, first, low * self._frames, torch.cat(offsets))
        return out

    def _untouched(self, out: Tensor, first: int, frame: int, offsets: Tensor) -> None:
        """Put the material's own samples where all frames over them are as they were. frame: the first one's number."""
        hop, reach = self.cut.hop, self.cut.size // 2 // self.cut.hop
        over = offsets.unfold(0, 2 * reach, 1)  # of the hop that begins with frame + reach − 1
        same = ((over == over[:, :1]).all(-1) & (over[:, 0] != MOVED)).tolist()
        begun = None
        for i, one in enumerate([*same, False]):
            moved = begun is not None and one and offsets[i] != offsets[begun]
            if begun is not None and (not one or moved):
                begins, ends = ((frame + reach - 1 + at) * hop - first for at in (begun, i))
                begins, ends = max(begins, 0), min(ends, out.shape[-1])
                if begins < ends:
                    at = first + begins + int(offsets[begun])
                    out[:, begins:ends] = self.material.read(at, ends - begins)
                begun = None
            if one and begun is None:
                begun = i

    def _group(self, group: int) -> _Group:
        if group in self._groups:
            self._groups.move_to_end(group)
        else:
            self._groups[group] = self._heard(group)
            while len(self._groups) > KEPT:
                self._groups.popitem(last=False)
        return self._groups[group]

    def _heard(self, group: int) -> _Group:
        if not self._sounds(group):
            nothing = torch.zeros(len(self._guide[0]), 0, dtype=torch.float32, device="cpu")
            return _Group(nothing, torch.full((self._frames,), MOVED, device="cpu"))
        before = self._turn(group)
        spectra, places, turns = self._phases(group, before)
        hops = torch.arange(len(turns), device="cpu") + group * self._frames
        offsets = torch.where((turns == 0).all(-1), places[1:] - hops * self.cut.hop, MOVED)
        return _Group(overlap_add(spectra[:, 1:], turns, self.cut), offsets)

    def _sounds(self, group: int) -> bool:
        """Whether the frames of a group reach the track."""
        ends = torch.tensor([group, group + 1], device="cpu") * (self._frames * self.cut.hop)
        low, high = self.run.at(ends).tolist()
        return bool(high > -self.cut.size and low < self.material.samples + self.cut.size)

    def _turn(self, group: int) -> Tensor:
        """The turns of the frame before a group."""
        begun = self._start // self._frames
        at = group
        while at > begun and at not in self._turns:
            at -= 1
        turn = self._turns[at] if at > begun else self._silence
        while at < group:
            turn = turn if at < begun else self._phases(at, turn)[2][-1]
            at += 1
        return turn

    def _phases(self, group: int, turn: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The spectra of a group's frames and of the one before, their places, and the turns of the group's."""
        frames = torch.arange(group * self._frames - 1, (group + 1) * self._frames, device="cpu")
        position = self.run.at(frames * self.cut.hop)
        places, half = places_of(position), self.cut.size // 2
        begins = int(places.min()) - half
        material = self.material.read(begins, int(places.max()) + half - begins)
        spectra = frame_spectra(material, places, self.cut, begins)
        guide = torch.einsum("gs,sfb->gfb", self._guide, spectra)
        starts = min(max(0, self._start - int(frames[0])), self._frames)
        turns = phase_turns(guide, places, position.diff() / self.cut.hop, self.cut.hop, turn, starts)
        self._note(group + 1, turns[-1])
        return spectra, places, turns

    def _note(self, group: int, turn: Tensor) -> None:
        """Keep the turns before a group, of every so many groups and of the latest."""
        self._turns[group] = turn.clone()
        for old in [at for at in self._turns if at % MARKS and at < group - KEPT]:
            del self._turns[old]


def _mix_sample(run: Run, place: float) -> float:
    """The sample of the mix at which a place of the track sounds."""
    marker = min(max(int(torch.searchsorted(run.track, place, right=True)) - 1, 0), len(run.clip) - 2)
    (begin, end), (low, high) = (
        run.clip[marker : marker + 2].tolist(),
        run.track[marker : marker + 2].tolist(),
    )
    return begin + (place - low) * (end - begin) / (high - low)
