"""Effects that only the tests have, and random graph documents made with them and the built-ins."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Annotated, Any

import djgraph_fx
import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from djgraph.effects import (
    Block,
    Control,
    ControlModel,
    Effect,
    Port,
    SpectralEffect,
    State,
    TimeEffect,
)
from djgraph.graph import load
from djgraph.graph.ir import Graph
from djgraph.plugins import Registry, hookimpl


class ClipGain(TimeEffect):
    """Memoryless, read once per clip."""

    type = "clip_gain"
    memoryless = True

    class Controls(ControlModel):
        level: Annotated[float, Control(0, 2, neutral=1, rate="clip")] = 1.0

    def process(self, audio: Any, controls: Any, state: State, block: Block) -> Any:
        return {"out": audio["in"] * controls["level"]}, state


class Drive(TimeEffect):
    """Memoryless and not linear, with weights of its own; no neutral value."""

    type = "drive"
    memoryless = True

    class Controls(ControlModel):
        amount: Annotated[float, Control(0.1, 4, smoothing=2.0)] = 1.0

    def __init__(self, settings: Any, environment: Any) -> None:
        super().__init__(settings, environment)
        self.trim = nn.Parameter(torch.tensor(0.8))

    def process(self, audio: Any, controls: Any, state: State, block: Block) -> Any:
        return {"out": torch.tanh(audio["in"] * controls["amount"]) * self.trim.to(audio["in"].dtype)}, state


class Duck(TimeEffect):
    """Two inputs: one signal pushes the other down."""

    type = "duck"
    inputs = (Port("in"), Port("key"))

    class Controls(ControlModel):
        depth: Annotated[float, Control(0, 1, neutral=0)] = 0.0

    def process(self, audio: Any, controls: Any, state: State, block: Block) -> Any:
        return {"out": audio["in"] / (1 + controls["depth"] * audio["key"].square())}, state


class Split(TimeEffect):
    """Two outputs; its control is read once per hop."""

    type = "split"
    outputs = (Port("out"), Port("rest"))

    class Controls(ControlModel):
        share: Annotated[float, Control(0, 1, neutral=1, rate="frame")] = 1.0

    def process(self, audio: Any, controls: Any, state: State, block: Block) -> Any:
        x = audio["in"]
        part = torch.repeat_interleave(controls["share"], self.environment.transform.hop, -1)[
            ..., : x.shape[-1]
        ]
        return {"out": x * part, "rest": x * (1 - part)}, state


class LookAhead(TimeEffect):
    """Lags by its latency in a stream: each sample is scaled by the one 20 samples ahead."""

    type = "look_ahead"

    class Controls(ControlModel):
        amount: Annotated[float, Control(0, 1, neutral=0)] = 0.0

    def latency(self) -> int:
        return 20

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        return {"past": like.new_zeros(batch, channels, 20), "amount": like.new_zeros(batch, 1, 20)}

    def process(self, audio: Any, controls: Any, state: State, block: Block) -> Any:
        x = torch.cat([state["past"], audio["in"]], -1)
        amount = torch.cat([state["amount"], controls["amount"].expand(x.shape[0], 1, -1)], -1)
        length = audio["in"].shape[-1]
        ahead = x[..., 20 : 20 + length]
        out = x[..., :length] / (1 + amount[..., :length] * ahead.square())
        return {"out": out}, {"past": x[..., -20:], "amount": amount[..., -20:]}


class Shaper(SpectralEffect):
    """A learnable gain for each bin."""

    type = "shaper"

    class Controls(ControlModel):
        amount: Annotated[float, Control(0, 1, neutral=0, rate="frame")] = 0.0
        depth: Annotated[float, Control(0, 1, neutral=0, rate="clip")] = 0.0

    def __init__(self, settings: Any, environment: Any) -> None:
        super().__init__(settings, environment)
        self.curve = nn.Parameter(torch.linspace(-0.5, 0.5, environment.transform.bins))

    def mask(self, controls: Mapping[str, Tensor]) -> Tensor:
        curve = torch.sigmoid(self.curve.to(controls["amount"].dtype))
        return 1 + (controls["amount"] + controls["depth"]) * (curve - 0.5)


class TestEffects:
    __test__ = False

    @hookimpl
    def djgraph_effects(self) -> list[type]:
        return [ClipGain, Drive, Duck, Split, LookAhead, Shaper]


def make_registry() -> Registry:
    registry = Registry()
    registry.register(djgraph_fx, name="fx", distribution="djgraph")
    registry.register(TestEffects(), name="test", distribution="tests")
    return registry


REGISTRY = make_registry()


def registry_with(*effects: type[Effect]) -> Registry:
    """One with these effects, too."""
    registry = make_registry()
    more = types.SimpleNamespace(djgraph_effects=hookimpl(lambda: list(effects)))
    registry.register(more, name="more", distribution="more-effects", version="1.5")
    return registry


RATE = 22050

SETTINGS: dict[str, Any] = {
    "reverb": {"decay_time": 0.1, "pre_delay": 1},
    "delay": {"time": 2},
}
ONE_IN = [
    "gain",
    "clip_gain",
    "drive",
    "split",
    "eq3",
    "lowpass",
    "highpass",
    "shaper",
    "reverb",
    "delay",
    "duck",
    "trim",
    "balance",
    "pan",
    "width",
    "mono",
    "tilt",
    "allpass",
    "isolator",
    "noise",
]


@st.composite
def chains(draw: st.DrawFn, points: list[str], longest: int = 4) -> list[Any]:
    chain: list[Any] = []
    for place in range(draw(st.integers(0, longest))):
        effect = draw(st.sampled_from(ONE_IN))
        controls: dict[str, Any] = {}
        for control in REGISTRY.effect(effect).controls:
            choice = draw(st.integers(0, 5))
            if choice == 0:
                controls[control.id] = control.default
            elif choice == 1:
                highest = min(control.max, RATE * 0.49) if control.unit == "Hz" else control.max
                controls[control.id] = draw(st.floats(control.min, highest))
        node: dict[str, Any] = {"effect": effect, "id": f"n{place}", "controls": controls}
        if effect in SETTINGS:
            node["settings"] = SETTINGS[effect]
        if effect == "duck":
            node["inputs"] = {"key": draw(st.sampled_from(points))}
        chain.append(node)
    return chain


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Strips that read stems or earlier strips, buses that feed later ones, sends, macros, several outputs."""
    stems = draw(st.integers(1, 3))
    channels = draw(st.sampled_from(["stereo", "mono", "quad"]))
    inputs = [
        {"name": "deck", "stems": [f"s{i}" for i in range(stems)], "channels": channels},
        {"name": "mic", "channels": channels},
    ]
    points = [f"deck.s{i}" for i in range(stems)] + ["mic"]
    buses = [f"bus{i}" for i in range(draw(st.integers(1, 3)))]
    items: list[dict[str, Any]] = []

    def item(name: str, kind: str, later: list[str]) -> dict[str, Any]:
        chain = draw(chains(points))
        made: dict[str, Any] = {kind: name, "chain": chain}
        if later:
            made["to"] = draw(
                st.lists(st.sampled_from(later), min_size=kind == "bus", max_size=2, unique=True)
            )
            if draw(st.booleans()):
                level = draw(st.sampled_from([{}, 0.5, 1.0, {"default": 0.3}]))
                tap = draw(st.sampled_from(["post", *(node["id"] for node in chain)]))
                made["sends"] = [{"to": draw(st.sampled_from(later)), "tap": tap, "level": level}]
        free = [node for node in chain if node["effect"] in ("lowpass", "gain") and not node["controls"]]
        if free and draw(st.booleans()):
            target = f"{free[0]['id']}.{'cutoff' if free[0]['effect'] == 'lowpass' else 'gain'}"
            made["macros"] = [
                {"name": "knob", "default": 0.5, "drives": {target: [[0, 0.2], [0.5, 1], [1, 0.4]]}}
            ]
        return made

    for i in range(draw(st.integers(1, 4))):
        strip = item(f"strip{i}", "strip", buses)
        strip["input"] = draw(st.sampled_from(points))
        points.append(f"strip{i}")
        points += [f"strip{i}@{node['id']}.rest" for node in strip["chain"] if node["effect"] == "split"]
        if i == 0 and channels != "stereo":
            strip["to"] = buses  # a bus that nothing feeds is stereo
        items.append(strip)
    for i, bus in enumerate(buses):
        items.append(item(bus, "bus", buses[i + 1 :]))
    outputs = draw(st.lists(st.sampled_from([*buses, "strip0"]), min_size=1, max_size=2, unique=True))
    return {
        "djgraph": 1,
        "name": "random",
        "sample_rate": RATE,
        "transform": {"size": 64, "hop": 16},
        "inputs": inputs,
        "mixer": items,
        "outputs": outputs,
    }


ROUND = [
    "gain",
    "clip_gain",
    "drive",
    "eq3",
    "lowpass",
    "reverb",
    "delay",
    "duck",
    "balance",
    "pan",
    "allpass",
]
"""Effects that run in loops, spectral ones among them by their causal twins."""


@st.composite
def looped_documents(draw: st.DrawFn) -> dict[str, Any]:
    """The same with two buses behind the strips that send to one another and perhaps to themselves."""
    document = draw(documents())
    strips = [item for item in document["mixer"] if "strip" in item]
    points = [f"deck.{stem}" for stem in document["inputs"][0]["stems"]]

    def chain() -> list[Any]:
        made = []
        for place, effect in enumerate(draw(st.lists(st.sampled_from(ROUND), max_size=3))):
            node: dict[str, Any] = {"effect": effect, "id": f"n{place}"}
            if effect in SETTINGS:
                node["settings"] = SETTINGS[effect]
            if effect == "duck":
                node["inputs"] = {"key": draw(st.sampled_from(points))}
            made.append(node)
        return made

    late = draw(st.sampled_from([None, "delay_samples", "delay", "echo"]))
    holding: dict[str, Any] = {"effect": late, "id": "late"}
    if late == "delay_samples":
        holding["settings"] = {"samples": draw(st.integers(3, 300))}
    elif late:
        holding["controls"] = {"mix": 1} | (
            {"time": {"max": 40, "default": 30}, "beats": 0.75} if late == "echo" else {}
        )
        holding |= {"settings": {"time": draw(st.floats(1, 15))}} if late == "delay" else {}

    def back(bus: str) -> dict[str, Any]:
        level = draw(st.sampled_from([{"max": 0.4}, 0.3]))
        delay = draw(st.floats(0.2, 20))
        lags = {} if late and draw(st.booleans()) else {"delay": delay}
        return {"to": bus, "name": f"to_{bus}", "level": level, "feedback": True, **lags}

    for strip in strips[: draw(st.integers(1, 2))]:
        strip["sends"] = [*strip.get("sends", []), {"to": draw(st.sampled_from(["here", "there"]))}]
    here: dict[str, Any] = {
        "bus": "here",
        "chain": chain(),
        "sends": [{"to": "there", "level": {"max": 0.5}}],
    }
    there: dict[str, Any] = {"bus": "there", "chain": chain(), "sends": [back("here")]}
    if late:
        here["chain"].insert(draw(st.integers(0, len(here["chain"]))), holding)
    for bus in (here, there):
        if draw(st.booleans()):
            tap = draw(st.sampled_from(["post", "input", *(node["id"] for node in bus["chain"])]))
            bus["sends"].append(
                {**back(bus["bus"]), "name": "again", "tap": tap, "delay": draw(st.floats(0.5, 9))}
            )
        if draw(st.booleans()):
            bus["to"] = ["bus0"]
    document["mixer"] += [here, there]
    document["outputs"] += draw(st.sampled_from([["here"], ["there"], ["here", "there"]]))
    return document


CHAINS = st.lists(
    st.lists(st.sampled_from(["gain", "eq3", "lowpass", "highpass", "delay"]), max_size=4),
    min_size=1,
    max_size=3,
)
"""The effects of some strips, which all have a causal lowering."""


def causal_graph(chains: list[list[str]]) -> Graph:
    """Strips of two inputs with these effects, into one bus."""
    strips = [
        {
            "strip": f"s{number}",
            "input": "ab"[number % 2],
            "chain": [
                {"effect": name, "id": f"n{place}"}
                | ({"settings": {"time": 2}} if name == "delay" else {})
                | ({"settings": {"order": 2}} if name == "lowpass" and number else {})
                for place, name in enumerate(chain)
            ],
            "to": "mix",
        }
        for number, chain in enumerate(chains)
    ]
    return load(
        {
            "djgraph": 1,
            "name": "causal",
            "sample_rate": RATE,
            "transform": {"size": 64, "hop": 16},
            "inputs": [{"name": "a"}, {"name": "b", "optional": True}],
            "mixer": [*strips, {"bus": "mix"}],
            "outputs": ["mix"],
        },
        registry=REGISTRY,
    )
