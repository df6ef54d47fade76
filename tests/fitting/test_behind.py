"""Compressors behind faders: the follower against a loop over samples, and a mix of which law and faders are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from djgraph.fitting.alone import BLOCK, Blocks
from djgraph.fitting.behind import find_behind
from djgraph.fitting.fader_curves import Compressed, FaderCurves, Plain
from djgraph.fitting.intervals import Intervals, widened
from djgraph.fitting.level_law import HOP, LevelLaw, follow, peaks_of
from djgraph.fitting.prepare import Prepared

RATE = 44100


def bursts(seconds: float, seed: int) -> np.ndarray:
    """Noise, every 0.3 s at another level, ``[1, samples]``."""
    random = np.random.RandomState(seed)
    levels = np.repeat(random.uniform(-24, 0, int(np.ceil(seconds / 0.3))), round(0.3 * RATE))
    noise = random.standard_normal(round(seconds * RATE)) * 0.2
    return (noise * 10 ** (levels[: len(noise)] / 20))[None]


def envelope(audio: np.ndarray, attack: float, release: float) -> np.ndarray:
    """In dB, sample by sample; times in ms."""
    up, down = 1 - np.exp(-1000 / (attack * RATE)), 1 - np.exp(-1000 / (release * RATE))
    level, out = 0.0, []
    for peak in np.abs(audio).max(0).tolist():
        level += (peak - level) * (up if peak > level else down)
        out.append(level)
    return 20 * np.log10(np.maximum(out, 10 ** (-90 / 20)))


def compressed(
    audio: np.ndarray, ratio: float = 3.0, attack: float = 60.0, release: float = 400.0
) -> np.ndarray:
    return audio * 10 ** (-(1 - 1 / ratio) * (envelope(audio, attack, release) + 20) / 20)


def test_the_follower_is_that_of_single_samples() -> None:
    audio = bursts(2.0, 1)
    peaks = peaks_of(torch.from_numpy(audio))
    found = follow(peaks, np.ones(len(peaks)), False, np.array([[60.0, 400.0]]), RATE)[:, 0]
    true = envelope(audio, 60.0, 400.0)[HOP - 1 :: HOP]
    assert np.abs(found[: len(true)] - true)[200:].max() < 0.2


def test_a_law_without_a_threshold_takes_its_share_of_every_decibel() -> None:
    peaks = np.full((4000, 8), 0.1)
    law = LevelLaw(0.5, -np.inf, 5.0, 5.0, 0.0, False, 0.0, 1.0)
    whole, half = (law.gain(law.level(peaks, np.full(4000, f), RATE))[-1] for f in (1.0, 0.5))
    assert half - whole == pytest.approx(0.5 * 20 * np.log10(2), abs=1e-6)


def test_the_slopes_of_a_plain_fader_are_those_of_differences() -> None:
    random = np.random.RandomState(2)
    audio = [torch.from_numpy(random.standard_normal((1, 8 * BLOCK))) for _ in range(2)]
    target = audio[0] * 0.5 + audio[1] * 0.3
    blocks = Blocks.of(audio, target, torch.ones(8 * BLOCK))
    gram, left = torch.from_numpy(blocks.gram), torch.from_numpy(blocks.left)
    curves = FaderCurves.of(gram, left, (Plain(1.0), Plain(1.0)), 8 * BLOCK, RATE)
    u = torch.from_numpy(random.uniform(0.2, 0.9, (3, 2)))
    loss, gradient, _ = curves.linearize(u)
    assert loss == pytest.approx(curves.loss(u))
    for row in range(3):
        for column in range(2):
            moved = u.clone()
            moved[row, column] += 1e-6
            assert (curves.loss(moved) - loss) / 1e-6 == pytest.approx(
                float(gradient[row, column]), rel=1e-3, abs=1e-6
            )


def _crossfade(seconds: float) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Two tracks and their faders by sample: 4 s of a line from one to the other in the middle."""
    at = np.arange(round(seconds * RATE)) / RATE
    into = np.clip((at - seconds / 2 + 2) / 4, 0, 1)
    return [bursts(seconds, 3), bursts(seconds, 4)], [1 - into, into]


def _found(tracks: list[np.ndarray], mix: np.ndarray):  # type: ignore[no-untyped-def]
    sources = [torch.from_numpy(one).float() for one in tracks]
    target = torch.from_numpy(mix).float()
    inputs = dict(zip("ab", sources))
    material = Prepared(inputs, sources, target, target.shape[1], 1)
    return find_behind(material, ["a", "b"], target, torch.ones(target.shape[1]), RATE, None)


@pytest.mark.slow
def test_a_compressor_behind_two_faders_is_found_and_what_it_does() -> None:
    tracks, faders = _crossfade(24.0)
    mix = sum(0.4 * compressed(track * fader) for track, fader in zip(tracks, faders))
    found = _found(tracks, mix)
    law = found.laws["a"]
    assert 1 / (1 - law.slope) == pytest.approx(3.0, rel=0.1)
    for name, track, fader in zip("ab", tracks, faders):
        true = 0.4 * 10 ** (-(2 / 3) * (envelope(track * fader, 60.0, 400.0) + 20) / 20)
        heard = (fader > 0.05) & (np.arange(len(fader)) > RATE)
        off = 20 * np.log10(found.gains[name].numpy() * found.level / true)[heard]
        assert np.abs(off).mean() < 0.3


@pytest.mark.slow
def test_nothing_is_found_behind_faders_alone() -> None:
    tracks, faders = _crossfade(24.0)
    noise = 1e-3 * np.random.RandomState(5).standard_normal(tracks[0].shape)
    assert _found(tracks, 0.4 * sum(track * fader for track, fader in zip(tracks, faders)) + noise) is None


def test_a_compressed_fader_is_heard_less_the_slower_it_moves() -> None:
    peaks = np.full((64 * BLOCK // HOP, 8), 0.1)
    behind = Compressed(LevelLaw(0.5, -np.inf, 5.0, 100.0, 0.0, False, 0.0, 1.0), peaks, RATE)
    slow, fast = (behind.amounts(np.full(64, 0.5), seconds)[1][-1, 0] for seconds in (10.0, 0.01))
    assert slow < fast


def test_a_compressor_that_hears_ahead_turns_down_before_it_is_loud() -> None:
    peaks = np.repeat([0.01, 0.5], 200)[:, None].repeat(8, 1)
    law = LevelLaw(0.5, -40.0, 1.0, 1.0, 0.05, False, 0.0, 1.0)
    down = law.gain(law.level(peaks, np.ones(400), RATE)) < -10
    assert len(down) == 400
    assert np.flatnonzero(down)[0] == 200 - round(0.05 * RATE / HOP)


def test_moments_at_which_the_recording_was_clipped_are_not_taken() -> None:
    """Of a track that is alone throughout, but for a tenth of the blocks, in which half of what is heard is no gain."""
    random = np.random.RandomState(3)
    track = torch.from_numpy(random.standard_normal((1, 100 * BLOCK)))
    bad = np.arange(100) % 10 == 4
    error = torch.from_numpy(random.standard_normal((1, 100 * BLOCK)) * (0.01 + bad.repeat(BLOCK)))
    error[:, BLOCK - 1 :: BLOCK] = 0  # the next block's is beside its last sample
    silent = torch.zeros_like(track)
    blocks = Blocks.of([track, silent], track + error, torch.ones(track.shape[1], dtype=torch.float64))
    assert (blocks.alone(0, RATE) == ~bad).all()
    assert not blocks.alone(1, RATE).any()


def test_intervals_are_wider_by_what_is_not_heard_of_a_move() -> None:
    low, high, u = torch.tensor([[0.4, 0.4]]), torch.tensor([[0.55, 0.55]]), torch.tensor([[0.5, 0.5]])
    found = widened(Intervals(low, high, high - low < 1), u, torch.tensor([0.0, 0.75]))
    torch.testing.assert_close(found.low, torch.tensor([[0.4, 0.1]]))
    torch.testing.assert_close(found.high, torch.tensor([[0.55, 0.7]]))
    assert found.told.tolist() == [[True, False]]


@pytest.mark.parametrize("samples", [1, 100, 1500, 3000, 9000])
def test_moments_alone_of_clips_shorter_than_the_margin(samples: int) -> None:
    audio = [torch.randn(1, samples, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2)]
    blocks = Blocks.of(audio, sum(audio), torch.ones(samples))
    for source in (0, 1):
        alone = blocks.alone(source, 8000)
        # Both sound throughout: there is no such moment, and as many answers as blocks.
        assert alone.shape == (len(blocks.gram),)
        assert not alone.any()
