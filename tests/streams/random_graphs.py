"""Random graphs of all built-in effects, with random settings: reproducible by their seed."""

from __future__ import annotations

import random
from typing import Any, get_args

from pydantic import BaseModel

from djgraph.errors import DJGraphError
from djgraph.graph import load
from djgraph.graph.ir import Graph
from djgraph.mixer import Mixer
from djgraph.plugins import registry

RATE = 8000

STEPS = ("crush", "gate")
"""Where what comes in differs by a rounding, what comes out may differ by a whole step. They stand first in a strip,
where a stream and a whole clip read the very same samples."""

SETTINGS: dict[str, dict[str, tuple[Any, ...]]] = {
    "eq3": {"low": (150.0, 300.0), "high": (1200.0, 3000.0), "order": (2.0, 4.0)},
    "isolator": {"low": (150.0, 300.0), "high": (1200.0, 3000.0), "order": (2, 4)},
    "isolator4": {"low": (100.0, 150.0), "mid": (600.0, 1000.0), "high": (2000.0, 3000.0), "order": (2, 4)},
    "lowpass": {"order": (2.0, 4.0)},
    "highpass": {"order": (2.0, 4.0)},
    "reverb": {"decay_time": (0.05, 0.4), "pre_delay": (0.0, 13.0), "damping": (0.0, 0.7)},
    "delay": {"time": (3.0, 91.0, 375.0), "max_feedback": (0.0, 0.7)},
    "delay_samples": {"samples": (0, 1, 777)},
    "multitap": {"sync": ("ms", "beats"), "times": ([0.5, 1.5], [0.25, 3]), "levels": ([0.7, -0.4],)},
    "echo": {"sync": ("ms", "beats"), "mode": ("stereo", "ping_pong"), "change": ("fade", "tape")},
    "limiter": {"lookahead": (0.0, 2.0, 5.0), "true_peak": (False, True), "linked": (False, True)},
    "saturate": {"kind": ("tanh", "cubic", "hard", "fold"), "oversampling": (1, 2, 4)},
}
"""Settings to choose from, where those that a model's types allow are not enough, or too much for a short clip."""

SIDECHAINS = ("compressor", "gate", "expander", "ducker")


def effects() -> tuple[str, ...]:
    """All that ship and stand in chains, by name."""
    found = registry().effects
    return tuple(
        sorted(
            name
            for name, entry in found.items()
            if entry.effect.__module__.startswith("djgraph_fx.") and entry.effect.inputs
        )
    )


def random_graph(seed: int) -> Graph:
    """Two inputs, stereo and mono, in two to three strips each, a bus with a send to it, and a master."""
    attempt = 0
    while True:
        document = _document(random.Random(f"{seed}/{attempt}"), seed)
        try:
            graph = load(document)
            Mixer(graph)
        except DJGraphError:  # settings that contradict one another; the next ones are as random
            attempt += 1
            assert attempt < 100, f"no graph of seed {seed} can be built"
        else:
            return graph


def _document(draw: random.Random, seed: int) -> dict[str, Any]:
    names = effects()
    inputs = [{"name": "a"}, {"name": "b", "channels": "mono"}]
    mixer: list[dict[str, Any]] = []
    for number in range(draw.randint(2, 4)):
        source = "ab"[number % 2]
        chain = [_node(draw, draw.choice(names), place, place == 0) for place in range(draw.randint(1, 4))]
        if number == 0:  # so that every effect has its turn
            chain[0] = _node(draw, names[seed % len(names)], 0, True)
        send = {"to": f"fx_{source}", "level": draw.choice([0.5, {"as": "send"}])}
        mixer.append(
            {
                "strip": f"s{number}",
                "input": source,
                "chain": chain,
                "to": f"master_{source}",
                "sends": [send],
            }
        )
    for source in "ab":
        wet = [_node(draw, draw.choice(names), place, False) for place in range(draw.randint(1, 2))]
        mixer.append({"bus": f"fx_{source}", "chain": wet, "to": f"master_{source}"})
        mixer.append({"bus": f"master_{source}", "chain": [_node(draw, draw.choice(names), 0, False)]})
    return {
        "djgraph": 1,
        "name": f"random_{seed}",
        "sample_rate": RATE,
        "transform": {"size": 512, "hop": 128},
        "inputs": inputs,
        "mixer": mixer,
        "outputs": ["master_a", "master_b"],
    }


def _node(draw: random.Random, name: str, place: int, first: bool) -> dict[str, Any]:
    if name in STEPS and not first:
        name = "trim"
    effect = registry().effect(name)
    node: dict[str, Any] = {"effect": name, "id": f"n{place}"}
    settings = _settings(draw, name, effect.Settings)
    if settings:
        node["settings"] = settings
    fixed = draw.sample(effect.controls, min(len(effect.controls), draw.randint(0, 2)))
    node["controls"] = {control.id: control.default for control in fixed}
    # Of another number of channels than a mono strip's: then the graph cannot be built, and the next one is drawn.
    ports = {port.name: "s0@input" for port in effect.inputs[1:] if port.default is None and not port.apart}
    if name in SIDECHAINS and draw.random() < 0.5:
        ports["sidechain"] = "s0@input"
    if ports:
        node["inputs"] = ports
    return node


def _settings(draw: random.Random, name: str, model: type[BaseModel]) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    for key, field in model.model_fields.items():
        options: tuple[Any, ...] = SETTINGS.get(name, {}).get(key, ())
        if not options and field.annotation is bool:
            options = (False, True)
        elif (
            not options
            and (words := get_args(field.annotation))
            and all(isinstance(w, (str, int)) for w in words)
        ):
            options = words
        if options and draw.random() < 0.5:
            chosen[key] = draw.choice(options)
    return chosen
