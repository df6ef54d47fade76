"""Memory of a stream, with gradients and without, and both in turn."""

from __future__ import annotations

import torch
from effort import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st
from runtime.mixes import make_inputs

from djgraph.streams.buffers import History

from .playing import cut, reverberant, score_of

MODES = {"grad": torch.enable_grad, "no_grad": torch.no_grad, "inference": torch.inference_mode}


@settings(max_examples=examples(20), deadline=None)
@given(
    blocks=st.lists(st.tuples(st.sampled_from(sorted(MODES)), st.integers(1, 900)), min_size=2, max_size=12)
)
@example(blocks=[("grad", 1), ("inference", 602)])
@example(blocks=[("inference", 300), ("no_grad", 300), ("grad", 300)])
def test_modes_may_change_from_block_to_block(blocks: list[tuple[str, int]]) -> None:
    """Without gradients memory is written to again; what autograd holds, and what was handed out, stays as it is."""
    mixer = reverberant().double()
    total = sum(length for _, length in blocks)
    inputs = make_inputs(mixer.graph, 1, total, torch.float64, 0)
    params, positions = score_of(mixer, 1, 4, total, torch.float64, 0)
    params.requires_grad_()
    stream = mixer.stream(score=(params, positions), dtype=torch.float64)
    start, made, losses = 0, [], []
    for mode, length in blocks:
        with MODES[mode]():
            out = stream(cut(inputs, start, start + length))
        made.append(out)
        if mode == "grad":
            losses.append(out.square().sum())
        start += length
    made.append(stream.finish())
    whole = mixer(inputs, params, positions=positions)
    out = torch.cat([part.detach() for part in made], -1)[..., stream.latency :]
    torch.testing.assert_close(out, whole.detach(), atol=1e-9, rtol=0)
    for loss in losses:
        if loss.requires_grad:
            loss.backward(retain_graph=True)


def test_a_long_block_gets_no_more_room_than_it_needs() -> None:
    history, block = History(torch.zeros(1, 100)), torch.rand(1, 100_000)
    with torch.no_grad():
        for _ in range(3):
            history.append(block)
            taken = history.take(history.stop - 100)
    assert taken.untyped_storage().nbytes() == 4 * (100 + 100_000)
    assert torch.equal(history.audio, block[:, -100:])


def test_short_blocks_are_copied_once() -> None:
    history, places = History(torch.zeros(1, 100)), set()
    with torch.no_grad():
        for number in range(64):
            history.append(torch.full((1, 64), float(number)))
            taken = history.take(history.stop - 100)
            places.add(taken.untyped_storage().data_ptr())
    assert len(places) == 1  # all 4096 samples fit in one buffer
    assert history.audio[0, 36:].tolist() == [63.0] * 64
