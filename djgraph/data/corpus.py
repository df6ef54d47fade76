"""A made corpus as a data set: mixes, the controls that made them, and the stems they were made from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from djgraph.arguments import whole
from djgraph.data import store
from djgraph.data.description import Description, Settings
from djgraph.data.faults import warn_of_before
from djgraph.data.read import ItemReader
from djgraph.data.tracks import Track, find_tracks
from djgraph.errors import AudioFileError, CorpusError, did_you_mean
from djgraph.layout import ParameterLayout


class Corpus(Dataset[dict[str, Any]]):
    """The items of a corpus that :func:`make_corpus`, or ``djgraph dataset make``, wrote.

    An item is a mapping, which PyTorch's own collate function turns into a batch::

        inputs   input → stem → [channels, samples], or [channels, samples] for an input without stems
        mix      [channels, samples], what the mixer made of the inputs and params (to 24 bit)
        params   [frames, controls] in plain units, laid out as ``layout`` says
        tempo    BPM
        index    the item's number
        kind     curves or recipe
        name     of the transition; "curves" for random curves
        track    input → the track's name
        start    input → second at which its excerpt begins

    >>> corpus = djgraph.data.Corpus("corpus", layout=mixer.layout)
    >>> batch = next(iter(torch.utils.data.DataLoader(corpus, batch_size=1)))  # mixers take audio with a batch
    >>> again = mixer(batch["inputs"], batch["params"], tempo=batch["tempo"])

    root: its folder. layout: of the mixer to train; one with another fingerprint than the corpus's raises
    LayoutError that says what differs, or, with ``remap``, has params carried over by name and alias (new
    controls take their default). audio: False leaves ``inputs`` out and reads no stems. tracks: a folder to
    look for tracks in, where a corpus that holds references has been moved away from its own, or their URL, which is
    opened only where it is given here. partial: take the items that there are, where not all are made yet.

    Raises CorpusError where there is no corpus, or one that is half written.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        layout: ParameterLayout | None = None,
        remap: bool = False,
        audio: bool = True,
        tracks: str | os.PathLike[str] | None = None,
        partial: bool = False,
    ) -> None:
        self.root = Path(root)
        self.description = Description.read(self.root)
        if self.description.shards:
            raise CorpusError(
                f"{self.root} is packed in shards, which are read one after the other: data.CorpusStream({str(root)!r})"
            )
        self.reader = ItemReader(self.description, self.root, layout, remap, audio)
        warn_of_before(self.description, self.root)
        self.entries = self._entries(partial)
        if tracks is not None:
            self.reader.tracks |= self._moved(tracks)

    @property
    def layout(self) -> ParameterLayout:
        """Of the params: the one asked for, or the corpus's own."""
        return self.reader.layout

    @property
    def settings(self) -> Settings:
        """What it was made with."""
        return self.description.settings

    @property
    def sample_rate(self) -> int:
        """Of all audio, Hz."""
        return self.description.sample_rate

    def __len__(self) -> int:
        return len(self.entries)

    def record(self, position: int) -> dict[str, Any]:
        """The ground truth in words: ``item.json`` of the item at a position (arguments of the recipe, gain of
        the mix, tracks and places)."""
        index = self.entries[position]
        return self.reader.record(self._folder(index), index)

    def __getitem__(self, position: int) -> dict[str, Any]:
        position = whole(position, "an item's place")
        if not -len(self) <= position < len(self):
            raise IndexError(f"item {position} of {len(self)}")
        index = self.entries[position]
        try:
            return self.reader.read(self._folder(index), index)
        except (CorpusError, AudioFileError) as problem:
            raise CorpusError(
                f"item {index} cannot be read: {problem}\n"
                f"  djgraph dataset check {self.root} finds what is damaged, djgraph dataset make {self.root} mends it"
            ) from problem

    def _folder(self, index: int) -> Path:
        return store.item_folder(self.root, index, self.settings.shard_size)

    def _entries(self, partial: bool) -> list[int]:
        count = self.description.count
        listed = store.listed_numbers(self.root)
        if len(listed) == count and listed[-1] == count - 1:  # each once, from 0 on
            return listed
        numbers = store.numbers_there(self.root, count, self.settings.shard_size)
        there = [index for index in numbers if (self._folder(index) / store.ITEM).is_file()]
        if len(there) < count and not partial:
            raise CorpusError(
                f"{self.root} is half written: {len(there)} of {count} items are there\n"
                f"  djgraph dataset make {self.root} makes the rest; Corpus(…, partial=True) takes what there is"
            )
        if not there:
            raise CorpusError(f"{self.root} has no items yet; djgraph dataset make {self.root} makes them")
        return there

    def _moved(self, folder: str | os.PathLike[str]) -> dict[str, Track]:
        parts = dict.fromkeys(part for played in self.description.inputs.values() for part in played)
        tracks = {track.name: track for track in find_tracks(folder, list(parts), list(parts))}
        for name in self.reader.tracks:
            if name not in tracks:
                raise CorpusError(
                    f"{folder} lacks the track {name!r} of this corpus{did_you_mean(name, tracks)}"
                )
        return tracks
