"""Chains of kernels against the kernels one after the other, and against loops over samples in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from djgraph.dsp import scale_link, sweep, sweep_link, three_bands, three_bands_link
from djgraph.dsp.chain import Chain, ChainCurve
from djgraph.dsp.curve import Timeline
from djgraph.dsp.placed import PlacedTimeline

RATE = 44100
SMOOTHING = 220.5
LAW = {"lowest": 20.0, "highest": 20000.0, "sample_rate": RATE}
CROSSOVERS = (250.0, 2500.0)


def rows_of(control: int, nodes: int) -> tuple[int, ...]:
    return tuple(range(control * nodes, (control + 1) * nodes))


def strip(nodes: int, order: int = 4) -> Chain:
    """A fader, an equaliser and two filters, each node with rows of its own; the last control has sharp corners."""
    curves = [ChainCurve(rows_of(control, nodes), SMOOTHING) for control in range(5)]
    return Chain(
        [
            (scale_link(), curves[:1]),
            (three_bands_link(crossovers=CROSSOVERS, sample_rate=RATE), curves[1:4]),
            (sweep_link(keeps="low", order=order, **LAW), curves[4:]),
            (sweep_link(keeps="high", **LAW), [ChainCurve(rows_of(5, nodes))]),
        ]
    )


def in_turn(audio, rows, timeline, span, states, order=4):
    """The same by one kernel after the other; controls are read in double precision."""
    nodes = audio.shape[0]

    def curve(control: int) -> torch.Tensor:
        some = rows[list(rows_of(control, nodes))].double()
        read = timeline.read_samples(some, *span, SMOOTHING if control < 5 else 0.0)
        return read.flatten(0, 1).unsqueeze(1)

    signal = audio.flatten(0, 1).double() * curve(0)
    states = [None if state is None else state.double() for state in states]
    signal, first = three_bands(
        signal, *(curve(k) for k in (1, 2, 3)), states[1], crossovers=CROSSOVERS, sample_rate=RATE
    )
    signal, second = sweep(signal, curve(4), states[2], keeps="low", order=order, **LAW)
    signal, third = sweep(signal, curve(5), states[3], keeps="high", **LAW)
    return signal.view(audio.shape), (first, second, third)


def made(nodes: int, batch: int, channels: int, frames: int, samples: int, seed: int = 0):
    random = torch.Generator().manual_seed(seed)
    rows = torch.rand(6 * nodes, batch, frames, generator=random)
    return 0.3 * torch.randn(nodes, batch, channels, samples, generator=random), rows


def spread(kind: str, samples: int, frames: int) -> Timeline:
    if kind == "even":
        return Timeline(samples, frames)
    random = torch.Generator().manual_seed(frames)
    return PlacedTimeline.at(
        None if kind == "endless" else samples,
        torch.randperm(samples, generator=random)[:frames].sort().values,
    )


@pytest.mark.parametrize("kind", ["even", "placed", "endless"])
@pytest.mark.parametrize(
    ("nodes", "batch", "channels", "frames", "span"),
    [
        (2, 1, 2, 7, (0, 3000)),
        (8, 1, 2, 9, (1, 3000)),
        (3, 3, 2, 400, (1000, 1500)),
        (3, 1, 1, 1, (0, 3000)),
        (1, 1, 1, 2500, (100, 2000)),
        (5, 2, 2, 5, (2999, 3000)),
        (4, 1, 4, 3, (64, 193)),
    ],
)
def test_it_is_the_kernels_one_after_the_other(kind, nodes, batch, channels, frames, span):
    audio, rows = made(nodes, batch, channels, frames, span[1] - span[0])
    timeline = spread(kind, 3000, frames)
    random = torch.Generator().manual_seed(2)
    sizes = [(nodes * batch, channels, count) for count in (10, 4, 4)]
    states = [None, *(0.1 * torch.randn(size, generator=random) for size in sizes)]
    # Where every sample has a corner, a box adds up some two hundred of them in single precision.
    close = 5e-5 if frames > 1000 else 3e-6
    out, after = strip(nodes)(list(audio), rows, timeline, span[0], states)
    want, last = in_turn(audio, rows, timeline, span, states)
    torch.testing.assert_close(out.double(), want, rtol=0, atol=close)
    for got, exact in zip(after[1:], last):
        torch.testing.assert_close(got.double(), exact, rtol=0, atol=close)
    # A stack of all signals is the same, and so is one that does not lie in one piece.
    whole, _ = strip(nodes)([audio], rows, timeline, span[0], states)
    scattered, _ = strip(nodes)([audio.mT.contiguous().mT], rows, timeline, span[0], states)
    assert torch.equal(whole, out)
    assert torch.equal(scattered, out)


def test_order_two():
    audio, rows = made(2, 1, 2, 5, 1000)
    timeline = Timeline(1000, 5)
    out, _ = strip(2, order=2)(list(audio), rows, timeline, 0, [None] * 4)
    want, _ = in_turn(audio, rows, timeline, (0, 1000), [None] * 4, order=2)
    torch.testing.assert_close(out.double(), want, rtol=0, atol=3e-6)


@pytest.mark.parametrize("cuts", [[1000], [1, 2, 63, 64, 65, 128, 999], list(range(17, 2000, 17))])
def test_blocks_are_the_whole(cuts):
    audio, rows = made(3, 2, 2, 8, 2000)
    timeline = PlacedTimeline.at(2000, [0, 200, 300, 310, 900, 1500, 1600, 1999])
    chain = strip(3)
    want, last = chain([audio], rows, timeline, 0, [None] * 4)
    states: list = [None] * 4
    pieces = []
    for start, stop in zip([0, *cuts], [*cuts, 2000]):
        piece, states = chain([audio[..., start:stop]], rows, timeline, start, states)
        pieces.append(piece)
    torch.testing.assert_close(torch.cat(pieces, -1), want, rtol=0, atol=2e-6)
    for state, exact in zip(states, last):
        torch.testing.assert_close(state, exact, rtol=0, atol=2e-6)


def test_a_fader_against_a_loop_over_samples():
    """Straight lines between frames, each corner replaced by its mean over the box, which narrows at the ends."""
    samples, half = 300, 10.0
    places, values = [0, 40, 100, 110, 299], np.array([0.2, 1.0, 0.1, 0.9, 0.5])
    rows = torch.tensor(values, dtype=torch.float32).view(1, 1, -1)
    out, _ = Chain([(scale_link(), [ChainCurve((0,), 2 * half)])])(
        [torch.ones(1, 1, samples)], rows, PlacedTimeline.at(samples, places), 0, [None]
    )
    fine = 200
    for sample in range(samples):
        width = min(half, sample, samples - 1 - sample)
        # The mean over the box by many points.
        at = sample + width * ((np.arange(fine) + 0.5) / fine * 2 - 1)
        assert abs(float(out[0, 0, 0, sample]) - np.interp(at, places, values).mean()) < 2e-4


def test_one_row_may_be_read_by_all():
    audio, rows = made(4, 1, 2, 6, 500)
    curve = ChainCurve((5, 5, 5, 5))
    out, _ = Chain([(scale_link(), [curve]), (scale_link(), [curve])])(
        [audio], rows, Timeline(500, 6), 0, [None] * 2
    )
    read = Timeline(500, 6).read_samples(rows[5], 0, 500)
    torch.testing.assert_close(out, audio * read**2)


def test_what_it_does_not_take():
    audio, rows = made(2, 1, 2, 4, 100)
    chain = strip(2)
    assert chain.takes(rows, [audio])
    assert not chain.takes(rows.double(), [audio.double()])
    assert not chain.takes(rows, [audio.double()])
    assert not chain.takes(rows.to("meta"), [audio.to("meta")])
    assert not chain.takes(rows, [audio[..., :0]])
    assert not chain.takes(rows.clone().requires_grad_(), [audio])
    assert not chain.takes(rows, [audio.clone().requires_grad_()])
    with torch.no_grad():
        assert chain.takes(rows.clone().requires_grad_(), [audio])


def test_a_kernel_by_itself():
    audio, rows = made(1, 3, 2, 200, 200)
    knob = rows[0].unsqueeze(1)
    link = sweep_link(keeps="high", **LAW)
    out, state = link(audio[0], [knob])
    want, last = sweep(audio[0], knob, keeps="high", **LAW)
    torch.testing.assert_close(out, want, rtol=0, atol=1e-6)
    torch.testing.assert_close(state, last, rtol=0, atol=1e-6)
    assert link(audio[0].double(), [knob.double()]) is None
