"""What each effect is heard with: the demo's stems, settings, and what its controls do meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

import djgraph
from djgraph.demo import BPM
from djgraph.effects import Control, Effect
from sitebuild import alone
from sitebuild.sound import RATE, faded, tracks
from sitebuild.tables import number

FIRST, SECONDS = 12.0, 6.0
"""From a bar's first beat on, three bars of the demo's first track."""
FRAMES = 601
"""Control frames of these seconds: one every 10 ms."""
ALL = ("drums", "bass", "vocals", "other")
Move = float | Sequence[float]
"""A value, or some, each at the same distance in time; on the way the control moves evenly along its scale."""


@dataclass(frozen=True)
class Heard:
    stems: tuple[str, ...] = ALL
    moves: Mapping[str, Move] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    port: str = ""
    """The output that is heard; the first one if empty."""


DRUMS, VOCALS = ("drums",), ("vocals",)
HEARD = {
    "allpass": Heard(DRUMS, {"mix": 0.5, "frequency": [200, 4000, 200]}, {"stages": 4}),
    "balance": Heard(moves={"balance": [-1, 1, -1]}),
    "brake": Heard(moves={"on": [0, 0, 0, 1, 1, 0], "time": 1500}),
    "chorus": Heard(("vocals", "other"), {"mix": 0.5, "depth": 5}),
    "compressor": Heard(DRUMS, {"threshold": -36, "ratio": 8, "attack": 20, "release": 80, "makeup": 12}),
    "convolve": Heard(DRUMS, {"mix": [0, 1]}),
    "crossover2": Heard(moves={"frequency": 400}, port="low"),
    "crossover3": Heard(moves={"low": 300, "high": 3000}, port="mid"),
    "crossover4": Heard(moves={"low": 150, "mid": 1000, "high": 6000}, port="high_mid"),
    "crush": Heard(moves={"mix": 1, "bits": [16, 5, 3], "rate": [48000, 12000, 5000]}),
    "deck": Heard(moves={"start": FIRST, "rate": [1, 1, 1.25, 0.75]}),
    "deesser": Heard(moves={"frequency": 4000, "threshold": -50, "depth": 24}),
    "delay": Heard(VOCALS, {"mix": 0.4, "feedback": 0.6}),
    "delay_beats": Heard(DRUMS, settings={"beats": 0.25}),
    "dub_echo": Heard(moves={"send": [0, 0, 1, 0, 0, 0], "dry": [1, 1, 1, 0, 0, 0], "feedback": 0.8}),
    "ducker": Heard(("bass", "other"), {"depth": 24, "threshold": -14, "release": 200}),
    "echo": Heard(VOCALS, {"mix": 0.4, "feedback": 0.6, "lowpass": 4000}, {"mode": "ping_pong"}),
    "eq3": Heard(moves={"low": [1, 0, 1, 1, 1], "mid": [1, 1, 0, 1, 1], "high": [1, 1, 1, 0, 1]}),
    "expander": Heard(DRUMS, {"threshold": -24, "ratio": 6, "range": 60}),
    "fdn": Heard(DRUMS, {"mix": 0.5, "decay": [0.5, 4]}),
    "filter": Heard(moves={"mix": 1, "cutoff": [150, 8000, 150], "q": 4}),
    "filter_knob": Heard(moves={"knob": [0, -0.9, 0, 0.9, 0], "q": 2}),
    "flanger": Heard(moves={"mix": 0.5, "feedback": 0.7, "depth": 4, "rate": 0.3}),
    "gain": Heard(moves={"gain": [1, 0]}),
    "gate": Heard(DRUMS, {"threshold": -18, "hold": 20, "release": 40, "range": 80}),
    "highpass": Heard(moves={"cutoff": [0, 0.8, 0]}),
    "isolator": Heard(moves={"low": [0, -60, 0, 0, 0], "mid": [0, 0, -60, 0, 0], "high": [0, 0, 0, -60, 0]}),
    "isolator4": Heard(moves={"low": -60, "low_mid": [0, -60], "high_mid": [0, -60, 0], "high": 0}),
    "ladder": Heard(("bass", "drums"), {"mix": 1, "cutoff": [120, 6000, 120], "resonance": 0.85}),
    "leveler": Heard(moves={"amount": 1, "target": -24, "range": 24}),
    "limiter": Heard(DRUMS, {"mix": 1, "ceiling": [-1, -24]}),
    "looper": Heard(DRUMS, {"record": [1, 1, 0, 0, 0, 0, 0, 0], "keep": 0.9}, {"beats": 1}),
    "lowpass": Heard(moves={"cutoff": [1, 0.3, 1]}),
    "mono": Heard(moves={"amount": [0, 1]}),
    "ms_split": Heard(port="side"),
    "multitap": Heard(VOCALS, {"mix": 0.6}),
    "noise": Heard(DRUMS, {"level": [0, 0.3], "cutoff": [200, 12000]}, {"kind": "bandpass"}),
    "oscillator": Heard(moves={"level": 0.3, "frequency": [110, 880]}, settings={"wave": "saw"}),
    "pan": Heard(moves={"pan": [-1, 1, -1]}),
    "peq": Heard(moves={"bell2_frequency": [200, 5000, 200], "bell2_gain": 18, "bell2_q": 4}),
    "phaser": Heard(
        ("other", "vocals"), {"mix": 0.5, "depth": 4, "rate": 0.4}, {"stages": 6, "feedback": 0.5}
    ),
    "pump": Heard(("bass", "other"), {"depth": 30}),
    "reverb": Heard(DRUMS, {"mix": [0, 1]}),
    "reverse": Heard(moves={"on": [0, 1, 0, 1], "beats": 1}),
    "ringmod": Heard(VOCALS, {"mix": 0.7, "frequency": [50, 800]}),
    "roll": Heard(moves={"on": [0, 0, 1, 1, 0], "beats": [0.5, 0.5, 0.5, 0.125, 0.125]}),
    "sampler": Heard(VOCALS, {"trigger": [0, 1, 0, 1, 0, 1, 0, 1, 0, 0], "start": FIRST, "rate": [1, 1.5]}),
    "saturate": Heard(("drums", "bass"), {"mix": 1, "drive": [0, 30]}, {"oversampling": 4}),
    "shimmer": Heard(("other",), {"mix": 0.6, "shimmer": 0.7, "decay": 4}),
    "slip_roll": Heard(moves={"on": [0, 0, 1, 1, 0], "beats": [0.5, 0.5, 0.5, 0.125, 0.125]}),
    "spinback": Heard(moves={"on": [0, 0, 0, 1, 1, 0], "time": 1500}),
    "spiral": Heard(VOCALS, {"mix": 0.5, "feedback": 0.8, "shift": 3, "time": 250}),
    "stutter": Heard(moves={"on": [0, 0, 1, 1, 0], "beats": 0.25}),
    "tilt": Heard(moves={"tilt": [-12, 12]}),
    "trans": Heard(moves={"depth": 1, "beats": [1, 0.5, 0.25]}),
    "transient": Heard(DRUMS, {"attack": [0, 12], "sustain": [0, -18]}),
    "tremolo": Heard(("other", "vocals"), {"depth": 0.9, "rate": [2, 10]}, {"spread": 0.5}),
    "trim": Heard(moves={"gain": [-30, 0]}),
    "vibrato": Heard(VOCALS, {"depth": [0, 6], "rate": 5}),
    "width": Heard(moves={"width": [0, 2]}),
}
SILENT = {
    "delay_samples": "Some samples late: there is nothing to hear by itself.",
    "downmix": "It takes more than two channels.",
    "meter": "The audio passes as it is.",
    "ms_join": "Mid and side, split and joined, are the signal itself.",
    "polarity": "Alone, a signal upside down sounds as it did.",
    "quad_pan": "It makes four channels.",
    "surround_pan": "It makes six channels.",
}
"""Why some effects have no sound here."""


def dry(stems: tuple[str, ...]) -> Tensor:
    """The demo's stems as they are, ``[2, samples]``."""
    first = round(FIRST * RATE)
    return sum((tracks()["track_a"][stem] for stem in stems), torch.zeros(1))[
        :, first : first + round(SECONDS * RATE)
    ]


def wet(effect: type[Effect], heard: Heard) -> Tensor:
    """What the effect makes of them, ``[2, samples]``."""
    mixer = djgraph.compile(alone.graph(effect, heard.settings))
    layout = mixer.layout
    prefix = "track." if effect.domain == "source" else f"track.{alone.NODE}."
    by_id = {control.id: control for control in effect.controls}
    moves = {prefix + name: course(by_id[name], move) for name, move in heard.moves.items()}
    params = layout.pack(moves, n_frames=FRAMES)
    samples = round(SECONDS * RATE)
    if effect.domain == "source":
        material = sum((tracks()["track_a"][stem] for stem in heard.stems), torch.zeros(1))
        inputs = {"track": material[None]}
    else:
        inputs = {
            "track": dry(heard.stems)[None],
            "other": dry(DRUMS)[None],
            "beside": torch.zeros(1, 2, samples),
        }
        inputs = {name: audio for name, audio in inputs.items() if name in mixer.graph.inputs}
    with torch.inference_mode():
        made = mixer(inputs, params, tempo=BPM["track_a"], samples=samples)
    outputs = made if isinstance(made, dict) else {"master": made}
    audio = outputs.get(f"{heard.port}_out", next(iter(outputs.values())))[0]
    return faded(audio.expand(2, -1))


def course(control: Control, move: Move) -> list[float]:
    """A control's values at all frames."""
    points = np.atleast_1d(np.asarray(move, dtype=np.float64))
    if control.held:  # keeps each value until the next
        place = np.minimum(np.arange(FRAMES) * len(points) // FRAMES, len(points) - 1)
        return [float(value) for value in points[place]]
    at = np.linspace(0, 1, FRAMES)
    over = np.linspace(0, 1, len(points)) if len(points) > 1 else np.zeros(1)
    if control.scale == "log":
        return [float(value) for value in np.exp(np.interp(at, over, np.log(points)))]
    return [float(value) for value in np.interp(at, over, points)]


def words(effect: type[Effect], heard: Heard) -> str:
    """What is heard, in words."""
    units = {control.id: control.unit for control in effect.controls}
    said = []
    for name, move in heard.moves.items():
        values = list(move) if isinstance(move, Sequence) else [move]
        unit = units[name] if units[name] not in ("ratio", "Q", "switch", "") else ""
        said.append(f"{name} {' → '.join(map(number, values))}{' ' + unit if unit else ''}")
    said += [f"{name}: {value}" for name, value in heard.settings.items()]
    if heard.port:
        said.append(f"output {heard.port}")
    return ", ".join(said)
