"""Plans of streams: delays that stand side by side are one operation."""

from __future__ import annotations

import torch
from runtime.mixes import make_inputs

import djgraph
from djgraph.compiler.plan import Delay
from djgraph.mixer import Mixer
from djgraph.streams.plan import Delays, StreamPlan

from .playing import cut


def test_delays_side_by_side_are_one(mixer: Mixer) -> None:
    live = djgraph.compile("dj_mixer", lowering="causal")
    for compiled in (live.compiled, mixer.compiled):
        plan = StreamPlan(compiled, taps=True)
        single = [op for op in plan.plan.ops if isinstance(op, Delay)]
        merged = [op for _, op, _ in plan.steps if isinstance(op, Delays)]
        assert [name for op in merged for name in op.sources] == [op.source for op in single]
        assert [name for op in merged for name in op.outs] == [op.out for op in single]
        for op in merged:
            assert len({plan.latencies[name] for name in op.sources}) == 1
            assert len({plan.latencies[name] for name in op.outs}) == 1
    (first,) = [op for _, op, _ in StreamPlan(live.compiled).steps if isinstance(op, Delays)]
    assert len(first.outs) == 8


def test_a_caller_may_fill_its_buffers_anew() -> None:
    live = djgraph.compile("dj_mixer", lowering="causal")
    inputs, params = make_inputs(live.graph, 1, 900, torch.float32, 0), live.layout.default
    buffers = cut(inputs, 0, 300)
    buffers = {name: {s: a.clone() for s, a in stems.items()} for name, stems in buffers.items()}
    one, other = live.stream(), live.stream()
    with torch.inference_mode():
        for start in (0, 300, 600):
            block = cut(inputs, start, start + 300)
            for name, stems in block.items():
                for stem, audio in stems.items():
                    buffers[name][stem].copy_(audio)
            assert torch.equal(one(block, params), other(buffers, params))
            for stems in buffers.values():
                for audio in stems.values():
                    audio.fill_(9.0)
