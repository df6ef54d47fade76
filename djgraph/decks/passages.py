"""A track played by passages: cuts, loops and jumps, silence in between."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from djgraph.alignment import Passage
from djgraph.decks.keylock import KeyLocked
from djgraph.decks.runs import Run
from djgraph.dsp import material_reach, read_material
from djgraph.effects import Tape


class PassageDeck:
    """A track read where its passages say, block by block.

    Its samples are read by a windowed sinc (:func:`djgraph.dsp.read_material`), at one position for all signals, exact
    to the sample for hours; those that were key-locked are stretched, and their pitch is kept
    (:class:`djgraph.decks.keylock.KeyLocked`). A passage ends where it ends, without a fade.
    """

    def __init__(self, material: Tape, passages: Sequence[Passage], sample_rate: float) -> None:
        """passages: in the order of the mix; they count samples of the mix and of the material, at one rate.
        sample_rate: for how long the frames of a stretch are, nothing else."""
        self.material, self.passages = material, tuple(passages)
        self._rate = sample_rate
        self._locked: dict[Passage, KeyLocked] = {}

    def read(self, first: int, samples: int) -> dict[str, Tensor]:
        """Each signal, ``[channels, samples]``, from sample ``first`` of the mix on; silence where the track does not
        play. Raises AudioFileError as its material does."""
        widths = self.material.widths
        audio = self.read_all(first, samples)
        return dict(zip(widths, audio.split(list(widths.values()))))

    def read_all(self, first: int, samples: int) -> Tensor:
        """The same as ``[channels of all signals, samples]``."""
        width = sum(self.material.widths.values())
        out = torch.zeros(width, samples, dtype=torch.float32, device="cpu")
        for passage in self.passages:
            begins = max(math.ceil(passage.begins), first)
            ends = min(math.ceil(passage.ends), first + samples)
            if ends > begins:
                out[:, begins - first : ends - first] = self._passage(passage, begins, ends)
        return out

    def _passage(self, passage: Passage, begins: int, ends: int) -> Tensor:
        """``[channels, ends − begins]`` of one passage, from sample ``begins`` of the mix on."""
        if passage.key_locked and passage.rate != 1:
            if passage not in self._locked:
                self._locked = {passage: KeyLocked(self.material, _run(passage), self._rate)}
            return self._locked[passage].read(begins, ends - begins)
        n = torch.arange(begins, ends, dtype=torch.float64, device="cpu")
        position = passage.start + passage.rate * (n - passage.begins)
        return read_at(self.material, position, passage.rate)


def _run(passage: Passage) -> Run:
    """The same by two markers, a million samples apart."""
    far = float(1 << 20)
    clip = torch.tensor([passage.begins, passage.begins + far], dtype=torch.float64, device="cpu")
    track = torch.tensor(
        [passage.start, passage.start + passage.rate * far], dtype=torch.float64, device="cpu"
    )
    return Run(passage.begins, passage.ends, clip, track)


def read_at(material: Tape, position: Tensor, rate: float) -> Tensor:
    """``[channels of all signals, samples]`` of material at positions ``[samples]``, float64, ascending by ``rate``."""
    reach = material_reach(rate)
    first = max(0, math.floor(float(position[0])) - reach)
    last = min(material.samples, math.ceil(float(position[-1])) + reach + 1)
    if last <= first:
        width = sum(material.widths.values())
        return torch.zeros(width, len(position), dtype=torch.float32, device="cpu")
    return read_material(material.read(first, last - first), position, rate, begins=first)
