"""The audio of a set's decks, block by block, read from disk where it is played and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from djgraph.decks import Deck, FileMaterial
from djgraph.errors import InputError
from djgraph.graph.ir import InputNode
from djgraph.sets.plan import PlayedTrack, SetPlan

MARGIN = 0.25
"""Seconds before and after its time for which a track goes on being read: faders take some milliseconds."""


@dataclass(frozen=True)
class Turn:
    """When a track is on its deck: samples of the mix."""

    track: PlayedTrack
    begin: int
    end: int


def turns(plan: SetPlan) -> dict[str, list[Turn]]:
    """By input, its tracks in order."""
    out: dict[str, list[Turn]] = {}
    margin = round(MARGIN * plan.sample_rate)
    for track in plan.tracks:
        begin, end = (round(second * plan.sample_rate) for second in plan.span(track))
        mine = out.setdefault(track.input, [])
        first = max(0, begin - margin)
        if mine and mine[-1].end > first:  # two that follow each other at once share what is between them
            first = (mine[-1].end - margin + begin) // 2
            mine[-1] = Turn(mine[-1].track, mine[-1].begin, first)
        mine.append(Turn(track, first, min(plan.samples, end + margin)))
    return out


class SetBlocks:
    """The audio of a set's decks: what a mixer takes, in blocks, nested by input and stem, ``[channels, samples]``.

    samples: of the mix. Inputs that are no decks are silent. Raises AudioFileError for files that cannot be read, in
    :meth:`read`.
    """

    def __init__(self, plan: SetPlan) -> None:
        self.plan, self.samples, self._at = plan, plan.samples, 0
        self._turns = turns(plan)
        self._open: dict[str, Deck] = {}
        nodes = [node for node in plan.graph.nodes if isinstance(node, InputNode)]
        unplayed = {node.input for node in nodes if not node.optional and node.input not in self._turns}
        # A deck on which nothing is played is silent; what is none needs somebody's sound.
        self._nodes = [node for node in nodes if node.input in self._turns or node.input in unplayed]

    def seek(self, sample: int) -> None:
        """Go on from a sample of the mix."""
        if not 0 <= sample <= self.samples:
            raise InputError(f"sample is {sample}; expected 0 to {self.samples}")
        self._at = sample

    def read(self, samples: int) -> dict[str, Any]:
        """The next block of every input; fewer samples at the end, and then none."""
        first, samples = self._at, min(samples, self.samples - self._at)
        inputs: dict[str, Any] = {}
        played = {deck: self._deck(deck, first, samples) for deck in self._turns}
        for node in self._nodes:
            audio = played.get(node.input, {}).get(node.stem)
            if audio is None:
                audio = torch.zeros(node.channels, samples, dtype=torch.float32, device="cpu")
            if node.stem is None:
                inputs[node.input] = audio
            else:
                inputs.setdefault(node.input, {})[node.stem] = audio
        self._at += samples
        return inputs

    def _deck(self, deck: str, first: int, samples: int) -> Mapping[str | None, Tensor]:
        """A deck's stems in a block, those that sound."""
        out: dict[str | None, Tensor] = {}
        for turn in self._turns[deck]:
            begin, end = max(first, turn.begin), min(first + samples, turn.end)
            if begin >= end:
                if turn.end <= first:
                    self._open.pop(turn.track.name, None)
                continue
            factor = 10 ** (turn.track.gain / 20)
            for stem, read in self._track(turn.track).read(begin, end - begin).items():
                key, audio = stem or None, read if factor == 1 else read * factor
                if begin == first and end == first + samples:
                    out[key] = audio
                else:
                    if key not in out:
                        out[key] = audio.new_zeros(len(audio), samples)
                    out[key][:, begin - first : end - first] = audio
        return out

    def _track(self, track: PlayedTrack) -> Deck:
        if track.name not in self._open:
            self._open[track.name] = deck_of(self.plan, track)
        return self._open[track.name]

    def __enter__(self) -> SetBlocks:
        return self

    def __exit__(self, *_: object) -> None:
        """Files are open only while they are read."""


def deck_of(plan: SetPlan, track: PlayedTrack) -> Deck:
    """A track on its deck: its stems by name, ``""`` for an input without any."""
    channels = {
        node.stem: node.channels
        for node in plan.graph.nodes
        if isinstance(node, InputNode) and node.input == track.input
    }
    material = FileMaterial(
        {stem or "": list(files) for stem, files in track.stems.items()},
        plan.sample_rate,
        {stem or "": channels[stem] for stem in track.stems},
        pad=True,
    )
    if track.place is None:
        raise InputError(f"{track.name} has no place in the time of the mix")
    return Deck(material, track.place, plan.sample_rate, track.key_lock)
