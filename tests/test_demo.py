"""The demo tracks: at their tempo, each stem where it belongs in the spectrum, the same every time."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest
import torch
from effort import few

from djgraph import demo
from djgraph.demo import BPM, DOWNBEAT, PEAK_DBFS, SECONDS, demo_tracks
from djgraph.errors import InputError

RATE = 44100


@pytest.fixture(scope="module")
def tracks() -> dict[str, dict[str, torch.Tensor]]:
    return demo_tracks(RATE)


def test_shapes(tracks: dict[str, dict[str, torch.Tensor]]) -> None:
    assert list(tracks) == ["track_a", "track_b"]
    for stems in tracks.values():
        assert list(stems) == ["drums", "bass", "vocals", "other"]
        for audio in stems.values():
            assert audio.shape == (2, int(SECONDS * RATE))
            assert audio.dtype == torch.float32
            assert torch.isfinite(audio).all()


def test_levels(tracks: dict[str, dict[str, torch.Tensor]]) -> None:
    for stems in tracks.values():
        mix = sum(audio.double() for audio in stems.values())
        assert 20 * np.log10(float(mix.abs().max())) == pytest.approx(PEAK_DBFS, abs=1e-4)
        for audio in stems.values():
            assert abs(float(audio.double().mean())) < 1e-4  # no DC
            assert 20 * np.log10(float(audio.double().square().mean().sqrt())) > -30  # and none is inaudible


def onsets(drums: np.ndarray, hop: int = 256) -> np.ndarray:
    """Rises of the spectral magnitude below 200 Hz, where only the kick plays; one value a hop."""
    frames = np.lib.stride_tricks.sliding_window_view(drums, 1024)[::hop] * np.hanning(1024)
    magnitude = np.log1p(100 * np.abs(np.fft.rfft(frames)))[:, :5]
    return np.maximum(np.diff(magnitude, axis=0), 0).sum(1)


@pytest.mark.parametrize("name", ["track_a", "track_b"])
def test_tempo_by_autocorrelation_of_onsets(tracks: dict[str, dict[str, torch.Tensor]], name: str) -> None:
    hop = 256
    strength = onsets(tracks[name]["drums"].mean(0).numpy(), hop)
    strength = strength - strength.mean()
    power = np.abs(np.fft.rfft(strength, 2 * len(strength))) ** 2
    correlation = np.fft.irfft(power)[: len(strength)]
    low, high = (int(60 / bpm * RATE / hop) for bpm in (150, 100))
    beat = low + int(correlation[low:high].argmax())
    # Again over sixteen beats, for resolution, within half a beat of what one beat says.
    low, high = 16 * beat - beat // 2, 16 * beat + beat // 2
    lag = low + int(correlation[low:high].argmax())
    assert 16 * 60 * RATE / hop / lag == pytest.approx(BPM[name], abs=0.15)


def shares(audio: torch.Tensor, *bands: tuple[float, float]) -> list[float]:
    power = torch.fft.rfft(audio.double()).abs().square().sum(0)
    frequency = torch.fft.rfftfreq(audio.shape[1], 1 / RATE)
    return [float(power[(frequency >= low) & (frequency < high)].sum() / power.sum()) for low, high in bands]


@pytest.mark.parametrize("name", ["track_a", "track_b"])
def test_stems_lie_where_they_belong_in_the_spectrum(
    tracks: dict[str, dict[str, torch.Tensor]], name: str
) -> None:
    stems = tracks[name]
    kick, hats = shares(stems["drums"], (30, 250), (4000, 20000))
    assert kick > 0.5
    assert hats > 0.01
    assert shares(stems["bass"], (25, 250))[0] > 0.9
    assert shares(stems["vocals"], (300, 4000))[0] > 0.95
    assert shares(stems["other"], (120, 4000))[0] > 0.95


def test_the_bass_plays_the_chords_roots(tracks: dict[str, dict[str, torch.Tensor]]) -> None:
    # First bar of track_a: A1, 55 Hz.
    bar = tracks["track_a"]["bass"][0, : 2 * RATE].double().numpy()
    spectrum = np.abs(np.fft.rfft(bar * np.hanning(len(bar)), 8 * len(bar)))
    assert spectrum.argmax() * RATE / (8 * len(bar)) == pytest.approx(
        55, abs=1.5
    )  # half the lines of a 2 Hz rhythm


@pytest.mark.parametrize("name", ["track_a", "track_b"])
def test_a_bar_begins_at_the_downbeat(tracks: dict[str, dict[str, torch.Tensor]], name: str) -> None:
    # Chords change with the bar and are silent at its very start.
    pads = tracks[name]["other"].abs().amax(0).numpy()
    at = int(DOWNBEAT * RATE)
    assert pads[at - 2 : at + 2].max() < 1e-3
    assert pads[at + RATE // 10 : at + RATE // 5].max() > 0.05


def test_no_clicks(tracks: dict[str, dict[str, torch.Tensor]]) -> None:
    for stems in tracks.values():
        for name in ("bass", "vocals", "other"):
            audio = stems[name].double()
            # The steepest step of a band-limited sound: 2 pi f / rate times its peak, f = 3 kHz.
            assert audio.diff().abs().max() < 2 * np.pi * 3000 / RATE * audio.abs().max()
        for audio in stems.values():
            assert audio[:, 0].abs().max() < 1e-3
            assert audio[:, -1].abs().max() < 1e-3


@pytest.mark.slow
def test_deterministic_in_another_process(tracks: dict[str, dict[str, torch.Tensor]]) -> None:
    def digest(stems: dict[str, torch.Tensor]) -> str:
        return hashlib.sha256(b"".join(audio.numpy().tobytes() for audio in stems.values())).hexdigest()

    np.random.seed(7)  # a global seed must not matter
    assert digest(demo_tracks(RATE)["track_b"]) == digest(tracks["track_b"])
    code = (
        "from djgraph.demo import demo_tracks\n"
        "print(float(demo_tracks(8000, 4)['track_a']['drums'].double().abs().sum()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    here = float(demo_tracks(8000, 4)["track_a"]["drums"].double().abs().sum())
    assert float(done.stdout) == pytest.approx(here, rel=1e-6)


@pytest.mark.parametrize(
    ("rate", "seconds"), few([(8000, 1.0), (48000, 2.5), (96000, 0.3), (44100, 1 / 44100)], 1)
)
def test_other_rates_and_lengths(rate: int, seconds: float) -> None:
    for stems in demo_tracks(rate, seconds).values():
        for audio in stems.values():
            assert audio.shape == (2, round(rate * seconds))
            assert torch.isfinite(audio).all()


@pytest.mark.parametrize(
    ("rate", "seconds"), [(100, 1.0), (10**6, 1.0), (44100, 0.0), (44100, 1e9), (44100, -1.0)]
)
def test_limits(rate: int, seconds: float) -> None:
    with pytest.raises(InputError):
        demo_tracks(rate, seconds)


def test_keys_are_neighbours_on_the_circle_of_fifths() -> None:
    def key(chords: tuple[tuple[int, ...], ...]) -> set[int]:
        return {note % 12 for chord in chords for note in chord}

    a, b = (key(demo._TUNES[name].chords) for name in ("track_a", "track_b"))
    assert a <= {0, 2, 4, 5, 7, 9, 11}  # white keys
    assert b <= {0, 2, 4, 6, 7, 9, 11}  # the same with one sharp
