"""Mixers recorded as CUDA graphs. Without a GPU the recording itself is stood in for, which tests all but that."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from runtime.mixes import make_inputs, make_params
from torch import Tensor

import djgraph
from djgraph import replay
from djgraph.errors import CompileError, InputError
from djgraph.replay import Replayed


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What PyTorch was given to record; the CPU is taken for a GPU."""
    calls: list[Any] = []

    def record(step: Any, samples: Any, **options: Any) -> Any:
        calls.append((samples, options))
        step(*samples)
        return step

    monkeypatch.setattr(torch.cuda, "make_graphed_callables", record)
    monkeypatch.setattr(replay, "DEVICE", "cpu")
    return calls


def made(name: str = "dj_mixer", **options: Any) -> tuple[djgraph.Mixer, Any, Tensor]:
    mixer = djgraph.compile(name, **options)
    return (
        mixer,
        make_inputs(mixer.graph, 1, 2000, torch.float32, 0),
        make_params(mixer, 1, 3, torch.float32, 1).requires_grad_(),
    )


@pytest.mark.parametrize("name", ["dj_mixer", "club_console"])
def test_it_is_the_mixer(recorded: list[Any], name: str) -> None:
    mixer, inputs, params = made(name)
    replayed = Replayed(mixer, inputs, params, warmups=0)
    torch.testing.assert_close(replayed(inputs, params), mixer(inputs, params))
    ((samples, options),) = recorded
    assert samples[0].requires_grad
    assert not any(one.requires_grad for one in samples[1:])
    assert all(one.data_ptr() != params.data_ptr() for one in samples)
    assert options == {"num_warmup_iters": 1, "allow_unused_input": True}
    assert set(replayed.state_dict()) == {f"mixer.{name}" for name in mixer.state_dict()}


def test_calls_that_do_not_fit(recorded: list[Any]) -> None:
    mixer, inputs, params = made("filter_knob")
    replayed = Replayed(mixer, inputs, params)
    with pytest.raises(
        InputError, match=r"params was recorded as \[1, 3, 4\] .* with a gradient, but is \[1, 4, 4\]"
    ):
        replayed(inputs, params.new_zeros(1, 4, 4))
    with pytest.raises(InputError, match="recorded with track_a, track_b, but called with track_a"):
        replayed({"track_a": inputs["track_a"]}, params)


def test_other_derivatives_are_refused(recorded: list[Any]) -> None:
    mixer, inputs, params = made("filter_knob")
    replayed = Replayed(mixer, inputs, params)
    with pytest.raises(CompileError, match="first derivatives alone"):
        torch.func.grad(lambda one: replayed(inputs, one).sum())(params.detach())


def test_where_it_cannot_be() -> None:
    mixer, inputs, params = made("filter_knob")
    with pytest.raises(CompileError, match="need a CUDA device, but params is on cpu"):
        Replayed(mixer, inputs, params)
    mixer, inputs, params = made("filter_knob", out_of_range="error")
    with pytest.raises(CompileError, match="looks at values"):
        Replayed(mixer, inputs, params)
