"""Material at positions that move: against a sample loop, closed forms, SciPy, soxr and finite differences."""

import numpy as np
import pytest
import torch
from dsp_recursions import between, noise, without_compiled_code
from effort import examples, few, gradcheck, gradgradcheck
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import resample_poly
from scipy.special import i0

from djgraph.dsp import Frames, material_reach, positions, read_material, warp_positions
from djgraph.dsp.material import windowed_sinc
from djgraph.errors import DJGraphError

BOTH = pytest.mark.parametrize("compiled", [True, False])


def read(compiled, *arguments, **more):
    if compiled:
        return read_material(*arguments, **more)
    with without_compiled_code():
        return read_material(*arguments, **more)


def kernel(x, crossings=16):
    """The formula as it is written, by NumPy and SciPy."""
    inside = np.maximum(0, 1 - (x / crossings) ** 2)
    return np.sinc(x) * (i0(9 * np.sqrt(inside)) - 1) / (i0(9.0) - 1)


def sample_loop(material, position, rate, crossings=16):
    material, position = material.double().numpy(), position.numpy()
    rate = np.broadcast_to(rate.numpy(), position.shape)
    out = np.zeros((*position.shape[:-1], material.shape[-2], position.shape[-1]))
    k = np.arange(material.shape[-1])
    for place in np.ndindex(position.shape):
        s = max(1.0, abs(rate[place]))
        weights = kernel((k - position[place]) / s, crossings) / s
        out[(*place[:-1], slice(None), place[-1])] = material[place[:-1]] @ weights
    return out


def test_polynomials_are_the_kernel():
    x = torch.linspace(-20, 20, 40001, dtype=torch.float64)
    np.testing.assert_allclose(windowed_sinc(x, 16).numpy(), kernel(x.numpy()), rtol=0, atol=4e-15)
    whole = torch.arange(-20.0, 21.0, dtype=torch.float64)
    assert torch.equal(windowed_sinc(whole, 16), (whole == 0).double())


@settings(max_examples=examples(40), deadline=None)
@given(
    batch=st.integers(1, 3),
    signals=st.integers(1, 5),
    length=st.integers(1, 120),
    samples=st.integers(1, 40),
    crossings=st.sampled_from([1, 3, 16, 24]),
    compiled=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_equals_a_loop_over_samples(batch, signals, length, samples, crossings, compiled, seed):
    material = noise(batch, signals, length, seed=seed)
    position = between(-90, length + 90, batch, samples, seed=seed + 1)
    rate = between(-4, 4, batch, samples, seed=seed + 2)
    got = read(compiled, material, position, rate, crossings=crossings)
    want = sample_loop(material, position, rate, crossings)
    np.testing.assert_allclose(got.numpy(), want, rtol=0, atol=1e-12)
    single = read(compiled, material.float(), position, rate, crossings=crossings)
    assert single.dtype == torch.float32
    np.testing.assert_allclose(single.numpy(), want, rtol=0, atol=2e-6)


@BOTH
def test_sines_of_a_warped_track_are_sines_of_its_positions(compiled):
    """A rate that sweeps from 0.25 to 4: what was sin(ωk) is sin(ω·p[n]), wherever it can be heard."""
    k = torch.arange(40000, dtype=torch.float64)
    rate = 0.25 * 16 ** torch.linspace(0, 1, 15000, dtype=torch.float64)
    position, _ = positions(200.0, rate, 15000)
    frequencies = torch.tensor([0.001, 0.01, 0.03, 0.07, 0.1], dtype=torch.float64)[:, None]
    got = read(compiled, torch.sin(2 * np.pi * frequencies * k), position, rate)
    want = torch.sin(2 * np.pi * frequencies * position)
    torch.testing.assert_close(got, want, rtol=0, atol=10 ** (-80 / 20))
    # Far above: what cannot be told apart from a low frequency at that rate is gone.
    high = torch.sin(2 * np.pi * 0.3 * k)[None]
    assert float(read(compiled, high, position, rate)[..., rate > 2].abs().max()) < 10 ** (-60 / 20)


def level(power):
    return 10 * np.log10(power)


def spectrum_of_a_sine(frequency, rate, compiled=True, samples=1 << 15):
    """The level at a sine's frequency, in dB, and that of all else together; frequencies in 1/sample of material."""
    k = torch.arange(int(samples * rate) + 400, dtype=torch.float64)
    position, _ = positions(150.37, rate, samples)
    sine = np.sqrt(2) * torch.sin(2 * np.pi * frequency * k)[None]
    out = read(compiled, sine, position, rate)[0].numpy()
    # The sine itself, by least squares; the rest is images, aliases and roundings.
    place = 2 * np.pi * frequency * position.numpy()
    basis = np.stack((np.sin(place), np.cos(place)), -1)
    found = basis @ np.linalg.lstsq(basis, out, rcond=None)[0]
    return level(np.mean(found**2)), level(np.mean((out - found) ** 2) + 1e-30)


@pytest.mark.parametrize("rate", few([0.5, 0.61, 0.75, 0.92, 0.9771, 0.999], 3))
@pytest.mark.parametrize("hertz", few([20, 1000, 10000, 16000, 18000], 2))
def test_the_pass_band_is_flat_and_images_are_down(rate, hertz):
    passed, rest = spectrum_of_a_sine(hertz / 44100, rate)
    assert abs(passed) < 0.1
    assert rest < -80


@pytest.mark.parametrize("rate", few([1.001, 1.03, 1.08], 2))
@pytest.mark.parametrize("hertz", few([100, 5000, 12000, 16000], 2))
def test_slightly_faster_is_as_clean(rate, hertz):
    passed, rest = spectrum_of_a_sine(hertz / 44100, rate)
    assert abs(passed) < 0.1
    assert rest < -80


@pytest.mark.parametrize("rate", [1.5, 2.0, 3.0, 4.0])
def test_fast_material_does_not_fold_back(rate):
    """Of the output's frequencies: flat to 18 kHz at 44.1 kHz, and nothing comes down from 26.1 kHz and above."""
    passed, rest = spectrum_of_a_sine(17900 / 44100 / rate, rate)
    assert abs(passed) < 0.1
    assert rest < -60
    for hertz in (26200, 30000, 44100):
        if hertz / 44100 / rate < 0.5:
            k = torch.arange(40000, dtype=torch.float64)
            position, _ = positions(500.3, rate, 8000)
            out = read_material(torch.sin(2 * np.pi * hertz / 44100 / rate * k)[None], position, rate)
            assert level(float(out.square().mean())) < -80


def band_limited(length, top, seed=0):
    """Noise without anything above ``top`` (of half the rate), silent at both ends."""
    spectrum = torch.fft.rfft(noise(1, length, seed=seed))
    spectrum[..., int(top * spectrum.shape[-1]) :] = 0
    return torch.fft.irfft(spectrum, length) * torch.hann_window(length, dtype=torch.float64)


@pytest.mark.parametrize(("up", "down"), few([(2, 1), (4, 3), (3, 4), (2, 3), (1, 2), (1, 4), (101, 100)], 3))
def test_equals_scipy_at_constant_rates(up, down):
    """Where all sounds lie in both filters' pass bands."""
    material = band_limited(6000, 0.8 * min(1, up / down))
    wide = max(up, down)
    taps = np.sinc(np.arange(-640 * wide, 640 * wide + 1) / wide) * np.kaiser(1280 * wide + 1, 10.0)
    want = resample_poly(material[0].numpy(), up, down, window=taps / taps.sum())
    position = torch.arange(len(want), dtype=torch.float64) * down / up
    got = read_material(material, position, down / up)
    np.testing.assert_allclose(got[0].numpy(), want, rtol=0, atol=3e-4)


@pytest.mark.parametrize(("to", "top"), [(48000, 0.8), (22050, 0.38), (42000, 0.76)])
def test_equals_soxr_at_constant_rates(to, top):
    soxr = pytest.importorskip("soxr")
    material = band_limited(9000, top, seed=3)
    want = soxr.resample(material[0].numpy(), 44100, to, quality="VHQ")
    position = torch.arange(len(want), dtype=torch.float64) * 44100 / to
    got = read_material(material, position, 44100 / to)
    np.testing.assert_allclose(got[0].numpy(), want, rtol=0, atol=3e-4)


@BOTH
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_whole_positions_change_no_bit(compiled, dtype):
    material = noise(2, 3, 500, dtype=dtype)
    for rate, begin in ((1.0, 30), (-1.0, 499), (0.5, 0)):
        position = begin + torch.arange(200, dtype=torch.float64) * rate
        got = read(compiled, material, position.expand(2, -1), rate)
        whole = position == position.round()
        assert torch.equal(got[..., whole], material[..., position[whole].long()])


@BOTH
def test_an_impulse_reads_the_kernel(compiled):
    material = torch.zeros(1, 201, dtype=torch.float64)
    material[0, 100] = 1
    position = torch.linspace(60, 140, 1601, dtype=torch.float64)
    for rate in (0.7, 1.0, 1.7):
        got = read(compiled, material, position, rate)
        s = max(1, rate)
        np.testing.assert_allclose(got[0], kernel((100 - position.numpy()) / s) / s, rtol=0, atol=1e-14)


@BOTH
@pytest.mark.parametrize("samples", [1, 30])
def test_gradients(compiled, samples):
    """At rates on both sides of 1, with positions beyond both ends, and forwards and backwards."""
    material = noise(2, 3, 40).requires_grad_()
    position = between(-12, 50, 2, samples, seed=1).requires_grad_()
    rate = torch.cat((between(-0.9, 0.9, 2, samples, seed=2), between(1.1, 4, 2, samples, seed=2)), 0)[::2]
    rate = rate.contiguous().requires_grad_()

    def run(*arguments):
        return read(compiled, *arguments, crossings=5)

    assert gradcheck(run, (material, position, rate))
    assert gradcheck(run, (material, position[:1].detach().requires_grad_(), rate[:, :1].detach()))
    if samples == 1:
        assert gradgradcheck(run, (material, position, rate))


@BOTH
def test_gradients_of_whole_positions(compiled):
    """The copy has the derivative of what it is a copy of."""
    material = noise(1, 2, 60).requires_grad_()
    position = torch.arange(20.0, 30.0, dtype=torch.float64)[None].requires_grad_()
    assert gradcheck(lambda m, p: read(compiled, m, p, 1.0), (material, position))


def test_gradients_of_a_rate_through_its_sum():
    """Start and rate of a deck, end to end."""
    material = noise(1, 2, 90)
    start, rate = between(20, 21, 1, 1).requires_grad_(), between(1.1, 1.5, 1, 12).requires_grad_()

    def deck(start, rate):
        position, _ = positions(start, rate, 12)
        return read_material(material, position, rate)

    assert gradcheck(deck, (start, rate))
    slower = between(0.5, 0.9, 1, 12).requires_grad_()
    assert gradcheck(deck, (start, slower))


def test_gradients_of_markers():
    material = noise(1, 2, 90)
    clip = torch.tensor([0.0, 11.3, 19.6, 30.2], dtype=torch.float64).requires_grad_()
    track = torch.tensor([20.0, 30.4, 41.5, 60.6], dtype=torch.float64).requires_grad_()

    def deck(clip, track):
        position, rate = warp_positions(clip, track, 32)
        return read_material(material, position[None], rate[None])

    assert gradcheck(deck, (clip, track))


@settings(max_examples=examples(20), deadline=None)
@given(
    cuts=st.lists(st.integers(0, 60), min_size=1, max_size=5), compiled=st.booleans(), seed=st.integers(0, 99)
)
def test_blocks_and_windows_equal_the_whole_bit_for_bit(cuts, compiled, seed):
    """A stream holds a window of the track around each block, hours from its beginning."""
    hours, samples = 3 * 3600 * 44100, sum(cuts)
    material = noise(1, 2, 1200, seed=seed, dtype=torch.float32)
    rate = between(0.25, 4, 1, samples, seed=seed)
    position, _ = positions(hours + 300.3, rate, samples)
    whole = read(compiled, material, position, rate, begins=hours)
    parts, at = [], 0
    for cut in cuts:
        place = position[:, at : at + cut]
        low = int(place[0, 0]) - hours - material_reach(4) if cut else 0
        high = int(place[0, -1]) - hours + material_reach(4) + 1 if cut else 0
        low = max(0, low)
        window = material[..., low : max(low, high)]
        parts.append(read(compiled, window, place, rate[:, at : at + cut], begins=hours + low))
        at += cut
    assert torch.equal(torch.cat(parts, -1), whole)


def test_a_jump_is_a_cut():
    material = noise(1, 2, 500, dtype=torch.float32)
    steady = 100.25 + torch.arange(40, dtype=torch.float64)
    jumped = torch.cat((steady[:20], steady[20:] + 250))
    got = read_material(material, jumped, 1.0)
    assert torch.equal(got[..., :20], read_material(material, steady, 1.0)[..., :20])
    assert torch.equal(got[..., 20:], read_material(material, steady + 250, 1.0)[..., 20:])


@BOTH
def test_beyond_the_ends_there_is_silence(compiled):
    material = 1 + noise(1, 2, 50) ** 2
    far = torch.tensor(
        [-1e300, -20.0, -16.5, 65.5, 80.0, 1e18, 1e300, float("nan"), float("inf"), -float("inf")]
    )
    got = read(compiled, material, far.double(), 1.0)
    # Half a sample beyond the kernel's end nothing is heard; within it the ends ring.
    assert not got.any()
    near = read(compiled, material, torch.tensor([-0.5, 49.5], dtype=torch.float64), 1.0)
    assert near.all()
    wild = torch.tensor([float("nan"), float("inf"), 1e9, -1e9], dtype=torch.float64)
    held = read(compiled, material, torch.full((4,), 25.3, dtype=torch.float64), wild)
    want = read(compiled, material, torch.full((2,), 25.3, dtype=torch.float64), torch.tensor([1.0, 16.0]))
    torch.testing.assert_close(held, want[..., [0, 1, 1, 1]])


@BOTH
def test_what_is_beyond_has_no_gradient(compiled):
    material = noise(1, 1, 20).requires_grad_()
    position = torch.tensor([-1e300, float("nan"), 1e12, -70.0, 95.0], dtype=torch.float64).requires_grad_()
    rate = torch.tensor([1.5, 2.0, float("nan"), float("inf"), 4.0], dtype=torch.float64).requires_grad_()
    read(compiled, material, position, rate)[..., :3].sum().backward()
    for one in (material, position, rate):
        assert not one.grad.any()


@BOTH
@pytest.mark.parametrize("shape", [(1, 1, 0, 3), (2, 3, 5, 0), (0, 2, 5, 3), (2, 0, 5, 3), (1, 1, 1, 1)])
def test_nothing_and_next_to_nothing(compiled, shape):
    batch, signals, length, samples = shape
    material = noise(batch, signals, length).requires_grad_()
    position = torch.zeros(batch, samples, dtype=torch.float64).requires_grad_()
    got = read(compiled, material, position, 2.0)
    assert got.shape == (batch, signals, samples)
    got.sum().backward()
    for one in (material, position):
        assert one.grad.shape == one.shape


@BOTH
def test_shapes_that_broadcast_and_memory_that_does_not_lie_in_a_row(compiled):
    material = noise(3, 2, 4, 160)
    position, rate = between(20, 140, 3, 2, 50, seed=1), between(0.5, 3, 3, 2, 50, seed=2)
    want = read(compiled, material, position, rate)
    for one in (
        material.transpose(-1, -2).contiguous().transpose(-1, -2),
        torch.cat((material, material), -1)[..., :160],
        noise(3, 2, 4, 320).index_copy(-1, torch.arange(0, 320, 2), material)[..., ::2],
    ):
        assert torch.equal(read(compiled, one, position, rate), want)
    shared = read(compiled, material[:1, :1], position, rate[..., :1])
    each = [
        read(compiled, material[0, 0], position[i, j], rate[i, j, :1]) for i in range(3) for j in range(2)
    ]
    torch.testing.assert_close(shared.flatten(0, 1), torch.stack(each), rtol=0, atol=1e-14)
    alone = read(compiled, material[0, 0], position, rate)
    assert torch.equal(alone[1, 1], read(compiled, material[0, 0], position[1, 1], rate[1, 1]))
    frames = Frames(torch.tensor([0.5, 2.0], dtype=torch.float64), 25)
    line = torch.from_numpy(np.interp(np.arange(50), [0, 25], [0.5, 2.0]))
    torch.testing.assert_close(
        read(compiled, material, position, frames), read(compiled, material, position, line)
    )


def test_both_ways_agree():
    material, position = noise(2, 9, 900), between(-40, 940, 2, 700, seed=1)
    rate = between(-4, 4, 2, 700, seed=2)

    def run():
        given = [one.detach().requires_grad_() for one in (material, position, rate)]
        out = read_material(*given)
        return out, torch.autograd.grad((out * out).sum(), given)

    made, found = run()
    with without_compiled_code():
        plain, wanted = run()
    for got, want in zip((made, *found), (plain, *wanted)):
        torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-9)


def test_float32_gradients_are_those_of_float64():
    material, position = noise(2, 3, 900), between(0, 900, 2, 500, seed=1)
    rate = between(0.25, 4, 2, 500, seed=2)
    found = []
    for one in (material, material.float()):
        given = [one.detach().requires_grad_(), *(x.detach().requires_grad_() for x in (position, rate))]
        found.append(torch.autograd.grad(read_material(*given).square().sum(), given))
    for double, single in zip(*found):
        torch.testing.assert_close(single.double(), double, rtol=1e-4, atol=1e-4)


def test_torch_func_compiled_programs_and_meta():
    material, position, rate = noise(2, 3, 60), between(10, 50, 2, 12), between(0.5, 2, 2, 12)
    want = read_material(material, position, rate)
    torch.testing.assert_close(torch.func.vmap(read_material)(material, position, rate), want)
    _, pushed = torch.func.jvp(
        lambda p: read_material(material, p, rate), (position,), (torch.ones_like(position),)
    )
    nudged = [read_material(material, position + sign * 1e-6, rate) for sign in (1, -1)]
    torch.testing.assert_close(pushed, (nudged[0] - nudged[1]) / 2e-6, rtol=1e-6, atol=1e-6)
    program = torch.compile(read_material, backend="aot_eager", fullgraph=True)
    moved, plain = (position.clone().requires_grad_() for _ in range(2))
    torch.testing.assert_close(program(material, moved, rate), want)
    program(material, moved, rate).square().sum().backward()
    read_material(material, plain, rate).square().sum().backward()
    torch.testing.assert_close(moved.grad, plain.grad)
    assert read_material(*(one.to("meta") for one in (material, position, rate))).shape == want.shape


def test_other_types():
    material, position = noise(1, 2, 60), between(10, 50, 12)
    for dtype in (torch.bfloat16, torch.float16):
        got = read_material(material.to(dtype), position)
        assert got.dtype == dtype
        want = read_material(material.to(dtype).double(), position)
        torch.testing.assert_close(got.double(), want, rtol=0.01, atol=0.01)


def test_what_does_not_fit_is_refused():
    material, position = noise(2, 3, 60), between(10, 50, 2, 12)
    for arguments, more in (
        ((material.long(), position), {}),
        ((material[0, 0], position), {}),
        ((material, position.long()), {}),
        ((material, position[0, 0]), {}),
        ((material, torch.cat((position, position[:1]))), {}),
        ((material, position, torch.ones(5)), {}),
        ((material, position, torch.ones(3, 1)), {}),
        ((material, position.to("meta")), {}),
        ((material, position), {"crossings": 0}),
        ((material, position), {"crossings": 65}),
    ):
        with pytest.raises(DJGraphError, match="read_material"):
            read_material(*arguments, **more)
