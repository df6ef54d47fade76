"""A key lock that goes on from block to block: material at another tempo with its pitch kept, without the future."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from djgraph.dsp.phases import phase_turns
from djgraph.dsp.stretch import Cut, guide_of, places_of

Read = Callable[[Tensor, Tensor], Tensor]
"""Material at a position for each sample, and its rate: ``[batch, samples]`` or ``[1, samples]`` each, float64 →
``[batch, signals, samples]``; a position that is no number is silence."""
MOVED = -(2.0**62)
"""In place of a frame's offset: its phases are turned."""
AT_ONCE = 16
"""Frames whose material is read at a time."""
REMEMBERED = ("frame", "offsets", "turn", "guide", "heard")
"""The parts of a state."""
SLOWEST, FASTEST = 1 / 16, 16.0
"""Rates within which a frame's sounds are moved towards where they belong."""


class _Begun(NamedTuple):
    """The frames that begin in a block. starts: their first samples, on the mix's clock. centre: where in the material
    their middles are, ``[batch, frames]``, float64, differentiable. rate: likewise, without a gradient."""

    starts: NDArray[np.int64]
    centre: Tensor
    rate: NDArray[np.float64]


class _Memory(NamedTuple):
    """What is known of the frames before. place: ``[batch]``. guide: ``[batch, channels, bins]``, complex. turn:
    ``[batch, bins]``. pending: what is heard of them, hop by hop from the last frame's first sample on, ``[batch,
    signals, hop]`` each."""

    place: NDArray[np.int64]
    guide: Tensor
    turn: Tensor
    pending: tuple[Tensor, ...]


@dataclass(frozen=True)
class Stretcher:
    """Material with its pitch kept, block by block, as :func:`djgraph.dsp.stretch` keeps it.

    A frame is placed when its first sample is played: around the material's position there, and half a frame at the
    rate that it has there. So no latency is needed, what a block gives does not depend on how time is cut into blocks,
    to the bit, and nothing adds up: a rate that moves by d while a frame lasts misplaces its middle by d/8 of its
    length, and the next frame lies right again. A position that jumps by more than half a frame is a cut: the sound
    from before fades out within a frame, as the sound from behind it comes in with its phases as they are.

    While a position goes on by whole samples, one for each, the material's own samples are given, bit for bit, a frame
    after the first of them or after a cut. Gradients are those of :func:`djgraph.dsp.stretch`: exact in the material
    once the phases are known, a declared surrogate in position and rate, by which a frame moves as on a turntable.

    cut: how sound is cut into frames.
    """

    cut: Cut

    @property
    def over(self) -> int:
        """How many frames lie over each sample."""
        return self.cut.size // self.cut.hop

    def state(self, batch: int, like: Tensor) -> dict[str, Tensor]:
        """What is remembered before the first sample, ``[batch, …]`` each. like: of the sound's type, device and number
        of signals, ``[…, signals, any]``."""
        bins, signals = self.cut.size // 2 + 1, like.shape[-2]
        exact = like.new_zeros(batch, self.over, dtype=torch.float64)
        return {
            "frame": exact[:, :2],  # 1 once there was one, and its place
            "offsets": exact + MOVED,
            "turn": like.new_zeros(batch, bins, dtype=torch.float64),
            "guide": like.new_zeros(batch, signals, bins, 2),
            "heard": like.new_zeros(batch, signals, self.cut.size),
        }

    def __call__(
        self,
        read: Read,
        position: Tensor,
        rate: Tensor,
        widths: Sequence[int],
        first: int,
        state: Mapping[str, Tensor],
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """A block of sound, ``[batch, signals, samples]``, and the state behind it.

        position: of the material at each sample, ``[batch, samples]``, float64. rate: samples of it for each of the
        mix, of the same shape. widths: channels of each of its signals, all of which turn their phases together.
        first: the block's first sample on the mix's clock.
        """
        batch, samples = position.shape
        rate, memory = rate.expand(batch, samples), self._remembered(state, max(widths))
        fresh = not state["frame"].detach().cpu().numpy()[:, 0].all()
        begun = self._begun(position, rate, first, fresh)
        places = places_of(begun.centre.detach().cpu())
        history, skipped = [state["offsets"].detach().cpu().numpy()], first % self.cut.hop
        if not len(begun.starts):  # the middle of a hop
            sound = memory.pending[0][..., skipped : skipped + samples]
            return self._untouched(read, sound, history[0], first), {name: state[name] for name in REMEMBERED}
        mix = guide_of(list(widths)).real.to(memory.pending[0])
        segments = [] if begun.starts[0] <= first else [memory.pending[0]]
        for low in range(0, len(begun.starts), AT_ONCE):
            here = slice(low, low + AT_ONCE)
            for k, frame in enumerate(self._frames(read, begun.centre[:, here], places[:, here]), low):
                heard = self._windowed(
                    frame
                )  # new in memory: where it lies there changes no bit of a product
                led, turns = torch.fft.rfft(mix @ heard.detach()), None
                if not fresh or k > 0:
                    turns = self._turns(read, led, places[:, k], begun.rate[:, k], mix, memory)
                memory = self._added(memory, torch.fft.rfft(heard), places[:, k], led, turns)
                still = (memory.turn == 0).all(-1).cpu().numpy()
                away = memory.place - (begun.starts[k] + self.cut.size // 2)
                history.append(np.where(still, away.astype(np.float64), MOVED)[:, None])
                if begun.starts[k] + self.cut.hop > first:
                    segments.append(memory.pending[0])
        offsets = np.concatenate(history, 1)
        sound = torch.cat(segments, -1)[..., skipped : skipped + samples]
        place = np.stack((np.ones(batch), memory.place.astype(np.float64)), 1)
        more = state["guide"].shape[1] - memory.guide.shape[1]
        return self._untouched(read, sound, offsets, first), {
            "frame": torch.from_numpy(place).to(state["frame"]),
            "offsets": torch.from_numpy(offsets[:, -self.over :].copy()).to(state["offsets"]),
            "turn": memory.turn,
            "guide": torch.nn.functional.pad(torch.view_as_real(memory.guide), (0, 0, 0, 0, 0, more)),
            "heard": torch.cat(memory.pending, -1),
        }

    def _remembered(self, state: Mapping[str, Tensor], channels: int) -> _Memory:
        """channels: of the guide, of which a state has as many as signals."""
        pending = state["heard"].split(self.cut.hop, dim=-1)
        place = state["frame"].detach().cpu().numpy()[:, 1].astype(np.int64)
        return _Memory(
            place,
            torch.view_as_complex(state["guide"].detach()[:, :channels].contiguous()),
            state["turn"],
            pending,
        )

    def _begun(self, position: Tensor, rate: Tensor, first: int, fresh: bool) -> _Begun:
        hop, size, samples = self.cut.hop, self.cut.size, position.shape[-1]
        low = first - size + 1 if fresh else first
        starts = np.arange(-(-low // hop), -(-(first + samples) // hop), dtype=np.int64) * hop
        starts = starts if samples else starts[:0]
        inside = np.maximum(starts - first, 0)
        index = torch.from_numpy(inside).to(position.device)
        ahead = torch.from_numpy(starts + size // 2 - first - inside).to(position.device)
        speed = rate.index_select(-1, index)
        centre = position.index_select(-1, index) + speed * ahead
        return _Begun(starts, centre, speed.detach().cpu().numpy())

    def _frames(self, read: Read, centre: Tensor, places: Tensor) -> Sequence[Tensor]:
        """The material around places, ``[batch, signals, size]`` each."""
        size, batch, count = self.cut.size, *places.shape
        inside = torch.arange(size, dtype=torch.float64, device=centre.device) - size // 2
        still = torch.ones(batch, 1, dtype=torch.float64, device=centre.device)
        low = places.amin(-1, keepdim=True)
        longest = int((places.amax(-1, keepdim=True) - low).numpy().max()) + size
        if (torch.is_grad_enabled() and centre.requires_grad) or longest > count * size:
            middle = places.to(centre) + (centre - centre.detach())
            apart = read((middle.unsqueeze(-1) + inside).flatten(1), still)
            return apart.unflatten(-1, (count, size)).unbind(-2)
        run = torch.arange(longest, dtype=torch.float64, device=centre.device) - size // 2
        window = read(low.to(centre) + run, still)
        at = (places - low).numpy()
        if (at == at[:1]).all():
            return [window[..., k : k + size] for k in at[0]]
        return [
            torch.stack([window[b, :, k : k + size] for b, k in enumerate(one)])
            for one in at.T  # by frame
        ]

    def _windowed(self, frame: Tensor) -> Tensor:
        return (frame * self.cut.window.to(frame)).contiguous()

    def _added(
        self, memory: _Memory, spectra: Tensor, places: Tensor, led: Tensor, turns: Tensor | None
    ) -> _Memory:
        """With one more frame. led: the guide's spectra of it. turns: of its phases; None for none."""
        if turns is None:
            turns = memory.turn.new_zeros(memory.turn.shape, device="cpu")
        angle = turns.to(spectra.real).unsqueeze(1)
        turned = torch.fft.irfft(spectra * torch.polar(torch.ones_like(angle), angle), n=self.cut.size)
        heard = turned * (self.cut.window.to(turned) / self.cut.gain)
        before = [*memory.pending[1:], heard.new_zeros(())]
        pending = tuple(old + new for old, new in zip(before, heard.split(self.cut.hop, dim=-1)))
        return _Memory(places.numpy(), led, turns.to(memory.turn.device), pending)

    def _turns(
        self,
        read: Read,
        led: Tensor,
        places: Tensor,
        rate: NDArray[np.float64],
        mix: Tensor,
        known: _Memory,
    ) -> Tensor:
        """``[batch, bins]``, on the CPU."""
        hop, size = self.cut.hop, self.cut.size
        step = places.numpy() - known.place
        cuts = np.abs(step - rate * hop) > size / 2
        sooner = None
        if ((np.abs(step) > size / 3) & ~cuts).any():
            run = torch.arange(size, dtype=torch.float64, device=led.device) - (size // 2 + hop)
            with torch.no_grad():
                earlier = read(places.to(run)[:, None] + run, torch.ones_like(run[:1]).expand(len(step), 1))
                sooner = torch.fft.rfft(mix @ self._windowed(earlier)).cpu()
        both = torch.stack((known.guide.detach(), led), dim=2).cpu()
        moved, before = (
            torch.from_numpy(np.stack((known.place, places.numpy()), 1)),
            known.turn.detach().cpu(),
        )
        speed = torch.from_numpy(np.clip(rate, SLOWEST, FASTEST))
        return torch.cat(
            [
                torch.zeros_like(before[item : item + 1])
                if cuts[item]
                else phase_turns(
                    both[item],
                    moved[item],
                    speed[item : item + 1],
                    hop,
                    before[item],
                    sooner=None if sooner is None or abs(step[item]) <= size / 3 else sooner[item, :, None],
                )
                for item in range(len(step))
            ]
        )

    def _untouched(self, read: Read, sound: Tensor, history: NDArray[np.float64], first: int) -> Tensor:
        """The material's own samples where all frames over them are as they were. history: the offsets of the frames,
        the last of which are those that begin in the block."""
        samples, hop = sound.shape[-1], self.cut.hop
        if not samples:
            return sound
        hops = (first + samples - 1) // hop - first // hop + 1
        over = np.lib.stride_tricks.sliding_window_view(history, self.over, axis=1)[:, -hops:]
        same = (over == over[..., :1]).all(-1) & (over[..., 0] != MOVED)
        if not same.any():
            return sound
        skipped = first % hop
        offsets = np.where(same, over[..., 0], np.nan).repeat(hop, 1)[:, skipped : skipped + samples]
        at = torch.from_numpy(offsets).to(sound.device) + (
            first + torch.arange(samples, dtype=torch.float64, device=sound.device)
        )
        with torch.no_grad():
            own = read(at, torch.ones_like(at[:, :1]))
        return torch.where(at.isnan().unsqueeze(1), sound, own + (sound - sound.detach()))
