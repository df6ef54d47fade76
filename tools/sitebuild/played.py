"""What each mixer of the gallery is heard with: material from the demo, and what its controls do meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import djgraph
from djgraph.demo import BPM
from djgraph.graph.ir import InputNode
from djgraph.layout import ParameterLayout
from sitebuild.sound import RATE, faded, tracks

FIRST, SECONDS = 12.0, 12.0
"""Six bars of the demo's tracks."""
FRAMES = 1201
FOUR = ("drums", "bass", "vocals", "other")
A, B = "track_a", "track_b"
Part = tuple[str, tuple[str, ...]]
"""A track of the demo and some of its stems, as one signal."""
Move = float | str | Sequence[float]
"""A value, the name of a switch's position, or values, each at the same distance in time."""
WHOLE_A, WHOLE_B = (A, FOUR), (B, FOUR)
STEMS = {A: {stem: (A, (stem,)) for stem in FOUR}, B: {stem: (B, (stem,)) for stem in FOUR}}


@dataclass(frozen=True)
class Played:
    words: str
    inputs: Mapping[str, Part | Mapping[str, Part]]
    moves: Mapping[str, Move] = field(default_factory=dict)
    args: Mapping[str, Any] = field(default_factory=dict)
    output: str = ""
    """The output that is heard; the main one if empty."""


CROSS = {"crossfader": [0, 0, 0.5, 1, 1]}
PLAYED = {
    "analogue_four": Played(
        "The crossfader goes over while filter 1 sweeps up on the first channel",
        {"ch_1": WHOLE_A, "ch_2": WHOLE_B},
        {**CROSS, "ch_1_out.side": "x", "ch_2_out.side": "y", "ch_1_out.filter": "filter_1"},
    ),
    "broadcast": Played(
        "Somebody talks, and the music steps back",
        {"presenter": (A, ("vocals",)), "player_1": (B, ("drums", "bass", "other"))},
        {"presenter.fader": [-60, 0, 0, -60, 0], "player_1.talk_over": 1},
    ),
    "club_four": Played(
        "The first channel's color knob closes its lowpass, then the crossfader goes over",
        {"ch_1": WHOLE_A, "ch_2": WHOLE_B},
        {
            **CROSS,
            "ch_1.assign": "a",
            "ch_2.assign": "b",
            "ch_1.color": [0, -0.8, -0.8],
            "color_fx": "filter",
        },
    ),
    "console": Played(
        "Three of its channels: the voice into the reverb more and more",
        {"in_1": (A, ("drums",)), "in_2": (A, ("bass",)), "in_3": (A, ("vocals",))},
        {"ch_3.reverb_send": [0, 1], "ch_1.threshold": -30, "ch_1.ratio": 4},
        {"channels": 3},
    ),
    "decks": Played(
        "Two decks, from one to the other",
        {"deck_1": WHOLE_A, "deck_2": WHOLE_B},
        {"deck_1.fader": [0, 0, -60], "deck_2.fader": [-60, 0, 0]},
        {"decks": 2},
    ),
    "dub_loops": Played(
        "The voice is thrown into the echo, whose repeats go into the spring, and the drums are muted",
        {"tune": STEMS[A]},
        {
            "vocals.echo_send": [0, 0, 1, 0, 0, 0],
            "drums.spring_send": [0, 0, 0, 1, 0, 0],
            "echo.repeats": 0.75,
            "echo.to_spring": 0.4,
            "drums.mute": [0, 0, 0, 1, 1, 0],
        },
    ),
    "looper": Played(
        "Four beats are recorded and come round; the player has stopped",
        {"instrument": (A, ("drums", "bass"))},
        {"instrument.record_1": [1, 0, 0, 0, 0, 0], "instrument.monitor": [1, 0, 0, 0, 0, 0]},
        {"tempo": 120, "beats": 4},
    ),
    "mastered": Played(
        "The one knob, into a mastering bus that widens it and holds it at a ceiling",
        {A: STEMS[A], B: STEMS[B]},
        {"decks.transition": [0, 0, 0.5, 1, 1], "finish.track.width": 1.3, "finish.track.gain": 6},
    ),
    "mid_side": Played(
        "The sides get brighter, then all lows go to the middle",
        {"track": WHOLE_B},
        {"side.high": [1, 2, 2], "side.mid": [1, 2, 2], "side.mono_bass": [0, 0, 1]},
    ),
    "one_knob": Played(
        "The knob from 0 to 1", {A: STEMS[A], B: STEMS[B]}, {"transition": [0, 0.25, 0.5, 0.75, 1]}
    ),
    "parallel": Played(
        "Crushed drums come in beside the dry ones",
        {
            "drums": {
                "kick": (A, ("drums",)),
                "snare": (B, ("drums",)),
                "toms": (A, ()),
                "overheads": (A, ()),
            },
            "song": (A, ("bass", "vocals", "other")),
        },
        {
            "kick.to_crushed": [0, 1],
            "snare.to_crushed": [0, 1],
            "crushed.threshold": -40,
            "crushed.ratio": 10,
        },
    ),
    "podcast": Played(
        "The bed steps back while somebody speaks",
        {"host": (A, ("vocals",)), "music": (B, ("drums", "bass", "other"))},
        {"host.fader": [-60, 0, 0, -60, 0], "bed.duck": 18},
    ),
    "quad": Played(
        "A deck goes once round the room; heard in stereo",
        {"deck_a": WHOLE_A, "deck_b": WHOLE_B},
        {"crossfader": 0, "deck_a.x": [0, 1, 0, -1, 0], "deck_a.y": [1, 0, -1, 0, 1]},
        output="stereo",
    ),
    "stem_swap": Played(
        "Drums, then the bass, then the rest change places",
        {A: STEMS[A], B: STEMS[B]},
        {
            "drums_swap": [0, 1, 1, 1, 1],
            "bass_swap": [0, 0, 1, 1, 1],
            "other_swap": [0, 0, 0, 1, 1],
            "vocals_swap": [0, 0, 0, 1, 1],
        },
    ),
}


def render(path: Path, played: Played) -> Tensor:
    """What the mixer in a file makes of it: ``[2, samples]``."""
    mixer = djgraph.compile(path, **played.args)
    moves = {name: course(mixer.layout, name, move) for name, move in played.moves.items()}
    channels = {node.input: node.channels for node in mixer.graph.nodes if isinstance(node, InputNode)}
    inputs = {name: _material(part, channels[name]) for name, part in played.inputs.items()}
    with torch.inference_mode():
        made = mixer(inputs, mixer.layout.pack(moves, n_frames=FRAMES), tempo=BPM[A])
    outputs = made if isinstance(made, dict) else {"": made}
    audio = outputs[played.output] if played.output else next(iter(outputs.values()))
    return faded(audio[0].expand(2, -1))


def _material(part: Any, channels: int) -> Any:
    """Audio ``[1, channels, samples]``, or a mapping of some."""
    if isinstance(part, Mapping):
        return {name: _material(one, channels) for name, one in part.items()}
    track, stems = part
    first, samples = round(FIRST * RATE), round(SECONDS * RATE)
    audio = torch.zeros(2, samples)
    for stem in stems:
        audio += tracks()[track][stem][:, first : first + samples]
    return (audio.mean(0, keepdim=True) if channels == 1 else audio)[None]


def course(layout: ParameterLayout, name: str, move: Move) -> list[float]:
    """A column's values at all frames."""
    control = layout[name].control
    if isinstance(move, str):
        move = control.min + control.names.index(move)
    points = np.atleast_1d(np.asarray(move, dtype=np.float64))
    if control.held:
        place = np.minimum(np.arange(FRAMES) * len(points) // FRAMES, len(points) - 1)
        return [float(value) for value in points[place]]
    over = np.linspace(0, 1, len(points)) if len(points) > 1 else np.zeros(1)
    return [float(value) for value in np.interp(np.linspace(0, 1, FRAMES), over, points)]
