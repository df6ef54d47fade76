"""The peers do the work that they are said to do."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import djgraph
from benchmarks.peers.dasp_mixer import DaspMixer
from benchmarks.peers.grafx_mixer import GrafxMixer
from benchmarks.peers.pedalboard_mixer import PedalboardMixer
from benchmarks.work import SAMPLE_RATE, Inputs, make_params, make_stems

SAMPLES = 8000


@pytest.fixture(scope="module")
def stems() -> Inputs:
    return make_stems(djgraph.load("dj_mixer"), SAMPLES)


@pytest.fixture(scope="module")
def layout() -> djgraph.ParameterLayout:
    return djgraph.compile("dj_mixer").layout


class TestPedalboard:
    @pytest.fixture(autouse=True)
    def _installed(self) -> None:
        pytest.importorskip("pedalboard", reason="pip install 'djgraph[bench]'")

    def test_fixed_equals_automation_that_stands_still(
        self, stems: Inputs, layout: djgraph.ParameterLayout
    ) -> None:
        params = make_params(layout, 8)[:, :1].expand(-1, 8, -1)
        mixes = []
        for automated in (False, True):
            mixer = PedalboardMixer(stems, params, 2, automated=automated)
            mixes.append((mixer(), mixer()))
            mixer.close()
        for first, again in mixes:
            np.testing.assert_array_equal(first, again)  # nothing is left over from the call before
        np.testing.assert_allclose(mixes[0][0], mixes[1][0], atol=2e-4)

    def test_automation_moves(self, stems: Inputs, layout: djgraph.ParameterLayout) -> None:
        params = layout.neutral.expand(1, 4, -1).clone()
        params[:, 2:, [i for i, name in enumerate(layout.names) if name.endswith(("gain", "eq_low"))]] = 0
        params[:, 2:, [i for i, name in enumerate(layout.names) if name.endswith(("eq_mid", "eq_high"))]] = 0
        mixer = PedalboardMixer(stems, params, 1, automated=True)
        mix = mixer()
        mixer.close()
        assert mix.shape == (2, SAMPLES)
        loud, quiet = np.abs(mix[:, : SAMPLES // 2]).mean(), np.abs(mix[:, -SAMPLES // 4 :]).mean()
        assert quiet < 0.2 * loud

    def test_every_stem_is_heard(self, stems: Inputs, layout: djgraph.ParameterLayout) -> None:
        params = layout.neutral.expand(1, 1, -1)
        whole = PedalboardMixer(stems, params, 2, automated=False)()
        for track, row in stems.items():
            for name in row:
                silent = {
                    t: {n: a * ((t, n) != (track, name)) for n, a in r.items()} for t, r in stems.items()
                }
                assert np.abs(PedalboardMixer(silent, params, 2, automated=False)() - whole).max() > 0.1


@pytest.mark.slow
def test_grafx_mixes_every_stem_with_gradients(stems: Inputs) -> None:
    pytest.importorskip("grafx", reason="pip install 'djgraph[bench]'")
    mixer = GrafxMixer()
    mix = mixer(stems)
    assert mix.shape == (1, 2, SAMPLES)
    mix.square().mean().backward()
    for name, control in mixer.controls.named_parameters():
        assert control.grad is not None, name
        rows = control.grad.flatten(1).abs().amax(-1)
        assert len(rows) == (2 if "reverb" in name else 8)
        assert (rows > 0).all(), name


def test_dasp_mixes_every_stem_with_gradients(stems: Inputs) -> None:
    pytest.importorskip("dasp_pytorch", reason="pip install 'djgraph[bench]'")
    mixer = DaspMixer(reverb=False)
    mix = mixer(stems)
    assert mix.shape == (1, 2, SAMPLES)
    mix.square().mean().backward()
    assert mixer.levels.grad is not None
    assert (mixer.levels.grad != 0).all()


@pytest.mark.slow
def test_dasp_reverb_rings_on() -> None:
    pytest.importorskip("dasp_pytorch", reason="pip install 'djgraph[bench]'")
    clip = make_stems(djgraph.load("dj_mixer"), SAMPLE_RATE // 20)
    padded = {
        track: {name: torch.nn.functional.pad(audio, (0, 2000)) for name, audio in row.items()}
        for track, row in clip.items()
    }
    with torch.no_grad():
        dry, wet = (DaspMixer(reverb=reverb)(padded)[..., -1000:].abs().mean() for reverb in (False, True))
    assert wet > 2 * dry
