"""Controls that are read together are read as each alone would be."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
import torch
from runtime.documents import registry_with

from djgraph.effects import Block, Control, ControlModel, State, TimeEffect
from djgraph.graph import load
from djgraph.mixer import Mixer
from djgraph.runtime.reference import Reference


class Three(TimeEffect):
    """Controls of one rate whose corners are rounded differently, or held, and one of the rate of clips."""

    type = "three"

    class Controls(ControlModel):
        sharp: Annotated[float, Control(0, 1, neutral=1)] = 1.0
        round: Annotated[float, Control(0, 1, neutral=0, smoothing=20.0)] = 0.0
        rounder: Annotated[float, Control(0, 1, neutral=0, smoothing=40.0)] = 0.0
        also_round: Annotated[float, Control(0, 1, neutral=0, smoothing=20.0)] = 0.0
        switch: Annotated[float, Control(0, 1, neutral=0, step=1)] = 0.0
        once: Annotated[float, Control(0, 1, neutral=0, rate="clip")] = 0.0

    def process(self, audio: Any, controls: Any, state: State, block: Block) -> Any:
        weights = {"sharp": 1, "round": 2, "rounder": 4, "also_round": 8, "switch": 16, "once": 32}
        return {"out": audio["in"] * sum(w * controls[name] for name, w in weights.items())}, state


@pytest.mark.parametrize("placed", [True, False])
@pytest.mark.parametrize("tied", [True, False])
def test_smoothing_and_steps_stay_those_of_each(tied: bool, placed: bool) -> None:
    chain = [{"effect": "three", "id": "x"}]
    second = [{"effect": "three", "id": "x", "controls": {"round": {"tie": "s.x.round"}} if tied else {}}]
    document = {
        "djgraph": 1,
        "name": "g",
        "sample_rate": 8000,
        "inputs": [{"name": "a"}],
        "mixer": [
            {"strip": "s", "input": "a", "chain": chain, "to": "mix"},
            {"strip": "t", "input": "a", "chain": second, "to": "mix"},
            {"bus": "mix"},
        ],
        "outputs": ["mix"],
    }
    graph = load(document, registry=registry_with(Three))
    mixer, audio = Mixer(graph).double(), {"a": torch.ones(2, 2, 2000, dtype=torch.float64)}
    generator = torch.Generator().manual_seed(0)
    unit = torch.rand(2, 6, len(mixer.layout), generator=generator, dtype=torch.float64)
    params = mixer.layout.from_unit(unit, snap=True)
    positions = torch.tensor([0, 300, 420, 900, 1500, 1999]) if placed else None
    got = mixer(audio, params, positions=positions)
    want = Reference(graph)(audio, params, positions=positions)
    torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12)
