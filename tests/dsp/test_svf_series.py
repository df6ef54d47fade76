"""State-variable filters in series against a loop over samples, one filter after another, and finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from counted_recursions import flops_of_part
from dsp_recursions import (
    between,
    check_blocks_equal_the_whole,
    check_both_ways_agree,
    check_equals_a_loop,
    check_gradients,
    check_silence_and_small_numbers,
    framed,
    noise,
    without_compiled_code,
)
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph import simd
from djgraph.dsp import Section, svf, svf_response, svf_series
from djgraph.dsp.svf_series import FLOPS, MIX_FLOPS, TURNS, _operator
from djgraph.errors import DJGraphError
from djgraph.inspection.meter import Meter

RATE = 8000.0


def turns_of(section):
    """What its gain does: all there is, in turn."""
    return TURNS[(section + 1) % len(TURNS)]


def kernel(audio, *rest):
    """``(audio, seven controls of each section…, mix where there is one, state)`` as one kernel."""
    *controls, state = rest
    count = state.shape[-1] // 2
    sections = []
    for k in range(count):
        cutoff, ratio, q, low, band, high, gain = controls[7 * k : 7 * k + 7]
        sections.append(Section(cutoff, q, low, band, high, ratio, gain, turns_of(k)))
    mix = controls[7 * count] if len(controls) > 7 * count else None
    made, last = svf_series(audio, sections, state.unflatten(-1, (-1, 2)), mix=mix, sample_rate=RATE)
    return made, last.flatten(-2)


def arguments(batch, channels, samples, sections=2, mixed=True, seed=0):
    """Sections that move, rest, and move in some of their controls, in turn."""
    made = [noise(batch, channels, samples, seed=seed)]
    for section in range(sections):
        seed += 10
        length = 1 if section % 3 == 1 else samples
        made += [
            between(20, 3800, batch, 1, length, seed=seed + 1),
            between(0.5, 2, 1, seed=seed + 2),
            between(0.3, 5, batch, channels, 1 if section % 3 else samples, seed=seed + 3),
            noise(batch, 1, 1, seed=seed + 4),
            noise(1, seed=seed + 5),
            noise(length, seed=seed + 6),
            between(-12, 12, batch, 1, samples if section % 2 else 1, seed=seed + 9),
        ]
    if mixed:
        made.append(between(0, 1, batch, 1, 1 if seed % 2 else samples, seed=seed + 7))
    return *made, noise(batch, channels, 2 * sections, seed=seed + 8)


def sample_loop(audio, *controls_and_state):
    """Zavalishin's integrators, sample after sample through all sections."""
    x = audio.numpy()
    *controls, state = (tensor.numpy() for tensor in controls_and_state)
    controls = [np.broadcast_to(control, x.shape) for control in controls]
    states, out = state.copy(), np.empty_like(x)
    for n in range(x.shape[-1]):
        y = x[..., n]
        for k in range(state.shape[-1] // 2):
            cutoff, ratio, q, low, band, high, gain = (c[..., n] for c in controls[7 * k : 7 * k + 7])
            a = 10 ** (gain / 40)
            if turns_of(k) == "bell":
                q, band = q * a, band * a**2
            elif turns_of(k) == "low_shelf":
                ratio, low, band = ratio * a**-0.5, low * a**2, band * a
            elif turns_of(k) == "high_shelf":
                ratio, band, high = ratio * a**0.5, band * a, high * a**2
            g = np.minimum(np.tan(np.pi * np.clip(cutoff / RATE, 0, 0.49)) * ratio, np.tan(np.pi * 0.49))
            s1, s2 = states[..., 2 * k], states[..., 2 * k + 1]
            hp = (y - (g + 1 / q) * s1 - s2) / (1 + g / q + g * g)
            bp = g * hp + s1
            lp = g * bp + s2
            states[..., 2 * k], states[..., 2 * k + 1] = g * hp + bp, g * bp + lp
            y = low * lp + band * bp / q + high * hp
        share = controls[-1][..., n] if len(controls) % 7 else 1.0
        out[..., n] = x[..., n] + share * (y - x[..., n])
    return out, states


@settings(max_examples=examples(60), deadline=None)
@given(
    batch=st.integers(1, 11),
    channels=st.integers(1, 3),
    samples=st.integers(1, 600),
    sections=st.integers(1, 5),
    mixed=st.booleans(),
    compiled=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_equals_a_loop_over_samples(batch, channels, samples, sections, mixed, compiled, seed):
    given_tensors = arguments(batch, channels, samples, sections, mixed, seed)
    # Random weights in series make loud signals out of noise.
    check_equals_a_loop(kernel, sample_loop, given_tensors, compiled, 1e-6)


def test_it_is_one_filter_after_another():
    audio = noise(3, 2, 700)
    one, two = (
        (between(100, 3000, 3, 1, 700, seed=k), 2.0, 0.5, between(0, 1, 700, seed=k + 1), -0.3)
        for k in (1, 2)
    )
    got, states = svf_series(audio, [Section(*one), Section(*two)], sample_rate=RATE)
    half, first = svf(audio, *one, sample_rate=RATE)
    want, second = svf(half, *two, sample_rate=RATE)
    torch.testing.assert_close(got, want)
    torch.testing.assert_close(states, torch.stack((first, second), -2))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("samples", [1, 255, 600])
def test_controls_at_rest_give_what_the_same_at_every_sample_gives(dtype, samples):
    """A shape that is computed once, in a section alone and between sections that move, is the same bit for bit."""
    audio = noise(5, 2, samples, dtype=dtype)
    moves = Section(between(50, 3000, 5, 1, samples).to(dtype), 0.7, 1.0, 0.5, 0.2, 1.3)
    ranges = [(20, 3900), (0.4, 9), (0, 2), (0, 2), (0, 2), (0.5, 2), (-6, 6)]
    numbers = [between(*span, 5, 1, 1, seed=k).to(dtype) for k, span in enumerate(ranges)]
    mix = between(0, 1, 5, 1, 1, seed=9).to(dtype)

    def run(full):
        rests = Section(*(one.repeat(1, 1, samples) if full else one for one in numbers), "low_shelf")
        given_mix = mix.repeat(1, 1, samples) if full else mix
        return svf_series(audio, [rests, moves, rests], mix=given_mix, sample_rate=RATE)

    for got, want in zip(run(False), run(True)):
        assert torch.equal(got, want)


@pytest.mark.parametrize("samples", [1, 6, 100])
@pytest.mark.parametrize("mixed", [False, True])
def test_gradients(samples, mixed):
    check_gradients(kernel, arguments(2, 2, samples, mixed=mixed), second=samples < 10 and mixed)


def test_gradients_of_frames():
    values = (
        noise(2, 2, 100),
        between(100, 3500, 2, 1, 4),
        between(0.5, 2, 2, 1, 4, seed=1),
        between(0.5, 4, 4, seed=2),
        noise(4, seed=3),
        noise(2, 2, 1, seed=4),
        noise(2, 1, 4, seed=5),
        between(-6, 6, 2, 1, 4, seed=8),
        between(0, 1, 2, 1, 4, seed=6),
        noise(2, 2, 2, seed=7),
    )
    check_gradients(framed(kernel, 30), values, second=False)
    check_both_ways_agree(framed(kernel, 30), values)


@pytest.mark.parametrize("samples", [1, 256, 257, 700])
@pytest.mark.parametrize(("sections", "mixed"), [(1, False), (3, True)])
def test_compiled_code_and_pytorch_agree(samples, sections, mixed):
    quiet = [tensor * 0.3 for tensor in arguments(5, 2, samples, sections, mixed)]
    quiet[0] = noise(5, 2, samples)
    check_both_ways_agree(kernel, quiet)


@settings(max_examples=examples(25), deadline=None)
@given(cuts=st.lists(st.integers(2, 300), min_size=1, max_size=6))
def test_blocks_equal_the_whole_with_gradients(cuts):
    audio, *controls, state = arguments(2, 2, sum(cuts), sections=3)
    controls = [control * 0.3 for control in controls]
    check_blocks_equal_the_whole(kernel, audio, controls, state, cuts)


def test_no_gradient_beyond_the_limits():
    """Of a cutoff, and of a ratio that makes too high a frequency of it."""
    cutoffs = torch.tensor([-5.0, 4000.0, 9000.0, 3000.0], dtype=torch.float64)[:, None, None]
    ratios = torch.tensor([1.0, 1.0, 1.0, 30.0], dtype=torch.float64)[:, None, None]

    def slopes():
        leaves = cutoffs.clone().requires_grad_(), ratios.clone().requires_grad_()
        made, _ = svf_series(
            noise(4, 1, 50), [Section(leaves[0], 1.0, 1.0, 0.5, 0.0, leaves[1])], sample_rate=RATE
        )
        return torch.autograd.grad(made.square().sum(), leaves)

    compiled = slopes()
    with without_compiled_code():
        plain = slopes()
    for of_cutoff, of_ratio in (compiled, plain):
        assert not of_cutoff.any()
        assert not of_ratio[0].any()
        assert not of_ratio[3].any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equal_shares_and_no_mix_are_the_signal_bit_for_bit(dtype):
    audio = noise(3, 2, 700, dtype=dtype)
    flat = Section(between(20, 3800, 3, 1, 700).to(dtype), 3.0, 1.0, 1.0, 1.0, 1.5)
    for turns in TURNS:  # by no decibels
        assert torch.equal(svf_series(audio, [flat._replace(turns=turns)] * 8, sample_rate=RATE)[0], audio)
    lowpass = flat._replace(band=0.0, high=0.0)
    assert torch.equal(svf_series(audio, [lowpass] * 2, mix=0.0, sample_rate=RATE)[0], audio)


def test_low_cutoffs_stay_where_they_are_in_single_precision():
    audio = noise(1, 1, 44100)
    sections = [Section(20.0, 5.0, 0.0, 1.0, 0.0), Section(30.0, 1.0, 4.0, 2.0, 1.0, 0.7)]
    want, _ = svf_series(audio, sections, sample_rate=44100)
    got, _ = svf_series(audio.float(), sections, sample_rate=44100)
    assert (got - want).norm() / want.norm() < 1e-5


@pytest.mark.parametrize("ratio", [0.5, 1.0, 2.0])
def test_the_ratio_moves_the_analogue_frequency(ratio):
    """An impulse's spectrum against the response by formula, and that of the cutoff which the ratio makes."""
    size, cutoff = 8192, 900.0
    impulse = torch.zeros(1, size, dtype=torch.float64)
    impulse[0, 0] = 1
    made, _ = svf_series(impulse, [Section(cutoff, 0.8, 0.4, 0.1, 1.0, ratio)], sample_rate=RATE)
    at = torch.linspace(0, RATE / 2, size // 2 + 1, dtype=torch.float64)
    want = svf_response(at, cutoff, 0.8, 0.4, 0.1, 1.0, ratio, sample_rate=RATE)
    torch.testing.assert_close(torch.fft.rfft(made[0]), want)
    moved = np.arctan(np.tan(np.pi * cutoff / RATE) * ratio) * RATE / np.pi
    torch.testing.assert_close(
        Section(cutoff, 0.8, 0.4, 0.1, 1.0, ratio).response(at, sample_rate=RATE), want
    )
    torch.testing.assert_close(svf_response(at, moved, 0.8, 0.4, 0.1, 1.0, sample_rate=RATE), want)


def test_silence_small_numbers_and_no_samples():
    def two(audio, *controls):
        return svf_series(audio, [Section(*controls)] * 2, sample_rate=RATE)

    check_silence_and_small_numbers(two, 100.0, 5.0, 1.0, 1.0, 0.0)
    before = noise(2, 1, 2, 2).requires_grad_()
    made, last = svf_series(
        noise(2, 0), [Section(100.0, 1.0, 1.0, 0.0, 0.0)] * 2, before[:, 0], sample_rate=RATE
    )
    assert made.shape == (2, 0)
    assert torch.equal(last, before[:, 0])
    last.sum().backward()
    assert torch.equal(before.grad, torch.ones_like(before))


def test_the_operator_does_the_same():
    given_tensors = arguments(2, 2, 40)
    numbers = torch.tensor([1 / RATE, 1, 2], dtype=torch.float64)

    def run(call):
        leaves = [tensor.clone().requires_grad_() for tensor in given_tensors]
        made = call(leaves)
        return [*made, *torch.autograd.grad(sum(one.square().sum() for one in made), leaves)]

    hops = [0, *(int(tensor.shape[-1] == 1) for tensor in given_tensors[1:-1])]
    torch.testing.assert_close(
        run(lambda leaves: _operator([*leaves, numbers], hops)), run(lambda leaves: kernel(*leaves))
    )


@pytest.mark.skipif(not simd.available(), reason="counts the source of compiled code")
def test_flops():
    from djgraph.simd import svf_series as compiled

    section = flops_of_part(compiled._shape_tile, begins=7, steps=7, target=2, given=2)
    section += flops_of_part(compiled._filter_tile, places=3, shape=3)
    # The backward pass computes the states once more.
    assert (
        section,
        section + flops_of_part(compiled._pull_tile, begins=7, steps=7, places=4, given=2),
    ) == FLOPS
    back = flops_of_part(compiled._unmix_tile, mix=2, places=3) + flops_of_part(compiled._add_tile)
    assert (flops_of_part(compiled._mix_tile, mix=2), back) == MIX_FLOPS


def test_without_data_it_is_one_operation_for_any_number_of_sections():
    audio = torch.empty(2, 1000, device="meta", requires_grad=True)
    counted = []
    for count in (1, 3):
        with Meter() as meter:
            made, _ = svf_series(audio, [Section(500.0, 0.7, 1.0, 0.0, 0.0)] * count, sample_rate=8000)
            forward = meter.flops
            made.sum().backward()
        counted.append((forward / 2000, (meter.flops - forward) / 2000))
    for one, three, stated in zip(*counted, FLOPS):
        assert stated <= one < stated + 8
        assert 3 * stated <= three < 3 * stated + 20


def test_faults_are_named():
    audio, lowpass = torch.zeros(2, 3, 4), Section(100.0, 1.0, 1.0, 0.0, 0.0)
    with pytest.raises(DJGraphError, match="at least one section"):
        svf_series(audio, [], sample_rate=RATE)
    with pytest.raises(DJGraphError, match="turns is 'shelf'; allowed: nothing, bell, low_shelf, high_shelf"):
        svf_series(audio, [lowpass._replace(turns="shelf")], sample_rate=RATE)
    with pytest.raises(DJGraphError, match="q of section 1 of shape"):
        svf_series(audio, [lowpass, lowpass._replace(q=torch.ones(2, 3, 5))], sample_rate=RATE)
    with pytest.raises(DJGraphError, match=r"state has to be .* of shape \[2, 3, 1, 2\]"):
        svf_series(audio, [lowpass], torch.zeros(2, 3, 2), sample_rate=RATE)
    with pytest.raises(DJGraphError, match="sample_rate"):
        svf_series(audio, [lowpass], sample_rate=0.0)
