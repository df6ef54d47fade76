"""Cascades of biquads against SciPy's, loops over samples, and finite differences."""

import numpy as np
import pytest
import torch
from dsp_recursions import between, check_both_ways_agree, check_gradients, noise, without_compiled_code
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, ellip, sosfilt

from djgraph.dsp import biquads
from djgraph.errors import DJGraphError

RATE = 44100


def stable(*shape, seed=0):
    """Sections with random zeros and complex poles within the unit circle, a0 not 1."""
    radius, angle = between(0.2, 0.97, *shape, seed=seed), between(0, np.pi, *shape, seed=seed + 1)
    poles = torch.stack((torch.ones_like(radius), -2 * radius * angle.cos(), radius.square()), dim=-1)
    scale = between(0.5, 2, *shape, 1, seed=seed + 2)
    return torch.cat((noise(*shape, 3, seed=seed + 3), scale * poles), dim=-1)


def kernel(audio, sections, state):
    return biquads(audio, sections, state)


@settings(max_examples=examples(50), deadline=None)
@given(
    batch=st.integers(1, 11),
    channels=st.integers(1, 3),
    samples=st.integers(0, 600),
    count=st.integers(0, 4),
    apart=st.booleans(),
    compiled=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_equals_scipy(batch, channels, samples, count, apart, compiled, seed):
    """One filter for all, or one for each item."""
    audio = noise(batch, channels, samples, seed=seed)
    sections = stable(batch, 1, count, seed=seed) if apart else stable(count, seed=seed)
    state = noise(batch, channels, count, 2, seed=seed + 5)
    if compiled:
        got, last = biquads(audio, sections, state)
    else:
        with without_compiled_code():
            got, last = biquads(audio, sections, state)
    assert got.shape == audio.shape
    for item in range(batch):
        sos = (sections[item, 0] if apart else sections).numpy()
        if not count or not samples:
            assert torch.equal(got, audio)
            break
        begin = np.moveaxis(state[item].numpy(), 0, 1)  # SciPy has sections first
        want, end = sosfilt(sos / sos[:, 3:4], audio[item].numpy(), zi=begin)
        np.testing.assert_allclose(got[item].numpy(), want, rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(last[item].numpy(), np.moveaxis(end, 0, 1), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "sos",
    [butter(8, 1000, fs=RATE, output="sos"), ellip(7, 0.5, 60, 4000, "high", fs=RATE, output="sos")],
    ids=["Butterworth", "elliptic"],
)
def test_designs_of_scipy(dtype, sos):
    audio = noise(2, 2, 5000, dtype=dtype)
    got, _ = biquads(audio, torch.from_numpy(sos).to(dtype))
    want = sosfilt(sos, audio.double().numpy())
    tolerance = 1e-4 if dtype == torch.float32 else 1e-10
    np.testing.assert_allclose(got.numpy(), want, rtol=tolerance, atol=tolerance)


@settings(max_examples=examples(25), deadline=None)
@given(cuts=st.lists(st.integers(1, 300), min_size=1, max_size=6))
def test_blocks_equal_the_whole_with_gradients(cuts):
    given_tensors = noise(2, 2, sum(cuts)), stable(2, 1, 3), noise(2, 2, 3, 2, seed=9)
    audio, sections, state = (tensor.requires_grad_() for tensor in given_tensors)
    whole, last = biquads(audio, sections, state)
    parts, carried, start = [], state, 0
    for cut in cuts:
        made, carried = biquads(audio[..., start : start + cut], sections, carried)
        parts.append(made)
        start += cut
    weights = noise(*whole.shape, seed=7), noise(*last.shape, seed=8)
    streamed = torch.cat(parts, -1)
    torch.testing.assert_close(streamed, whole, rtol=1e-10, atol=1e-10)
    want, got = (
        torch.autograd.grad((out * weights[0]).sum() + (end * weights[1]).sum(), (audio, sections, state))
        for out, end in ((whole, last), (streamed, carried))
    )
    for one, other in zip(got, want):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("samples", [1, 6, 300])
def test_gradients(samples):
    check_gradients(
        kernel, (noise(2, 2, samples), stable(2, 1, 2), noise(2, 2, 2, 2, seed=9)), second=samples == 6
    )


@pytest.mark.parametrize("samples", [1, 256, 257, 700])
def test_compiled_code_and_pytorch_agree(samples):
    check_both_ways_agree(kernel, (noise(5, 2, samples), stable(3), noise(5, 2, 3, 2, seed=9)))


def test_what_does_not_fit_is_refused():
    audio = torch.zeros(2, 2, 10)
    with pytest.raises(
        DJGraphError, match=r"sections have to be torch.float32 of shape \[..., sections, 6\]"
    ):
        biquads(audio, torch.zeros(2, 5))
    with pytest.raises(DJGraphError, match=r"sections have to be torch\.float32"):
        biquads(audio, torch.zeros(2, 6, dtype=torch.float64))
    with pytest.raises(DJGraphError, match=r"state has to be .* of shape \[2, 2, 1, 2\], not .* \[2, 2\]"):
        biquads(audio, torch.ones(1, 6), torch.zeros(2, 2))
    with pytest.raises(DJGraphError, match=r"biquad: b0 of shape .* does not broadcast"):
        biquads(audio, torch.ones(3, 1, 1, 6))
