"""Time effects in streams: what they keep is theirs, what they are handed is the caller's."""

from __future__ import annotations

from typing import Any

import torch
from runtime.documents import registry_with
from torch import Tensor

from djgraph.effects import Block, State, TimeEffect
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
