"""Material played at another tempo with its pitch kept: a key lock. What phases do is in :mod:`djgraph.dsp.phases`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from djgraph.dsp.checked import check_signal
from djgraph.dsp.phases import phase_turns
from djgraph.errors import DJGraphError

SECONDS = 4096 / 44100
"""Length of a frame, about."""
AT_ONCE = 64
"""Frames that are worked on at a time."""
NEARLY = 1e-5
"""Samples by which half a sample is missed on purpose: a place that lies half-way is rounded down, whatever its last
bits say."""


@dataclass(frozen=True)
class Cut:
    """How sound is cut into frames. size: samples of each, a power of two. hop: samples from one to the next as they
    are played, a quarter of it or less."""

    size: int
    hop: int

    @classmethod
    def at(cls, sample_rate: float, fastest: float = 1.0) -> Cut:
        """Frames of 93 ms, about, and hops for which a frame moves on by a third of its length at most in the material
        that is played ``fastest`` times as fast as it was recorded: else its frequencies could not be told."""
        size = 2 ** max(6, round(math.log2(SECONDS * sample_rate)))
        hop = size // 4
        while hop > size // 64 and hop * fastest > size / 3:
            hop //= 2
        return cls(size, hop)

    @property
    def window(self) -> Tensor:
        """Hann's, float32: its squares, ``hop`` apart, add up to :attr:`gain`."""
        return _hann(self.size)

    @property
    def gain(self) -> float:
        """What the squares of the windows over a sample add up to."""
        return 3 / 8 * self.size / self.hop

    def first(self, sample: int) -> int:
        """The first frame that reaches a sample: frame k has its middle on sample k·hop."""
        return (sample - self.size // 2) // self.hop + 1

    def last(self, sample: int) -> int:
        """The last one that does."""
        return -((-sample - self.size // 2) // self.hop) - 1


@lru_cache(maxsize=4)
def _hann(size: int) -> Tensor:
    with torch.inference_mode(False):  # it is kept, and may be asked for where gradients are wanted
        return torch.hann_window(size, periodic=True, dtype=torch.float64, device="cpu").to(torch.float32)


def places_of(position: Tensor) -> Tensor:
    """The samples of the material that frames have in their middles, for positions in float64: the nearest ones."""
    return (position + (0.5 - NEARLY)).floor().to(torch.int64)


def frame_spectra(material: Tensor, places: Tensor, cut: Cut, begins: int = 0) -> Tensor:
    """material: ``[signals, length]``, silent beyond its ends, its first sample ``begins``. places: ``[frames]``,
    int64. Returns ``[signals, frames, bins]``."""
    half, length = cut.size // 2, material.shape[-1]
    at = places[:, None] - (begins + half) + torch.arange(cut.size, device="cpu")
    inside = (at >= 0) & (at < length)
    frames = material.index_select(-1, at.clamp(0, max(0, length - 1)).flatten()).unflatten(-1, at.shape)
    frames = torch.where(inside, frames, 0.0) if not bool(inside.all()) else frames
    return torch.fft.rfft(frames * cut.window.to(frames.dtype))


def overlap_add(spectra: Tensor, turns: Tensor, cut: Cut) -> Tensor:
    """Frames, turned and put next to one another: ``[signals, frames, bins]`` → ``[signals, samples]`` from half a
    frame before the first one's middle to half a frame behind the last one's."""
    angle = turns.to(spectra.real.dtype)
    frames = torch.fft.irfft(spectra * torch.polar(torch.ones_like(angle), angle), n=cut.size)
    hops = (frames * (cut.window.to(frames.dtype) / cut.gain)).unflatten(-1, (-1, cut.hop))
    count, parts = frames.shape[1], hops.shape[2]
    total = hops.new_zeros(len(hops), count + parts - 1, cut.hop)
    for part in range(parts):
        total = total + torch.nn.functional.pad(hops[:, :, part], (0, 0, part, parts - 1 - part))
    return total.flatten(1)


def guide_of(widths: list[int]) -> Tensor:
    """The mix of all signals, whose phases all of them follow: by how much each channel of a signal is in each channel
    of the mix, ``[channels of the mix, channels of all signals]``. A mono signal is in all of them."""
    widest = max(widths)
    blocks = [
        torch.ones(widest, 1, device="cpu", dtype=torch.complex64)
        if width == 1
        else torch.eye(widest, width, device="cpu", dtype=torch.complex64)
        for width in widths
    ]
    return torch.cat(blocks, dim=1)


def stretch(
    material: Tensor,
    position: Tensor,
    *,
    begins: int = 0,
    guide: Tensor | None = None,
    cut: Cut | None = None,
    sample_rate: float = 44100,
) -> Tensor:
    """Material at a position for each sample, as :func:`djgraph.dsp.read_material` reads it, but with its pitch kept.

    material: ``[signals, length]``, on the CPU: all stems and channels of a track, which turn their phases together.
    Its first sample is ``begins``; beyond both ends there is silence. position: ``[samples]``, float64, in samples of
    the material, ascending: a frame's sound is taken from around the position at its middle. cut: how it is cut into
    frames, :meth:`Cut.at` the sample rate where left out.

    guide: the mix whose phases all signals follow, ``[channels, signals]``: by how much each signal is in each of its
    channels. Where left out, each signal is a channel. A sum of stretched signals is the stretched sum.

    Returns ``[signals, samples]``. While the position goes on by whole samples, one for each, from the first on, they
    are the material's own, but for rounding.

    **Gradients.** In the material the map is linear once the phases are known, and its gradient is the exact adjoint of
    that; that the phases follow the material is left out. In the position it is a *declared surrogate*: a change of the
    position at a sample is taken to move what sounds there as on a turntable, by the same stretch of the material's
    derivative. For what begins and ends, clicks and beats, this is the way to go; of the phase of a tone that goes on
    it says more than is heard. Raises DJGraphError for other shapes and types.
    """
    kernel = "stretch"
    if material.ndim != 2 or material.dtype not in (torch.float32, torch.float64):
        raise DJGraphError(
            f"{kernel}: material has to be of shape [signals, length] in float32 or float64, not {material.dtype} of "
            f"shape {list(material.shape)}"
        )
    check_signal(kernel, "position", position)
    if position.ndim != 1 or {material.device.type, position.device.type} != {"cpu"}:
        raise DJGraphError(
            f"{kernel}: position has to be [samples], and both on the CPU; it is {list(position.shape)}, on "
            f"{position.device}, and material on {material.device}"
        )
    place, samples = position.to(torch.float64), position.shape[-1]
    if not samples or not material.shape[-1]:
        return material.new_zeros(len(material), samples)
    seen = place.detach()
    if cut is None:
        fastest = float(seen.diff().abs().max()) if samples > 1 else 1.0
        cut = Cut.at(sample_rate, fastest)
    frames = torch.arange(cut.first(0) - 1, cut.last(samples - 1) + 1, device="cpu")
    at = _beyond(seen, frames * cut.hop)
    led = material.detach() if guide is None else guide.to(material.dtype) @ material.detach()
    turns = _turns(led, at, cut, begins)
    places, offset = places_of(at[1:]), cut.size // 2 - int(frames[1]) * cut.hop
    out = _played(material, places, turns, cut, begins)[:, offset : offset + samples]
    if position.requires_grad and torch.is_grad_enabled():
        moving = _played(_derivative(material), places, turns, cut, begins)[:, offset : offset + samples]
        out = out + (place - seen).to(out.dtype) * moving
    return out


def _beyond(position: Tensor, samples: Tensor) -> Tensor:
    """The position at samples, some of which lie outside the clip: it goes on as it went there."""
    last = len(position) - 1
    inside = samples.clamp(0, last)
    ends = position.new_ones(2)
    if last:
        ends = torch.stack((position[1] - position[0], position[-1] - position[-2]))
    rate = torch.where(samples < 0, ends[0], ends[1])
    return position[inside] + (samples - inside) * rate


def _turns(material: Tensor, at: Tensor, cut: Cut, begins: int) -> Tensor:
    """The turns of all frames but the first, before which there is nothing."""
    rate, places = at.diff() / cut.hop, places_of(at)
    turn = torch.zeros(1, cut.size // 2 + 1, dtype=torch.float64, device="cpu")
    parts = []
    for first in range(0, len(rate), AT_ONCE):
        here = slice(first, min(first + AT_ONCE, len(rate)) + 1)
        spectra = frame_spectra(material, places[here], cut, begins)
        parts.append(
            phase_turns(
                spectra, places[here], rate[here.start : here.stop - 1], cut.hop, turn[-1], int(not first)
            )
        )
        turn = parts[-1]
    return torch.cat(parts)


def _played(material: Tensor, places: Tensor, turns: Tensor, cut: Cut, begins: int) -> Tensor:
    """Frames at their places in time, from half a frame before the first one's middle on."""
    out = material.new_zeros(len(material), (len(places) - 1) * cut.hop + cut.size)
    for first in range(0, len(places), AT_ONCE):
        here = slice(first, first + AT_ONCE)
        part = overlap_add(frame_spectra(material, places[here], cut, begins), turns[here], cut)
        there = slice(first * cut.hop, first * cut.hop + part.shape[-1])
        out[:, there] = out[:, there] + part
    return out


def _derivative(material: Tensor) -> Tensor:
    """By the Fourier transform, with silence around it."""
    length = material.shape[-1]
    size = 2 ** math.ceil(math.log2(2 * length))
    way = torch.arange(size // 2 + 1, dtype=material.dtype, device="cpu") * (2 * math.pi / size)
    way[-1] = 0
    return torch.fft.irfft(torch.fft.rfft(material, n=size) * (1j * way), n=size)[:, :length]
