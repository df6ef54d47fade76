"""The pieces of the transform against torch.stft and plain loops."""

import pytest
import torch

from djgraph.dsp import stft


def mirrored(samples: int, position: int) -> int:
    """Walks back and forth between the first and the last sample."""
    at, step = 0, 1
    for _ in range(abs(position)):
        if samples == 1:
            return 0
        if at + step not in range(samples):
            step = -step
        at += step
    return at


@pytest.mark.parametrize("samples", [1, 2, 3, 7])
def test_reflection_bounces_as_often_as_needed(samples: int) -> None:
    positions = torch.arange(-20, 25)
    expected = [mirrored(samples, int(p)) for p in positions]
    assert stft.reflect_index(positions, samples).tolist() == expected


@pytest.mark.parametrize("samples", [1, 2, 3, 7])
def test_what_a_reflected_stretch_reads(samples: int) -> None:
    for start in range(-20, 21):
        for stop in range(start + 1, 24):
            read = stft.reflect_index(torch.arange(start, stop), samples)
            assert stft.reflected_span(start, stop, samples) == (int(read.min()), int(read.max()) + 1)


@pytest.mark.parametrize(("size", "hop"), [(8, 2), (8, 4), (9, 4), (6, 4), (7, 7)])
def test_overlap_add(size: int, hop: int) -> None:
    frames, window = torch.rand(2, 5, size, dtype=torch.float64), torch.rand(size, dtype=torch.float64)
    expected = torch.zeros(2, 4 * hop + size, dtype=torch.float64)
    for t in range(5):
        for n in range(size):
            expected[:, t * hop + n] += window[n] * frames[:, t, n]
    torch.testing.assert_close(stft.overlap_add(frames, window, hop), expected)


@pytest.mark.parametrize(("size", "hop", "samples"), [(16, 4, 100), (16, 4, 3), (16, 8, 41), (18, 5, 60)])
def test_squared_window_sum(size: int, hop: int, samples: int) -> None:
    like = torch.zeros(1, dtype=torch.float64)
    frames = 1 + samples // hop
    window = torch.hann_window(size, periodic=True, dtype=torch.float64)
    padded = torch.zeros((frames - 1) * hop + size + samples, dtype=torch.float64)
    for t in range(frames):
        padded[t * hop : t * hop + size] += window**2
    expected = padded[size // 2 : size // 2 + samples]
    torch.testing.assert_close(stft.squared_window_sum(size, hop, frames, 0, samples, like), expected)
    part = stft.squared_window_sum(size, hop, frames, 2, samples - 1, like)
    torch.testing.assert_close(part, expected[2:-1])


def test_reflected_frames_are_those_of_torch_stft() -> None:
    size, hop, samples = 64, 16, 333
    audio = torch.randn(samples, dtype=torch.float64)
    window = stft.window(size, audio)
    frames = 1 + samples // hop
    index = stft.reflect_index(torch.arange((frames - 1) * hop + size) - size // 2, samples)
    mine = torch.fft.rfft(audio[index].unfold(-1, size, hop) * window)
    theirs = torch.stft(audio, size, hop, window=window, center=True, pad_mode="reflect", return_complex=True)
    torch.testing.assert_close(mine, theirs.T)
