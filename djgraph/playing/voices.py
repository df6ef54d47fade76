"""What sounds at a time: a line, another one that comes in, and what was left behind and fades out."""

from __future__ import annotations

import torch
from torch import Tensor

from djgraph.playing.handover import Fade, Tail, first
from djgraph.playing.line import LONGEST, Block, Line


class Voices:
    """For the thread that has the sound. line: what is heard, or None; fade: to what comes in, or None."""

    def __init__(self) -> None:
        self.line: Line | None = None
        self.fade: Fade | None = None
        self._tail: Tail | None = None

    @property
    def lines(self) -> list[Line]:
        """What is heard, and what comes in."""
        coming = None if self.fade is None else self.fade.line
        return [line for line in (self.line, coming) if line is not None]

    @property
    def ringing(self) -> bool:
        """Whether something that was left behind is still heard."""
        return self._tail is not None

    @property
    def position(self) -> int:
        """The clip's sample that is heard next; by what comes in, where something does."""
        if self.fade is not None:
            return self.fade.line.behind(self.fade.left)
        assert self.line is not None
        return self.line.heard

    @property
    def samples(self) -> int:
        """Of the clip that is heard: of its own material, whatever a player is given meanwhile."""
        assert self.line is not None
        return (self.line if self.fade is None else self.fade.line).feed.samples

    def bring_in(self, line: Line) -> None:
        """Another one, over what is heard."""
        self.fade = Fade(line, first(line))

    def block(self, samples: int) -> Block:
        """The next samples of what is heard, no more than are left of a fade; taps of the line alone."""
        assert self.line is not None
        audio, taps = self.line.block(samples)
        if self.fade is not None:
            audio = self.fade.mix(audio)
            if not self.fade.left:
                self.line, self.fade = self.fade.line, None
        return audio, taps

    def leave(self, samples: int, heard: Tensor | None = None) -> None:
        """What is heard goes elsewhere, or ends: the samples that were to come are kept, to be faded out. heard: those,
        where something else is heard in place of the line."""
        if self.line is not None:
            pieces = list[Tensor]() if heard is None else [heard]
            while (left := samples - sum(piece.shape[-1] for piece in pieces)) > 0:
                pieces.append(self.block(min(left, self.fade.left if self.fade else LONGEST))[0])
            self._tail = Tail(torch.cat(pieces, -1))
        self.line = self.fade = None

    def stop(self) -> None:
        """Nothing sounds any more."""
        self.line = self.fade = self._tail = None

    def over(self, audio: Tensor) -> Tensor:
        """What comes, ``[channels, samples]``, with what was left behind it fading out."""
        if self._tail is None:
            return audio
        audio = self._tail.into(audio)
        if self._tail.over:
            self._tail = None
        return audio
