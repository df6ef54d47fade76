"""What each effect costs by itself: one strip of stereo audio with all controls moving, forward and with backward.

The strip without an effect stands beside them: reading the audio, the sum, the output.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

import djgraph
from benchmarks.cases import CASES
from benchmarks.context import Context
from benchmarks.results import CaseReport, Result, Timed
from benchmarks.timing import Program, Spread, Times
from benchmarks.work import make_params
from djgraph.effects import Effect, SourceEffect
from djgraph.mixer import Mixer
from djgraph.plugins import registry

CHANNELS = {"stereo": 2, "other": 2, "mono": 1}
TEMPO = 128.0
NOTHING = "no effect"


def run(context: Context) -> CaseReport:
    generator = torch.Generator().manual_seed(0)
    audio = {
        name: 0.1 * torch.randn(1, channels, context.scale.samples, generator=generator)
        for name, channels in CHANNELS.items()
    }
    effects: dict[str, type[Effect] | None] = {NOTHING: None}
    # Sources stand in no chain; what they cost is the case `deck`.
    effects |= {
        name: entry.effect
        for name, entry in registry().effects.items()
        if not issubclass(entry.effect, SourceEffect)
    }
    unset = [name for name, effect in effects.items() if effect is not None and _asks_for_settings(effect)]
    results, times = [], {}
    for name in (name for name in effects if name not in unset):
        programs = _programs(name, djgraph.compile(djgraph.load(strip_of(effects[name]))), audio, context)
        found = context.time(programs, slow=True)
        results += [Result(program, _milliseconds(found[program]), "ms") for program in programs]
        times |= found
    notes = [f"{context.scale.seconds:g} s of stereo, default settings, {TEMPO:g} BPM."]
    if unset:
        notes.append(f"Left out, since settings have to be given: {', '.join(unset)}.")
    timed = tuple(Timed(name, one, context.scale.seconds) for name, one in times.items())
    return CaseReport("repertoire", CASES["repertoire"], tuple(results), timed, tuple(notes))


def strip_of(effect: type[Effect] | None) -> dict[str, Any]:
    """A graph of one strip with one use of the effect; further ports read a signal of their own."""
    strip: dict[str, Any] = {"strip": "strip", "input": "stereo", "to": "master"}
    if effect is not None:
        ports = {
            port.name: "mono" if port.channels == 1 else "other" if place else "stereo"
            for place, port in enumerate(effect.inputs)
        }
        first = next(iter(ports), None)
        if first is None:
            del strip["input"]
        else:
            strip["input"] = ports.pop(first)
        strip["chain"] = [{"effect": effect.type} | ({"inputs": ports} if ports else {})]
    inputs = [
        {"name": name, "channels": "mono" if channels == 1 else "stereo"}
        for name, channels in CHANNELS.items()
    ]
    mixer = [strip, {"bus": "master"}]
    return {"djgraph": 1, "name": "one_effect", "inputs": inputs, "mixer": mixer, "outputs": ["master"]}


def _asks_for_settings(effect: type[Effect]) -> bool:
    return any(field.is_required() for field in effect.Settings.model_fields.values())


def _programs(name: str, mixer: Mixer, audio: Mapping[str, Tensor], context: Context) -> dict[str, Program]:
    frames = context.scale.frames
    params = make_params(mixer.layout, frames) if mixer.layout.names else torch.zeros(1, frames, 0)
    leaf = params.detach().clone().requires_grad_()
    tempo = TEMPO if mixer.compiled.uses_clock else None

    def forward() -> None:
        with torch.no_grad():
            mixer(audio, params, tempo=tempo)

    def both() -> None:
        mixer(audio, leaf, tempo=tempo).square().mean().backward()

    def forget() -> None:
        leaf.grad = None

    programs = {f"{name}, forward": Program(forward)}
    # The controls of a downmix have nothing to do with stereo.
    if mixer.layout.names and mixer(audio, leaf, tempo=tempo).requires_grad:
        programs[f"{name}, forward + backward"] = Program(both, before=forget)
    return programs


def _milliseconds(times: Times) -> Spread:
    return Spread.of(1000 * seconds for seconds in times.seconds)
