"""What a model hears: the beats of a clip, and features of its stems (and of a mix) on them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from djgraph.arguments import whole
from djgraph.errors import InputError
from djgraph.losses.mel import mel_filters

FLOOR_DB = -80.0
"""Energies below it, in dB of a full-scale sine, count as silence."""
MAX_STEPS = 100_000
_SIZE = 2048
_HOP = 1024
_RIDGE = 1e-3


@dataclass(frozen=True)
class BeatGrid:
    """A clip cut into steps, of a beat or an equal part of one each.

    edges: seconds, ascending, one more than there are steps; the first is 0, the last the clip's length.
    """

    edges: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.edges) < 2 or self.edges[0] != 0 or not _ascends(self.edges):
            raise InputError(f"edges are {_few(self.edges)}; expected ascending seconds from 0")

    @classmethod
    def at_tempo(cls, seconds: float, tempo: float, first: float = 0.0, per_beat: int = 1) -> BeatGrid:
        """Beats of one tempo. seconds: length of the clip. tempo: BPM. first: second of any one beat; it may lie
        outside the clip. per_beat: steps in a beat."""
        if not (math.isfinite(tempo) and tempo > 0 and math.isfinite(first)):
            raise InputError(
                f"tempo is {tempo} and first {first}; expected beats a minute above 0, and seconds"
            )
        beat = 60 / tempo
        _check(seconds, per_beat, beat)
        before = math.ceil(first / beat)
        count = math.ceil(seconds / beat) + 1
        start = first - before * beat
        return cls.from_beats(seconds, [start + i * beat for i in range(count + 1)], per_beat)

    @classmethod
    def from_beats(cls, seconds: float, beats: Sequence[float], per_beat: int = 1) -> BeatGrid:
        """Known beats, in seconds from the clip's start, ascending; they may lie outside the clip, which before
        the first and after the last one goes on at the pace there. per_beat: steps in a beat."""
        if len(beats) < 2 or not _ascends(beats):
            raise InputError(f"beats are {_few(beats)}; expected at least two ascending seconds")
        _check(seconds, per_beat, min(b - a for a, b in itertools.pairwise(beats)))
        pace = beats[1] - beats[0], beats[-1] - beats[-2]
        before, after = math.ceil(beats[0] / pace[0]), math.ceil((seconds - beats[-1]) / pace[1])
        if max(before, after) * per_beat > MAX_STEPS:
            raise InputError(f"beats are {_few(beats)}, too far from a clip of {seconds:g} s")
        marks = [beats[0] - i * pace[0] for i in range(before, 0, -1)]
        marks += [*beats, *(beats[-1] + i * pace[1] for i in range(1, after + 1))]
        fine = [a + (b - a) * i / per_beat for a, b in itertools.pairwise(marks) for i in range(per_beat)]
        # A sliver at either end of the clip belongs to the step beside it.
        sliver = 0.25 * min(pace) / per_beat
        inner = [edge for edge in fine if sliver < edge < seconds - sliver]
        return cls((0.0, *inner, float(seconds)))

    def __len__(self) -> int:
        return len(self.edges) - 1

    @property
    def seconds(self) -> float:
        """Length of the clip."""
        return self.edges[-1]

    @property
    def centres(self) -> Tensor:
        """Middle of each step in seconds, ``[steps]``, float64."""
        edges = torch.tensor(self.edges, dtype=torch.float64, device="cpu")
        return (edges[1:] + edges[:-1]) / 2

    def pool(self, frames: Tensor, frame_rate: float) -> Tensor:
        """Means over the steps, ``[…, steps]``, of frames ``[…, frames]`` that lie at i/frame_rate seconds.

        A step in which no frame lies has the one nearest to its middle.
        """
        count = frames.shape[-1]
        if not count:
            raise InputError("there is no frame to take the mean of")
        times = torch.arange(count, dtype=torch.float64, device="cpu") / frame_rate
        edges = torch.tensor(self.edges[1:-1], dtype=torch.float64, device="cpu")
        member = torch.zeros(len(self), count, dtype=frames.dtype, device="cpu")
        member[torch.bucketize(times, edges, right=True), torch.arange(count, device="cpu")] = 1
        empty = member.sum(1) == 0
        nearest = (self.centres * frame_rate).round().long().clamp(0, count - 1)
        member[empty, nearest[empty]] = 1
        return frames @ (member / member.sum(1, keepdim=True)).T.to(frames.device)

    def spread(self, n_frames: int) -> Tensor:
        """Weights ``[n_frames, steps]`` that turn values on the steps into control frames, evenly spread over the
        clip as mixers read them: straight lines between the steps' middles, held before the first and after the
        last one. Each row adds up to 1."""
        n_frames = whole(n_frames, "n_frames", 1)
        times = torch.arange(n_frames, dtype=torch.float64, device="cpu") * (
            self.seconds / max(n_frames - 1, 1)
        )
        centres, last = self.centres, len(self) - 1
        after = torch.bucketize(times, centres).clamp(0, last)
        before = (after - 1).clamp(min=0)
        gap = (centres[after] - centres[before]).clamp(min=1e-9)
        share = ((times - centres[before]) / gap).clamp(0, 1)
        share[after == before] = 1
        weights = torch.zeros(n_frames, len(self), dtype=torch.float64, device="cpu")
        rows = torch.arange(n_frames, device="cpu")
        weights[rows, before] += 1 - share
        weights[rows, after] += share
        return weights.float()


@dataclass(frozen=True)
class BeatFeatures:
    """Features of the steps of a clip.

    signals: what the model hears, in order (``track_a.drums`` …). sample_rate: Hz. bands: mel bands of each.
    mix: whether it hears a mix of them, too.

    For every step, in every band: the energy of each signal, 0 (:data:`FLOOR_DB` and below) to 1 (a full-scale
    sine). With ``mix``: the energy of the mix, and for each signal the gain with which it is found in it, least
    squares over all signals together, limited to 0…2. What a signal does not sound in has the gain 0.
    """

    signals: tuple[str, ...]
    sample_rate: int
    bands: int = 8
    mix: bool = False

    def __post_init__(self) -> None:
        whole(self.sample_rate, "sample_rate", 1)
        whole(self.bands, "bands", 1)
        if not self.signals:
            raise InputError("signals are []; expected at least one")

    @property
    def names(self) -> tuple[str, ...]:
        """What each feature is."""
        bands = range(self.bands)
        names = [f"{name} energy {band}" for name in self.signals for band in bands]
        if self.mix:
            names += [f"mix energy {band}" for band in bands]
            names += [f"{name} gain {band}" for name in self.signals for band in bands]
        return tuple(names)

    def __call__(
        self, audio: Mapping[str, Tensor], grid: BeatGrid | Sequence[BeatGrid], mix: Tensor | None = None
    ) -> Tensor:
        """Signal → ``[channels, samples]``, all equally long (and the mix) → ``[steps, features]``, float32, on
        their device.

        A batch goes through at once: ``[batch, channels, samples]`` → ``[batch, steps, features]``, with one grid for
        all items, or one for each, of as many steps (clips with other numbers of steps: one by one).
        Raises InputError for signals that are missing or do not fit together, and for other numbers of grids.
        """
        if lost := [name for name in self.signals if name not in audio]:
            raise InputError(
                f"there is no audio of {', '.join(lost)}; there is: {', '.join(audio) or 'none'}"
            )
        if (mix is None) == self.mix:
            raise InputError("these features need the mix" if self.mix else "these features take no mix")
        heard = [audio[name] for name in self.signals] + ([] if mix is None else [mix])
        dimensions = {x.ndim for x in heard}
        ends = {(*x.shape[:-2], x.shape[-1]) for x in heard}  # all but the channels
        if dimensions not in ({2}, {3}) or len(ends) > 1:
            shapes = ", ".join(str(list(x.shape)) for x in heard)
            raise InputError(f"expected [channels, samples], or a batch of them, equally long, got {shapes}")
        alone = dimensions == {2}
        heard = [x[None] for x in heard] if alone else heard
        pool = _pool(grid, len(heard[0]), self.sample_rate / _HOP)
        spectra = torch.stack([_stereo_spectrum(x) for x in heard])  # [signals, batch, 2, bins, frames]
        filters = mel_filters(self.sample_rate, _SIZE, self.bands).float().to(spectra.device)
        power = spectra.abs().square().mean(2)
        energy = pool(filters @ power)  # [signals, batch, bands, steps]
        parts = [(10 * energy.clamp_min(1e-12).log10() / -FLOOR_DB + 1).clamp(0, 1)]
        if mix is not None:
            parts.append(_gains(spectra, filters, pool, energy[:-1]))
        # [signals, batch, bands, steps] → [batch, steps, signals and bands]
        found = torch.cat([part.permute(1, 3, 0, 2).flatten(2) for part in parts], -1)
        return found[0] if alone else found


def _pool(grid: BeatGrid | Sequence[BeatGrid], batch: int, rate: float) -> Callable[[Tensor], Tensor]:
    """Means over steps, ``[…, batch, bands, frames]`` → ``[…, batch, bands, steps]``."""
    if isinstance(grid, BeatGrid):
        return lambda frames: grid.pool(frames, rate)
    grids = list(grid)
    if len(grids) != batch or len({len(one) for one in grids}) > 1:
        steps = ", ".join(str(len(one)) for one in grids[:8])
        raise InputError(
            f"expected one grid, or {batch} of as many steps each, got {len(grids)} (of {steps} steps)"
        )
    return lambda frames: torch.stack(
        [one.pool(frames[..., i, :, :], rate) for i, one in enumerate(grids)], dim=-3
    )


def _stereo_spectrum(audio: Tensor) -> Tensor:
    """``[batch, channels, samples]`` → ``[batch, 2, bins, frames]``; a full-scale sine peaks at 1."""
    window = torch.hann_window(_SIZE, dtype=torch.float32, device=audio.device)
    audio = audio.float()
    audio = audio.expand(-1, 2, -1) if audio.shape[1] == 1 else audio[:, :2]
    if (short := _SIZE - audio.shape[-1]) > 0:
        audio = torch.nn.functional.pad(audio, (0, short))
    spectrum = torch.stft(
        audio.flatten(0, 1), _SIZE, _HOP, window=window, pad_mode="constant", return_complex=True
    )
    return spectrum.unflatten(0, (-1, 2)) * (2 / window.sum())


def _gains(spectra: Tensor, filters: Tensor, pool: Callable[[Tensor], Tensor], energy: Tensor) -> Tensor:
    """Gains ``[signals, batch, bands, steps]`` of the signals in the last spectrum, the mix: in each band of each step
    the least squares |M − Σ g·S|², with a little ridge, which decides where signals are alike."""
    signals = len(spectra) - 1
    rows = []
    for i in range(signals):
        products = (spectra[i].conj() * spectra).real.sum(2)  # [signals + 1, batch, bins, frames]
        rows.append(pool(filters @ products))
    gram = torch.stack(rows).permute(2, 3, 4, 0, 1).double()  # [batch, bands, steps, signals, signals + 1]
    matrix, right = gram[..., :-1], gram[..., -1]
    scale = matrix.diagonal(dim1=-2, dim2=-1).clamp_min(1e-12).sqrt()
    matrix = matrix / (scale[..., :, None] * scale[..., None, :])
    ridge = _RIDGE * torch.eye(signals, dtype=torch.float64, device=matrix.device)
    gains = torch.linalg.solve(matrix + ridge, right / scale) / scale
    audible = energy.permute(1, 2, 3, 0) > 10 ** (FLOOR_DB / 10)
    limited: Tensor = (gains * audible).clamp(0, 2).permute(3, 0, 1, 2).float()
    return limited


def _ascends(times: Sequence[float]) -> bool:
    return all(math.isfinite(a) and a < b < math.inf for a, b in itertools.pairwise(times))


def _check(seconds: float, per_beat: int, beat: float) -> None:
    if not (math.isfinite(seconds) and seconds > 0):
        raise InputError(f"seconds is {seconds}; expected a length above 0")
    whole(per_beat, "per_beat", 1)
    if seconds / beat * per_beat > MAX_STEPS:
        raise InputError(f"{seconds:g} s with beats of {beat:g} s are more than {MAX_STEPS} steps")


def _few(times: Sequence[float]) -> str:
    shown = ", ".join(f"{time:g}" for time in times[:6])
    return f"[{shown}{', …' if len(times) > 6 else ''}]"
