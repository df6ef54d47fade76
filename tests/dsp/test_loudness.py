"""K-weighting against pyloudnorm's coefficients by SciPy, the standard's table, blocks and finite differences."""

import numpy as np
import pyloudnorm
import pytest
import torch
from dsp_recursions import check_blocks_equal_the_whole, check_gradients, noise
from scipy.signal import sosfilt

from djgraph.dsp import k_weighting
from djgraph.errors import DJGraphError
from djgraph.losses.lufs import k_weighted

STANDARD = np.array(
    [
        [1.53512485958697, -2.69169618940638, 1.19839281085285, 1, -1.69065929318241, 0.73248077421585],
        [1, -2, 1, 1, -1.99004745483398, 0.99007225036621],
    ]
)
"""ITU-R BS.1770-5, annex 1, tables 1 and 2: at 48 kHz."""


@pytest.mark.parametrize("rate", [11025, 44100, 48000, 96000])
def test_equals_the_filters_of_pyloudnorm(rate):
    audio = noise(2, 5000)
    got, _ = k_weighting(audio, sample_rate=rate)
    stages = pyloudnorm.Meter(rate, filter_class="DeMan")._filters.values()
    sections = np.array([[*stage.b, *stage.a] for stage in stages])
    np.testing.assert_allclose(got.numpy(), sosfilt(sections, audio.numpy()), rtol=1e-7, atol=1e-9)


def test_equals_the_table_of_the_standard():
    audio = noise(2, 20000)
    got, _ = k_weighting(audio, sample_rate=48000)
    np.testing.assert_allclose(got.numpy(), sosfilt(STANDARD, audio.numpy()), rtol=1e-5, atol=1e-5)


def test_equals_the_weighting_of_whole_clips():
    audio = noise(2, 3000)
    got, _ = k_weighting(audio, sample_rate=44100)
    torch.testing.assert_close(got, k_weighted(audio, 44100), rtol=1e-7, atol=1e-9)


def test_gradients_and_blocks():
    def kernel(audio, state):
        return k_weighting(audio, state, sample_rate=8000)

    check_gradients(kernel, (noise(2, 2, 20), noise(2, 2, 4, seed=1)), second=False)
    check_blocks_equal_the_whole(kernel, noise(2, 2, 90), [], noise(2, 2, 4, seed=1), [1, 5, 40, 44])


def test_what_does_not_fit_is_refused():
    with pytest.raises(DJGraphError, match="k_weighting: state has to be"):
        k_weighting(torch.zeros(2, 9), torch.zeros(2, 3), sample_rate=44100)
    with pytest.raises(DJGraphError, match="sample_rate"):
        k_weighting(torch.zeros(2, 9), sample_rate=0)
