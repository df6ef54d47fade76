"""Gradients: exact of the mix, none of the rest unless asked, and then, on average, the right ones."""

from __future__ import annotations

import math

import djgraph_pedalboard.builtin as b
import pytest
import torch
from djgraph_pedalboard.estimate import Estimate
from runs import make, noise, resting, run


def leaves(effect, values, samples, dtype=torch.float32):
    controls = resting(effect, values, 1, samples, dtype)
    return {name: one.requires_grad_() for name, one in controls.items()}


def test_none_unless_asked():
    effect, sound = make(b.LowpassFilter), noise(2000).requires_grad_()
    controls = leaves(effect, {"mix": 0.7}, 2000)
    out = run(effect, sound, controls)
    cutoff, mix, of_sound = torch.autograd.grad(
        out.sum(), [controls["cutoff_frequency_hz"], controls["mix"], sound], materialize_grads=True
    )
    assert not bool(cutoff.any())
    assert torch.allclose(of_sound, torch.full_like(sound, 0.3), atol=1e-6)  # what the mix leaves of it
    with torch.no_grad():
        wet = run(effect, sound, resting(effect, {}, 1, 2000))
    assert torch.allclose(mix, (wet - sound).sum(1, keepdim=True), atol=1e-5)


@pytest.mark.parametrize("cls", [b.Reverb, b.BrickwallLimiter])
def test_as_a_wire_the_sound_has_the_gradient_of_a_delay(cls):
    effect, sound = make(cls, {"audio_gradient": "wire"}), noise(2000).requires_grad_()
    weight = noise(2000, seed=3)
    out = run(effect, sound, resting(effect, {}, 1, 2000))
    (gradient,) = torch.autograd.grad((out * weight).sum(), sound)
    assert torch.allclose(gradient, weight)


def slope(effect, values, sound, weight, name, span, step):
    """The derivative of Σ weight·out in a control that is moved on a span of samples only."""
    results = []
    for sign in (1, -1):
        controls = resting(effect, values, 1, sound.shape[-1])
        controls[name][..., span] += sign * step
        with torch.no_grad():
            results.append(float((run(effect, sound, controls) * weight).double().sum()))
    return (results[0] - results[1]) / (2 * step)


def test_on_average_an_estimate_is_the_gradient():
    """A bell whose three controls rest: means over 300 seeds against finite differences. Each within four standard
    errors, and the whole gradient, in positions of the controls' ranges, within a seventh of its length."""
    samples, values = 1024, {"gain_db": 6.0, "cutoff_frequency_hz": 2000.0, "q": 1.0}
    sound = noise(samples)
    # Resonant weights, so that the gradient is no accident of noise.
    plain = make(b.PeakFilter)
    weight = run(plain, sound, resting(plain, {**values, "gain_db": 12.0}, 1, samples)) - sound
    effect = make(b.PeakFilter, {"gradients": "spsa", "block": 512, "perturbation": 0.01})
    names = list(values)
    drawn = []
    for _ in range(300):  # each call draws anew
        controls = leaves(effect, values, samples)
        loss = (run(effect, sound, controls) * weight).sum()
        parts = torch.autograd.grad(loss, [controls[name] for name in names])
        drawn.append(torch.stack([part.sum() for part in parts]))
    drawn = torch.stack(drawn)
    mean, error = drawn.mean(0), drawn.std(0) / len(drawn) ** 0.5
    exact = torch.tensor(
        [
            slope(plain, values, sound, weight, name, slice(None), step)
            for name, step in zip(names, (0.1, 20.0, 0.01))
        ]
    )
    assert bool(((mean - exact).abs() < 4 * error + 0.02 * exact.abs()).all())
    ranges = torch.tensor([72.0, 2000.0 * math.log(20000 / 20), 1.0 * math.log(20 / 0.1)])
    assert float(((mean - exact) * ranges).norm()) < float((exact * ranges).norm()) / 7


def test_an_estimate_tells_the_blocks_apart():
    """The gradient of a gain in each block is what is heard in that block; JUCE's gain glides for 50 ms, so a little
    is heard later. Against differences in which one block alone is moved."""
    samples, block = 8192, 2048
    effect = make(b.Gain, {"gradients": "spsa", "block": block, "directions": 32, "perturbation": 0.02})
    plain = make(b.Gain, {"block": block})
    sound, values = noise(samples), {"gain_db": 0.0}
    total = torch.zeros(samples // block, dtype=torch.float64)
    for _ in range(8):
        controls = leaves(effect, values, samples)
        (part,) = torch.autograd.grad((run(effect, sound, controls) * sound).sum(), controls["gain_db"])
        total += part[0, 0].view(-1, block).sum(-1) / 8
    for number in range(samples // block):
        span = slice(number * block, (number + 1) * block)
        exact = slope(plain, values, sound, sound, "gain_db", span, 1.0)
        assert float(total[number]) == pytest.approx(exact, rel=0.35), number


def test_a_quadratic_problem_is_solved():
    """Spall's estimator on ½·|A·u − y|² beside the exact gradient: equal on average, and equal for one parameter."""
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(40, 4, generator=generator, dtype=torch.float64)
    target = torch.randn(40, generator=generator, dtype=torch.float64)
    at = torch.rand(4, generator=generator, dtype=torch.float64)
    exact = matrix.T @ (matrix @ at - target)
    estimates = []
    for _ in range(2000):
        signs = torch.randint(0, 2, (4,), generator=generator).double() * 2 - 1
        up, down = at + 0.01 * signs, at - 0.01 * signs
        positions = at[None, :, None].clone().requires_grad_()
        wet = Estimate.apply(
            torch.zeros(1, 1, 40, dtype=torch.float64),
            positions,
            (matrix @ at)[None, None],
            (matrix @ (up - down))[None, None, None],
            (up - down)[None, None, :, None],
            torch.zeros(1, dtype=torch.int64),
            None,
        )
        loss = ((wet[0, 0] - target) ** 2).sum() / 2
        (part,) = torch.autograd.grad(loss, positions)
        estimates.append(part[0, :, 0])
    estimates = torch.stack(estimates)
    error = estimates.std(0) / len(estimates) ** 0.5
    assert bool(((estimates.mean(0) - exact).abs() < 4 * error).all())
    assert float(((estimates.mean(0) - exact) / exact.abs().max()).abs().max()) < 0.1


def test_gradient_descent_finds_a_threshold():
    """What it is for: a clipper's threshold from what it made."""
    effect = make(b.Clipping, {"gradients": "spsa", "directions": 2, "block": 2048})
    sound = noise(2048)
    with torch.no_grad():
        wanted = run(effect, sound, resting(effect, {"threshold_db": -14.0}, 1, 2048))
    threshold = torch.tensor(-4.0, requires_grad=True)
    for _ in range(60):
        controls = resting(effect, {}, 1, 2048)
        controls["threshold_db"] = threshold.expand(1, 1, 2048)
        loss = (run(effect, sound, controls) - wanted).square().mean()
        (gradient,) = torch.autograd.grad(loss, threshold)
        with torch.no_grad():
            threshold -= 400 * gradient
    assert float(threshold.detach()) == pytest.approx(-14.0, abs=0.5)


def test_values_on_a_grid_are_not_moved():
    effect = make(b.LadderFilter, {"gradients": "spsa"})
    controls = leaves(effect, {}, 600)
    out = run(effect, noise(600), controls)
    mode, cutoff = torch.autograd.grad(out.square().sum(), [controls["mode"], controls["cutoff_hz"]])
    assert not bool(mode.any())
    assert bool(cutoff.any())


def test_at_the_ends_of_a_range_an_estimate_stays_within():
    effect = make(b.Clipping, {"gradients": "spsa", "block": 1024})
    for end in (-60.0, 24.0):
        controls = leaves(effect, {"threshold_db": end}, 1024)
        out = run(effect, noise(1024, level=1.0), controls)
        (part,) = torch.autograd.grad(out.abs().sum(), controls["threshold_db"])
        assert bool(part.isfinite().all())
        assert bool(part.any()) == (end == -60.0)  # at the upper end nothing is clipped


def test_gradients_have_to_be_wanted_from_the_start():
    from djgraph.effects import Block
    from djgraph.errors import EffectError

    effect, sound = make(b.Gain, {"gradients": "spsa"}), noise(300)
    with torch.no_grad():
        block = Block(0, 300, 44100)
        _, state = effect.process(
            {"in": sound}, resting(effect, {}, 1, 300), effect.initial_state(1, 2, sound), block
        )
    with pytest.raises(EffectError, match="begin the stream with gradients on"):
        effect.process({"in": sound}, leaves(effect, {}, 300), state, Block(300, 300, 44100))


def test_estimates_go_on_through_the_blocks_of_a_stream():
    """In blocks a value's gradient is that of the output of its block; the sum over the clip is the same on average."""
    effect = make(b.Gain, {"gradients": "spsa", "block": 512, "directions": 16})
    plain = make(b.Gain, {"block": 512})
    sound = noise(4096)
    total = 0.0
    for _ in range(6):
        controls = leaves(effect, {"gain_db": 0.0}, 4096)
        out = run(effect, sound, controls, (2048,))
        (part,) = torch.autograd.grad((out * sound).sum(), controls["gain_db"])
        total += float(part.sum()) / 6
    exact = slope(plain, {"gain_db": 0.0}, sound, sound, "gain_db", slice(None), 1.0)
    assert total == pytest.approx(exact, rel=0.4)
