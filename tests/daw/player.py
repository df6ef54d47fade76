"""A DAW of a few lines: what a DAWproject sounds like, clips and volumes alone."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from djgraph.daw.dawproject_read import read_dawproject


def played(path: Path, seconds: float, rate: int) -> NDArray[np.float64]:
    """``[samples, 2]`` of a project whose audio lies within it; every clip is repitched."""
    project = read_dawproject(path)
    beats = project.tempo.beats(np.arange(round(seconds * rate)) / rate)
    mix = np.zeros((len(beats), 2))
    with zipfile.ZipFile(path) as archive:
        for group in project.groups:
            around = group.channel.volume.at(beats) * project.main.volume.at(beats)
            for track in group.tracks:
                volume = track.channel.volume.at(beats) * around
                for clip in track.clips:
                    file = archive.read(clip.file.path.relative_to(path).as_posix())
                    audio, own = soundfile.read(io.BytesIO(file), always_2d=True)
                    on = (beats >= clip.begins) & (beats < clip.ends)
                    at = np.interp(beats[on], *np.array([(warp.beat, warp.seconds) for warp in clip.warps]).T)
                    sound = CubicSpline(np.arange(len(audio)), audio)(at * own)
                    sound[(at < 0) | (at * own > len(audio) - 1)] = 0
                    mix[on] += volume[on, None] * sound
    return mix
