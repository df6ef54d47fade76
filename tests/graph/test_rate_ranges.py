"""Ranges that end with the sample rate (``below_rate``): what a graph's layout and its constants may say."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Annotated, Any

import djgraph_fx
import pytest
import torch
from torch import Tensor

import djgraph
from djgraph.effects import Block, Control, ControlModel, State, TimeEffect
from djgraph.errors import GraphError
from djgraph.plugins import Registry, hookimpl


class Cut(TimeEffect):
    """Hands on how high its cutoff is, in kHz."""

    type = "cut"
    memoryless = True

    class Controls(ControlModel):
        cutoff: Annotated[
            float, Control(20, 20000, neutral=20000, unit="Hz", scale="log", below_rate=0.45)
        ] = 18000.0
        depth: Annotated[float, Control(0, 1, neutral=0)] = 0.0

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        return {"out": 0 * audio["in"] + controls["cutoff"] / 1000}, state


def load(rate: int, **control: Any) -> djgraph.Graph:
    registry = Registry()
    registry.register(djgraph_fx)
    registry.register(SimpleNamespace(djgraph_effects=hookimpl(lambda: [Cut])), name="cut")
    text = f"""
djgraph: 1
name: rates
sample_rate: {rate}
inputs: [{{name: track}}]
mixer:
  - strip: track
    input: track
    chain: [{{effect: cut, controls: {control}}}]
    to: master
  - bus: master
outputs: [master]
"""
    return djgraph.load(text, registry=registry)


@pytest.mark.parametrize(("rate", "top"), [(96000, 20000), (48000, 20000), (44100, 19845), (22050, 9922.5)])
def test_the_column_ends_with_the_rate(rate: int, top: float) -> None:
    layout = djgraph.ParameterLayout.from_graph(load(rate))
    cutoff = layout.columns[0].control
    assert (cutoff.min, cutoff.max) == (20, top)
    assert cutoff.default == min(18000, top)
    assert cutoff.neutral == top
    assert layout.columns[1].control == Cut.controls[1]


def test_what_a_model_says_is_held_there() -> None:
    """As any control is held in its range."""
    mixer = djgraph.compile(load(22050))
    params = mixer.layout.default.clone()[None, None]
    for given, wanted in ((20000.0, 9.9225), (5000.0, 5.0)):
        params[..., 0] = given
        heard = mixer({"track": torch.zeros(1, 2, 100)}, params)
        assert torch.allclose(heard, torch.full_like(heard, wanted))


def test_a_constant_beyond_it_is_told() -> None:
    load(44100, cutoff=15000)
    with pytest.raises(GraphError, match=r"15000 is outside the range of cutoff, 20 … 9922\.5 Hz"):
        load(22050, cutoff=15000)


def test_a_rate_that_leaves_nothing_is_told() -> None:
    with pytest.raises(
        GraphError, match="cut does not run at 40 Hz: its cutoff begins at 20 Hz and has to stay below 18"
    ):
        load(40)


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"below_rate": 0.6}, "no share of the sample rate"),
        ({"below_rate": 0.0}, "no share of the sample rate"),
        ({"below_rate": 0.4, "step": 1.0}, "without step and choices"),
    ],
)
def test_declarations_that_are_refused(fields: dict[str, float], fault: str) -> None:
    control = Control(20, 20000, **fields).replace(id="cutoff", default=20.0)  # type: ignore[arg-type]
    assert fault in control.faults()[0]
