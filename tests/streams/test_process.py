"""Time effects in streams: what they keep is theirs, what they are handed is the caller's."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch
from runtime.documents import registry_with
from torch import Tensor

from djgraph.effects import Block, Control, ControlModel, State, TimeEffect
from djgraph.graph import load
from djgraph.mixer import Mixer

from .playing import BASE


class Keeper(TimeEffect):
    """Keeps what it was given, and hands out what it keeps: no copies, which the contract allows."""

    type = "keeper"

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        return {"before": like.new_zeros(batch, channels, 50), "sum": like.new_zeros(batch, channels, 50)}

    def process(self, audio: Any, controls: Any, state: State, block: Block) -> Any:
        if block.length != 50:  # a whole clip
            x = audio["in"].unflatten(-1, (-1, 50))
            before = torch.nn.functional.pad(x, (0, 0, 1, 0))[..., :-1, :]
            return {"out": (x + before).cumsum(-2).flatten(-2)}, state
        total = state["sum"] + audio["in"] + state["before"]
        return {"out": total}, {"before": audio["in"], "sum": total}


def test_effects_may_keep_what_they_are_given_and_give() -> None:
    chain = [{"effect": "keeper", "id": "k"}]
    document = {**BASE, "mixer": [{"strip": "s", "input": "a", "chain": chain, "to": "mix"}, {"bus": "mix"}]}
    mixer = Mixer(load(document, registry=registry_with(Keeper)))
    audio, buffer = torch.randn(1, 2, 400), torch.zeros(1, 2, 50)
    stream, made = mixer.stream(), []
    for start in range(0, 400, 50):
        buffer.copy_(audio[..., start : start + 50])
        block = stream({"a": buffer}, mixer.layout.default)
        made.append(block.clone())
        block.fill_(9.0)
    torch.testing.assert_close(torch.cat(made, -1), mixer({"a": audio}, mixer.layout.default[None]))


class Table(TimeEffect):
    """Autograd keeps its state, which goes on as it is; where that is its own, it is written to.

    It begins with a table that all its streams begin with.
    """

    type = "table"
    FIRST: ClassVar[Tensor] = torch.ones(1, 2, 1)

    class Controls(ControlModel):
        depth: Annotated[float, Control(0, 1, neutral=0)] = 0.0

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        return {"table": self.FIRST}

    def process(self, audio: Any, controls: Any, state: State, block: Block) -> Any:
        out = audio["in"] * (1 - controls["depth"] * state["table"])
        if block.owned:
            state["table"].mul_(0.5)
        return {"out": out}, state


def test_a_state_that_autograd_keeps_is_nobodys_own() -> None:
    chain = [{"effect": "table", "id": "t"}]
    document = {**BASE, "mixer": [{"strip": "s", "input": "a", "chain": chain, "to": "mix"}, {"bus": "mix"}]}
    mixer = Mixer(load(document, registry=registry_with(Table)))
    stream, params = mixer.stream(), torch.full((1,), 0.5, requires_grad=True)
    audio = {"a": torch.randn(1, 2, 50)}
    loss = stream(audio, params).square().sum()
    (expected,) = torch.autograd.grad(loss, params, retain_graph=True)
    with torch.no_grad():
        stream(audio)
        stream(audio)
    (gradient,) = torch.autograd.grad(loss, params)
    assert float(gradient) == float(expected) != 0


def test_without_gradients_it_is_the_effects_own() -> None:
    chain = [{"effect": "table", "id": "t"}]
    document = {**BASE, "mixer": [{"strip": "s", "input": "a", "chain": chain, "to": "mix"}, {"bus": "mix"}]}
    mixer = Mixer(load(document, registry=registry_with(Table)))
    stream, audio = mixer.stream(), {"a": torch.ones(1, 2, 50)}
    with torch.no_grad():
        levels = [float(stream(audio, torch.ones(1))[0, 0, -1]) for _ in range(3)]
    assert levels == [0.0, 0.5, 0.75]
    assert bool((Table.FIRST == 1).all())
