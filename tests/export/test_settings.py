"""Effects null against the mixer with settings that are drawn, too: as many as an effect takes, within their ranges."""

from __future__ import annotations

import math
import random
import typing
from pathlib import Path
from typing import Any

import pytest

import djgraph
from djgraph.errors import DJGraphError
from export.nulls import LIMIT, case, depth, heard, needs_node

OTHERS = {
    "deck",
    "sampler",
    "crossover2",
    "crossover3",
    "crossover4",
    "ms_split",
    "ms_join",
    "meter",
    "downmix",
    "oscillator",
}
"""Without an input and an output that can be a strip's."""
LONG = {"reverb", "convolve", "looper"}
"""Their settings say how long something is, which takes long."""


def drawn(rng: random.Random, settings: Any) -> dict[str, Any]:
    """Some of an effect's settings, each within its range and near what it is by itself."""
    found: dict[str, Any] = {}
    for name, field in settings.model_fields.items():
        kind, value = field.annotation, field.default
        if rng.random() < 0.3:
            continue
        if typing.get_origin(kind) is typing.Literal:
            found[name] = rng.choice(typing.get_args(kind))
        elif kind is bool:
            found[name] = rng.random() < 0.5
        elif kind in (int, float) and isinstance(value, int | float):
            low, high = bounds(field.metadata)
            if low > 0:
                high, low = min(high, 2 * value), max(low, value / 3)
                made = math.exp(rng.uniform(math.log(low), math.log(high)))
            else:
                made = rng.uniform(max(low, -abs(2 * value)), min(high, max(2 * value, 1)))
            found[name] = round(made) if kind is int else round(made, 3)
    return found


def bounds(metadata: list[Any]) -> tuple[float, float]:
    low, high = -math.inf, math.inf
    for one in metadata:
        low = getattr(one, "ge", getattr(one, "gt", low))
        high = getattr(one, "le", getattr(one, "lt", high))
    return low, high


def strips(name: str, settings: dict[str, Any]) -> list[dict[str, Any]]:
    link: dict[str, Any] = {"effect": name, "settings": settings}
    key = [{"strip": "key", "input": "key"}] if name == "ducker" else []
    if key:
        link["inputs"] = {"sidechain": "key"}
    return [{"strip": name, "input": "track", "chain": [link]}, *key]


def graph(mixer: list[dict[str, Any]]) -> dict[str, Any]:
    names = [strip["strip"] for strip in mixer if strip["strip"] != "key"]
    inputs = [{"name": one} for one in dict.fromkeys(strip["input"] for strip in mixer)]
    return {"djgraph": 1, "name": "drawn", "inputs": inputs, "mixer": mixer, "outputs": names}


def playable(mixer: list[dict[str, Any]]) -> bool:
    try:
        djgraph.compile(graph(mixer), lowering="causal")
    except DJGraphError:  # settings that contradict each other, or without a causal twin
        return False
    return True


@needs_node
@pytest.mark.slow
@pytest.mark.parametrize("seed", [5])
def test_they_null_with_any_settings(seed: int, tmp_path: Path) -> None:
    rng, mixer = random.Random(seed), list[dict[str, Any]]()
    given: dict[str, dict[str, Any]] = {}
    registry = djgraph.registry()
    for name, entry in sorted(registry.effects.items()):
        if entry.plugin != "fx" or name in OTHERS | LONG:
            continue
        for _ in range(4):
            settings = drawn(rng, entry.effect.Settings)
            if playable(strips(name, settings)):
                mixer += strips(name, settings)
                given[name] = settings
                break
    assert len(given) > 40
    one = case(graph(mixer), seed=seed, tempo=rng.choice([70.0, 126.0, 174.0]))
    got = heard(one, tmp_path)
    found = {name: depth(got[name], signal) for name, signal in one.mixed().items()}
    assert {name: (value, given[name]) for name, value in found.items() if value >= LIMIT} == {}
