"""Draws the pictures of docs/effects.md: what each effect does, measured.

``python docs/draw_effects.py [NAME …]`` writes ``docs/effects/NAME.png``, for all effects where none is named. Every
curve comes out of the effect itself: an impulse, a tone or noise goes in. ``tests/test_effect_pictures.py`` holds the
list of scenes to the list of effects.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import djgraph
from djgraph.audio import SoundFile
from djgraph.dsp import read_material
from djgraph.effects import Beats, Block, Clock, Environment, Material, SpectralEffect
from djgraph.speakers import LAYOUTS, speakers

RATE = 44100
FOLDER = Path(__file__).parent / "effects"
FLOOR = 1e-6
TRIGGERED = torch.zeros(4 * RATE, dtype=torch.float64)
for _at, _long in ((0.5, 0.1), (1.5, 0.6), (2.5, 0.9)):
    TRIGGERED[round(_at * RATE) : round((_at + _long) * RATE)] = 1
OPENED = (torch.arange(2 * RATE) < RATE // 4).double()
NUDGED = 1 + 0.5 * torch.sin(torch.linspace(0, 2 * torch.pi, 4 * RATE, dtype=torch.float64))
Line = tuple[str, Mapping[str, Any], Mapping[str, Any]]
"""A label, settings, and values of controls: numbers, or a number for each sample."""


def run(
    name: str, settings: Mapping[str, Any], controls: Mapping[str, Any], audio: Tensor, tempo: float = 120.0
) -> dict[str, Tensor]:
    """What an effect makes of a clip ``[channels, samples]``, by output; its other inputs hear the same."""
    kind = djgraph.effect(name)
    effect = kind(kind.Settings(**settings), Environment(RATE))
    lag, samples = effect.latency(), audio.shape[-1]
    audio = torch.nn.functional.pad(audio.double(), (0, lag))[None]
    hop = effect.environment.transform.hop
    points = {"sample": audio.shape[-1], "frame": 1 + audio.shape[-1] // hop, "clip": 1}
    read = {}
    for control in kind.controls:
        value = torch.as_tensor(controls.get(control.id, control.default), dtype=torch.float64)
        if value.ndim:
            value = torch.nn.functional.pad(value[None], (0, lag), mode="replicate")[0]
        read[control.id] = value.expand(1, 1, points[control.rate])
    beats = torch.arange(audio.shape[-1], dtype=torch.float64)[None, None] * tempo / 60 / RATE
    clock = Clock(torch.full_like(beats, tempo), beats) if effect.uses_clock else None
    state = effect.initial_state(1, audio.shape[1], audio)
    ports = {port.name: audio for port in kind.inputs}
    with torch.no_grad():
        out, _ = effect.process(ports, read, state, Block(0, audio.shape[-1], RATE, clock))
    return {port: tensor[0, :, lag : lag + samples] for port, tensor in out.items()}


def impulse(seconds: float) -> Tensor:
    audio = torch.zeros(2, round(seconds * RATE), dtype=torch.float64)
    audio[:, 0] = 1
    return audio


def tone(seconds: float, hertz: float = 1000.0, level: float = 0.5) -> Tensor:
    place = torch.arange(round(seconds * RATE), dtype=torch.float64)
    return (level * torch.sin(2 * torch.pi * hertz * place / RATE)).expand(2, -1)


def decibels(amplitude: Any) -> np.ndarray:
    return 20 * np.log10(np.maximum(np.abs(np.asarray(amplitude)), FLOOR))


def draw_response(axis: Any, name: str, lines: Sequence[Line]) -> None:
    """Gain over frequency, of each output."""
    at = np.fft.rfftfreq(RATE, 1 / RATE)[20:20001]
    for label, settings, controls in lines:
        kind = djgraph.effect(name)
        if issubclass(kind, SpectralEffect):
            environment = Environment(RATE, djgraph.effects.Transform(RATE // 2 * 2, 512))
            effect = kind(kind.Settings(**settings), environment)
            read = {
                c.id: torch.full((1, 1, 1), float(controls.get(c.id, c.default)), dtype=torch.float64)
                for c in kind.controls
            }
            gains = {"": effect.mask(read)[0, 0, 20:20001]}
        else:
            outputs = run(name, settings, controls, impulse(1.0))
            gains = {port: torch.fft.rfft(out[0]).abs()[20:20001] for port, out in outputs.items()}
        for port, gain in gains.items():
            axis.semilogx(at, decibels(gain), label=" ".join(filter(None, (label, port * (len(gains) > 1)))))
    axis.set(xlabel="Hz", ylabel="dB", xlim=(20, 20000))


def draw_levels(axis: Any, name: str, lines: Sequence[Line]) -> None:
    """The level of a steady tone behind it, over the level before."""
    levels = np.arange(-60, 1, 2)
    for label, settings, controls in lines:
        outs = [
            run(name, settings, controls, tone(1.0, level=10 ** (level / 20)))["out"][0, -4410:].abs().max()
            for level in levels
        ]
        axis.plot(levels, decibels(outs), label=label)
    axis.plot(levels, levels, ":", color="grey", linewidth=0.8)
    axis.set(xlabel="dB in", ylabel="dB out", xlim=(-60, 0), ylim=(-70, 5))


def draw_response_while_loud(axis: Any, name: str, lines: Sequence[Line]) -> None:
    """Gain over the frequency of a steady, loud tone."""
    at = np.geomspace(200, 20000, 60)
    for label, settings, controls in lines:
        tones = [tone(0.3, hertz) for hertz in at]
        outs = [run(name, settings, controls, one)["out"][0, -4410:].abs().max() for one in tones]
        axis.semilogx(at, decibels(outs) - decibels(0.5), label=label)
    axis.set(xlabel="Hz", ylabel="dB", xlim=(200, 20000))


def draw_burst(axis: Any, name: str, lines: Sequence[Line]) -> None:
    """The level of a tone that is loud from 0.1 s to 0.3 s."""
    audio = tone(0.6, 2000.0, 1.0) * 0.05
    audio[:, 4410:13230] *= 16
    time = np.arange(audio.shape[-1]) / RATE
    axis.plot(time, decibels(_peaks(audio[0])), color="grey", linewidth=0.8, label="in")
    for label, settings, controls in lines:
        axis.plot(time, decibels(_peaks(run(name, settings, controls, audio)["out"][0])), label=label)
    axis.set(xlabel="seconds", ylabel="dB", ylim=(-60, 5))


def draw_outputs(axis: Any, name: str, lines: Sequence[Line]) -> None:
    """The left side of every output; tones of 200 Hz left, 300 Hz right go in."""
    audio = torch.stack((tone(0.02, 200.0, 0.9)[0], tone(0.02, 300.0, 0.6)[0]))
    time = 1000 * np.arange(audio.shape[-1]) / RATE
    for side, signal in zip(("left", "right"), audio):
        axis.plot(time, signal, ":", color="grey", linewidth=0.8, label=f"{side} in")
    for _, settings, controls in lines:
        for port, out in run(name, settings, controls, audio).items():
            axis.plot(time, out[0], label=f"{port}, left")
    axis.set(xlabel="ms", xlim=(5, 15))


def draw_meter(axis: Any, name: str, lines: Sequence[Line]) -> None:
    """Levels, as outputs, of a tone that is loud from 0.1 s to 0.3 s."""
    audio = tone(1.0, 997.0, 1.0) * 0.05
    audio[:, 4410:13230] *= 16
    time = np.arange(audio.shape[-1]) / RATE
    for _, settings, controls in lines:
        for port, out in run(name, settings, controls, audio).items():
            shown = _peaks(out[0]) if port == "out" else out[0]
            style = {"color": "grey", "linewidth": 0.8} if port == "out" else {}
            axis.plot(time, decibels(shown), label=port, **style)
    axis.set(xlabel="seconds", ylabel="dB", ylim=(-60, 5))


def draw_wave(axis: Any, name: str, lines: Sequence[Line]) -> None:
    """A sine before and behind it."""
    audio = tone(0.02, 200.0, 0.9)
    time = 1000 * np.arange(audio.shape[-1]) / RATE
    axis.plot(time, audio[0], color="grey", linewidth=0.8, label="in")
    for label, settings, controls in lines:
        axis.plot(time, run(name, settings, controls, audio)["out"][0], label=label)
    axis.set(xlabel="ms", xlim=(5, 15))


def draw_gain(axis: Any, name: str, lines: Sequence[Line]) -> None:
    """What it multiplies ones by, over time; of both channels where they differ."""
    ones = torch.ones(2, 2 * RATE, dtype=torch.float64)
    time = np.arange(ones.shape[-1]) / RATE
    for label, settings, controls in lines:
        left, right = run(name, settings, controls, ones)["out"]
        axis.plot(time, left, label=label)
        if not torch.allclose(left, right):
            axis.plot(time, right, "--", label=f"{label}, right")
    axis.set(xlabel="seconds", ylabel="gain")


def draw_sweep(axis: Any, name: str, lines: Sequence[Line]) -> None:
    """Gain of left and right (dashed) over a control, which goes through its range."""
    ones = torch.stack((torch.ones(2001), torch.full((2001,), 0.5))).double()
    for label, settings, controls in lines:
        (swept,) = [c for c in djgraph.effect(name).controls if controls.get(c.id) == "range"]
        values = torch.linspace(swept.min, swept.max, 2001, dtype=torch.float64)
        left, right = run(name, settings, {**controls, swept.id: values}, ones)["out"]
        (line,) = axis.plot(values, left, label=f"{label} left, 1 in")
        axis.plot(values, right, "--", color=line.get_color(), label=f"{label} right, 0.5 in")
        axis.set(xlabel=f"{swept.id}, {swept.unit}", ylabel="out")


def draw_speakers(axis: Any, name: str, lines: Sequence[Line]) -> None:
    """Gain of each speaker for a mono signal over a control, which goes through its range."""
    for label, settings, controls in lines:
        (swept,) = [c for c in djgraph.effect(name).controls if controls.get(c.id) == "range"]
        values = torch.linspace(swept.min, swept.max, 401, dtype=torch.float64)
        out = run(name, settings, {**controls, swept.id: values}, torch.ones(1, 401).double())["out"]
        for speaker, gain in zip(speakers(len(out)).order, out):
            axis.plot(values, gain, "--" if speaker.startswith("R") else "-", label=speaker)
        axis.set(xlabel=swept.id, ylabel="gain", title=label)
        axis.title.set_size(8)


def draw_downmix(axis: Any, name: str, lines: Sequence[Line]) -> None:
    """What of each channel of a layout comes out left and right."""
    for label, settings, controls in lines:
        layout = next(one for one in LAYOUTS if one.word == label)
        count, places = len(layout.order), np.arange(len(layout.order))
        one = torch.eye(count, dtype=torch.float64)
        gains = torch.stack([run(name, settings, controls, each[:, None])["out"][:, 0] for each in one])
        for number, side in enumerate(("left", "right")):
            axis.bar(places + 0.4 * number - 0.2, gains[:, number], 0.4, label=side)
        axis.set_xticks(places, layout.order)
        axis.set(ylabel="gain", title=label)
        axis.title.set_size(8)


def draw_impulse(axis: Any, name: str, lines: Sequence[Line], seconds: float = 2.0) -> None:
    """The response to an impulse, in dB."""
    time = np.arange(round(seconds * RATE)) / RATE
    for label, settings, controls in lines:
        left, right = run(name, settings, controls, impulse(seconds))["out"]
        axis.plot(time, decibels(_peaks(left, 64)), linewidth=0.8, label=label)
        if not torch.allclose(left, right):
            axis.plot(time, decibels(_peaks(right, 64)), linewidth=0.8, label=f"{label}, right")
    axis.set(xlabel="seconds", ylabel="dB", ylim=(-80, 3))


class Record(Material):
    """One channel of material, read by :func:`djgraph.dsp.read_material`; it notes where."""

    channels = 1

    def __init__(self, audio: Tensor) -> None:
        self.audio, self.samples = audio, audio.shape[-1]
        self.beats = Beats(torch.arange(2.0).double(), torch.tensor([0.0, 60 / 100]).double())

    def read(self, position: Tensor, rate: Tensor) -> Tensor:
        self.position = position if not hasattr(self, "position") else self.position
        return read_material(self.audio, position, rate)


def play(
    name: str, settings: Mapping[str, Any], controls: Mapping[str, Any], audio: Tensor, seconds: float
) -> Record:
    """What a source plays of material ``[1, samples]``: ``made`` of what is returned, ``[samples]``.

    The clock goes from 100 to 140 BPM.
    """
    kind = djgraph.effect(name)
    effect, record = kind(kind.Settings(**settings), Environment(RATE)), Record(audio)
    samples = round(seconds * RATE)
    read = {
        one.id: torch.as_tensor(controls.get(one.id, one.default), dtype=torch.float64).expand(1, 1, samples)
        for one in kind.controls
    }
    tempo = torch.linspace(100, 140, samples, dtype=torch.float64)[None, None]
    clock = Clock(tempo, (tempo / 60 / RATE).cumsum(-1) - tempo / 60 / RATE)
    with torch.no_grad():
        state = effect.initial_state(1, audio)
        record.made = effect.process(record, read, state, Block(0, samples, RATE, clock))[0][0, 0]
    return record


def draw_positions(axis: Any, name: str, lines: Sequence[Line], seconds: float = 4.0) -> None:
    """Where in its material a source is."""
    time = np.arange(round(seconds * RATE)) / RATE
    for label, settings, controls in lines:
        record = play(name, settings, controls, torch.zeros(1, 1, dtype=torch.float64), seconds)
        axis.plot(time, record.position[0] / RATE, label=label)
    axis.set(xlabel="seconds of the mix", ylabel="seconds of the track")


def draw_shots(axis: Any, name: str, lines: Sequence[Line]) -> None:
    """What is played of a level that falls from 1 to 0 within 2 s."""
    falls = torch.linspace(1, 0, 2 * RATE, dtype=torch.float64)[None]
    time = np.arange(4 * RATE) / RATE
    axis.fill_between(time, TRIGGERED, color="grey", alpha=0.2, label="trigger")
    for label, settings, controls in lines:
        axis.plot(time, play(name, settings, controls, falls, 4.0).made, label=label)
    axis.set(xlabel="seconds", ylabel="level")


def draw_played_noise(axis: Any, name: str, lines: Sequence[Line]) -> None:
    """The spectrum of white noise as it is played."""
    noise = torch.randn(1, 16 * RATE, generator=torch.Generator().manual_seed(0)).double()
    for label, settings, controls in lines:
        made = play(name, settings, controls, noise, 3.9).made
        power = torch.fft.rfft(made.unfold(0, 1024, 512) * torch.hann_window(1024).double()).abs().square()
        axis.plot(np.arange(513) * RATE / 1024, decibels((power.mean(0) / 384).sqrt()), label=label)
    axis.set(xlabel="Hz", ylabel="dB", ylim=(-90, 5), xlim=(0, RATE / 2))


def draw_tones(axis: Any, name: str, lines: Sequence[Line]) -> None:
    """What a generator makes."""
    time = 1000 * np.arange(400) / RATE
    for label, settings, controls in lines:
        axis.plot(time, run(name, settings, controls, torch.zeros(1, 400))["out"][0], label=label)
    axis.set(xlabel="ms", xlim=(0, 9))


def draw_tone_spectra(axis: Any, name: str, lines: Sequence[Line]) -> None:
    """The spectra of what a generator makes, and of a naive saw."""
    window = np.hanning(8192)
    for label, settings, controls in lines:
        made = run(name, settings, controls, torch.zeros(1, 8192))["out"][0].numpy()
        naive = 2 * (np.arange(8192) * controls["frequency"] / RATE % 1) - 1
        for sound, what, color in ((naive, "naive", "lightgrey"), (made, label, None)):
            level = decibels(np.abs(np.fft.rfft(sound * window)) / window.sum() * 2)
            axis.plot(np.fft.rfftfreq(8192, 1 / RATE), level, label=what, color=color, linewidth=0.8)
    axis.set(xlabel="Hz", ylabel="dB", xlim=(0, RATE / 2), ylim=(-110, 5))


def draw_rounds(axis: Any, name: str, lines: Sequence[Line]) -> None:
    """What comes round of a tone that swells for a quarter of a second, of which the shaded part is recorded."""
    audio = torch.zeros(2, 2 * RATE, dtype=torch.float64)
    audio[:, : RATE // 4] = tone(0.25, 60.0, 1.0) * torch.linspace(0.2, 1, RATE // 4).double()
    time = np.arange(2 * RATE) / RATE
    axis.fill_between(time, OPENED, color="grey", alpha=0.2, label="record")
    for label, settings, controls in lines:
        axis.plot(time, run(name, settings, controls, audio)["out"][0], label=label, linewidth=0.8)
    axis.set(xlabel="seconds", ylabel="out")


def draw_decay(axis: Any, name: str, lines: Sequence[Line], seconds: float = 2.0) -> None:
    """The energy that is still to come after an impulse, in dB (Schroeder's integral)."""
    time = np.arange(round(seconds * RATE)) / RATE
    for label, settings, controls in lines:
        response = run(name, settings, controls, impulse(2 * seconds))["out"][0]
        energy = response.square().flip(0).cumsum(0).flip(0)
        axis.plot(time, decibels((energy / energy[0])[: len(time)].sqrt()), linewidth=0.8, label=label)
    axis.set(xlabel="seconds", ylabel="dB to come", ylim=(-80, 3))


def draw_spectrogram(axis: Any, name: str, lines: Sequence[Line], seconds: float = 2.0) -> None:
    """What becomes of noise."""
    ((_, settings, controls),) = lines
    noise = torch.randn(2, round(seconds * RATE), generator=torch.Generator().manual_seed(0)).double()
    noise = noise * (name != "noise")  # which makes its own
    out = run(name, settings, controls, noise)["out"][0].numpy()
    axis.specgram(out, NFFT=512, Fs=RATE, noverlap=256, vmin=-90, vmax=-45, cmap="magma", rasterized=True)
    axis.set(xlabel="seconds", ylabel="Hz", ylim=(0, 12000), facecolor="black")


def draw_spectrogram_of_echoes(axis: Any, name: str, lines: Sequence[Line], seconds: float = 2.0) -> None:
    """What becomes of a tone of 0.15 s."""
    ((_, settings, controls),) = lines
    audio = tone(seconds, 800.0)
    audio = audio * (torch.arange(audio.shape[-1]) < 0.15 * RATE)
    out = run(name, settings, controls, audio)["out"][0].numpy()
    axis.specgram(out, NFFT=2048, Fs=RATE, noverlap=1792, vmin=-100, vmax=-30, cmap="magma", rasterized=True)
    axis.set(xlabel="seconds", ylabel="Hz", ylim=(0, 3000), facecolor="black")


def draw_pitch(axis: Any, name: str, lines: Sequence[Line], seconds: float = 2.0) -> None:
    """What becomes of a tone of three partials."""
    ((_, settings, controls),) = lines
    audio = sum(tone(seconds, hertz, 0.2) for hertz in (500.0, 1000.0, 2000.0))
    out = run(name, settings, controls, audio)["out"][0].numpy()
    axis.specgram(out, NFFT=4096, Fs=RATE, noverlap=3584, vmin=-100, vmax=-30, cmap="magma", rasterized=True)
    axis.set(xlabel="seconds", ylabel="Hz", ylim=(0, 3000))


def _held() -> tuple[Tensor, Tensor]:
    """The time of each sample of 4 s, and a switch that is on from 1.5 s to 3 s."""
    time = torch.arange(4 * RATE, dtype=torch.float64) / RATE
    return time, ((time >= 1.5) & (time < 3)).double()


def draw_moments(axis: Any, name: str, lines: Sequence[Line]) -> None:
    """Which moment of the input is heard, over time; the switch is on from 1.5 s to 3 s."""
    time, on = _held()
    for label, settings, controls in lines:
        ramp, ones = (
            run(name, settings, {"on": on, **controls}, one.expand(2, -1))["out"][0]
            for one in (time, torch.ones_like(time))
        )
        heard = torch.where(ones.abs() > 0.01, ramp / ones, torch.nan)
        axis.plot(time, heard, label=label)
    axis.set(xlabel="seconds", ylabel="heard, seconds", xlim=(1, 3.5), ylim=(0, 3.5))


def draw_held_gain(axis: Any, name: str, lines: Sequence[Line]) -> None:
    """The gain while the switch is on, from 1.5 s to 3 s."""
    time, on = _held()
    for label, settings, controls in lines:
        out = run(name, settings, {"on": on, **controls}, torch.ones_like(time).expand(2, -1))["out"][0]
        axis.plot(time, out, label=label)
    axis.set(xlabel="seconds", ylabel="gain", xlim=(1, 3.5))


def _peaks(signal: Tensor, around: int = 441) -> Tensor:
    """The largest magnitude near each sample."""
    padded = torch.nn.functional.pad(signal.abs()[None], (around // 2, around - 1 - around // 2))
    return torch.nn.functional.max_pool1d(padded, around, 1)[0]


Drawing = Callable[[Any, str, Sequence[Line]], None]


@dataclass(frozen=True)
class Scene:
    """A panel: what is drawn, of which settings and controls."""

    draw: Drawing
    lines: Sequence[Line] = field(default_factory=tuple)


def lines_of(control: str, values: Sequence[float], unit: str = "", **others: Any) -> list[Line]:
    """A line for each value of a control; others: of the rest, ``settings=`` those of the settings."""
    settings = others.pop("settings", {})
    return [(f"{control} {value:g}{unit}", settings, {control: value, **others}) for value in values]


def kinds_of(setting: str, kinds: Sequence[Any], **controls: Any) -> list[Line]:
    """A line for each value of a setting."""
    return [(f"{setting} {kind}", {setting: kind}, controls) for kind in kinds]


"""A send that is open for a quarter of a second."""
LATER = torch.arange(9 * RATE // 4, 4 * RATE)
"""From 2.25 s on."""


FROZEN = torch.linspace(0, 0.6, round(0.6 * RATE)).gt(0.4).double()
"""From 0.4 s on, of :func:`draw_burst`."""

STAIRS = SoundFile(
    "stairs.wav",
    48000,
    (
        torch.randn(2, 48000, generator=torch.Generator().manual_seed(0)) * torch.logspace(0, -3, 48000)
    ).float(),
)
"""A response that is made here: noise that dies away by 60 dB in a second."""

SCENES: dict[str, tuple[Scene, ...]] = {
    "gain": (Scene(draw_sweep, [("", {}, {"gain": "range"})]),),
    "trim": (Scene(draw_sweep, [("", {}, {"gain": "range"})]),),
    "polarity": (Scene(draw_wave, lines_of("invert", [1])),),
    "balance": (Scene(draw_sweep, [("", {}, {"balance": "range"})]),),
    "pan": (Scene(draw_sweep, [("", {}, {"pan": "range"})]),),
    "width": (Scene(draw_sweep, [("", {}, {"width": "range"})]),),
    "mono": (Scene(draw_sweep, [("", {}, {"amount": "range"})]),),
    "quad_pan": (
        Scene(draw_speakers, [("y = 0.5", {}, {"x": "range", "y": 0.5})]),
        Scene(draw_speakers, [("x = −0.5", {}, {"x": -0.5, "y": "range"})]),
    ),
    "surround_pan": (
        Scene(draw_speakers, [("y = 0.5, centre = 1", {}, {"x": "range", "y": 0.5})]),
        Scene(draw_speakers, [("y = 0.5, centre = 0", {}, {"x": "range", "y": 0.5, "centre": 0})]),
    ),
    "downmix": (Scene(draw_downmix, [("5.1", {}, {})]), Scene(draw_downmix, [("7.1", {}, {"lfe": 0.3})])),
    "eq3": (
        Scene(
            draw_response,
            [(f"{band} {gain}", {}, {band: gain}) for band in ("low", "mid", "high") for gain in (0, 2)],
        ),
    ),
    "lowpass": (Scene(draw_response, lines_of("cutoff", [0.2, 0.4, 0.6, 0.8, 0.95])),),
    "highpass": (Scene(draw_response, lines_of("cutoff", [0.05, 0.2, 0.4, 0.6, 0.8])),),
    "filter": (
        Scene(draw_response, lines_of("q", [0.7, 2, 8, 20], mix=1)),
        Scene(draw_response, kinds_of("kind", ["lowpass", "highpass", "bandpass", "notch"], mix=1, q=2)),
    ),
    "filter_knob": (Scene(draw_response, lines_of("knob", [-0.9, -0.6, -0.3, 0.3, 0.6, 0.9], q=2)),),
    "peq": (
        Scene(
            draw_response,
            [
                (
                    "bells",
                    {},
                    {"bell1_gain": 9, "bell2_gain": -9, "bell3_gain": 6, "bell4_gain": -6, "bell4_q": 4},
                ),
                ("shelves", {}, {"low_gain": 9, "high_gain": -9}),
                ("cuts", {}, {"low_cut": 80, "high_cut": 8000}),
                ("cuts, slope 24", {"slope": 24}, {"low_cut": 80, "high_cut": 8000}),
            ],
        ),
    ),
    "tilt": (Scene(draw_response, lines_of("tilt", [-12, -6, -3, 3, 6, 12])),),
    "allpass": (Scene(draw_response, [(f"{n} stages", {"stages": n}, {"mix": 0.5}) for n in (1, 2, 4)]),),
    "ladder": (
        Scene(draw_response, lines_of("resonance", [0, 0.5, 0.8, 0.95], mix=1)),
        Scene(
            draw_response, lines_of("resonance", [0, 0.5, 0.8, 0.95], mix=1, settings={"kind": "highpass"})
        ),
    ),
    "crossover2": (Scene(draw_response, kinds_of("order", [2, 4])),),
    "crossover3": (Scene(draw_response, [("", {}, {})]),),
    "crossover4": (Scene(draw_response, [("", {}, {})]),),
    "isolator": (
        Scene(draw_response, [(f"without {band}", {}, {band: -60}) for band in ("low", "mid", "high")]),
    ),
    "isolator4": (
        Scene(
            draw_response,
            [(f"without {band}", {}, {band: -60}) for band in ("low", "low_mid", "high_mid", "high")],
        ),
    ),
    "compressor": (
        Scene(draw_levels, lines_of("ratio", [2, 4, 20], threshold=-30)),
        Scene(draw_burst, lines_of("attack", [1, 10, 50], " ms", threshold=-30, ratio=8)),
    ),
    "gate": (
        Scene(draw_levels, lines_of("range", [20, 40], " dB")),
        Scene(draw_burst, lines_of("release", [20, 200], " ms", threshold=-20, range=40)),
    ),
    "expander": (
        Scene(draw_levels, lines_of("ratio", [2, 4], threshold=-30)),
        Scene(draw_burst, lines_of("release", [20, 200], " ms", threshold=-10, ratio=3)),
    ),
    "ducker": (
        Scene(draw_levels, lines_of("depth", [6, 20], " dB", threshold=-30)),
        Scene(draw_burst, lines_of("release", [50, 300], " ms", threshold=-15, depth=20)),
    ),
    "deesser": (
        Scene(
            draw_response_while_loud,
            [(f"depth {d} dB", {}, {"depth": d}) for d in (6, 12, 24)],
        ),
    ),
    "transient": (
        Scene(draw_burst, lines_of("attack", [-12, 12], " dB")),
        Scene(draw_burst, lines_of("sustain", [-12, 12], " dB")),
    ),
    "leveler": (
        Scene(draw_burst, [(f"time {t} s", {}, {"time": t, "amount": 1, "range": 24}) for t in (0.3, 3)]),
    ),
    "pump": (Scene(draw_gain, lines_of("release", [0.3, 0.8], depth=24)),),
    "limiter": (
        Scene(draw_levels, lines_of("ceiling", [-18, -6], " dB", mix=1)),
        Scene(draw_burst, lines_of("release", [20, 100], " ms", ceiling=-18, mix=1)),
    ),
    "saturate": (Scene(draw_wave, kinds_of("kind", ["tanh", "cubic", "hard", "fold"], drive=12, mix=1)),),
    "deck": (
        Scene(
            draw_positions,
            [
                *lines_of("rate", [0.5, 1, 2]),
                ("start 2, nudged", {}, {"start": 2, "rate": NUDGED}),
                ("sync beat, 100 to 140 BPM", {"sync": "beat"}, {}),
            ],
        ),
        Scene(draw_played_noise, lines_of("rate", [0.5, 1, 2, 4])),
    ),
    "sampler": (
        Scene(
            draw_positions, [(f"rate {rate}", {}, {"trigger": TRIGGERED, "rate": rate}) for rate in (1, 2)]
        ),
        Scene(
            draw_shots,
            [(mode, {"mode": mode, "fade": 200}, {"trigger": TRIGGERED}) for mode in ("shot", "gate")],
        ),
    ),
    "oscillator": (
        Scene(
            draw_tones,
            [
                (wave, {"wave": wave}, {"level": 1, "frequency": 300})
                for wave in ("sine", "triangle", "saw", "square")
            ],
        ),
        Scene(draw_tone_spectra, [("saw", {"wave": "saw"}, {"level": 1, "frequency": 3001})]),
    ),
    "looper": (
        Scene(
            draw_rounds,
            [(f"keep {keep:g}", {"beats": 0.5}, {"record": OPENED, "keep": keep}) for keep in (1, 0.7)],
        ),
    ),
    "crush": (
        Scene(draw_wave, [("3 bits", {}, {"bits": 3, "mix": 1}), ("4 kHz", {}, {"rate": 4000, "mix": 1})]),
    ),
    "noise": (Scene(draw_spectrogram, [("", {}, {"level": 0.5, "cutoff": torch.logspace(2, 4, 2 * RATE)})]),),
    "tremolo": (
        Scene(draw_gain, kinds_of("shape", ["sine", "triangle"], depth=0.8, rate=2)),
        Scene(draw_gain, [("spread 0.5", {"spread": 0.5}, {"depth": 1, "rate": 1})]),
    ),
    "trans": (Scene(draw_gain, lines_of("beats", [0.5, 1], " of 120 BPM", depth=1)),),
    "vibrato": (Scene(draw_pitch, [("", {}, {"depth": 5, "rate": 2})]),),
    "chorus": (Scene(draw_pitch, [("", {}, {"mix": 1, "depth": 10, "rate": 1})]),),
    "flanger": (Scene(draw_spectrogram, [("", {}, {"mix": 0.5, "feedback": 0.6, "depth": 2})]),),
    "phaser": (
        Scene(draw_spectrogram, [("", {"stages": 6}, {"mix": 0.5})]),
        Scene(
            draw_response,
            [(f"feedback {f}", {"feedback": f}, {"mix": 0.5, "depth": 0}) for f in (-0.8, 0, 0.8)],
        ),
    ),
    "ringmod": (Scene(draw_pitch, [("", {}, {"mix": 1, "frequency": 180})]),),
    "delay_samples": (Scene(draw_wave, [("samples 44", {"samples": 44}, {})]),),
    "delay_beats": (Scene(draw_wave, [("beats 1/480", {"beats": 1 / 480}, {})]),),
    "echo": (
        Scene(draw_impulse, lines_of("feedback", [0.3, 0.7], mix=0.5, lowpass=3000)),
        Scene(draw_impulse, [("ping-pong", {"mode": "ping_pong"}, {"mix": 0.5, "feedback": 0.7})]),
    ),
    "multitap": (Scene(draw_impulse, [("", {}, {"mix": 0.5})]),),
    "roll": (Scene(draw_moments, lines_of("beats", [0.5, 0.125], " of 120 BPM")),),
    "slip_roll": (
        Scene(
            draw_moments,
            [
                (
                    "beats 0.5, then 0.25",
                    {},
                    {"beats": torch.full((4 * RATE,), 0.5).index_fill(0, LATER, 0.25)},
                )
            ],
        ),
    ),
    "stutter": (
        Scene(draw_moments, lines_of("beats", [0.5], gate=0.5)),
        Scene(draw_held_gain, lines_of("decay", [0, 6], " dB", beats=0.25)),
    ),
    "reverse": (Scene(draw_moments, lines_of("beats", [0.5, 1], " of 120 BPM")),),
    "brake": (
        Scene(draw_moments, [(f"curve {c:g}", {"curve": c}, {}) for c in (1, 2)]),
        Scene(draw_held_gain, [(f"curve {c:g}", {"curve": c}, {}) for c in (1, 2)]),
    ),
    "spinback": (
        Scene(draw_moments, lines_of("speed", [1, 3], time=500)),
        Scene(draw_held_gain, lines_of("speed", [1, 3], time=500)),
    ),
    "dub_echo": (
        Scene(draw_impulse, lines_of("feedback", [1.1, 0.6], send=1, dry=0, time=150)),
        Scene(draw_spectrogram, [("", {}, {"send": OPENED, "dry": 0, "time": 250, "feedback": 0.8})]),
    ),
    "spiral": (
        Scene(draw_spectrogram_of_echoes, [("", {}, {"mix": 1, "feedback": 0.9, "shift": 3, "time": 250})]),
        Scene(draw_spectrogram_of_echoes, [("", {}, {"mix": 1, "feedback": 0.9, "shift": -3, "time": 250})]),
    ),
    "delay": (Scene(draw_impulse, lines_of("feedback", [0.5, 1], mix=0.5)),),
    "fdn": (
        Scene(draw_decay, lines_of("decay", [0.5, 1.5, 4], " s", mix=1, damping=0)),
        Scene(draw_decay, lines_of("damping", [0, 0.5, 1], mix=1, decay=3)),
        Scene(draw_burst, [("decay 1 s", {}, {"mix": 1, "decay": 1, "freeze": FROZEN})]),
    ),
    "meter": (Scene(draw_meter, [("", {}, {})]),),
    "ms_split": (Scene(draw_outputs, [("", {}, {})]),),
    "ms_join": (Scene(draw_outputs, [("", {}, {})]),),
    "shimmer": (Scene(draw_pitch, [("", {"interval": 7}, {"mix": 1, "shimmer": 0.8, "damping": 0.2})]),),
    "convolve": (Scene(draw_impulse, [("left", {"file": STAIRS}, {"mix": 1})]),),
    "reverb": (Scene(draw_impulse, [(f"{t} s", {"decay_time": t}, {"mix": 1}) for t in (1.5, 0.5)]),),
}


def draw(name: str, folder: Path = FOLDER) -> Path:
    """Writes one effect's picture."""
    import matplotlib
    from matplotlib.figure import Figure

    scenes = SCENES[name]
    figure = Figure(figsize=(4.2 * len(scenes) + 0.6, 2.8), layout="constrained")
    for axis, scene in zip(figure.subplots(1, len(scenes), squeeze=False)[0], scenes):
        scene.draw(axis, name, scene.lines)
        if scene.draw not in (draw_spectrogram, draw_spectrogram_of_echoes, draw_pitch):
            axis.grid(alpha=0.25)
        if scene.draw is draw_response:
            low, high = axis.get_ylim()
            axis.set_ylim(max(low, -48), max(high, 3))
        axis.tick_params(labelsize=7)
        axis.xaxis.label.set_size(8)
        axis.yaxis.label.set_size(8)
        if any(text for text in axis.get_legend_handles_labels()[1]):
            axis.legend(fontsize=6, frameon=False)
    figure.suptitle(name, fontsize=10)
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.png"
    with matplotlib.rc_context({"savefig.dpi": 80}):
        figure.savefig(path, metadata={"Software": None}, pil_kwargs={"optimize": True})
    return path


def main() -> None:
    for name in sys.argv[1:] or SCENES:
        print(draw(name))


if __name__ == "__main__":
    main()
