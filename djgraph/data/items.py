"""One synthetic transition: drawn from its number, mixed, written with its ground truth."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from djgraph.audio import write
from djgraph.data import store
from djgraph.data.description import Description
from djgraph.data.moves import ClipInfo, Move, draw_move, moves_for
from djgraph.data.pairs import draw_different, draw_start
from djgraph.data.seeds import random_state
from djgraph.data.store import MIX, PARAMS
from djgraph.data.tracks import WHOLE
from djgraph.errors import CorpusError
from djgraph.storage import check_seen, open_storage

STEMS = "stems"
PEAK = 0.99
"""Where a mix that would clip is brought down to; its ``mix_gain`` says by how much."""
TEMPO = (100.0, 140.0)
"""BPM are drawn from here where no track that is played says its own; else the first that does counts."""


def make_items(root: Path, description: Description, token: str | None = None) -> ItemMaker:
    """An item maker, on a machine that sees the corpus: token is what it looks for there."""
    check_seen(open_storage(root, CorpusError), token)
    return ItemMaker(root, description)


class ItemMaker:
    """Makes items of one corpus. Holds the compiled mixer; one for each process."""

    def __init__(self, root: Path, description: Description) -> None:
        from djgraph.mixer import compile_graph

        self.root = root
        self.description = description
        graph = description.load_graph(root)
        main = next(iter(graph.outputs))
        self.mixer = compile_graph(graph, outputs=[main])
        known = moves_for(description.layout)
        if lost := [name for name in description.settings.recipes if name not in known]:
            raise CorpusError(
                f"{root} was begun with transitions that are not installed now: {', '.join(lost)}"
            )
        self.moves = {name: known[name] for name in description.settings.recipes}

    def __call__(self, index: int) -> dict[str, Any]:
        """Make item ``index`` and return its record. It depends on seed and index alone."""
        about = self.description
        choice = random_state(about.settings.seed, index, 0)
        chosen = draw_different(len(about.tracks), len(about.inputs), choice)
        played: dict[str, dict[str, Any]] = {}
        inputs: dict[str, dict[str, Tensor]] = {}
        for (name, parts), position in zip(about.inputs.items(), chosen):
            track = about.tracks[position]
            start = draw_start(track, about.samples, about.sample_rate, about.settings.align, choice)
            played[name] = {"track": track.name, "start": start}
            inputs[name] = track.read(start, about.samples, about.sample_rate, parts)
        drawn = round(TEMPO[0] + (TEMPO[1] - TEMPO[0]) * choice.random_sample(), 1)
        tempo = next((bpm for position in chosen if (bpm := about.tracks[position].tempo)), drawn)
        clip = ClipInfo(about.n_frames, about.settings.seconds, tempo)
        movement = random_state(about.settings.seed, index, 1)
        move = draw_move(about.layout, self.moves, about.settings.curves, clip, movement)
        return self._write(index, inputs, played, tempo, move)

    def _write(
        self,
        index: int,
        inputs: Mapping[str, Mapping[str, Tensor]],
        played: Mapping[str, Mapping[str, Any]],
        tempo: float,
        move: Move,
    ) -> dict[str, Any]:
        about = self.description
        folder = store.item_folder(self.root, index, about.settings.shard_size)
        with torch.inference_mode():
            mix = self.mixer(as_inputs(inputs, batch=True), move.params[None], tempo=tempo)[0]
        peak = float(mix.abs().max())
        gain = min(1.0, PEAK / peak) if peak > 0 else 1.0
        record = {
            "index": index,
            "kind": move.kind,
            "name": move.name,
            "args": dict(move.args),
            "tempo": tempo,
            "mix_gain": gain,
            "inputs": {name: dict(excerpt) for name, excerpt in played.items()},
        }
        with store.new_item(folder) as part:
            write(part / MIX, mix * gain, about.sample_rate)
            np.save(part / PARAMS, move.params.float().numpy(), allow_pickle=False)
            if about.settings.stems == "copy":
                for name, parts in inputs.items():
                    (part / STEMS / name).mkdir(parents=True)
                    for stem, audio in parts.items():
                        _write_stem(part / STEMS / name / stem, audio, about.sample_rate)
            store.write_record(part, record)
        return store.read_record(folder, index)


def as_inputs(inputs: Mapping[str, Mapping[str, Tensor]], batch: bool = False) -> dict[str, Any]:
    """Input → part → audio as a mixer takes it: an input without stems is one tensor."""

    def shaped(audio: Tensor) -> Tensor:
        return audio[None] if batch else audio

    return {
        name: shaped(parts[WHOLE])
        if list(parts) == [WHOLE]
        else {stem: shaped(x) for stem, x in parts.items()}
        for name, parts in inputs.items()
    }


def _write_stem(path: Path, audio: Tensor, sample_rate: int) -> None:
    # 24 bit, unless a stem goes beyond full scale, as sums and separated stems may.
    if float(audio.abs().max()) <= 1:
        write(path.with_name(f"{path.name}.flac"), audio, sample_rate)
    else:
        write(path.with_name(f"{path.name}.wav"), audio, sample_rate, subtype="FLOAT")
