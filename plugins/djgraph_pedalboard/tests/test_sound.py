"""Each effect sounds as Pedalboard, called directly: at rest, in blocks of any length, and where controls step."""

from __future__ import annotations

import djgraph_pedalboard.builtin as b
import numpy as np
import pedalboard as p
import pytest
import torch
from runs import RATE, directly, make, noise, resting, run

CASES = {
    b.Bitcrush: {"bit_depth": 5.0},
    b.Chorus: {"rate_hz": 2.0, "depth": 0.5, "centre_delay_ms": 9.0, "feedback": 0.3},
    b.Clipping: {"threshold_db": -12.0},
    b.Compressor: {"threshold_db": -20.0, "ratio": 4.0, "attack_ms": 2.0, "release_ms": 80.0},
    b.Delay: {"delay_seconds": 0.01, "feedback": 0.6},
    b.Distortion: {"drive_db": 12.0},
    b.Gain: {"gain_db": -7.0},
    b.HighShelfFilter: {"cutoff_frequency_hz": 3000.0, "gain_db": 8.0, "q": 0.5},
    b.HighpassFilter: {"cutoff_frequency_hz": 900.0},
    b.Invert: {},
    b.LadderFilter: {"mode": 3.0, "cutoff_hz": 900.0, "resonance": 0.7, "drive": 3.0},
    b.Limiter: {"threshold_db": -15.0, "release_ms": 30.0},
    b.LowShelfFilter: {"cutoff_frequency_hz": 300.0, "gain_db": -8.0, "q": 0.9},
    b.LowpassFilter: {"cutoff_frequency_hz": 900.0},
    b.NoiseGate: {"threshold_db": -14.0, "ratio": 6.0, "attack_ms": 3.0, "release_ms": 20.0},
    b.PeakFilter: {"cutoff_frequency_hz": 1000.0, "gain_db": 9.0, "q": 2.0},
    b.Phaser: {"rate_hz": 3.0, "depth": 0.8, "centre_frequency_hz": 900.0, "feedback": -0.4},
    b.Reverb: {"room_size": 0.8, "damping": 0.2, "wet_level": 0.5, "dry_level": 0.3, "width": 0.6},
    b.BrickwallLimiter: {"ceiling_db": -9.0, "release_ms": 20.0},
    b.Resample: {},
}


def plugin(cls, values, **more):
    arguments = {name: value for name, value in values.items() if name != "mode"}
    if "mode" in values:
        arguments["mode"] = list(p.LadderFilter.Mode.__members__.values())[round(values["mode"])]
    return getattr(p, cls.plugin)(**{**cls.fixed, **arguments, **more})


def test_every_effect_is_compared():
    assert set(CASES) == set(b.BUILT_IN)


@pytest.mark.parametrize("cls", CASES, ids=lambda cls: cls.type)
def test_sounds_as_pedalboard(cls):
    """Two items of a batch, to the last bit; in blocks of one sample, of primes, and longer than a step."""
    effect, sound, values = make(cls), noise(batch=2), CASES[cls]
    expected = directly(lambda: plugin(cls, values), sound)
    assert float((expected - sound).abs().max()) > 0.005
    controls = resting(effect, values, 2, 6000)
    for cuts in ((), (1, 2, 3, 258, 300, 1013, 5000), (256, 512), range(97, 6000, 97)):
        got = run(effect, sound, controls, cuts)
        assert torch.equal(got, expected), cuts


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [22050, 48000])
def test_other_rates_and_mono(channels, rate):
    for cls in (b.Reverb, b.Compressor, b.BrickwallLimiter):
        effect, sound = make(cls, rate=rate), noise(channels=channels)
        expected = directly(lambda cls=cls: plugin(cls, CASES[cls]), sound, rate)
        got = run(effect, sound, resting(effect, CASES[cls], 1, 6000), (1, 700))
        assert torch.equal(got, expected)


@pytest.mark.parametrize("cls", [b.LowpassFilter, b.Chorus, b.Reverb, b.Compressor, b.LadderFilter])
@pytest.mark.parametrize("block", [64, 256])
def test_controls_step_at_multiples_of_the_block(cls, block):
    """Against a loop that sets the attributes and calls Pedalboard, block after block."""
    effect, sound = make(cls, {"block": block}), noise()
    generator = torch.Generator().manual_seed(4)
    controls = resting(effect, {}, 1, 6000)
    for control in effect.controls:
        if control.id == "mode":
            controls["mode"] = torch.randint(0, 6, (1, 1, 6000), generator=generator).float()
        elif control.id != "mix":
            low = max(control.min, 0.1 * control.max)
            unit = torch.rand(1, 1, 6000, generator=generator)
            controls[control.id] = low + (control.max / 2 - low) * unit
    first = {name: float(one[0, 0, 0]) for name, one in controls.items() if name != "mix"}
    one = plugin(cls, first)
    silence = np.zeros((2, block), np.float32)
    one.process(silence, RATE, block, reset=True)  # so that no later block is longer than all before
    one.process(silence[:, :0], RATE, block, reset=True)
    pieces = []
    for start in range(0, 6000, block):
        for name in first:
            value = float(controls[name][0, 0, start])
            if name == "mode":
                one.mode = list(p.LadderFilter.Mode.__members__.values())[round(value)]
            else:
                setattr(one, name, value)
        piece = sound[0, :, start : start + block].numpy()
        pieces.append(one.process(np.ascontiguousarray(piece), RATE, block, reset=False))
    expected = torch.from_numpy(np.concatenate(pieces, 1))
    for cuts in ((), (1, 100, 5000)):
        assert torch.equal(run(effect, sound, controls, cuts)[0], expected)


@pytest.mark.parametrize("cls", [b.Reverb, b.BrickwallLimiter])
def test_the_mix_moves_at_every_sample(cls):
    effect, sound = make(cls), noise()
    controls = resting(effect, CASES[cls], 1, 6000)
    wet = run(effect, sound, controls)
    controls["mix"] = torch.rand(1, 1, 6000, generator=torch.Generator().manual_seed(1))
    for cuts in ((), (1, 800)):
        got = run(effect, sound, controls, cuts)
        assert float((got - (sound + controls["mix"] * (wet - sound))).abs().max()) < 1e-6


def test_the_own_mix_of_a_plugin_is_djgraphs():
    """Where Pedalboard has a mix, a share of the same."""
    for cls in (b.Chorus, b.Delay, b.Phaser):
        effect, sound = make(cls), noise()
        expected = directly(lambda cls=cls: plugin(cls, CASES[cls], mix=0.3), sound)
        got = run(effect, sound, resting(effect, {**CASES[cls], "mix": 0.3}, 1, 6000))
        assert float((got - expected).abs().max()) < 2e-6


def test_latency_is_the_block_and_the_look_ahead():
    effect = make(b.BrickwallLimiter, {"lookahead_ms": 2.0, "block": 128})
    assert effect.latency() == 127 + int(0.002 * RATE)
    assert make(b.Reverb).latency() == 0
