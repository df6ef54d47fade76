"""Where exactly a resampled track comes in, jumps and loops: the likeliest of its lines in every tenth of a second."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import firwin2, oaconvolve
from torch import Tensor

from djgraph.alignment.delays import Line, played
from djgraph.alignment.features import RATE

Array = NDArray[np.float32]
BLOCK = 1024
"""Samples at :data:`~djgraph.alignment.features.RATE` in which a line is heard or not."""
FAR = 15.0
"""Seconds before and after what is known of a line in which it may be heard, too."""
_INDEPENDENT = 0.6
_SILENCE = 6.0
"""Log-likelihood of a block without the track, against noise that correlates by chance."""
_ENTER, _JUMP = 30.0, 30.0
_HIGHEST = 0.95
_TAPS = 257
_WINDOW = 4096
_SIZE = 1 << 14
_SEARCHES = 160
_BETTER = 0.15
_LEAST = 0.3
_LOOKS = 24
_MOST_REPEATS = 16
_AS_GOOD = 0.5
"""Correlation, as a share of the best, that a place may have which is as good: half a sample beside it is as much."""


@dataclass(frozen=True)
class Part:
    """A line of the track, and from and to which sample of the recording it is heard, at the features' rate."""

    line: Line
    begins: float
    ends: float


class Whitener:
    """A filter after which a recording's spectrum is flat, on the whole."""

    def __init__(self, recording: Tensor) -> None:
        size = 1024
        pieces = recording[: len(recording) // size * size].reshape(-1, size)
        pieces = pieces[:: max(1, len(pieces) // 2000)]
        window = torch.hann_window(size, dtype=torch.float32, device="cpu")
        power = torch.fft.rfft(pieces * window).abs().square().mean(0).double().numpy()
        smooth = np.convolve(np.pad(power, 8, mode="edge"), np.ones(17) / 17, "valid")
        gain = 1 / np.sqrt(smooth + 1e-4 * smooth.max())
        gain[0] = 0
        self._taps = firwin2(_TAPS, np.linspace(0, 1, len(gain)), gain / gain.max()).astype(np.float32)

    def __call__(self, audio: Tensor) -> Array:
        """``[samples]``, not delayed."""
        return np.asarray(oaconvolve(audio.numpy(), self._taps, mode="same"), np.float32)


class Trace:
    """How well a line explains each block of a recording within its reach."""

    def __init__(
        self, line: Line, first: int, last: int, heard: Array, track: Tensor, whiten: Whitener
    ) -> None:
        """first, last: blocks, the last one left out."""
        self.line, self.first, self.last = line, first, last
        samples = (last - first) * BLOCK
        self.audio = whiten(played(track, line, first * BLOCK, samples))
        y = self.audio.reshape(-1, BLOCK)
        x = heard[first * BLOCK : last * BLOCK].reshape(-1, BLOCK)
        across, mine, all_ = (x * y).sum(1), (y * y).sum(1), (x * x).sum(1)
        self.sounds = mine > 1e-5 * np.median(mine[mine > 0]) if (mine > 0).any() else mine > 0
        self.strength = np.where(self.sounds & (all_ > 0), across / np.sqrt(mine * all_ + 1e-20), 0)

    def likelihood(self, sign: float, first: int, last: int) -> Array:
        """Log-likelihoods of blocks against none of the track in them."""
        out: Array = np.zeros(last - first, np.float32)
        rho = np.clip(self.strength * sign, 0, _HIGHEST)
        value = -0.5 * _INDEPENDENT * BLOCK * np.log1p(-(rho**2))
        value = np.where(self.sounds, value, _SILENCE)
        low, high = max(first, self.first), min(last, self.last)
        if high > low:
            out[low - first : high - first] = value[low - self.first : high - self.first]
        return out


class Cutter:
    """The lines of one track in one recording, all of one rate or of several."""

    def __init__(self, recording: Tensor, track: Tensor, whiten: Whitener, heard: Array, sign: float) -> None:
        """recording, track: ``[samples]`` at :data:`~djgraph.alignment.features.RATE`. heard: the whitened recording.
        sign: −1 where its polarity is inverted."""
        self._track, self._whiten, self._sign = track, whiten, sign
        self._blocks = len(recording) // BLOCK
        self._heard = heard[: self._blocks * BLOCK]
        self._searched: dict[float, _Search] = {}

    def cut(self, parts: Sequence[Part], explained: Sequence[tuple[float, float]] = ()) -> list[Part]:
        """The same lines, and others where none of them explains what is heard, each where it is heard.

        explained: from and to samples in which no others are looked for.
        """
        found = [self._trace(part.line, part.begins, part.ends) for part in parts]
        traces = [one for one in found if one is not None]
        if not traces:
            return []
        path = self._path(traces)
        self._look(traces, path, explained)
        return self._exact(traces, self._path(traces))

    def shares(self, lines: Sequence[Line], begins: float, ends: float) -> list[float]:
        """By how much more of what is heard from one sample to another all lines explain than all but one, for each."""
        traces = [self._trace(line, begins, ends, 0.0) for line in lines]
        first, last = math.ceil(begins / BLOCK), max(math.ceil(begins / BLOCK) + 1, math.floor(ends / BLOCK))
        last = min(last, self._blocks)
        y = self._heard[first * BLOCK : last * BLOCK].astype(np.float64)
        rows = np.stack([_silence(one, first, last) for one in traces]).astype(np.float64)
        gram, cross = rows @ rows.T, rows @ y

        def explained(chosen: list[int]) -> float:
            square = gram[np.ix_(chosen, chosen)]
            square = square + np.diag(1e-6 * np.diag(square) + 1e-12)
            return float(cross[chosen] @ np.linalg.solve(square, cross[chosen]))

        every = list(range(len(lines)))
        whole = explained(every)
        energy = max(float(y @ y), 1e-20)
        return [
            (whole - (explained([other for other in every if other != one]) if len(every) > 1 else 0.0))
            / energy
            for one in every
        ]

    def repeats(self, part: Part) -> list[float]:
        """Where else in the track a part may be: samples of the recording, to about one, by which its line may be
        moved on in it; the likelier first. Windows of the part sound much as the track does there."""
        search = self._of_rate(part.line.rate)
        first, last = math.ceil(part.begins / BLOCK), math.floor(part.ends / BLOCK) - _WINDOW // BLOCK
        if last <= first:
            return []
        windows = np.unique(np.linspace(first, last, _LOOKS).astype(int))
        total: NDArray[np.float64] | None = None
        low = high = 0
        for block in windows:
            at = int(block) * BLOCK
            values = search.values(self._heard[at : at + _WINDOW] * self._sign)
            expected = round(float(part.line.position(float(at))) / part.line.rate)
            if total is None:
                low, high = -expected, len(values) - expected
                total = np.zeros(high - low)
            begin, end = max(low, -expected), min(high, len(values) - expected)
            if end > begin:
                total[begin - low : end - low] += values[begin + expected : end + expected]
        if total is None:
            return []
        total /= len(windows)
        found: list[float] = []
        best = float(total.max())
        left = total.copy()
        while len(found) < _MOST_REPEATS:
            place = int(left.argmax())
            value = float(left[place])
            if value < _AS_GOOD * best or value <= 0:
                break
            found.append(float(place + low))
            left[max(0, place - BLOCK) : place + BLOCK] = 0
        return found

    def _of_rate(self, rate: float) -> _Search:
        search = self._searched.get(rate)
        if search is None:
            search = self._searched[rate] = _Search(self._track, rate, self._whiten)
        return search

    def _trace(self, line: Line, begins: float, ends: float, far: float = FAR) -> Trace | None:
        inside = sorted(line.begins + (at - line.start) / line.rate for at in (0.0, float(len(self._track))))
        first = max(0, math.floor(max(begins - far * RATE, inside[0]) / BLOCK))
        last = min(self._blocks, math.ceil(min(ends + far * RATE, inside[1]) / BLOCK))
        if last - first < 2:
            return None
        return Trace(line, first, last, self._heard, self._track, self._whiten)

    def _path(self, traces: Sequence[Trace]) -> NDArray[np.int64]:
        """The likeliest trace in each block, −1 for none."""
        first, last = min(one.first for one in traces), max(one.last for one in traces)
        table = np.stack(
            [np.full(last - first, _SILENCE, np.float32)]
            + [one.likelihood(self._sign, first, last) for one in traces]
        )
        count = len(table)
        value = table[:, 0].astype(np.float64)
        value[1:] -= _ENTER
        back = np.zeros((last - first, count), np.int64)
        own = np.arange(count)
        for block in range(1, last - first):
            best = 1 + int(value[1:].argmax())
            enter, jump = value[0] - _ENTER, value[best] - _JUMP
            moved = np.full(count, max(enter, jump))
            source = np.full(count, 0 if enter >= jump else best)
            moved[0], source[0] = value[best], best
            stay = value >= moved
            back[block] = np.where(stay, own, source)
            value = np.where(stay, value, moved) + table[:, block]
        path = np.full(self._blocks, -1, np.int64)
        at = int(value.argmax())
        for block in range(last - first - 1, -1, -1):
            path[first + block] = at - 1
            at = int(back[block, at])
        return path

    def _look(
        self, traces: list[Trace], path: NDArray[np.int64], explained: Sequence[tuple[float, float]]
    ) -> None:
        """Adds lines that explain what none does so far: loops and jumps that were too short for the features."""
        whole = np.zeros(self._blocks, np.float32)
        best = np.zeros(self._blocks, np.float32)
        for one in traces:
            span = slice(one.first, one.last)
            best[span] = np.maximum(best[span], one.strength * self._sign)
        for begins, ends in explained:
            best[max(0, int(begins / BLOCK) - 4) : int(ends / BLOCK) + 5] = 1
        used = np.flatnonzero(path >= 0)
        if not len(used):
            return
        wide = _WINDOW // BLOCK
        for block in range(used[0], used[-1] + 1):
            low, high = max(0, block - 60), min(self._blocks, block + 60)
            whole[block] = np.quantile(best[low:high], 0.8)
        spots = np.arange(used[0], max(used[0], used[-1] + 1 - wide))
        found = np.array([best[block : block + wide].mean() for block in spots])
        poor = [
            int(block)
            for block, value in zip(spots, found)
            if value < 0.7 * whole[block] and whole[block] > _LEAST
        ]
        searches = 0
        while poor and searches < _SEARCHES:
            block = poor.pop(0)
            if best[block : block + wide].mean() >= 0.7 * whole[block]:
                continue
            searches += 1
            near = min(traces, key=lambda one: abs((one.first + one.last) / 2 - block))
            line = self._search(near.line.rate, block, float(best[block : block + wide].mean()))
            if line is None:
                poor = [other for other in poor if other >= block + wide // 2]
                continue
            trace = self._trace(line, block * BLOCK, (block + wide) * BLOCK, 6.0)
            if trace is None:
                continue
            traces.append(trace)
            span = slice(trace.first, trace.last)
            best[span] = np.maximum(best[span], trace.strength * self._sign)

    def _search(self, rate: float, block: int, present: float) -> Line | None:
        search = self._of_rate(rate)
        piece = self._heard[block * BLOCK : block * BLOCK + _WINDOW]
        place, strength = search.find(piece * self._sign)
        if strength < max(_LEAST, present + _BETTER):
            return None
        return Line(float(block * BLOCK), rate * place, rate)

    def _exact(self, traces: Sequence[Trace], path: NDArray[np.int64]) -> list[Part]:
        """Parts of the path, with ends to the sample."""
        edges = np.flatnonzero(np.diff(path, prepend=-1, append=-1))
        spans = [(int(a), int(b), int(path[a])) for a, b in itertools.pairwise(edges) if path[a] >= 0]
        parts: list[Part] = []
        for number, (first, last, which) in enumerate(spans):
            before = spans[number - 1] if number else None
            after = spans[number + 1] if number + 1 < len(spans) else None
            touches = before is not None and before[1] == first
            begins = parts[-1].ends if touches else self._edge(None, (first, last, which), traces, first)
            if parts:  # edges are looked for on both sides of a block's, and pauses may be as short
                begins = max(begins, parts[-1].ends)
            other = after if after is not None and after[0] == last else None
            ends = self._edge((first, last, which), other, traces, last)
            parts.append(Part(traces[which].line, begins, max(ends, begins + 1)))
        return parts

    def _edge(
        self,
        left: tuple[int, int, int] | None,
        right: tuple[int, int, int] | None,
        traces: Sequence[Trace],
        block: int,
    ) -> float:
        """The sample near a block's beginning at which one gives way to the other, by least squares."""
        low, high = max(0, block - 2), min(self._blocks, block + 2)
        if left is not None:
            low = max(low, left[0])
        if right is not None:
            high = min(high, right[1])
        span = slice(low * BLOCK, high * BLOCK)
        x = self._heard[span].astype(np.float64)
        costs = []
        for side, ends in ((left, True), (right, False)):
            if side is None:
                costs.append(x * x)
                continue
            trace = traces[side[2]]
            first, last = (max(side[0], block - 8), block) if ends else (block, min(side[1], block + 8))
            y = _silence(trace, first, last)
            known = self._heard[first * BLOCK : last * BLOCK]
            gain = float((known * y).sum() / max(float((y * y).sum()), 1e-20))
            if left is None or right is None:
                gain /= 2  # where it is half as loud as here it is heard
            costs.append((x - gain * _silence(trace, low, high)) ** 2)
        total = np.concatenate([[0], np.cumsum(costs[0] - costs[1])])
        return float(low * BLOCK + int(total.argmin()))


def _silence(trace: Trace | None, first: int, last: int) -> Array:
    """A line's audio in blocks, silence where it does not reach."""
    out: Array = np.zeros((last - first) * BLOCK, np.float32)
    if trace is not None:
        low, high = max(first, trace.first), min(last, trace.last)
        if high > low:
            piece = trace.audio[(low - trace.first) * BLOCK : (high - trace.first) * BLOCK]
            out[(low - first) * BLOCK : (high - first) * BLOCK] = piece
    return out


class _Search:
    """A whole track at a rate, in which short pieces of a recording are looked for."""

    def __init__(self, track: Tensor, rate: float, whiten: Whitener) -> None:
        samples = max(_WINDOW, int(len(track) / rate))
        audio = torch.from_numpy(whiten(played(track, Line(0.0, 0.0, rate), 0, samples)))
        self._step = _SIZE - _WINDOW + 1
        blocks = -(-samples // self._step)
        padded = torch.nn.functional.pad(audio, (0, (blocks - 1) * self._step + _SIZE - samples))
        self._spectra = torch.fft.rfft(padded.unfold(0, _SIZE, self._step))
        power = torch.nn.functional.pad(padded.double().square().cumsum(0), (1, 0))
        energy = power[_WINDOW:] - power[:-_WINDOW]
        self._energy = energy[: blocks * self._step].float().clamp(min=1e-4 * float(energy.max()) + 1e-20)

    def find(self, piece: Array) -> tuple[float, float]:
        """At which of its samples a piece begins, and how strongly they correlate."""
        values = self.values(piece)
        best = int(values.argmax())
        shift = 0.0
        if 0 < best < len(values) - 1:
            left, middle, right = (float(value) for value in values[best - 1 : best + 2])
            bend = left - 2 * middle + right
            shift = 0.5 * (left - right) / bend if bend < 0 else 0.0
        return best + shift, float(values[best])

    def values(self, piece: Array) -> Array:
        """Normalised correlations of a piece with what begins at each sample."""
        spectrum = torch.fft.rfft(torch.from_numpy(np.ascontiguousarray(piece)), _SIZE).conj()
        values = torch.fft.irfft(self._spectra * spectrum, _SIZE)[:, : self._step].flatten()
        own = float(np.sqrt((piece.astype(np.float64) ** 2).sum()))
        return np.asarray((values[: len(self._energy)] / (self._energy.sqrt() * max(own, 1e-20))).numpy())
