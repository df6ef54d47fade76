"""A corpus of transitions as batches: audio, what the model hears, what it is told, what was done."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from djgraph.data import Corpus, random_state
from djgraph.data.tracks import WHOLE
from djgraph.errors import InputError
from djgraph.features import BeatGrid
from djgraph.transitions import Plan, Senses


def signals_of(inputs: Mapping[str, Any]) -> dict[str, Tensor]:
    """A mixer's inputs by signal: ``track_a.drums`` …, or ``track_a`` for one without stems."""
    found: dict[str, Tensor] = {}
    for name, value in inputs.items():
        if isinstance(value, Mapping):
            found |= {f"{name}.{stem}": audio for stem, audio in value.items()}
        else:
            found[name] = value
    return found


def senses_for(corpus: Corpus, sees: str, bands: int, per_beat: int) -> Senses:
    """What a model for this corpus gets."""
    about = corpus.description
    signals = [
        name if part == WHOLE else f"{name}.{part}" for name, parts in about.inputs.items() for part in parts
    ]
    return Senses(sees, tuple(signals), about.sample_rate, about.settings.recipes, bands, per_beat)


class Transitions(Dataset[dict[str, Any]]):
    """Some items of a corpus, each with what a model gets.

    Beside what :class:`djgraph.data.Corpus` gives: ``features`` ``[steps, size]``, ``spread`` ``[frames, steps]``
    (see :meth:`djgraph.features.BeatGrid.spread`), and ``plan``: the second at which the transition begins and how
    many it takes (NaN for random curves).

    It is indexed by ``(epoch, number)``, or by the number alone. blur: to train with, the energy that is heard of each
    signal in each band is shifted at random, by this standard deviation (1 is 80 dB) in the whole clip, and by half
    of it from step to step: a model of few songs would learn their sound by heart, and be lost with others. What is
    drawn depends on ``seed``, epoch and number alone. keep: items stay in memory once they are read: for corpora that
    fit into it.
    """

    def __init__(
        self,
        corpus: Corpus,
        positions: Sequence[int],
        senses: Senses,
        blur: float = 0.0,
        seed: int = 0,
        keep: bool = False,
    ) -> None:
        if not 0 <= blur <= 10:
            raise InputError(f"blur is {blur}; expected a standard deviation, 0 … 10")
        if senses.sees == "plan" and corpus.settings.curves > 0:
            raise InputError(
                f"{corpus.root} has items of random curves (--curves {corpus.settings.curves:g}), for which there is no"
                " plan to tell\n  make it with --curves 0, or train with sees: mix (--sees mix of the examples)"
            )
        self.corpus = corpus
        self.positions = list(positions)
        self.senses = senses
        self.blur, self.seed, self.keep = blur, seed, keep
        self._kept: dict[int, dict[str, Any]] = {}
        self.tracks = {track.name: track for track in corpus.description.tracks}
        if not self.positions:
            raise InputError(f"no item of {corpus.root} is left to train or to judge with; make more")

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, key: int | tuple[int, int]) -> dict[str, Any]:
        epoch, number = key if isinstance(key, tuple) else (0, key)
        item = self._kept[number] if number in self._kept else self._item(number)
        if self.keep:
            self._kept[number] = item
        if self.blur:
            features = item["features"].clone()
            heard = len(self.senses.signals) * self.senses.bands
            random = random_state(self.seed, epoch, number)
            shift = random.standard_normal((1, heard)) + 0.5 * random.standard_normal((len(features), heard))
            features[:, :heard] += torch.from_numpy(self.blur * shift).float()
            item = {**item, "features": features}
        return item

    def _item(self, number: int) -> dict[str, Any]:
        """What does not change from epoch to epoch."""
        item = self.corpus[self.positions[number]]
        grid = self._grid(item)
        plan = self.plan(number)
        item["features"] = self.senses(signals_of(item["inputs"]), grid, mix=item["mix"], plan=plan)
        item["spread"] = grid.spread(len(item["params"]))
        when = (math.nan, math.nan) if plan is None else (plan.start, plan.length)
        item["plan"] = torch.tensor(when, dtype=torch.float64, device="cpu")
        return item

    def plan(self, number: int) -> Plan | None:
        """What was planned for an item; None for random curves, and for a recipe that has no start."""
        record = self.corpus.record(self.positions[number])
        args = record["args"]
        if record["kind"] != "recipe" or "start" not in args:
            return None
        return Plan(record["name"], float(args["start"]), float(args.get("length", 0)))

    def _grid(self, item: Mapping[str, Any]) -> BeatGrid:
        """The beats of the first track that is played, as far as they are known."""
        seconds, per_beat = self.corpus.settings.seconds, self.senses.per_beat
        name, start = next(iter(item["track"].values())), next(iter(item["start"].values()))
        beats = [beat - start for beat in self.tracks[name].beats]
        if len(beats) > 1:
            return BeatGrid.from_beats(seconds, beats, per_beat)
        return BeatGrid.at_tempo(seconds, item["tempo"], per_beat=per_beat)


def collate(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A batch: as PyTorch's own, and ``features`` ``[batch, steps, size]`` and ``spread`` ``[batch, frames, steps]``
    with zeros after the ``steps`` ``[batch]`` of each item."""
    steps = [len(item["features"]) for item in items]
    plain = [{k: v for k, v in item.items() if k not in ("features", "spread")} for item in items]
    batch: dict[str, Any] = default_collate(plain)
    longest = max(steps)

    def padded(tensor: Tensor, dim: int) -> Tensor:
        shape = list(tensor.shape)
        shape[dim] = longest - shape[dim]
        return torch.cat([tensor, tensor.new_zeros(shape)], dim)

    batch["features"] = torch.stack([padded(item["features"], 0) for item in items])
    batch["spread"] = torch.stack([padded(item["spread"], 1) for item in items])
    batch["steps"] = torch.tensor(steps, dtype=torch.int64, device="cpu")
    return batch


def split(corpus: Corpus, held_out: float) -> tuple[list[int], list[int]]:
    """Positions to train with, and the last ones, to judge with; the same when the corpus is made anew."""
    if not 0 < held_out < 1:
        raise InputError(f"held-out is {held_out}; expected a share between 0 and 1")
    last = max(1, round(held_out * len(corpus)))
    if last >= len(corpus):
        raise InputError(
            f"{corpus.root} has {len(corpus)} items; with {last} held out none is left: make more"
        )
    return list(range(len(corpus) - last)), list(range(len(corpus) - last, len(corpus)))
