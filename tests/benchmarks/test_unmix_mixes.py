"""Mixes to be un-mixed: the same samples every time; what is said to have been done gives the mix by another way."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest
import soundfile
import torch
from scipy import signal

from benchmarks.unmix import scaling, sound
from benchmarks.unmix.mixes import FRAMES_PER_SECOND, RATE, Case, Part, assemble
from benchmarks.unmix.series import EFFECTS, ROUNDS, SCALINGS, case
from benchmarks.unmix.tunes import tunes
from djgraph.alignment import Passage
from djgraph.dsp import read_material


def noise(seconds: float, seed: int = 1) -> np.ndarray:
    """Below 12 kHz, stereo."""
    white = np.random.RandomState(seed).standard_normal((2, round(seconds * RATE)))
    return signal.sosfilt(signal.butter(8, 12000, fs=RATE, output="sos"), 0.1 * white)


def decibels(signal: np.ndarray, error: np.ndarray) -> float:
    return float(10 * np.log10((signal**2).sum() / (error**2).sum()))


def rebuilt(mix: Case) -> np.ndarray:
    """The mix from its truth: tracks read by djgraph's windowed sinc at the passages' positions, times the faders."""
    out = np.zeros(mix.mix.shape)
    for track in mix.truth.order:
        gains = mix.truth.gains[track]
        for passage in mix.truth.found[track].passages:
            at = np.arange(round(passage.begins), round(passage.ends))
            place = torch.from_numpy(passage.position(at).astype(np.float64))
            rate = torch.full((len(at),), passage.rate, dtype=torch.float64, device="cpu")
            audio = torch.from_numpy(mix.tracks[track]).double()
            heard = read_material(audio, place, rate).numpy()
            moments = np.arange(len(gains)) * RATE / FRAMES_PER_SECOND
            inside = (moments >= passage.begins) & (moments < passage.ends)
            out[:, at] += heard * np.interp(at, moments[inside], gains[inside])
    return out * 10 ** (mix.truth.level / 20)


@pytest.mark.parametrize("hertz", [100, 5000, 16000])
@pytest.mark.parametrize("rate", [0.943, 1.0, 1.061])
def test_resampled_sines_are_sines(hertz, rate):
    sine = np.sin(2 * np.pi * hertz / RATE * np.arange(30000))[None]
    found = scaling.resampled(sine, 9000.37, rate, 10000)[0]
    wanted = np.sin(2 * np.pi * hertz / RATE * (9000.37 + rate * np.arange(10000)))
    assert decibels(wanted, found - wanted) > 100


def test_what_would_fold_back_is_taken_out():
    sine = np.sin(2 * np.pi * 20000 / RATE * np.arange(40000))[None]
    assert np.abs(scaling.resampled(sine, 9000.5, 1.25, 10000)).max() < 1e-4


@pytest.mark.parametrize("stretch", ["wsola", "vocoder"])
def test_stretching_keeps_pitch_and_moves_attacks(stretch):
    audio = np.zeros((1, 4 * RATE))
    tone = np.sin(2 * np.pi * 441 / RATE * np.arange(RATE // 10))
    beats = np.arange(0.3, 3.8, 0.5)
    for beat in beats:
        audio[0, round(beat * RATE) :][: len(tone)] = tone
    made = getattr(scaling, stretch)(audio, 1000.0, 1.07, 3 * RATE)
    made = made[0] if isinstance(made, tuple) else made
    spectrum = np.abs(np.fft.rfft(made[0]))
    assert abs(np.argmax(spectrum) * RATE / made.shape[1] - 441) < 4
    level = np.convolve(np.abs(made[0]), np.ones(200) / 200, "same")
    for beat in beats[1:5]:
        place = round((beat * RATE - 1000) / 1.07)
        near = level[place - 2000 : place + 2000]
        assert abs(int(np.argmax(near > near.max() / 2)) - 2000) < 0.015 * RATE


def test_a_mix_is_what_its_truth_says():
    tracks = {name: noise(4, seed).astype(np.float32) for seed, name in enumerate("ab")}
    parts = [
        Part(
            "a",
            (
                Passage(0, 50000, 100.25, 1.02, False, 0),
                Passage(50000, 90000, 20000.5, 0.97, False, 0),
            ),
            [(44100, 1.0), (88200, 0.0)],
        ),
        Part("b", (Passage(44100, 150000, 3.5, 1.01, False, 0),), [(44100, 0.0), (88200, 1.0)]),
    ]
    mix = assemble("x", "test", "resample", "none", tracks, parts, level=-6.0)
    inside = slice(200, 149000)
    assert decibels(mix.mix[:, inside], (rebuilt(mix) - mix.mix)[:, inside]) > 50
    assert mix.truth.order == ("a", "b")
    assert mix.truth.cuts("a") == (50000,)
    for track in "ab":  # what sounds is the fader's gain, where it is straight over two frames
        assert np.abs(mix.truth.heard[track] - mix.truth.gains[track])[2:-2].max() < 0.06
        assert np.abs(mix.truth.heard[track] - mix.truth.gains[track])[2:-2].mean() < 0.002


def test_a_clock_that_drifts_moves_everything():
    tracks = {"a": noise(3).astype(np.float32)}
    parts = [Part("a", (Passage(0, 100000, 50.0, 1.0, False, 0),), [(0, 1.0)])]
    mix = assemble("x", "test", "resample", "none", tracks, parts, drift=1e-3)
    assert mix.truth.found["a"].passages[0].rate == 1.001
    inside = slice(200, mix.mix.shape[1] - 200)
    assert decibels(mix.mix[:, inside], (rebuilt(mix)[:, : mix.mix.shape[1]] - mix.mix)[:, inside]) > 60


def test_an_eq_at_rest_changes_nothing():
    audio = noise(0.2)
    assert np.allclose(sound.three_bands(audio, np.ones((3, audio.shape[1]))), audio, atol=1e-12)


def test_the_high_pass_is_the_bilinear_one():
    impulse = np.zeros((1, 8192))
    impulse[0, 0] = 1
    found = np.abs(np.fft.rfft(sound.high_pass(impulse, np.full(8192, 500.0))[0]))
    over, under = signal.bilinear(*signal.lp2hp([1], [1, 1, 1], 2 * RATE * np.tan(np.pi * 500 / RATE)), RATE)
    _, wanted = signal.freqz(over, under, np.fft.rfftfreq(8192) * 2 * np.pi)
    assert np.allclose(found, np.abs(wanted), atol=1e-3)


def test_the_limiter_holds_its_ceiling():
    assert np.abs(sound.limiter(8 * noise(0.5))).max() <= 10 ** (-1 / 20) + 1e-9


def lag(late: np.ndarray, early: np.ndarray) -> int:
    """Samples by which one is behind the other."""
    size = 2 * early.shape[1]
    cross = np.fft.irfft(np.fft.rfft(late[0], size) * np.conj(np.fft.rfft(early[0], size)))
    return int((np.argmax(cross) + size // 2) % size - size // 2)


def test_lossy_copies_are_not_late():
    audio = noise(2)
    assert lag(sound.mp3(audio), audio) == 0
    recorded = sound.rerecorded(audio, np.random.RandomState(1))
    assert lag(recorded, audio) == 0
    assert 3 < decibels(recorded, recorded - audio) < 20


def test_masters_hold_loud_sounds_back_more():
    loud, quiet = noise(1), 0.1 * noise(1)
    for master in (sound.master_compressor, sound.limiter):
        gains = [
            np.sqrt((master(audio)[:, 20000:] ** 2).mean() / (audio[:, 20000:] ** 2).mean())
            for audio in (8 * loud, quiet)
        ]
        assert gains[0] < 0.7 * gains[1]


def test_echoes_come_when_and_as_loud_as_said():
    impulse = np.zeros((1, 1000))
    impulse[0, 10] = 1
    found = sound.echo(impulse, np.full(1000, 0.5), 100, feedback=0.5, repeats=3)[0]
    assert list(np.flatnonzero(found)) == [10, 110, 210, 310]
    assert found[[10, 110, 210, 310]] == pytest.approx([1, 0.25, 0.125, 0.0625])


def test_rounds_name_what_the_protocol_has():
    assert len(ROUNDS["unmixdb"]) == len(SCALINGS) * len(EFFECTS) == 12


@pytest.mark.skipif(shutil.which("sox") is None, reason="sox is not installed")
@pytest.mark.parametrize(
    ("effect", "sox", "agrees"),
    [
        ("bass", "bass +6 gain -3", 90),
        ("compressor", "compand 0.3,1 6:-70,-60,-20 -5 -90 0.2", 30),
        ("distortion", "overdrive", 90),
    ],
)
def test_effects_are_those_of_sox(effect, sox, agrees, tmp_path):
    audio = 0.5 * noise(3) * np.linspace(0, 1, 3 * RATE)
    source, target = str(tmp_path / "in.wav"), str(tmp_path / "out.wav")
    soundfile.write(source, audio.T, RATE, subtype="FLOAT")
    command = ["sox", source, "-e", "float", "-b", "32", target, *sox.split()]
    subprocess.run(command, check=True, capture_output=True)
    theirs = soundfile.read(target)[0].T
    assert decibels(theirs, getattr(sound, effect)(audio) - theirs) > agrees


def test_no_bar_of_a_tune_is_another():
    one = tunes(1, 12, np.random.RandomState(7))[0]
    length = round(240 / one.tempo * RATE)
    bars = [one.audio[:, round(one.bar(n)) :][:, :length] for n in range(one.bars)]
    for number, bar in enumerate(bars):
        for other in bars[:number]:
            assert decibels(bar, bar - other) < 20


@pytest.mark.slow
@pytest.mark.parametrize(("series", "number"), [("unmixdb", 4), ("cuts", 2)])
def test_cases_are_reproducible_and_true(series, number):
    made = case(series, 5, number)
    assert made.digest == case(series, 5, number).digest
    assert decibels(made.mix, rebuilt(made)[:, : made.mix.shape[1]] - made.mix) > 45


@pytest.mark.slow
def test_tracks_that_are_absent_are_offered():
    made = case("cuts", 5, 4)
    assert len(made.tracks) == 4
    assert len(made.truth.order) == 2
    assert sum(not found.passages for found in made.truth.found.values()) == 2
