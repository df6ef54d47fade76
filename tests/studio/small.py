"""Sessions without a server: the smallest with something to fit, two tracks of noise, a gain each; and a silent one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import torch
from playing import clips

import djgraph
from djgraph.playing import MemoryFeed
from djgraph.studio.parts import PARTS
from djgraph.studio.session import Session

RATE = 8000
SECONDS = 3.0
GAIN = {"effect": "gain", "controls": {"gain": {"as": "gain"}}}
GRAPH: dict[str, Any] = {
    "djgraph": 1,
    "name": "two_faders",
    "sample_rate": RATE,
    "inputs": [{"name": name} for name in ("left", "right")],
    "mixer": [{"strip": name, "input": name, "chain": [GAIN], "to": "master"} for name in ("left", "right")]
    + [{"bus": "master"}],
    "outputs": ["master"],
}
PATIENCE = 120.0


def tracks(seconds: float = SECONDS) -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(3)
    return {name: 0.1 * torch.randn(2, round(seconds * RATE), generator=random) for name in ("left", "right")}


def moves() -> djgraph.automation.Automation:
    """A fade from one to the other, of another shape on each side."""
    from djgraph.automation import Automation, Curve, Moment, Point

    def curve(name: str, *points: tuple[float, float]) -> Curve:
        return Curve(
            (name,), tuple(Point(Moment.parse(f"{at}s"), value) for at, value in points), unit="plain"
        )

    return Automation(
        (curve("left.gain", (0.5, 1.0), (2.5, 0.0)), curve("right.gain", (0.5, 0.0), (1.5, 0.8))), "moves"
    )


def mixed(mixer: djgraph.Mixer, inputs: dict[str, torch.Tensor], auto: Any) -> torch.Tensor:
    """``[channels, samples]``, as ``djgraph render`` makes it."""
    samples = next(iter(inputs.values())).shape[-1]
    frames = auto.render_exact(mixer.layout, samples=samples, sample_rate=RATE)
    batch = {name: audio[None] for name, audio in inputs.items()}
    with torch.inference_mode():
        return mixer(batch, frames.params[None], positions=frames.positions)[0]


def session(seconds: float = SECONDS) -> Session:
    return Session(djgraph.compile(GRAPH), MemoryFeed(tracks(seconds)), parts=PARTS)


def silent(mixer: djgraph.Mixer, samples: int) -> Session:
    """Of which nothing is heard: for what is said and kept."""
    return Session(mixer, MemoryFeed(clips.tracks(mixer.graph, samples, level=0)), parts=PARTS)


def say(session: Session, **message: Any) -> None:
    session.take(json.dumps(message))


def until(ready: Callable[[], Any], what: str) -> Any:
    """Waits for a condition, and returns what it gave."""
    ends = time.monotonic() + PATIENCE
    while not (found := ready()):
        assert time.monotonic() < ends, what
        time.sleep(0.02)
    return found
