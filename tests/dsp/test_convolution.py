"""FFT convolution against direct convolution, and its gradients against finite differences."""

import numpy as np
import pytest
import torch
from effort import examples, gradcheck, gradgradcheck
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.dsp import convolution
from djgraph.dsp.convolution import SMALLEST_SIZE, convolve, fft_size, response_spectrum


def signals(batch, channels, samples, length, seed=0):
    """audio, past, mix, response; float64."""
    random = torch.Generator().manual_seed(seed)

    def noise(*shape):
        return torch.randn(*shape, generator=random, dtype=torch.float64)

    return (
        noise(batch, channels, samples),
        noise(batch, channels, length - 1),
        torch.sigmoid(noise(batch, 1, samples)),
        noise(channels, length),
    )


def direct(audio, past, response):
    """Each channel through ``np.convolve``, of which the past contributes its tail."""
    x = torch.cat((past, audio), dim=-1).detach().numpy()
    result = np.zeros(audio.shape)
    for item in range(x.shape[0]):
        for channel in range(x.shape[1]):
            if audio.shape[-1]:
                result[item, channel] = np.convolve(x[item, channel], response[channel].numpy(), mode="valid")
    return result


@settings(max_examples=examples(60), deadline=None)
@given(
    batch=st.integers(1, 3),
    channels=st.integers(1, 3),
    samples=st.integers(0, 100),
    length=st.integers(1, 40),
    larger=st.integers(0, 2),
    at_once=st.sampled_from([1, 300, 2**22]),
)
def test_equals_direct_convolution(batch, channels, samples, length, larger, at_once):
    audio, past, mix, response = signals(batch, channels, samples, length)
    spectrum = response_spectrum(response, max(2, 2 ** (length - 1).bit_length()) << larger)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convolution, "POINTS_AT_ONCE", at_once)  # blocks one by one, a few, or all together
        wet = convolve(audio, past, spectrum)
        mixed = convolve(audio, past, spectrum, mix)
    want = direct(audio, past, response)
    np.testing.assert_allclose(wet.numpy(), want, atol=1e-11)
    dry = audio.numpy()
    np.testing.assert_allclose(mixed.numpy(), dry + mix.numpy() * (want - dry), atol=1e-11)


@pytest.mark.parametrize(
    ("samples", "length", "size"), [(7, 3, 4), (9, 4, 16), (1, 5, 8), (5, 1, 2), (0, 3, 4)]
)
def test_gradients(samples, length, size):
    audio, past, mix, response = signals(2, 2, samples, length)
    spectrum = response_spectrum(response, size)
    arguments = [audio.requires_grad_(), past.requires_grad_()]
    assert gradcheck(lambda x, p: convolve(x, p, spectrum), arguments)
    arguments.append(mix.requires_grad_())
    assert gradcheck(lambda x, p, m: convolve(x, p, spectrum, m), arguments)


@pytest.mark.parametrize("wanted", range(3))
def test_gradient_of_one_argument_alone(wanted):
    audio, past, mix, response = signals(2, 1, 7, 4)
    arguments = [audio, past, mix]
    arguments[wanted].requires_grad_()
    spectrum = response_spectrum(response, 8)
    assert gradcheck(lambda x, p, m: convolve(x, p, spectrum, m), arguments)


def test_the_gradient_is_the_correlation_with_the_response():
    audio, past, _, response = signals(1, 1, 30, 6)
    audio.requires_grad_()
    weight = torch.randn(1, 1, 30, dtype=torch.float64)
    (convolve(audio, past, response_spectrum(response, 16)) * weight).sum().backward()
    want = np.correlate(np.pad(weight[0, 0].numpy(), (0, 5)), response[0].numpy(), mode="valid")
    np.testing.assert_allclose(audio.grad[0, 0].numpy(), want, atol=1e-12)


def test_one_response_for_all_channels():
    audio, past, _, response = signals(2, 3, 20, 5)
    shared = convolve(audio, past, response_spectrum(response[:1], 8))
    np.testing.assert_allclose(shared.numpy(), direct(audio, past, response[:1].expand(3, -1)), atol=1e-12)


@pytest.mark.parametrize("for_mix", [False, True])
def test_the_arguments_are_kept_for_the_backward_pass_and_for_mix_the_convolved_signal(for_mix):
    audio, past, mix, response = signals(1, 2, 500, 5)
    spectrum = response_spectrum(response, 16)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        convolve(audio.requires_grad_(), past, spectrum, mix.requires_grad_(for_mix))
    arguments = {tensor.data_ptr() for tensor in (audio, past, spectrum, mix)}
    others = [t.shape for t in kept if t.numel() and t.data_ptr() not in arguments]
    assert others == ([audio.shape] if for_mix else [])


def test_second_derivatives():
    audio, past, mix, response = signals(1, 2, 6, 3)
    spectrum = response_spectrum(response, 4)
    arguments = [tensor.requires_grad_() for tensor in (audio, past, mix)]
    assert gradgradcheck(lambda x, p, m: convolve(x, p, spectrum, m), arguments)


def test_gradient_of_a_response_that_is_learned():
    audio, past, mix, response = signals(2, 2, 30, 6)

    def wet(h):
        return convolve(audio, past, response_spectrum(h, 16), mix)

    assert gradcheck(wet, (response.requires_grad_(),))


def test_dry_is_bit_exact():
    audio, past, _, response = (tensor.float() for tensor in signals(2, 2, 100, 20))
    assert torch.equal(convolve(audio, past, response_spectrum(response, 64), torch.zeros(())), audio)


@settings(deadline=None)
@given(samples=st.integers(0, 10**7), length=st.integers(1, 10**6))
def test_size_needs_the_fewest_points(samples, length):
    size = fft_size(samples, length)
    assert size >= max(2, length)
    assert size & (size - 1) == 0

    def points(size):
        return int(np.ceil(samples / (size - length + 1))) * size

    enough = 2 ** int(np.ceil(np.log2(max(1, samples + length - 1))))
    others = [2**k for k in range(1, 20) if 2**k >= max(length, min(SMALLEST_SIZE, enough))]
    assert all(points(size) <= points(other) for other in others)


def test_a_short_response_is_not_convolved_in_crumbs():
    assert fft_size(441000, 1) == fft_size(441000, 2) == SMALLEST_SIZE
    assert fft_size(64, 1) == 64
