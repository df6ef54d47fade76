"""Arrangements for tests: two decks of two stems, one of them with a grid that wanders, a bus, all that moves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from djgraph.automation import TempoMap
from djgraph.daw import (
    Arrangement,
    AudioFile,
    Band,
    Channel,
    Clip,
    DawTrack,
    Device,
    Group,
    Lane,
    LanePoint,
    Marker,
    Send,
    Warp,
)

RATE = 8000


def audio(folder: Path, name: str, seconds: float = 3.0) -> AudioFile:
    """A file that is there, of noise."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(len(name)).normal(0, 0.1, (round(seconds * RATE), 2))
    soundfile.write(path, noise, RATE, subtype="PCM_16")
    return AudioFile(path, seconds, RATE, 2)


def fader(name: str, *points: tuple[float, float, str]) -> Lane:
    """A fader that moves."""
    return Lane(
        f"{name}.gain", "amplitude", 0.0, 1.0, tuple(LanePoint(*p) for p in points or ((0.0, 1.0, "hold"),))
    )


def two_decks(folder: Path, tempo: TempoMap | None = None) -> Arrangement:
    """See above. folder: where its audio comes to be."""
    groups = []
    eq = Band(
        "lowShelf",
        Lane.constant("a.low frequency", "Hz", 20, 20000, 300),
        Lane(
            "a.low",
            "dB",
            -60,
            6,
            (LanePoint(8, 0.0, "hold"), LanePoint(12, -60.0), LanePoint(16, 0.0, "hold")),
        ),
    )
    for deck, enters in (("a", 0.0), ("b", 8.0)):
        tracks = []
        for stem in ("drums", "bass & keys"):
            file = audio(folder, f"{deck} <one>/{stem}.wav")
            warps = (Warp(enters, 0.1), Warp(enters + 2, 1.13), Warp(enters + 5, 2.5))
            clip = Clip(
                f"{deck}: {stem}",
                file,
                enters,
                enters + 6,
                warps,
                -3.0 if deck == "b" else 0.0,
                deck == "a",
                "#3366cc",
            )
            lane = fader(
                f"{deck}.{stem}",
                (enters, 1.0, "hold"),
                (enters + 3, 1.0, "linear"),
                (enters + 6, 0.25, "hold"),
            )
            channel = Channel(f"{deck}.{stem}", lane, (Device("eq", "eq3", bands=(eq,)),), (), deck)
            tracks.append(DawTrack(channel, (clip,)))
        level = Lane(
            f"{deck} to room",
            "amplitude",
            0,
            1,
            (LanePoint(2, 0.0), LanePoint(4, 0.5, "hold"), LanePoint(4.5, 0)),
        )
        delay = Device(
            "echo",
            "echo",
            (Lane(f"{deck}.time", "ms", 1, 1000, (LanePoint(0, 375, "hold"), LanePoint(9, 250))),),
        )
        channel = Channel(deck, fader(deck), (delay,), (Send("room", level, pre=deck == "b"),))
        groups.append(Group(channel, tuple(tracks), "#cc3366"))
    return Arrangement(
        "two decks",
        tempo or TempoMap([(0, 120, "per_beat"), (8, 126), (12, 125)]),
        14.0,
        tuple(groups),
        Channel("master", fader("master"), to=""),
        (Channel("room", fader("room"), (Device("reverb", "reverb"),)),),
        (Marker('One — & "two"', 0.0), Marker("bass_swap", 8.0, 14.0)),
    )
