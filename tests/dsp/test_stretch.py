"""Stretching as a function: what it computes by other ways, its gradients, exact and declared."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from djgraph import simd
from djgraph.dsp import stretch
from djgraph.dsp.phases import DEPTH, plain_turns
from djgraph.dsp.stretch import Cut, frame_spectra, overlap_add
from djgraph.errors import DJGraphError

RATE = 8000
SMALL = Cut(256, 64)


def _line(samples: int, rate: float, start: float = 0.0) -> torch.Tensor:
    return start + rate * torch.arange(samples, dtype=torch.float64)


def _clicks(samples: int, *at: float, width: float = 3.0) -> torch.Tensor:
    time = torch.arange(samples, dtype=torch.float64)
    return sum(torch.exp(-0.5 * ((time - one) / width) ** 2) for one in at)[None]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_at_rate_1_it_is_itself(dtype):
    torch.manual_seed(0)
    material = torch.randn(3, 5000, dtype=dtype)
    torch.testing.assert_close(
        stretch(material, _line(3000, 1.0, 700), cut=SMALL), material[:, 700:3700], atol=1e-5, rtol=0
    )
    # A window of it is as good.
    window = stretch(material[:, 300:4500], _line(3000, 1.0, 700), begins=300, cut=SMALL)
    torch.testing.assert_close(window, material[:, 700:3700], atol=1e-5, rtol=0)


@pytest.mark.parametrize("hop", [64, 32, 16])
def test_frames_and_back(hop):
    cut = Cut(256, hop)
    torch.manual_seed(0)
    material = torch.randn(2, 4000)
    places = torch.arange(0, 60) * hop
    spectra = frame_spectra(material, places, cut)
    back = overlap_add(spectra, torch.zeros(60, 129, dtype=torch.float64), cut)[:, 128:]
    inside = slice(256, 59 * hop - 256)
    torch.testing.assert_close(back[:, inside], material[:, inside], atol=1e-5, rtol=0)
    window = torch.hann_window(256)
    one = torch.fft.rfft(material[:, int(places[20]) - 128 : int(places[20]) + 128] * window)
    torch.testing.assert_close(spectra[:, 20], one)


def test_cuts():
    assert Cut.at(44100) == Cut(4096, 1024)
    assert Cut.at(48000) == Cut(4096, 1024)
    assert Cut.at(8000) == Cut(1024, 256) or Cut.at(8000) == Cut(512, 128)
    assert Cut.at(44100, 2.0).hop == 512
    assert Cut.at(44100, 4.0).hop == 256
    cut = Cut(256, 64)
    for sample in range(-300, 300):
        reach = [k for k in range(-20, 20) if -128 < sample - 64 * k < 128]
        assert (cut.first(sample), cut.last(sample)) == (reach[0], reach[-1])


@pytest.mark.skipif(not simd.available(), reason="without Numba")
def test_compiled_phases_are_those_of_plain_python():
    from djgraph.simd.phases import run

    random = np.random.default_rng(0)
    for deep in (20, 400, 3000):
        level = random.integers(0, deep, (8, 65)).astype(np.int32)
        level[3] = 0
        advance, tilt = random.standard_normal((7, 65)), random.standard_normal((7, 65))
        ours, theirs = np.zeros((8, 65)), np.zeros((8, 65))
        run(level, advance, tilt, ours, DEPTH)
        plain_turns(level, advance, tilt, theirs)
        np.testing.assert_array_equal(ours, theirs)


def test_without_compiled_code_it_is_the_same(monkeypatch):
    torch.manual_seed(0)
    material, position = torch.randn(1, 3000), _line(2000, 1.07)
    ours = stretch(material, position, cut=SMALL)
    monkeypatch.setattr(simd, "available", lambda: False)
    assert torch.equal(stretch(material, position, cut=SMALL), ours)


@pytest.mark.parametrize("rate", [0.5, 0.93, 1.07, 1.5, 2.5])
def test_tones_keep_their_pitch_and_clicks_fall_where_they_belong(rate):
    time = torch.arange(6 * RATE, dtype=torch.float64) / RATE
    tone = torch.sin(2 * torch.pi * 400 * time)[None]
    samples = int(5 * RATE / rate)
    y = stretch(tone, _line(samples, rate), sample_rate=RATE)[0]
    middle = y[2000:-2000] * torch.hann_window(samples - 4000, dtype=torch.float64)
    bin_ = int(torch.fft.rfft(middle).abs().argmax())
    assert bin_ * RATE / len(middle) == pytest.approx(400, abs=RATE / len(middle))
    assert float(y[3000:-3000].abs().max()) == pytest.approx(1, abs=0.05)
    clicks = _clicks(6 * RATE, *(n * 4000.0 for n in range(1, 10)))
    z = stretch(clicks, _line(samples, rate), sample_rate=RATE)[0]
    for n in range(2, 9):
        at = n * 4000 / rate
        near = z[round(at) - 600 : round(at) + 600].square()
        found = float((near * torch.arange(-600, 600)).sum() / near.sum()) + round(at) - at
        assert abs(found) < 0.001 * RATE


def test_signals_share_their_phases():
    """A sum of stretched signals is the stretched sum, where the mix leads; so also left and right."""
    torch.manual_seed(0)
    stems = torch.randn(4, 6000)  # two stereo stems
    mix = torch.tensor([[1.0, 0, 1, 0], [0, 1, 0, 1]])
    position = _line(4000, 1.06)
    apart = stretch(stems, position, guide=mix, cut=SMALL)
    together = stretch(mix @ stems, position, cut=SMALL)
    torch.testing.assert_close(mix @ apart, together, atol=2e-5, rtol=0)
    turned = stretch(torch.cat((stems[:1], -stems[:1])), position, cut=SMALL)
    torch.testing.assert_close(turned[0], -turned[1])


def test_the_gradient_in_material_and_gain_is_the_adjoint():
    torch.manual_seed(0)
    material = torch.randn(2, 2000, dtype=torch.float64, requires_grad=True)
    position = _line(1500, 1.06, 20)
    y = stretch(material, position, cut=SMALL)
    weights = torch.randn_like(y)
    (found,) = torch.autograd.grad((y * weights).sum(), material)
    y = y.detach()
    # Linear with phases held: <w, Ax> = <A'w, x>.
    assert float((found * material.detach()).sum()) == pytest.approx(float((y * weights).sum()), rel=1e-9)
    gain = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    loss = stretch(material.detach() * gain, position, cut=SMALL).square().sum()
    (slope,) = torch.autograd.grad(loss, gain)
    assert float(slope) == pytest.approx(
        2 * float(loss) / 0.7, rel=1e-9
    )  # exact: the loss is quadratic in the gain


def test_the_gradient_in_the_position_is_that_of_a_turntable_at_rate_1():
    """Declared; at rate 1 it is the derivative of what is read."""
    time = torch.arange(3000, dtype=torch.float64)
    material = (torch.sin(0.05 * time) * torch.hann_window(3000, dtype=torch.float64))[None]
    position = _line(1500, 1.0, 500).requires_grad_()
    y = stretch(material, position, cut=SMALL)
    (found,) = torch.autograd.grad(y.sum(), position)
    slope = torch.gradient(material[0])[0][500:2000]
    torch.testing.assert_close(found, slope, atol=2e-4, rtol=0)


@pytest.mark.parametrize("wrong", [-25.0, 18.0])
def test_a_start_is_found_by_descent(wrong):
    """Clicks and a tone at 1.06 times: descent on what is heard leads to the place that was played."""
    length, samples = 9000, 7000
    material = _clicks(length, 900, 2700, 4300, 6600, width=12.0)
    true = stretch(material, _line(samples, 1.06, 300.0), cut=Cut(1024, 256)).detach()
    start = torch.tensor(300.0 + wrong, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.Adam([start], lr=1.0)
    for step in range(120):
        optimiser.param_groups[0]["lr"] = 1.0 * 0.97**step
        loss = (stretch(material, start + _line(samples, 1.06), cut=Cut(1024, 256)) - true).square().sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert float(start) == pytest.approx(300, abs=1.5)


@pytest.mark.parametrize("wrong", [-0.004, 0.004])
def test_a_rate_is_found_by_descent(wrong):
    length, samples = 9000, 7000
    material = _clicks(length, 900, 2700, 4300, 6600, width=12.0)
    ramp = torch.arange(samples, dtype=torch.float64)
    true = stretch(material, ramp * 1.06, cut=Cut(1024, 256)).detach()
    rate = torch.tensor(1.06 + wrong, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.Adam([rate], lr=2e-4)
    for step in range(120):
        optimiser.param_groups[0]["lr"] = 2e-4 * 0.97**step
        loss = (stretch(material, rate * ramp, cut=Cut(1024, 256)) - true).square().sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert float(rate) == pytest.approx(1.06, abs=2e-4)


@pytest.mark.parametrize(
    ("material", "position", "said"),
    [
        (torch.zeros(5), _line(5, 1.0), "material has to be"),
        (torch.zeros(1, 5, dtype=torch.int64), _line(5, 1.0), "material has to be"),
        (torch.zeros(1, 5), torch.zeros(1, 5), "position has to be"),
    ],
)
def test_what_cannot_be(material, position, said):
    with pytest.raises(DJGraphError, match=said):
        stretch(material, position)


def test_nothing_is_silence():
    assert stretch(torch.zeros(2, 0), _line(7, 1.0)).shape == (2, 7)
    assert stretch(torch.zeros(2, 9), _line(0, 1.0)).shape == (2, 0)
    assert not stretch(torch.zeros(1, 500), _line(300, 1.1), cut=SMALL).any()
    assert not math.isnan(float(stretch(torch.ones(1, 1), _line(1, 1.0), cut=SMALL)))
