"""A spectral region in a stream: runs the frames that are complete, and keeps their overlap for the next ones."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from djgraph.region.clip import Clip, Section, end_factors
from djgraph.region.operation import run_clip
from djgraph.region.schedule import RegionSchedule
from djgraph.streams.buffers import History
from djgraph.streams.controls import ControlTrack
from djgraph.streams.state import StreamState, part, prefixed


class RegionStream:
    """The region's results, ``transform.size − 1`` samples after its sources.

    Frame t is centred on sample t·hop and covers ``size`` samples, so a sample is done when the last frame that covers
    it is. ``overlap`` is what the frames so far add to the samples behind the last one that is done; ``done`` waits
    to be handed on.
    """

    def __init__(self, schedule: RegionSchedule, batch: int, like: Tensor) -> None:
        self.schedule, self.batch = schedule, batch
        transform = schedule.transform
        self.size, self.hop, self.half = transform.size, transform.hop, transform.size // 2
        self._ahead = math.ceil(schedule.smoothing / 2)
        self._reach = self.half + self._ahead + 1
        channels = schedule.channels
        self._sources = History(like.new_zeros(len(schedule.reads), batch, channels, 0))
        self._frame = 0
        results = len(schedule.results)
        self._overlap = like.new_zeros(results, batch, channels, 0)
        self._done = History(like.new_zeros(results, batch, channels, 0))

    def __call__(
        self,
        sources: Tensor,
        track: ControlTrack,
        now: int,
        emit: int,
        end: int | None,
        silent: int | None = None,
    ) -> Tensor:
        """The next samples, ``[sources, batch, channels, samples]`` → ``[results, …]`` before sample ``emit``.

        now: the sample before which controls are known. end: the clip's length, where these were its last samples.
        silent: a sample from which on only silence goes into all transforms, where there is one.
        """
        self._sources.append(sources)
        ready = self._ready(min(self._sources.stop, now - self._ahead), end)
        if ready > self._frame:
            self._run(ready, track, end, silent)
        elif end is not None:
            self._finish(self._overlap, max(self._frame * self.hop - self.half, 0), ready, end)
        return self._done.take(emit)

    def oldest_control(self) -> int:
        """The first sample whose controls will be read again."""
        return min(self._frame * self.hop - self.half, self._sources.stop - 1 - self.half)

    def _ready(self, received: int, end: int | None) -> int:
        """The first frame that lacks samples, of audio or of curves; received: those there are."""
        if end is not None:
            return end // self.hop + 1
        # The first frame is mirrored at sample 0, and reads one sample further than it covers.
        if received <= self.half:
            return 0
        return max((received - self.size + self.half) // self.hop + 1, 0)

    def _run(self, ready: int, track: ControlTrack, end: int | None, silent: int | None) -> None:
        # Time is counted from a frame near the present, so that a stream costs the same however long it runs; far
        # enough before it that nothing is taken for the clip's beginning.
        base = max(self._frame - -(-self._reach // self.hop), 0)
        shift = base * self.hop
        origin = self._sources.origin
        samples = (ready - base) * self.hop + 2 * self.size if end is None else end - shift
        section = Section(self._frame - base, ready - base, origin - shift, samples)
        clip = Clip(self.schedule, track.timeline(end, shift), self.batch, section=section)
        assert track.rows is not None
        if silent is not None and self._frame * self.hop - self._reach >= silent:
            shape = len(self.schedule.results), self.batch, self.schedule.channels, clip.out[1] - clip.out[0]
            results = self._overlap.new_zeros(shape)
        else:
            results = run_clip(clip, track.rows, self._sources.audio)
        start = clip.out[0] + shift
        count = min(self._overlap.shape[-1], results.shape[-1])
        if count:
            if results.requires_grad or self._overlap.requires_grad:
                results = torch.cat(
                    (results[..., :count] + self._overlap[..., :count], results[..., count:]), -1
                )
            else:
                results[..., :count] += self._overlap[..., :count]
        self._finish(results, start, ready, end)
        keep = min(ready * self.hop - self.half, self._sources.stop - 1 - self.half)
        self._sources.forget(keep)

    def _finish(self, audio: Tensor, start: int, ready: int, end: int | None) -> None:
        """Takes apart what the frames before ``ready`` give from sample ``start`` on: what is done, and the overlap."""
        done = end if end is not None else max(ready * self.hop - self.half, 0)
        finished, self._overlap = audio[..., : done - start], audio[..., done - start :]
        self._done.append(self._corrected(finished, start, ready, end))
        self._frame = ready

    def _corrected(self, audio: Tensor, start: int, frames: int, end: int | None) -> Tensor:
        """Near the clip's ends, where frames are missing, times the factors that make up for them."""
        stop = start + audio.shape[-1]
        head = self.size - self.half
        tail = frames * self.hop - self.half if end is not None else stop
        if start >= head and stop <= tail:
            return audio
        count = frames if end is not None else frames + self.size // self.hop + 1
        with torch.no_grad():
            factors = end_factors(self.size, self.hop, count, start, stop, audio)
        return audio * factors

    def detach(self) -> None:
        for history in (self._sources, self._done):
            history.detach()
        self._overlap = self._overlap.detach()

    def state(self) -> StreamState:
        return {
            "frame": torch.tensor([self._frame], device="cpu"),
            "overlap": self._overlap,
            **prefixed("sources", self._sources.state()),
            **prefixed("done", self._done.state()),
        }

    def restore(self, state: StreamState) -> None:
        self._frame, self._overlap = int(state["frame"]), state["overlap"]
        self._sources.restore(part("sources", state))
        self._done.restore(part("done", state))
