"""The looper against a loop over samples."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from djgraph_fx import Looper

from djgraph.effects import Block, Clock, Environment

RATE, SAMPLES, TEMPO = 2000, 2600, 120.0
LENGTH = 250
"""Samples of a quarter of a beat."""


def clock(begin, end, tempo=TEMPO):
    place = torch.arange(begin, end, dtype=torch.float64)[None, None]
    return Clock(torch.full_like(place, tempo), place * tempo / 60 / RATE)


def run(audio, controls, cuts=(), tempo=TEMPO, owned=False):
    effect = Looper(Looper.Settings(beats=0.25), Environment(RATE))
    state, parts, edges = effect.initial_state(1, 2, torch.from_numpy(audio)), [], [0, *cuts, SAMPLES]
    for begin, end in itertools.pairwise(edges):
        now = {name: torch.from_numpy(one[None, None, begin:end].copy()) for name, one in controls.items()}
        block = Block(begin, end - begin, RATE, clock(begin, end, tempo), owned)
        out, state = effect.process(
            {"in": torch.from_numpy(audio[None, :, begin:end].copy())}, now, state, block
        )
        parts.append(out["out"][0])
    return torch.cat(parts, -1).numpy()


def oracle(audio, controls):
    out, inside = np.zeros_like(audio), np.zeros_like(audio)
    for n in range(SAMPLES):
        came = inside[:, n - LENGTH] if n >= LENGTH else 0.0
        out[:, n] = audio[:, n] + controls["play"][n] * came
        inside[:, n] = controls["record"][n] * audio[:, n] + controls["keep"][n] * came
    return out


@pytest.mark.parametrize("owned", [False, True])
def test_against_a_loop_over_samples(owned):
    draw = np.random.default_rng(5)
    audio = draw.standard_normal((2, SAMPLES))
    controls = {name: draw.uniform(0, 1, SAMPLES) for name in ("record", "play", "keep")}
    for cuts in ((), (1, 99, 100, 777, 2000)):
        np.testing.assert_allclose(
            run(audio, controls, cuts, owned=owned), oracle(audio, controls), atol=1e-10
        )


def test_what_was_recorded_for_one_round_comes_again_sample_for_sample():
    draw = np.random.default_rng(6)
    audio = draw.standard_normal((2, SAMPLES)).astype(np.float32).astype(np.float64)
    audio[:, 300 + LENGTH :] = 0
    record = np.zeros(SAMPLES)
    record[300 : 300 + LENGTH] = 1
    out = run(audio, {"record": record, "play": np.ones(SAMPLES), "keep": np.ones(SAMPLES)})
    for turn in range(1, 9):
        begin = 300 + turn * LENGTH
        np.testing.assert_array_equal(out[:, begin : begin + LENGTH], audio[:, 300 : 300 + LENGTH])


def test_an_overdub_is_added_and_keep_0_takes_the_loop_away():
    audio = np.zeros((2, SAMPLES))
    audio[:, 10], audio[:, 20 + LENGTH] = 1, 0.5
    keep = np.ones(SAMPLES)
    keep[4 * LENGTH : 5 * LENGTH] = 0
    controls = {"record": np.ones(SAMPLES), "play": np.ones(SAMPLES), "keep": keep}
    out = run(audio, controls)[0]
    assert (out[10 + 3 * LENGTH], out[20 + 3 * LENGTH]) == (1, 0.5)
    assert not out[5 * LENGTH :].any()


def test_tempos_beyond_its_range_loop_as_its_ends():
    audio = np.zeros((2, SAMPLES))
    audio[:, 0] = 1
    controls = {name: np.ones(SAMPLES) for name in ("record", "play", "keep")}
    controls["record"][1:] = 0
    for tempo, length in ((500.0, 100), (30.0, 750)):
        out = run(audio, controls, tempo=tempo)[0]
        assert np.flatnonzero(out).tolist() == list(range(0, SAMPLES, length))
