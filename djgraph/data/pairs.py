"""Random pairs of excerpts of different tracks, all stems of a track from the same moment: a data set."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch.utils.data import Dataset

from djgraph.arguments import real, shown, whole
from djgraph.audio.stems import STEMS
from djgraph.data.augment import Transform
from djgraph.data.seeds import random_state
from djgraph.data.tracks import Problems, Track, find_tracks
from djgraph.errors import AudioFileError, DJGraphError, InputError, did_you_mean, shorten

Align = Literal["none", "beat"]
Short = Literal["error", "skip", "pad"]

ALIGN = ("none", "beat")
SHORT = ("error", "skip", "pad")


class StemPairs(Dataset[dict[str, Any]]):
    """Random excerpts of two different tracks, streamed from disk, as a mixer takes them.

    Item *i* of an epoch depends on ``(seed, epoch, i)`` alone: any number of workers gives the same items. An
    item is a mapping, which PyTorch's own collate function turns into a batch::

        inputs   deck → stem → [channels, samples], to be handed to a mixer
        track    deck → the track's name
        start    deck → second at which its excerpt begins
        tempo    deck → BPM, NaN where not known

    >>> pairs = djgraph.data.StemPairs("musdb18hq/train", seconds=10, length=8)
    >>> for batch in torch.utils.data.DataLoader(pairs, batch_size=4, num_workers=2):
    ...     mixed = mixer(batch["inputs"], params)

    tracks: a folder or a URL to search, several, or tracks that have been found (:func:`find_tracks`). seconds,
    sample_rate, channels: of the excerpts. stems, optional: names of stems, and which a track may lack (they
    are silence then). length: items in an epoch. decks: the names of the two inputs, or of any number. pairs:
    the tracks to play together, by name, one of which is drawn for each item; any different ones where left
    out. align: ``beat`` begins every excerpt on a beat, in tracks whose metadata have beats. short: what to do
    about tracks shorter than an excerpt: an ``error``, ``skip`` them, or ``pad`` them with silence at the end.
    residual: a stem that is what a track's ``mixture`` has beyond the others (:func:`find_tracks`). transform: what
    is changed at random in each item (:mod:`djgraph.data.augment`); its generator goes on from the item's own draws.

    Raises AudioFileError where there are no tracks or too few that are long enough, InputError for bad
    arguments.
    """

    def __init__(
        self,
        tracks: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | Sequence[Track],
        seconds: float,
        sample_rate: int = 44100,
        *,
        channels: int = 2,
        stems: Sequence[str] = STEMS,
        optional: Iterable[str] = (),
        length: int = 1000,
        seed: int = 0,
        decks: Sequence[str] = ("track_a", "track_b"),
        pairs: Iterable[Sequence[str]] | None = None,
        align: Align = "none",
        short: Short = "error",
        problems: Problems = "error",
        residual: str | None = None,
        transform: Transform | None = None,
    ) -> None:
        if align not in ALIGN:
            raise InputError(f"align is {align!r}; allowed: {', '.join(ALIGN)}")
        channels, length = whole(channels, "channels", 1, 2), whole(length, "length", 1)
        sample_rate, seconds = whole(sample_rate, "sample_rate", 1), real(seconds, "seconds", 0)
        if not decks or round(seconds * sample_rate) < 1:
            raise InputError(
                f"seconds is {seconds:g}, decks {list(decks)}; expected at least a sample, at least a deck"
            )
        random_state(seed)  # refuses a seed that is none
        if transform is not None and not callable(transform):
            raise InputError(f"transform is {shown(transform)}; expected a callable (item, random) → item")
        usable = _as_tracks(tracks, stems, optional, problems, residual)
        self.samples = round(seconds * sample_rate)
        self.sample_rate = sample_rate
        self.channels = dict.fromkeys((*stems, *([] if residual is None else [residual])), channels)
        self.decks = tuple(decks)
        self.length = length
        self.seed = operator.index(seed)
        self.align = align
        self.transform = transform
        self.tracks = long_enough(
            usable, self.samples, sample_rate, short, 1 if pairs is not None else len(decks)
        )
        self.pairs = None if pairs is None else self._given(pairs, {track.name for track in usable})
        # In shared memory, so that set_epoch reaches workers that have started already.
        self._epoch = shared_number()

    def set_epoch(self, epoch: int) -> None:
        """Other excerpts from now on; workers that are running notice, too."""
        random_state(epoch)
        self._epoch.fill_(epoch)

    @property
    def epoch(self) -> int:
        """The epoch whose items are given."""
        return int(self._epoch)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Any]:
        index = whole(index, "an item's number")
        if not -self.length <= index < self.length:
            raise IndexError(f"item {index} of {self.length}")
        random = random_state(self.seed, self.epoch, index % self.length)
        if self.pairs is None:
            chosen = draw_different(len(self.tracks), len(self.decks), random)
        else:
            chosen = self.pairs[random.randint(len(self.pairs))]
        item: dict[str, Any] = {"inputs": {}, "track": {}, "start": {}, "tempo": {}}
        for deck, position in zip(self.decks, chosen):
            track = self.tracks[position]
            start = draw_start(track, self.samples, self.sample_rate, self.align, random)
            item["inputs"][deck] = track.read(start, self.samples, self.sample_rate, self.channels)
            item["track"][deck] = track.name
            item["start"][deck] = start / self.sample_rate
            item["tempo"][deck] = float("nan") if track.tempo is None else track.tempo
        if self.transform is not None:
            item = self.transform(item, random)
        return item

    def _given(self, pairs: Iterable[Sequence[str]], known: set[str]) -> list[tuple[int, ...]]:
        position = {track.name: i for i, track in enumerate(self.tracks)}
        given = []
        for pair in pairs:
            if isinstance(pair, str) or len(pair) != len(self.decks):
                raise InputError(
                    f"a pairing names {len(self.decks)} tracks, for {', '.join(self.decks)}; not {pair!r}"
                )
            for name in pair:
                if name not in known:
                    raise InputError(f"there is no track {name!r}{did_you_mean(name, known)}")
            if all(name in position for name in pair):  # else one of them is too short, and skipped
                given.append(tuple(position[name] for name in pair))
        if not given:
            raise InputError("pairs: there is no pairing of tracks that are long enough")
        return given


def shared_number() -> torch.Tensor:
    """An epoch that workers see. DJGraphError where there is no shared memory left."""
    try:
        return torch.zeros((), dtype=torch.int64, device="cpu").share_memory_()
    except RuntimeError as problem:
        raise DJGraphError(
            f"there is no shared memory left for a data set's epoch ({problem}): /dev/shm is full or may not be"
            " written to; free some, or give the container more (docker run --shm-size=1g)"
        ) from problem


def _as_tracks(
    tracks: Any, stems: Sequence[str], optional: Iterable[str], problems: Problems, residual: str | None
) -> list[Track]:
    if not isinstance(tracks, (str, os.PathLike)):
        tracks = list(tracks)
        if tracks and all(isinstance(track, Track) for track in tracks):
            return tracks
    return find_tracks(tracks, stems, optional, problems, residual)


def long_enough(
    tracks: Sequence[Track], samples: int, sample_rate: int, short: Short, least: int
) -> list[Track]:
    """The tracks that excerpts of so many samples can be drawn from; see ``short`` of :class:`StemPairs`.

    AudioFileError where fewer than ``least`` remain, or for any short one with ``error``.
    """
    if short not in SHORT:
        raise InputError(f"short is {short!r}; allowed: {', '.join(SHORT)}")
    enough = [track for track in tracks if short == "pad" or track.samples(sample_rate) >= samples]
    lacking = [f"{track.name} ({track.seconds:.1f} s)" for track in tracks if track not in enough]
    wanted = f"an excerpt of {samples / sample_rate:g} s"
    if lacking and short == "error":
        raise AudioFileError(
            f"{len(lacking)} of {len(tracks)} tracks are shorter than {wanted}: {shorten(lacking, 8)}\n"
            "  ask for shorter excerpts, or leave these out (short='skip'), or have silence put after them ('pad')"
        )
    if len(enough) < least:
        why = f", {len(lacking)} are shorter than {wanted}: {shorten(lacking, 8)}" if lacking else ""
        raise AudioFileError(f"{least} different tracks are needed and there are {len(enough)}{why}")
    return enough


def draw_different(count: int, amount: int, random: np.random.RandomState) -> tuple[int, ...]:
    """``amount`` different numbers below ``count``."""
    left = list(range(count))
    return tuple(left.pop(random.randint(len(left))) for _ in range(amount))


def draw_start(
    track: Track, samples: int, sample_rate: int, align: Align, random: np.random.RandomState
) -> int:
    """A sample at which an excerpt begins; 0 where the track is not longer than the excerpt.

    Always draws one number, so that what is drawn next does not depend on the track.
    """
    share = random.random_sample()
    last = track.samples(sample_rate) - samples
    if last <= 0:
        return 0
    if align == "beat":
        beats = [round(beat * sample_rate) for beat in track.beats]
        if inside := [beat for beat in beats if 0 <= beat <= last]:
            return inside[int(share * len(inside))]
    return int(share * (last + 1))
