"""Listening to a mix while it is made, block by block: each part alone, and all of them together."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from djgraph.dsp.true_peak import true_peak
from djgraph.effects import Parted
from djgraph.errors import InputError
from djgraph.losses.windows import HOPS, Columns, hop_of, powers, window_peaks
from djgraph.mixer import Mixer
from djgraph.reports.contributions import Part, chosen, parts_of
from djgraph.reports.course import Course

BLOCK = 65_536
"""Samples that go through the mixer at a time: all parts at once take as many times the memory of a mix."""


class Listener:
    """Hears a mix and its parts: a batch of the mixer's stream, of which the first is the mix, and in each of the
    others all inputs but those of one part are silent. What sources play they play once for all.

    mixer, params, positions, tempo, material: as for :meth:`djgraph.Mixer.stream`, of the whole mix. tracks: the inputs
    that are given. Memory grows by about 2 kB a track for each second of the mix.
    """

    def __init__(
        self,
        mixer: Mixer,
        params: Tensor,
        positions: Tensor,
        tempo: Any = None,
        tracks: tuple[str, ...] | None = None,
        material: Mapping[str, Any] | None = None,
    ) -> None:
        self._rate = mixer.graph.sample_rate
        self._output = next(iter(mixer.outputs))
        self.parts: tuple[Part, ...] = parts_of(mixer.graph, tracks)
        self.tracks = tuple(dict.fromkeys(part.track for part in self.parts))
        self._stream = mixer.stream(
            batch=1 + len(self.parts),
            score=(params, positions),
            tempo=tempo,
            material={
                name: Parted(
                    track, [_stems(self.parts, name), *(_stems((part,), name) for part in self.parts)]
                )
                for name, track in (material or {}).items()
            },
        )
        self._early = self._stream.latency
        self._audio: Tensor | None = None
        self._high = torch.zeros(0, dtype=torch.float32, device="cpu")
        self._peak_state: Tensor | None = None
        # Window after window in one piece of memory: many small ones would keep what lies around them from being freed.
        self._heard, self._peaks = array("f"), array("f")
        self._residual = self._power = 0.0
        self._samples = 0

    def add(self, block: Mapping[str, Any], samples: int | None = None) -> None:
        """The next samples of every input that no source plays, nested as a mixer takes them, ``[channels, samples]``
        each. samples: how many, where there is none."""
        samples = _length(block) if samples is None else samples
        for start in range(0, samples, BLOCK):
            span = slice(start, min(start + BLOCK, samples))
            inputs = {name: self._spread(name, value, span) for name, value in block.items()}
            with torch.inference_mode():
                mixed = chosen(self._stream(inputs, samples=span.stop - span.start), self._output)
                skipped = min(self._early, mixed.shape[-1])
                self._early -= skipped
                self._take(mixed[..., skipped:])

    def finish(self) -> Course:
        """What was heard. Nothing may be added after it. Raises InputError for a mix below 0.4 s."""
        with torch.inference_mode():
            self._take(chosen(self._stream.finish(), self._output)[..., self._early :])
        if not self._heard:
            raise InputError(
                f"a mix of {self._samples / self._rate:.3g} s is too short for a report; expected {HOPS / 10:g} s"
            )
        return Course.of(
            torch.from_numpy(np.array(self._heard).reshape(len(self._peaks), -1).T),
            torch.from_numpy(np.array(self._peaks)),
            self.tracks,
            self._told("bass", "whole"),
            self._told("vocals"),
            self._rate,
            self._samples,
            self._residual / self._power if self._power else 0.0,
        )

    def _told(self, *kinds: str) -> tuple[bool, ...]:
        """Of which tracks there are such parts."""
        return tuple(
            any(part.track == track and part.kind in kinds for part in self.parts) for track in self.tracks
        )

    def _spread(self, track: str, value: Any, span: slice) -> Any:
        if isinstance(value, Mapping):
            return {stem: self._rows(track, stem, x[..., span]) for stem, x in value.items()}
        return self._rows(track, None, value[..., span])

    def _rows(self, track: str, stem: str | None, audio: Tensor) -> Tensor:
        rows = audio.new_zeros(1 + len(self.parts), *audio.shape)
        rows[0] = audio
        for number, part in enumerate(self.parts, 1):
            if part.holds(track, stem):
                rows[number] = audio
        return rows

    def _take(self, mixed: Tensor) -> None:
        """``[1 + parts, channels, samples]``, the mix first."""
        if not mixed.shape[-1]:
            return
        self._samples += mixed.shape[-1]
        self._residual += float((mixed[0] - mixed[1:].sum(0)).double().square().sum())
        self._power += float(mixed[0].double().square().sum())
        between, self._peak_state = true_peak(mixed[0], self._peak_state)
        high = torch.maximum(mixed[0].abs(), between).amax(0)
        self._high = torch.cat((self._high, high))
        signals = self._signals(mixed)
        self._audio = signals if self._audio is None else torch.cat((self._audio, signals), -1)
        hop = hop_of(self._rate)
        count = max(0, self._audio.shape[-1] // hop - HOPS + 1)
        if count:
            heard = powers(self._audio[..., : (count + HOPS - 1) * hop], self._rate)
            self._heard.extend(self._kept(heard).T.flatten().tolist())
            self._peaks.extend(window_peaks(self._high[None], self._rate)[0, :count].tolist())
            self._audio = self._audio[..., count * hop :].clone()
            self._high = self._high[count * hop :].clone()

    def _signals(self, mixed: Tensor) -> Tensor:
        """``[4·tracks + 2, channels, samples]``: basses, vocals, what has pitch, whole tracks; their sum; the mix."""

        def sums(*kinds: str) -> list[Tensor]:
            zero = torch.zeros_like(mixed[0])
            return [
                sum(
                    (
                        mixed[number]
                        for number, part in enumerate(self.parts, 1)
                        if part.track == track and part.kind in kinds
                    ),
                    zero,
                )
                for track in self.tracks
            ]

        whole = sums("bass", "vocals", "drums", "other", "whole")
        rows = [*sums("bass", "whole"), *sums("vocals"), *sums("bass", "vocals", "other", "whole"), *whole]
        return torch.stack([*rows, torch.stack(whole).sum(0), mixed[0]])

    def _kept(self, heard: Tensor) -> Tensor:
        """The columns that are measured, ``[kept, windows]``, in the order that :meth:`Course.of` takes them."""
        columns, count = Columns(self._rate), len(self.tracks)
        bass, vocals, tonal, whole = heard[: 4 * count].split(count)
        return torch.cat(
            (
                bass[:, columns.low],
                vocals[:, columns.weighted],
                tonal[:, columns.chroma].flatten(0, 1),
                whole[:, columns.weighted],
                whole[:, columns.barks].flatten(0, 1),
                heard[4 * count, columns.barks],
                heard[4 * count + 1, columns.weighted][None],
            )
        )


def _stems(parts: Sequence[Part], track: str) -> list[str | None]:
    """The stems of a track that parts hold."""
    return [stem for part in parts if part.track == track for stem in part.stems]


def _length(block: Mapping[str, Any]) -> int:
    for value in block.values():
        for signal in value.values() if isinstance(value, Mapping) else (value,):
            return int(signal.shape[-1])
    return 0
