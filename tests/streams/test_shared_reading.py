"""Controls that several effects of a stream read together are those that each would read."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from runtime.mixes import make_inputs, make_params
from torch import Tensor

import djgraph
from djgraph.compiler.plan import Process
from djgraph.controls.reader import ControlReader, JointReader
from djgraph.mixer import Mixer
from djgraph.streams.controls import TOGETHER, ControlTrack, SharedReading

from .playing import cut


@pytest.fixture(scope="module")
def live() -> Mixer:
    return djgraph.compile("dj_mixer_live", lowering="causal")


@pytest.fixture
def readers(live: Mixer) -> list[ControlReader]:
    graph, bank = live.graph, live.compiled.bank
    ops = live.compiled.stages(False, stream=True)[-1].plan.ops
    processes = [op for op in ops if isinstance(op, Process)]
    return [ControlReader(op.nodes, bank, graph.sample_rate, graph.transform.hop) for op in processes]


@pytest.fixture
def track(live: Mixer) -> ControlTrack:
    made = ControlTrack(live.compiled.bank.rows)
    made.append(make_params(live, 2, 6, torch.float32, 0), torch.tensor([0, 90, 200, 290, 420, 555]))
    return made


def assert_same(given: dict[str, Tensor], alone: dict[str, Tensor]) -> None:
    assert given.keys() == alone.keys()
    for control in alone:
        assert torch.equal(given[control], alone[control])


def test_together_as_alone(readers: list[ControlReader], track: ControlTrack) -> None:
    shared = SharedReading(readers)
    for end, span in ((None, (0, 128)), (None, (128, 300)), (700, (128, 300)), (700, (600, 700))):
        for number, reader in enumerate(readers):
            assert track.rows is not None
            alone = reader(track.rows, track.timeline(end), span)
            assert_same(shared.read(number, track, end, span), alone)


def test_gradients_reach_the_frames(readers: list[ControlReader], track: ControlTrack) -> None:
    assert track.rows is not None
    frames = track.rows.detach().requires_grad_()
    found = []
    for given in (
        JointReader(readers)(frames, track.timeline(None), (10, 500)),
        [reader(frames, track.timeline(None), (10, 500)) for reader in readers],
    ):
        total = sum(torch.sin(curve).sum() for one in given for curve in one.values())
        assert isinstance(total, Tensor)
        found.append(torch.autograd.grad(total, frames)[0])
    torch.testing.assert_close(*found)


def test_what_was_read_is_not_given_for_anything_else(
    live: Mixer, readers: list[ControlReader], track: ControlTrack
) -> None:
    shared, span = SharedReading(readers), (100, 200)

    def fresh(number: int) -> None:
        assert track.rows is not None
        alone = readers[number](track.rows, track.timeline(None), span)
        assert_same(shared.read(number, track, None, span), alone)

    fresh(0)
    track.append(make_params(live, 2, 1, torch.float32, 1), torch.tensor([900]))
    fresh(1)
    track.restore({**track.state(), "rows": torch.rand_like(track.rows)})  # type: ignore[arg-type]
    fresh(1)
    track.rows = track.rows.double()
    fresh(2)
    span = (100, 201)
    fresh(2)


def test_a_short_block_is_read_once_and_a_long_one_by_each(
    live: Mixer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    read = JointReader.__call__

    def counted(*arguments: Any) -> Any:
        asked.append(arguments[-1])
        return read(*arguments)

    monkeypatch.setattr(JointReader, "__call__", counted)
    inputs, stream = make_inputs(live.graph, 1, 2 * TOGETHER, torch.float32, 0), live.stream()
    with torch.inference_mode():
        stream(cut(inputs, 0, 512), live.layout.default)
        groups = len(asked)
        stream(cut(inputs, 512, 1024), live.layout.default)
        assert len(asked) == 2 * groups
        assert groups < sum(isinstance(op, Process) for op in stream._plan.plan.ops)
        stream(cut(inputs, 1024, 1025 + TOGETHER), live.layout.default)
        assert len(asked) == 2 * groups
