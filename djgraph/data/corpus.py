"""A made corpus as a data set: mixes, the controls that made them, and the stems they were made from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.utils.data import Dataset

from djgraph.arguments import whole
from djgraph.audio.excerpts import read_excerpt
from djgraph.audio.stems import find_stems
from djgraph.data import store
from djgraph.data.check import read_params, warn_of_before
from djgraph.data.description import Description, Settings
from djgraph.data.items import STEMS, as_inputs
from djgraph.data.tracks import Track, find_tracks
from djgraph.errors import AudioFileError, CorpusError, LayoutError, did_you_mean
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
    look for tracks in, where a corpus that holds references has been moved away from its own. partial: take
    the items that there are, where not all are made yet.

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
        self.layout = self.description.layout if layout is None else layout
        self.audio = audio
        if self.layout.fingerprint != self.description.layout.fingerprint and not remap:
            changes = self.description.layout.diff(self.layout)
            raise LayoutError(
                f"{self.root} was made for another parameter layout ({self.description.layout.fingerprint}, asked "
                f"for is {self.layout.fingerprint}); from the corpus to what is asked for:\n"
                + "\n".join(f"  {line}" for line in changes.splitlines())
                + "\n  to carry params over by name: Corpus(…, remap=True)"
            )
        warn_of_before(self.description, self.root)
        self.entries = self._entries(partial)
        self._tracks = {track.name: track for track in self.description.tracks}
        if tracks is not None:
            self._tracks |= self._moved(Path(tracks))

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
        record = store.read_record(self._folder(index), index)
        if lost := [name for name in self.description.inputs if name not in record["inputs"]]:
            raise CorpusError(
                f"{self._folder(index) / store.ITEM} does not say what the input {lost[0]!r} plays"
            )
        return record

    def __getitem__(self, position: int) -> dict[str, Any]:
        position = whole(position, "an item's place")
        if not -len(self) <= position < len(self):
            raise IndexError(f"item {position} of {len(self)}")
        index = self.entries[position]
        folder = self._folder(index)
        try:
            record = self.record(position)
            about = self.description
            mix = read_excerpt(folder / store.MIX, 0, about.samples, about.sample_rate) / record["mix_gain"]
            item: dict[str, Any] = {"mix": mix, "params": self._params(folder)}
            if self.audio:
                item["inputs"] = as_inputs({name: self._read(folder, name, record) for name in about.inputs})
        except (CorpusError, AudioFileError) as problem:
            raise CorpusError(
                f"item {index} cannot be read: {problem}\n"
                f"  djgraph dataset check {self.root} finds what is damaged, djgraph dataset make {self.root} mends it"
            ) from problem
        played = record["inputs"]
        return item | {
            "tempo": float(record["tempo"]),
            "index": index,
            "kind": record["kind"],
            "name": record["name"],
            "track": {name: played[name]["track"] for name in about.inputs},
            "start": {name: played[name]["start"] / about.sample_rate for name in about.inputs},
        }

    def _params(self, folder: Path) -> Tensor:
        params = read_params(folder, self.description)
        if self.layout.fingerprint == self.description.layout.fingerprint:
            return params
        return self.layout.remap(params, self.description.layout)

    def _read(self, folder: Path, name: str, record: dict[str, Any]) -> dict[str, Tensor]:
        """The excerpts of one input."""
        about, parts, played = self.description, self.description.inputs[name], record["inputs"][name]
        if about.settings.stems == "copy":
            files = find_stems(folder / STEMS / name, list(parts))
            return {
                part: read_excerpt(files[part], 0, about.samples, about.sample_rate, parts[part])
                for part in parts
            }
        track = self._tracks.get(played["track"])
        if track is None:
            raise CorpusError(f"it plays a track that {self.root} does not have: {played['track']!r}")
        return track.read(played["start"], about.samples, about.sample_rate, parts)

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

    def _moved(self, folder: Path) -> dict[str, Track]:
        parts = dict.fromkeys(part for played in self.description.inputs.values() for part in played)
        tracks = {track.name: track for track in find_tracks(folder, list(parts), list(parts))}
        for name in self._tracks:
            if name not in tracks:
                raise CorpusError(
                    f"{folder} lacks the track {name!r} of this corpus{did_you_mean(name, tracks)}"
                )
        return tracks
