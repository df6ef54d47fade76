"""Beats of streams are those of the whole clip, with scores of tempo and live."""

from __future__ import annotations

import itertools
from typing import Annotated, Any

import pytest
import torch
from runtime.documents import registry_with
from runtime.mixes import make_params
from torch import Tensor

from djgraph.effects import Block, Control, ControlModel, State, TimeEffect
from djgraph.errors import InputError
from djgraph.graph import load
from djgraph.mixer import Mixer

from .playing import BASE, play, score_of


class Wobble(TimeEffect):
    """Follows the clock, with a latency and a state in beats."""

    type = "wobble"
    uses_clock = True

    class Controls(ControlModel):
        depth: Annotated[float, Control(0, 1, neutral=0, smoothing=3.0)] = 0.0

    def latency(self) -> int:
        return 7

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        return {"past": like.new_zeros(batch, channels, 7), "wave": like.new_zeros(batch, 1, 7)}

    def process(self, audio: Any, controls: Any, state: State, block: Block) -> Any:
        assert block.clock is not None
        wave = (torch.sin(2 * torch.pi * block.clock.beats) * block.clock.tempo / 120).to(audio["in"].dtype)
        x, wave = torch.cat([state["past"], audio["in"]], -1), torch.cat([state["wave"], wave], -1)
        length = audio["in"].shape[-1]
        out = x[..., :length] * (1 - 0.5 * wave[..., 7:])
        return {"out": out}, {"past": x[..., length:], "wave": wave[..., length:]}


CLOCKED = registry_with(Wobble)


def clocked(dtype: torch.dtype = torch.float64) -> Mixer:
    chain = [{"effect": "wobble", "id": "w"}, "lowpass", {"effect": "wobble", "id": "v"}]
    document = {**BASE, "mixer": [{"strip": "s", "input": "a", "chain": chain, "to": "mix"}, {"bus": "mix"}]}
    return Mixer(load(document, registry=CLOCKED)).to(dtype)


@pytest.mark.parametrize("blocks", [[33, 500, 7], [2000], pytest.param([1], marks=pytest.mark.slow)], ids=str)
def test_clocks_of_scores(blocks: list[int]) -> None:
    mixer = clocked()
    inputs = {"a": torch.randn(2, 2, 1200, dtype=torch.float64)}
    params, positions = score_of(mixer, 2, 5, 1200, torch.float64, 0)
    tempo = 60 + 100 * torch.rand(2, 5, dtype=torch.float64)
    expected = mixer(inputs, params, positions=positions, tempo=tempo)
    stream = mixer.stream(batch=2, score=(params, positions), tempo=(tempo, positions), dtype=torch.float64)
    (made,) = play(stream, inputs, itertools.cycle(blocks))
    torch.testing.assert_close(made, expected, atol=1e-10, rtol=0)
    stream = mixer.stream(batch=2, score=(params, positions), tempo=97.5, dtype=torch.float64)
    (made,) = play(stream, inputs, itertools.cycle(blocks))
    torch.testing.assert_close(
        made, mixer(inputs, params, positions=positions, tempo=97.5), atol=1e-10, rtol=0
    )


def test_live_clocks() -> None:
    mixer = clocked()
    audio = torch.randn(1, 2, 900, dtype=torch.float64)
    frames = make_params(mixer, 1, 3, torch.float64, 0)
    tempos, ends = [100.0, None, 140.0], torch.tensor([299, 599, 899])
    stream = mixer.stream(dtype=torch.float64)
    with pytest.raises(InputError, match="follow a clock"):
        stream({"a": audio[..., :300]}, frames[0, 0])
    made = [
        stream({"a": audio[..., 300 * n : 300 * n + 300]}, frames[0, n], tempo=tempos[n]) for n in range(2)
    ]
    again = mixer.stream(dtype=torch.float64, state=stream.state())
    made.append(stream({"a": audio[..., 600:]}, frames[0, 2], tempo=tempos[2]))
    assert torch.equal(made[-1], again({"a": audio[..., 600:]}, frames[0, 2], tempo=tempos[2]))
    made.append(stream.finish())
    expected = mixer(
        {"a": audio}, frames, positions=ends, tempo=torch.tensor([[100.0, 100.0, 140.0]], dtype=torch.float64)
    )
    torch.testing.assert_close(torch.cat(made, -1)[..., stream.latency :], expected, atol=1e-10, rtol=0)
    with pytest.raises(InputError, match="leave tempo out"):
        mixer.stream(tempo=120, dtype=torch.float64)({"a": audio}, frames[0, 0], tempo=130)
