"""The kit catches what is right at first and wrong an hour later."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
import torch

from djgraph.effects import Block, Control, ControlModel, TimeEffect
from djgraph.effects.checks import CheckFailed
from djgraph.effects.checks.bench import Bench
from djgraph.effects.checks.late import check_drift, check_late_in_time


class Rate(ControlModel):
    rate: Annotated[float, Control(0.1, 20, scale="log")] = 4.0


class Drifting(TimeEffect):
    """A phase that is added up in float32."""

    type = "drifting"
    Controls = Rate

    def initial_state(self, batch: int, channels: int, like: torch.Tensor) -> Any:
        return {"phase": like.new_zeros(batch, 1, 1)}

    def process(self, audio: Any, controls: Any, state: Any, block: Block) -> Any:
        step = controls["rate"] / block.sample_rate
        travelled = step.cumsum(-1)
        phase = state["phase"] + travelled - step
        end = torch.remainder(state["phase"] + travelled[..., -1:], 1.0)
        return {"out": audio["in"] * torch.cos(2 * torch.pi * phase)}, {"phase": end}


class Steady(Drifting):
    """The same in float64, wrapped before it becomes smaller."""

    type = "steady"

    def initial_state(self, batch: int, channels: int, like: torch.Tensor) -> Any:
        return {"phase": like.new_zeros(batch, 1, 1, dtype=torch.float64)}

    def process(self, audio: Any, controls: Any, state: Any, block: Block) -> Any:
        step = controls["rate"].double() / block.sample_rate
        travelled = step.cumsum(-1)
        phase = torch.remainder(state["phase"] + travelled - step, 1.0).to(audio["in"].dtype)
        end = torch.remainder(state["phase"] + travelled[..., -1:], 1.0)
        return {"out": audio["in"] * torch.cos(2 * torch.pi * phase)}, {"phase": end}


class Position(TimeEffect):
    """A position in samples that becomes float32 before it is wrapped."""

    type = "position"
    memoryless = True

    def process(self, audio: Any, controls: Any, state: Any, block: Block) -> Any:
        sound = audio["in"]
        place = block.start + torch.arange(block.length, dtype=sound.dtype, device=sound.device)
        return {"out": sound * torch.cos(2 * torch.pi * 3 * place / block.sample_rate)}, state


class Beats(TimeEffect):
    """Beats that become float32 before they are wrapped."""

    type = "beats"
    memoryless = True
    uses_clock = True

    def process(self, audio: Any, controls: Any, state: Any, block: Block) -> Any:
        assert block.clock is not None
        since = torch.remainder(block.clock.beats.to(audio["in"].dtype), 1.0)
        return {"out": audio["in"] * torch.cos(2 * torch.pi * since)}, state


class Wrapped(Beats):
    type = "wrapped"

    def process(self, audio: Any, controls: Any, state: Any, block: Block) -> Any:
        assert block.clock is not None
        since = torch.remainder(block.clock.beats, 1.0).to(audio["in"].dtype)
        return {"out": audio["in"] * torch.cos(2 * torch.pi * since)}, state


def test_drift() -> None:
    with pytest.raises(CheckFailed, match="keep phases and other sums in float64"):
        check_drift(Bench(Drifting))
    check_drift(Bench(Steady))


@pytest.mark.parametrize("effect", [Position, Beats])
def test_an_hour_in(effect: type[TimeEffect]) -> None:
    with pytest.raises(CheckFailed, match="an hour in"):
        check_late_in_time(Bench(effect))


def test_what_wraps_first_is_as_exact_an_hour_in() -> None:
    for effect in (Wrapped, Steady):
        check_late_in_time(Bench(effect))
