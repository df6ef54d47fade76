"""Balance, pan, width and mono: matrices of left and right, against their closed forms."""

import numpy as np
import pytest
import torch
from djgraph_fx import Balance, Mono, Pan, Width
from effort import gradcheck, gradgradcheck
from hypothesis import given
from hypothesis import strategies as st

import djgraph

from .bench import build, noise, process, unit

EFFECTS = [Balance, Pan, Width, Mono]
R2 = np.sqrt(2)


def balance(p):
    angle = (1 + p) * np.pi / 4
    return [[R2 * np.cos(angle), 0], [0, R2 * np.sin(angle)]]


def pan(p):
    """The law as the Web Audio API's StereoPannerNode states it for stereo."""
    x = p + 1 if p <= 0 else p
    left, right = np.cos(x * np.pi / 2), np.sin(x * np.pi / 2)
    return [[1, left], [0, right]] if p <= 0 else [[left, 0], [right, 1]]


def width(w):
    """Into mid and side, the side scaled, and back."""
    to_mid_side = np.array([[0.5, 0.5], [0.5, -0.5]])
    back = np.array([[1, 1], [1, -1]])
    return back @ np.diag([1, w]) @ to_mid_side


def mono(a):
    return (1 - a) * np.eye(2) + a * np.full((2, 2), 0.5)


MATRIX = {Balance: balance, Pan: pan, Width: width, Mono: mono}


def control(effect_class):
    return effect_class.controls[0]


def wander(effect_class, *shape):
    """Values all over the range, both ends and the neutral value among them."""
    only = control(effect_class)
    values = only.min + (only.max - only.min) * unit(*shape)
    values[..., :3] = torch.tensor([only.min, only.neutral, only.max])
    return values


def run(effect_class, audio, values, cuts=None):
    out, state = process(build(effect_class), audio, {control(effect_class).id: values}, cuts)
    assert state == {}
    return out


def constant(effect_class, audio, value):
    return run(
        effect_class, audio, torch.full((audio.shape[0], 1, audio.shape[-1]), value, dtype=audio.dtype)
    )


def by_matrix(effect_class, audio, values):
    """Sample by sample: the matrix of that moment times left and right."""
    out = np.empty_like(audio)
    for item in range(audio.shape[0]):
        for n in range(audio.shape[-1]):
            out[item, :, n] = np.array(MATRIX[effect_class](values[item, 0, n])) @ audio[item, :, n]
    return out


@pytest.mark.parametrize("effect", EFFECTS)
def test_stereo_is_the_closed_form(effect):
    audio, values = noise(2, 2, 60), wander(effect, 2, 1, 60)
    want = by_matrix(effect, audio.numpy(), values.numpy())
    np.testing.assert_allclose(run(effect, audio, values).numpy(), want, atol=1e-14)


@pytest.mark.parametrize("effect", EFFECTS)
@given(position=st.floats(0, 1), left=st.floats(-10, 10), right=st.floats(-10, 10))
def test_any_setting_is_the_closed_form(effect, position, left, right):
    value = control(effect).min + position * (control(effect).max - control(effect).min)
    audio = torch.tensor([[[left], [right]]], dtype=torch.float64)
    want = np.array(MATRIX[effect](value)) @ [left, right]
    np.testing.assert_allclose(constant(effect, audio, value)[0, :, 0].numpy(), want, atol=1e-13)


@pytest.mark.parametrize("effect", EFFECTS)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_neutral_is_bit_exact(effect, channels):
    audio = noise(2, channels, 50, dtype=torch.float32)
    assert torch.equal(constant(effect, audio, control(effect).neutral), audio)


@pytest.mark.parametrize("effect", EFFECTS)
def test_mono_has_no_sides_and_passes(effect):
    audio = noise(2, 1, 50, dtype=torch.float32)
    out = run(effect, audio, wander(effect, 2, 1, 50).float())
    assert torch.equal(out, audio)
    assert out.data_ptr() != audio.data_ptr()


@pytest.mark.parametrize("effect", EFFECTS)
def test_more_channels_are_pairs_and_one_without_a_partner_passes(effect):
    audio, values = noise(2, 5, 40), wander(effect, 2, 1, 40)
    out = run(effect, audio, values)
    for first in (0, 2):
        pair = slice(first, first + 2)
        assert torch.equal(out[:, pair], run(effect, audio[:, pair], values))
    assert torch.equal(out[:, 4], audio[:, 4])


@pytest.mark.parametrize("effect", EFFECTS)
def test_gradients(effect):
    values = wander(effect, 2, 1, 6)
    if effect is Pan:
        values[..., 1] = 0.1  # at the centre the gradient has a step: see below
    arguments = (noise(2, 4, 6).requires_grad_(), values.requires_grad_())
    assert gradcheck(lambda x, v: run(effect, x, v), arguments)
    assert gradgradcheck(lambda x, v: run(effect, x, v), arguments)


def test_the_gradient_of_pan_at_the_centre_is_the_mean_of_both_sides():
    audio, centre = (
        noise(1, 2, 5).requires_grad_(),
        torch.zeros(1, 1, 5, dtype=torch.float64, requires_grad=True),
    )
    assert gradcheck(lambda x, v: run(Pan, x, v), (audio, centre))  # central differences
    (gradient,) = torch.autograd.grad(run(Pan, audio, centre)[:, 1].sum(), centre)
    torch.testing.assert_close(gradient[0, 0], audio.detach()[0, 0] * np.pi / 4)


@pytest.mark.parametrize("effect", EFFECTS)
def test_blocks_equal_the_whole(effect):
    audio, values = noise(1, 2, 100, dtype=torch.float32), wander(effect, 1, 1, 100).float()
    torch.testing.assert_close(
        run(effect, audio, values, [1, 30, 69]), run(effect, audio, values), atol=1e-6, rtol=0
    )


@pytest.mark.parametrize("effect", EFFECTS)
def test_silence_stays_silence(effect):
    audio = torch.zeros(1, 2, 20)
    assert not run(effect, audio, wander(effect, 1, 1, 20).float()).any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_range_ends_mean(dtype):
    audio = noise(1, 2, 50, dtype=dtype)
    left, right = audio[:, :1], audio[:, 1:]
    none, mid = torch.zeros_like(left), (left + right) / 2
    small = {"atol": 4 * torch.finfo(dtype).eps * audio.abs().max().item(), "rtol": 0}

    def ends_as(effect, value, *sides):
        torch.testing.assert_close(constant(effect, audio, value), torch.cat(sides, 1), **small)

    ends_as(Balance, -1.0, left * R2, none)
    ends_as(Balance, 1.0, none, right * R2)
    ends_as(Pan, -1.0, left + right, none)
    ends_as(Pan, 1.0, none, left + right)
    ends_as(Width, 0.0, mid, mid)
    ends_as(Width, 2.0, left + (left - right) / 2, right - (left - right) / 2)
    ends_as(Mono, 1.0, mid, mid)


@pytest.mark.parametrize(("effect", "total"), [(Balance, 2.0), (Pan, 2.0)])
def test_power_is_constant_for_sides_that_are_not_alike(effect, total):
    """Left alone plus right alone: what both give in power, whatever the position."""
    values = torch.linspace(-1, 1, 41, dtype=torch.float64)[None, None]
    alone = torch.eye(2, dtype=torch.float64)[:, :, None].expand(2, 2, 41)
    power = run(effect, alone, values.expand(2, 1, 41)).square().sum((0, 1))
    torch.testing.assert_close(power, torch.full((41,), total, dtype=torch.float64))


def mixer_of(channels, *chain):
    return djgraph.compile(
        {
            "djgraph": 1,
            "name": "sides",
            "inputs": [{"name": "in", "channels": channels}],
            "mixer": [{"strip": "s", "input": "in", "chain": chain}],
            "outputs": ["s"],
        }
    )


CHAIN = {
    "trim": ("gain", -6.0),
    "polarity": ("invert", 1.0),
    "width": ("width", 1.7),
    "pan": ("pan", -0.3),
    "balance": ("balance", 0.6),
    "mono": ("amount", 0.25),
}
SET = [{"effect": name, "controls": {key: value}} for name, (key, value) in CHAIN.items()]


def test_a_chain_in_a_mixer_is_the_product_of_matrices():
    mixer, audio = mixer_of("stereo", *SET), noise(1, 2, 5000)
    want = -(10 ** (-6 / 20)) * audio[0].numpy()
    for matrix in (width(1.7), pan(-0.3), balance(0.6), mono(0.25)):
        want = np.array(matrix) @ want
    out = mixer({"in": audio}, torch.zeros(1, 0, dtype=torch.float64))
    np.testing.assert_allclose(out[0].numpy(), want, atol=1e-12)


def test_a_chain_in_a_mono_mixer_is_trim_and_polarity_alone():
    out = mixer_of("mono", *SET)({"in": (audio := noise(1, 1, 5000))}, torch.zeros(1, 0, dtype=torch.float64))
    torch.testing.assert_close(out, -(10 ** (-6 / 20)) * audio)


def test_a_stream_equals_the_whole_clip():
    mixer = mixer_of("stereo", *CHAIN)
    audio = noise(1, 2, 9000, dtype=torch.float32)
    positions = torch.arange(0, 9000, 500)
    params = mixer.layout.from_unit(unit(1, 18, len(mixer.layout), dtype=torch.float32), snap=True)
    whole = mixer({"in": audio}, params, positions=positions)
    stream = mixer.stream(score=(params, positions))
    parts = [stream({"in": block}) for block in audio.split([1, 700, 512, 4000, 3787], dim=-1)]
    made = torch.cat([*parts, stream.finish()], -1)[..., stream.latency :]
    torch.testing.assert_close(made, whole, atol=1e-5, rtol=1e-5)
