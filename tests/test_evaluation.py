"""All figures in one call: each is what its own function gives, of the mix that was made."""

from __future__ import annotations

import pytest
import torch

import djgraph
from djgraph import losses, metrics, reports
from djgraph.evaluation import evaluate

RATE = 11025


@pytest.fixture(scope="module")
def mixer() -> djgraph.Mixer:
    return djgraph.compile("dj_mixer", sample_rate=RATE, n_fft=512, hop_length=128)


def tracks(batch: int = 2, samples: int = 6000) -> dict[str, dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    return {
        name: {
            stem: 0.1 * torch.randn(batch, 2, samples, generator=generator)
            for stem in ("drums", "bass", "vocals", "other")
        }
        for name in ("track_a", "track_b")
    }


def test_figures_are_those_of_their_own_functions(mixer: djgraph.Mixer) -> None:
    layout, inputs = mixer.layout, tracks()
    params = layout.pack(n_frames=2, batch=2)
    params[:, 1, layout.select("track_a.*.gain")] = 0
    params[:, 0, layout.select("track_b.*.gain")] = 0
    truth = layout.pack(n_frames=2, batch=2)
    target = mixer(inputs, truth, tempo=120.0)
    found = evaluate(
        mixer, inputs, params, target=target, truth=truth, faults=True, tempo=torch.tensor([120.0, 90.0])
    )
    mix = mixer(inputs, params, tempo=torch.tensor([120.0, 90.0]))
    assert torch.equal(found.mix, mix)
    figures = found.figures
    assert all(values.shape == (2,) and values.dtype == torch.float64 for values in figures.values())
    assert torch.equal(figures["si_sdr_db"], metrics.si_sdr(mix, target))
    assert torch.equal(figures["loudness_lu"], metrics.loudness_difference(mix, target, RATE))
    assert torch.equal(figures["control_error"], metrics.control_error(params, truth, layout))
    assert figures["control_error gain"].tolist() == pytest.approx([0.5, 0.5])
    assert not figures["control_error lpf"].any()
    parts = reports.contributions(mixer, inputs, params, tempo=120.0)
    basses = [audio for part, audio in parts.items() if part.kind == "bass"]
    expected = losses.bass_overlap(basses, RATE, reduction="none").double()
    torch.testing.assert_close(figures["two_basses"], expected)
    names = {"two_vocals", "keys", "not_heard", "cancellation", "hole_lu", "jump_lu", "clipping_db"}
    assert names < set(figures)
    assert found.means()["control_error gain"] == pytest.approx(0.5)


def test_without_target_truth_and_loudness(mixer: djgraph.Mixer) -> None:
    params = mixer.layout.pack(n_frames=1)
    assert set(evaluate(mixer, tracks(1), params).figures) == {"loudness_lufs"}
    assert not evaluate(mixer, tracks(1, 2000), params, faults=True).figures
    lows = evaluate(mixer, tracks(1, 2000), params, truth=params, groups={"lows": "**.eq_low"})
    assert set(lows.figures) == {"control_error", "control_error lows"}
    with pytest.raises(djgraph.InputError, match="truth"):
        evaluate(mixer, tracks(1, 2000), params, truth=params[None])


def test_each_item_is_measured_at_its_own_tempo() -> None:
    """Gates that open by the beat let two basses meet or not."""
    strips = [
        {"strip": f"s{name}", "input": name, "chain": [{"effect": "trans", "id": "gate"}], "to": "m"}
        for name in "ab"
    ]
    document = {
        "djgraph": 1, "name": "gates", "sample_rate": RATE, "inputs": [{"name": "a"}, {"name": "b"}],
        "mixer": [*strips, {"bus": "m"}], "outputs": ["m"],
    }  # fmt: skip
    mixer = djgraph.compile(document)
    generator = torch.Generator().manual_seed(0)
    inputs = {name: 0.1 * torch.randn(2, 2, 9000, generator=generator) for name in "ab"}
    params = mixer.layout.pack(
        {"sa.gate.depth": 1.0, "sb.gate.depth": 1.0, "sb.gate.duty": 0.2}, n_frames=1, batch=2
    )
    tempi = (120.0, 70.0)
    found = evaluate(mixer, inputs, params, faults=True, tempo=torch.tensor(tempi)).figures
    assert found["two_basses"][0] != found["two_basses"][1]
    for item, tempo in enumerate(tempi):
        one = {name: audio[item : item + 1] for name, audio in inputs.items()}
        alone = evaluate(mixer, one, params[item : item + 1], faults=True, tempo=tempo).figures
        assert set(alone) == set(found)
        for name, values in alone.items():
            torch.testing.assert_close(found[name][item : item + 1], values, rtol=1e-3, atol=1e-5)
