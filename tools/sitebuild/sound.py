"""What the site sounds like: the demo's tracks through recipes, as MP3.

``python -m sitebuild.sound FILE`` (with ``PYTHONPATH=tools``) writes the one sound that the repository itself has, for
pages that are read without the site: ``docs/listen/bass_swap.mp3``.
"""

from __future__ import annotations

import functools
import io
import sys
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import Tensor

import djgraph
from djgraph.demo import BPM, DOWNBEAT, demo_tracks
from djgraph.rendering.matched import matched

RATE = 44100
BEFORE, LENGTH, AFTER = 2.0, 12.0, 2.0
"""Seconds heard of a transition: before it, of it, after it. Its middle, where things change, is a bar's first beat."""
QUALITY = 0.75
"""Of variable bit rates: 0 is the best, 1 the smallest."""

Track = dict[str, Tensor]


@functools.cache
def tracks() -> dict[str, Track]:
    """The two tracks of the demo in one tempo, bars on bars: stems ``[2, samples]``."""
    return matched(demo_tracks(RATE), RATE)


@functools.cache
def mixer() -> djgraph.Mixer:
    return djgraph.compile("dj_mixer")


def transition(recipe: str) -> Tensor:
    """A recipe on the default mixer, and some seconds before and after it: ``[2, samples]``."""
    template = djgraph.automation.template(recipe)
    takes = {argument.name: argument.default for argument in template.arguments}
    at_once = takes["length"] in (0, "0s")
    start = DOWNBEAT if at_once else DOWNBEAT - LENGTH / 2
    chosen = {"start": start} if at_once else {"start": start, "length": LENGTH}
    samples = next(iter(tracks()["track_a"].values())).shape[-1]
    frames = template.fill(**chosen).render_exact(
        mixer(), samples=samples, sample_rate=RATE, tempo=BPM["track_a"]
    )
    inputs = {name: {stem: x[None] for stem, x in each.items()} for name, each in tracks().items()}
    with torch.inference_mode():
        audio = mixer()(inputs, frames.params[None], positions=frames.positions, tempo=frames.tempo)
    first = round((DOWNBEAT - LENGTH / 2 - BEFORE) * RATE)
    return faded(audio[0, :, first : first + round((BEFORE + LENGTH + AFTER) * RATE)])


def faded(audio: Tensor, milliseconds: float = 30.0) -> Tensor:
    """Without clicks at its ends."""
    ramp = torch.linspace(0, 1, round(milliseconds * RATE / 1000), dtype=audio.dtype, device=audio.device)
    audio = audio.clone()
    audio[..., : len(ramp)] *= ramp
    audio[..., -len(ramp) :] *= ramp.flip(0)
    return audio


def mp3(audio: Tensor) -> bytes:
    """Audio ``[2, samples]`` as a file; what is above full scale is turned down as a whole."""
    samples = np.asarray(audio.T / audio.abs().max().clamp_min(1.0), dtype=np.float32)
    written = io.BytesIO()
    soundfile.write(written, samples, RATE, format="MP3", bitrate_mode="VARIABLE", compression_level=QUALITY)
    return written.getvalue()


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(mp3(transition("bass_swap")))
