"""UnmixDB's mixes made by other programs: sox does what its scripts have it do, ffmpeg makes an MP3 of it and back.

The samples depend on the versions of both, so this series is no part of the leaderboard's own mixes.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from benchmarks.errors import BenchmarkError
from benchmarks.unmix.mixes import FRAMES_PER_SECOND, RATE, Array, Case, Part, Truth, curve
from djgraph.alignment import Found

EFFECTS = {
    "none": "",
    "bass": "bass +6 gain -l -3",
    "compressor": "compand 0.3,1 6:-70,-60,-20 -5 -90 0.2",
    "distortion": "overdrive",
}
SCALINGS = {"none": "", "resample": "speed {rate:.17f}", "stretch": "tempo -m {rate:.17f}"}


def by_sox(
    name: str, scaling: str, effect: str, tracks: dict[str, NDArray[np.float32]], parts: Sequence[Part]
) -> Case:
    """The mix of these parts, each of one passage and with a fader of four points, at 192 kbit/s.

    ``heard`` of the truth is the fader: what the effects leave of it is not known. Raises BenchmarkError where sox or
    ffmpeg is missing or fails.
    """
    for program in ("sox", "ffmpeg"):
        if shutil.which(program) is None:
            raise BenchmarkError(f"the series sox needs {program}, which is not installed")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        pieces = [_piece(place, number, tracks, part, scaling, effect) for number, part in enumerate(parts)]
        _call("sox", "-m", *pieces, place / "mix.wav")
        _call("ffmpeg", "-y", "-i", place / "mix.wav", "-b:a", "192k", place / "mix.mp3")
        _call("ffmpeg", "-y", "-i", place / "mix.mp3", "-c:a", "pcm_f32le", place / "back.wav")
        mix = soundfile.read(place / "back.wav", dtype="float32", always_2d=True)[0].T
    frames = int(np.ceil(mix.shape[1] / RATE * FRAMES_PER_SECOND)) + 1
    moments = np.arange(frames) * RATE / FRAMES_PER_SECOND
    found = {track: Found(track, (), 1.0) for track in tracks}
    gains: dict[str, Array] = {track: np.zeros(frames) for track in tracks}
    for part in parts:
        (passage,) = part.passages
        found[part.track] = Found(part.track, part.passages, 1.0)
        inside = (moments >= passage.begins) & (moments < passage.ends)
        gains[part.track] = curve(part.fader, moments) * inside
    order = tuple(part.track for part in parts)
    truth = Truth(found, order, gains, gains, {}, float(20 * np.log10(1 / len(parts))), {})
    return Case(name, "sox", scaling, effect, np.ascontiguousarray(mix), tracks, truth)


def _piece(
    place: Path,
    number: int,
    tracks: dict[str, NDArray[np.float32]],
    part: Part,
    scaling: str,
    effect: str,
) -> Path:
    """A track as sox plays it: trimmed, faded, scaled, through the effect, and put where it belongs."""
    (passage,) = part.passages
    source, made = place / f"{number}.wav", place / f"{number}-made.wav"
    soundfile.write(source, tracks[part.track].T, RATE, subtype="FLOAT")
    begins, up, down, ends = (at for at, _ in part.fader)
    seconds = [passage.rate * length / RATE for length in (up - begins, ends - begins, ends - down)]
    trim = ["trim", f"{round(passage.start)}s", "fade", "t", *(f"{length:.9f}" for length in seconds)]
    scale = SCALINGS[scaling].format(rate=passage.rate) if passage.rate != 1 else ""
    # In seconds: sox's speed changes the rate that it counts at, and converts at the chain's end.
    pad = ["pad", f"{passage.begins / RATE:.17f}"]
    encoding = ["-e", "float", "-b", "32"]
    _call("sox", source, *encoding, "-r", RATE, made, *trim, *scale.split(), *EFFECTS[effect].split(), *pad)
    return made


def _call(*command: object) -> None:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"{command[0]} failed: {done.stderr.strip()[-300:]}")
