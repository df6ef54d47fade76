"""An item as a data set gives it, from the files in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from djgraph.audio.excerpts import read_excerpt
from djgraph.audio.stems import find_stems
from djgraph.data import store
from djgraph.data.description import Description
from djgraph.data.faults import read_params
from djgraph.data.items import STEMS, as_inputs
from djgraph.data.tracks import Track
from djgraph.errors import CorpusError, LayoutError
from djgraph.layout import ParameterLayout


class ItemReader:
    """Reads items of a corpus at ``root``; see :class:`djgraph.data.Corpus` for ``layout``, ``remap`` and ``audio``.

    tracks: name → track, for items that refer to them. Raises LayoutError for another layout.
    """

    def __init__(
        self, about: Description, root: object, layout: ParameterLayout | None, remap: bool, audio: bool
    ) -> None:
        self.about = about
        self.root = root
        self.layout = about.layout if layout is None else layout
        self.audio = audio
        self.names: tuple[str, ...] | None = None
        """Of the files that an item is to have; None for all that it lists."""
        self.tracks: dict[str, Track] = {track.name: track for track in about.tracks}
        if self.layout.fingerprint != about.layout.fingerprint and not remap:
            changes = about.layout.diff(self.layout)
            raise LayoutError(
                f"{root} was made for another parameter layout ({about.layout.fingerprint}, asked "
                f"for is {self.layout.fingerprint}); from the corpus to what is asked for:\n"
                + "\n".join(f"  {line}" for line in changes.splitlines())
                + "\n  to carry params over by name: remap=True"
            )

    def record(self, folder: Path, index: int) -> dict[str, Any]:
        """What ``item.json`` says, after a look at the files."""
        record = store.read_record(folder, index, names=self.names)
        if lost := [name for name in self.about.inputs if name not in record["inputs"]]:
            raise CorpusError(f"{folder / store.ITEM} does not say what the input {lost[0]!r} plays")
        return record

    def read(self, folder: Path, index: int) -> dict[str, Any]:
        """The item. CorpusError or AudioFileError for what is damaged."""
        about = self.about
        record = self.record(folder, index)
        mix = read_excerpt(folder / store.MIX, 0, about.samples, about.sample_rate) / record["mix_gain"]
        item: dict[str, Any] = {"mix": mix, "params": self._params(folder)}
        if self.audio:
            item["inputs"] = as_inputs({name: self._input(folder, name, record) for name in about.inputs})
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
        params = read_params(folder, self.about)
        if self.layout.fingerprint == self.about.layout.fingerprint:
            return params
        return self.layout.remap(params, self.about.layout)

    def _input(self, folder: Path, name: str, record: dict[str, Any]) -> dict[str, Tensor]:
        """The excerpts of one input."""
        about, parts, played = self.about, self.about.inputs[name], record["inputs"][name]
        if about.settings.stems == "copy":
            files = find_stems(folder / STEMS / name, list(parts))
            return {
                part: read_excerpt(files[part], 0, about.samples, about.sample_rate, parts[part])
                for part in parts
            }
        track = self.tracks.get(played["track"])
        if track is None:
            raise CorpusError(f"it plays a track that {self.root} does not have: {played['track']!r}")
        return track.read(played["start"], about.samples, about.sample_rate, parts)
