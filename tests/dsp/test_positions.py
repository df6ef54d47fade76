"""Positions against exact fractions, and maps of markers against NumPy's interpolation."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from dsp_recursions import between, without_compiled_code
from effort import examples, gradcheck, gradgradcheck
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.dsp import Frames, positions, warp_positions
from djgraph.dsp.positions import FASTEST, STRETCH
from djgraph.errors import DJGraphError

HOUR = 3600 * 44100


def both_ways(run):
    """By compiled code, and by PyTorch's operations: the same to the bit."""
    made = run()
    with without_compiled_code():
        plain = run()
    for one, other in zip(made, plain):
        assert torch.equal(one, other)
    return made


@settings(max_examples=examples(30), deadline=None)
@given(samples=st.integers(0, 60), seed=st.integers(0, 1000))
def test_equals_a_sum_of_fractions(samples, seed):
    start, rate = between(-1e6, 1e6, 2, 1, seed=seed), between(-4, 4, 2, samples, seed=seed + 1)
    got, state = both_ways(lambda: positions(start, rate, samples))
    for row in range(2):
        exact = Fraction(float(start[row, 0]))
        for n in range(samples):
            assert abs(Fraction(float(got[row, n])) - exact) < Fraction(1, 10**9)
            exact += Fraction(float(rate[row, n]))
        assert abs(sum(Fraction(float(one)) for one in state[row]) - exact) < Fraction(1, 10**11)


def test_an_hour_does_not_drift():
    """A rate that no float holds well: off by less than 10⁻⁵ of a sample after an hour of blocks."""
    rate, block = 1.0 + 1 / 3, 1 << 20
    state, done = None, 0
    while done < HOUR:
        got, state = positions(441.5, rate, block, state)
        done += block
    exact = Fraction(441.5) + Fraction(rate) * (done - 1)
    assert abs(Fraction(float(got[-1])) - exact) < Fraction(1, 10**5)
    plain = 441.5 + torch.full((2 << 20,), rate, dtype=torch.float64).cumsum(0)
    assert abs(float(plain[-1]) - float(Fraction(441.5) + Fraction(rate) * (2 << 20))) > 1e-6


@settings(max_examples=examples(15), deadline=None)
@given(cuts=st.lists(st.integers(0, STRETCH + 500), min_size=1, max_size=5), seed=st.integers(0, 100))
def test_blocks_equal_the_whole_bit_for_bit(cuts, seed):
    rate = between(-4, 4, 2, sum(cuts), seed=seed)
    whole, last = both_ways(lambda: positions(1e8 + 0.3, rate, sum(cuts)))
    parts, at, state = [], 0, None
    for cut in cuts:
        part, state = positions(1e8 + 0.3, rate[:, at : at + cut], cut, state)
        parts.append(part)
        at += cut
    assert torch.equal(torch.cat(parts, -1), whole)
    assert torch.equal(state.expand(2, 2), last)


def test_numbers_tensors_and_frames():
    want, _ = positions(5.0, torch.full((40,), 1.25, dtype=torch.float64), 40)
    assert torch.equal(want, 5 + 1.25 * torch.arange(40, dtype=torch.float64))
    rate = torch.tensor([1.25])
    for given_rate in (1.25, rate, rate.expand(40), Frames(torch.tensor([1.25, 1.25]), 20)):
        got, _ = both_ways(lambda given_rate=given_rate: positions(torch.tensor([5.0]), given_rate, 40))
        assert torch.equal(got, want)
    ramp, _ = positions(0.0, Frames(torch.tensor([0.0, 1.0]), 10), 30)
    line = np.interp(np.arange(30), [0, 10], [0, 1])
    np.testing.assert_allclose(ramp.numpy(), np.cumsum(line) - line, atol=1e-12)


@pytest.mark.parametrize(
    ("rate", "held"),
    [
        (float("nan"), 0.0),
        (float("inf"), FASTEST),
        (-float("inf"), -FASTEST),
        (1e30, FASTEST),
    ],
)
def test_rates_that_are_none_are_held_and_have_no_gradient(rate, held):
    given_rate = torch.tensor([rate], dtype=torch.float64, requires_grad=True)
    got, _ = both_ways(lambda: positions(0.0, given_rate, 5))
    assert torch.equal(got, held * torch.arange(5, dtype=torch.float64))
    got.sum().backward()
    assert float(given_rate.grad) == 0


def test_gradients():
    start = between(0.2, 0.3, 2, 1).requires_grad_()
    for rate in (between(0.5, 2, 2, 9), between(0.5, 2, 1, 9), between(0.5, 2, 2, 1)):
        rate = rate.requires_grad_()
        assert gradcheck(lambda start, rate: positions(start, rate, 9), (start, rate))
        assert gradgradcheck(lambda start, rate: positions(start, rate, 9)[0] ** 2, (start, rate))


def test_gradients_through_blocks():
    """Those of the whole: each rate moves all that comes behind it, in later blocks, too."""
    rate, start = between(0.5, 2, 2, 50).requires_grad_(), between(0, 1, 2, 1).requires_grad_()
    weights = between(-1, 1, 2, 50, seed=3)
    whole, _ = positions(start, rate, 50)
    first, state = positions(start, rate[:, :20], 20)
    second, _ = positions(start, rate[:, 20:], 30, state)
    wanted = torch.autograd.grad((whole * weights).sum(), (start, rate))
    found = torch.autograd.grad((torch.cat((first, second), -1) * weights).sum(), (start, rate))
    for got, want in zip(found, wanted):
        torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12)


def test_compiled_programs_and_vmap():
    start, rate = between(0, 5, 2, 1), between(0.5, 2, 2, 20)
    want, last = positions(start, rate, 20)
    program = torch.compile(positions, backend="aot_eager", fullgraph=True)
    for got, wanted in zip(program(start, rate, 20), (want, last)):
        assert torch.equal(got, wanted)
    mapped, _ = torch.func.vmap(lambda s, r: positions(s, r, 20))(start, rate)
    assert torch.equal(mapped, want)


def test_what_does_not_fit_is_refused():
    for arguments in (
        (0.0, torch.ones(3), 4),
        (torch.ones(3), 1.0, 4),
        (0.0, 1.0, -1),
        (torch.ones(3, 1), torch.ones(2, 4), 4),
        (0.0, 1.0, 4, torch.ones(3, dtype=torch.float64)),
        (0.0, 1.0, 4, torch.ones(2)),
    ):
        with pytest.raises(DJGraphError, match="positions"):
            positions(*arguments)


def markers(seed=0, count=6):
    clip = between(5, 30, 2, count, seed=seed).cumsum(-1)
    return clip, between(1e6, 1e6 + 200, 2, count, seed=seed + 1)


def test_markers_are_joined_by_straight_lines():
    clip, track = markers()
    got, rate = warp_positions(clip, track, 200)
    for row in range(2):
        c, t = clip[row].numpy(), track[row].numpy()
        n = np.arange(200)
        want = np.interp(n, c, t)
        for side, (a, b) in ((n < c[0], (0, 1)), (n > c[-1], (-2, -1))):
            want[side] = (t[a] + (n - c[a]) * (t[b] - t[a]) / (c[b] - c[a]))[side]
        np.testing.assert_allclose(got[row].numpy(), want, rtol=0, atol=1e-6)
        # A rate at n is the slope of the line that n lies on.
        within = np.searchsorted(c, n[:-1], "right") == np.searchsorted(c, n[1:], "right")
        np.testing.assert_allclose(rate[row].numpy()[:-1][within], np.diff(want)[within], atol=1e-6)


def test_segments_jump_and_loop():
    """Four beats of a track once, its second beat three times over, then backwards at half the rate."""
    clip = torch.tensor([0.0, 40, 50, 60, 70])
    track = torch.tensor([100.0, 110, 110, 110, 140])
    rate = torch.tensor([1.0, 1, 1, 1, -0.5])
    got, speed = warp_positions(clip, track, 80, rate=rate)
    want = np.concatenate((100 + np.arange(40), *[110 + np.arange(10)] * 3, 140 - 0.5 * np.arange(10)))
    assert np.array_equal(got.numpy(), want)
    assert np.array_equal(speed.numpy(), np.repeat([1, 1, 1, 1, -0.5], [40, 10, 10, 10, 10]))


def test_a_map_in_blocks_is_the_whole_bit_for_bit():
    clip, track = markers(4)
    for rate in (None, between(-2, 2, 2, 6)):
        whole = warp_positions(clip + HOUR, track, 150, first=HOUR, rate=rate)
        parts = [
            warp_positions(clip + HOUR, track, stop - at, first=HOUR + at, rate=rate)
            for at, stop in ((0, 1), (1, 60), (60, 60), (60, 150))
        ]
        for one, blocks in zip(whole, zip(*parts)):
            assert torch.equal(torch.cat(blocks, -1), one)


def test_gradients_of_a_map():
    clip, track = markers(2)  # nearer to 0, where finite differences have digits
    clip, track = clip[:, :4].clone().requires_grad_(), (track[:, :4] - 1e6).requires_grad_()
    rate = between(0.5, 2, 2, 4).requires_grad_()
    assert gradcheck(lambda clip, track: warp_positions(clip, track, 60), (clip, track))
    assert gradcheck(
        lambda clip, track, rate: warp_positions(clip, track, 60, rate=rate), (clip, track, rate)
    )


def test_maps_that_are_none_are_refused():
    two = torch.tensor([0.0, 10.0])
    for clip, track, more in (
        (two[:1], two[:1], {}),
        (two[:0], two[:0], {"rate": two[:0]}),
        (two, two[:1], {}),
        (two, two, {"rate": two[:1]}),
        (two.flip(0), two, {}),
        (two[[0, 0]], two, {}),
        (two.flip(0), two, {"rate": two}),
        (torch.tensor([0.0, float("nan")]), two, {}),
        (two.expand(3, 2), two.expand(2, 2), {}),
    ):
        with pytest.raises(DJGraphError, match="warp_positions"):
            warp_positions(clip, track, 20, **more)
    jumps, _ = warp_positions(two[[0, 0]], two, 3, rate=torch.ones(2))
    assert jumps.tolist() == [10, 11, 12]
