"""The code of the document that djgraph grew from, with only its import changed, and what it promises."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.nn as nn
from fake_layouts import STEMS, seed_layout
from torch import Tensor

from djgraph import DifferentiableDJMixer, MixerConfig, ParameterLayout, SimpleCrossfader, create_mixer
from djgraph.errors import DJGraphError, InputError
from djgraph.nn import ControlHead

SAMPLES = 6000
RATE = 22050
SHARED = Path(__file__).resolve().parents[3] / "shared" / "stems"


def stems(seed: int, batch: int = 1, channels: int | None = 2, samples: int = SAMPLES) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, samples) if channels is None else (batch, channels, samples)
    return {name: 0.2 * torch.randn(shape, generator=generator) for name in STEMS}


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """These mixes are small; threads that wait for each other on a busy machine cost ten times what they save."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def mixer() -> DifferentiableDJMixer:
    return create_mixer(sample_rate=RATE, reverb_decay_time=0.1, delay_default_ms=20.0)


@pytest.fixture(scope="module")
def quick_mixer() -> DifferentiableDJMixer:
    """One that is small enough to train with."""
    return create_mixer(
        sample_rate=RATE, n_fft=512, hop_length=128, reverb_decay_time=0.05, delay_default_ms=20.0
    )


def test_quick_start() -> None:
    mixer = create_mixer(sample_rate=44100)
    track_a, track_b = stems(1), stems(2, channels=None)
    crossfader = SimpleCrossfader(fade_type="equal_power")
    params = crossfader(n_frames=64, batch_size=1)
    mixed_audio, intermediates = mixer(track_a, track_b, params, return_intermediates=True)
    assert params.shape == (1, 64, 54)
    assert mixed_audio.shape == (1, 2, SAMPLES)
    assert mixed_audio.isfinite().all()
    assert {"track_a.drums", "track_b.other", "track_a", "track_b"} <= set(intermediates)
    assert torch.allclose(intermediates["track_a"] + intermediates["track_b"], mixed_audio, atol=1e-6)


def test_the_layout_is_the_one_that_the_seed_documents(mixer: DifferentiableDJMixer) -> None:
    expected = seed_layout()
    layout = mixer.layout
    assert layout.names == expected.names
    for tensor in ("minimum", "maximum", "default", "neutral"):
        assert torch.equal(getattr(layout, tensor), getattr(expected, tensor))
    assert torch.equal(layout.default, layout.neutral)
    assert SimpleCrossfader().layout == ParameterLayout(layout.columns)


def test_a_pair_comes_back_with_and_without_intermediates(mixer: DifferentiableDJMixer) -> None:
    track_a, track_b = stems(1), stems(2)
    params = mixer.layout.pack(n_frames=4, batch=1)
    mixed, nothing = mixer(track_a, track_b, params)
    again, taps = mixer(track_a, track_b, params, return_intermediates=True)
    assert nothing == {}
    assert torch.equal(mixed, again)
    assert all(tap.shape[-1] == SAMPLES for tap in taps.values())
    assert mixer(track_a, track_b, params[0])[0].shape == (1, 2, SAMPLES)


def test_neutral_is_the_sum_of_the_stems(mixer: DifferentiableDJMixer) -> None:
    track_a, track_b = stems(1, batch=2), stems(2, batch=2)
    mixed, _ = mixer(track_a, track_b, mixer.layout.pack(n_frames=3, batch=2))
    expected = torch.stack([*track_a.values(), *track_b.values()]).sum(0)
    assert (mixed - expected).abs().max() < 1e-5


def test_a_crossfade_starts_with_one_track_and_ends_with_the_other(mixer: DifferentiableDJMixer) -> None:
    track_a, track_b = stems(1), stems(2)
    params = SimpleCrossfader("linear")(n_frames=32, cue_in=0.25, cue_out=0.75)
    mixed, _ = mixer(track_a, track_b, params)
    # A frame's filters and the smoothing of the gain reach over the cue points; stay clear of them.
    assert torch.allclose(mixed[..., :300], torch.stack([*track_a.values()]).sum(0)[..., :300], atol=1e-4)
    assert torch.allclose(mixed[..., -300:], torch.stack([*track_b.values()]).sum(0)[..., -300:], atol=1e-4)


class TransitionModel(nn.Module):
    """The seed's model, word for word but for its sizes."""

    def __init__(self, hidden_dim: int = 256) -> None:
        super().__init__()
        self.encoder = nn.LSTM(input_size=128, hidden_size=hidden_dim, batch_first=True)
        self.param_head = nn.Linear(hidden_dim, 54)  # 54 params per frame

    def forward(self, features: Tensor) -> Tensor:
        # features: [batch, n_frames, 128]
        h, _ = self.encoder(features)
        params = torch.sigmoid(self.param_head(h)) * 2  # Scale to param ranges
        return params  # noqa: RET504


class BetterModel(nn.Module):
    def __init__(self, layout: ParameterLayout, hidden_dim: int = 256) -> None:
        super().__init__()
        self.encoder = nn.LSTM(input_size=128, hidden_size=hidden_dim, batch_first=True)
        self.head = ControlHead(hidden_dim, layout)

    def forward(self, features: Tensor) -> Tensor:
        h, _ = self.encoder(features)
        return self.head(h)


def compute_spectral_loss(mixed: Tensor, target: Tensor) -> Tensor:
    loss = mixed.new_zeros(())
    for size in (256, 1024):
        window = torch.hann_window(size)
        spectra = [
            torch.stft(x.flatten(0, 1), size, window=window, return_complex=True) for x in (mixed, target)
        ]
        loss = loss + (spectra[0] - spectra[1]).abs().square().mean().sqrt()
    return loss


def learn(model: nn.Module, mixer: DifferentiableDJMixer, steps: int, lr: float) -> list[float]:
    """The seed's training loop, over one batch of stems whose target is a mix with known params."""
    track_a_stems, track_b_stems = stems(1, batch=2, samples=4000), stems(2, batch=2, samples=4000)
    features = torch.randn(2, 8, 128, generator=torch.Generator().manual_seed(3))
    wanted = SimpleCrossfader("linear")(8, 2)
    wanted[..., mixer.layout.select("track_b.*.eq_low")] = 0.2
    with torch.no_grad():
        target_audio, _ = mixer(track_a_stems, track_b_stems, wanted)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    losses = []
    for _ in range(steps):
        # Generate control parameters
        params = model(features)
        # Mix audio
        mixed, _ = mixer(track_a_stems, track_b_stems, params)
        # Compute loss
        loss = compute_spectral_loss(mixed, target_audio)
        # Backprop through mixer and model
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.slow
def test_the_training_loop_learns_with_the_seeds_own_head(quick_mixer: DifferentiableDJMixer) -> None:
    torch.manual_seed(0)
    model = TransitionModel(hidden_dim=32)
    # An untrained sigmoid * 2 stands at 1 on average: half of the controls with maximum 1 start out of range.
    assert (model(torch.zeros(1, 4, 128)) > quick_mixer.layout.maximum).any()
    losses = learn(model, quick_mixer, steps=26, lr=0.02)
    assert all(loss == loss for loss in losses)
    assert losses[-1] < 0.5 * losses[0]


def test_the_training_loop_learns_with_a_control_head(quick_mixer: DifferentiableDJMixer) -> None:
    torch.manual_seed(0)
    model = BetterModel(quick_mixer.layout, hidden_dim=32)
    losses = learn(model, quick_mixer, steps=20, lr=0.01)
    assert losses[-1] < 0.2 * losses[0]


def test_every_weight_of_the_seeds_head_gets_a_gradient(mixer: DifferentiableDJMixer) -> None:
    params = mixer.layout.pack(n_frames=4, batch=1).requires_grad_()
    target = torch.randn(1, 2, SAMPLES)
    mixed, _ = mixer(stems(1), stems(2), params)
    (mixed - target).square().mean().backward()
    assert params.grad is not None
    assert params.grad.isfinite().all()
    silent = [i for i in mixer.layout.select("**.delay_feedback")]  # nothing to hear while the send is closed
    heard = [i for i in range(54) if i not in silent]
    assert (params.grad[..., heard].abs().amax((0, 1)) > 0).all()


def test_gradients_point_back_from_out_of_range(mixer: DifferentiableDJMixer) -> None:
    layout = mixer.layout
    outside = (layout.pack(n_frames=2, batch=1) + 1.0).requires_grad_()
    mixed, _ = mixer(stems(1), stems(2), outside)
    mixed.square().sum().backward()
    assert outside.grad is not None
    above = outside > layout.maximum
    assert above.any()
    assert (outside.grad[above] >= 0).all()
    gains = layout.select("*.*.gain")
    assert (outside.grad[..., gains] > 0).all()  # quieter is better here, and the way there is open


def test_config_has_every_field_and_default_of_the_seed() -> None:
    config = MixerConfig(
        sample_rate=44100,
        n_fft=2048,
        hop_length=512,
        reverb_decay_time=1.5,
        reverb_damping=0.5,
        delay_default_ms=375.0,
        delay_max_feedback=0.7,
    )
    assert config == MixerConfig()
    assert DifferentiableDJMixer().config == config
    mixer = DifferentiableDJMixer(MixerConfig(sample_rate=16000, n_fft=1024, hop_length=256))
    graph = mixer.mixer.graph
    assert (graph.sample_rate, graph.transform.size, graph.transform.hop) == (16000, 1024, 256)


def test_each_field_of_the_config_is_heard() -> None:
    track_a, track_b = stems(1), stems(2)
    params = SimpleCrossfader().layout.pack(
        {
            "track_a.reverb_send": 0.5,
            "track_a.delay_send": 0.5,
            "track_a.delay_feedback": 1.0,
            "track_a.drums.lpf": 0.5,
        }
    )
    base = {"sample_rate": RATE, "delay_default_ms": 20.0, "reverb_decay_time": 0.1}
    reference, _ = create_mixer(**base)(track_a, track_b, params)  # type: ignore[arg-type]
    for change in (
        {"sample_rate": 44100},
        {"n_fft": 1024},
        {"hop_length": 128},
        {"reverb_decay_time": 0.2},
        {"reverb_damping": 0.9},
        {"delay_default_ms": 30.0},
        {"delay_max_feedback": 0.3},
    ):
        other, _ = create_mixer(**{**base, **change})(track_a, track_b, params)  # type: ignore[arg-type]
        assert (other - reference).abs().max() > 1e-5, change


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"sample_rate": 0}, "sample_rate is 0; expected a whole number from 1"),
        ({"n_fft": 2048.0}, "n_fft is 2048.0; expected a whole number"),
        ({"n_fft": 2047}, "n_fft is 2047; expected an even number"),
        ({"hop_length": 1025}, r"hop_length is 1025; expected at most half of n_fft \(1024\)"),
        ({"reverb_decay_time": -1.0}, "reverb_decay_time is -1.0; expected 0 … inf"),
        ({"reverb_decay_time": 0}, "reverb_decay_time is 0; expected more than 0"),
        ({"reverb_damping": 1.5}, "reverb_damping is 1.5; expected 0 … 1"),
        ({"delay_default_ms": float("nan")}, "delay_default_ms is nan; expected a number"),
        ({"delay_max_feedback": 1.0}, "delay_max_feedback is 1.0; expected less than 1"),
        ({"delay_max_feedback": "0.7"}, "delay_max_feedback is '0.7'; expected a number"),
    ],
)
def test_an_impossible_config_is_refused(fields: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        MixerConfig(**fields)
    with pytest.raises(InputError, match=message):
        create_mixer(**fields)


def test_create_mixer_knows_its_options() -> None:
    with pytest.raises(InputError, match="no option 'reverb_decay'; did you mean 'reverb_decay_time'"):
        create_mixer(reverb_decay=2.0)


def test_bad_input_is_an_error_of_djgraph(mixer: DifferentiableDJMixer) -> None:
    params = mixer.layout.pack(n_frames=4, batch=1)
    track_a, track_b = stems(1), stems(2)
    with pytest.raises(DJGraphError, match="vocals"):
        mixer({name: audio for name, audio in track_a.items() if name != "vocals"}, track_b, params)
    with pytest.raises(DJGraphError, match="54"):
        mixer(track_a, track_b, params[..., :53])
    broken = params.clone()
    broken[0, 2, 5] = torch.nan
    with pytest.raises(InputError, match=r"'track_a.drums.hpf' \(column 5\) at frame 2"):
        mixer(track_a, track_b, broken)


def test_it_is_an_ordinary_module(mixer: DifferentiableDJMixer) -> None:
    track_a, track_b = stems(1), stems(2)
    params = SimpleCrossfader()(8)
    expected, _ = mixer(track_a, track_b, params)
    for twin in (copy.deepcopy(mixer), pickle.loads(pickle.dumps(mixer))):
        assert torch.equal(twin(track_a, track_b, params)[0], expected)
        assert twin.config == mixer.config
    twin = create_mixer(**vars(mixer.config))
    twin.load_state_dict(mixer.state_dict())
    assert torch.equal(twin(track_a, track_b, params)[0], expected)
    double, _ = mixer(
        {name: audio.double() for name, audio in track_a.items()},
        {name: audio.double() for name, audio in track_b.items()},
        params.double(),
    )
    assert double.dtype == torch.float64
    assert torch.allclose(double.float(), expected, atol=1e-4)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the folder ../shared/stems is not here")
def test_real_stems_through_the_seeds_interface() -> None:
    from djgraph.audio import load_stems

    folders = sorted(folder for folder in SHARED.iterdir() if folder.is_dir())[:2]
    tracks = []
    for folder in folders:
        loaded = load_stems(folder)
        tracks.append({name: audio[None, :, : 2 * 44100] for name, audio in loaded.items()})
    params = SimpleCrossfader()(32)
    mixed, _ = create_mixer()(tracks[0], tracks[1], params)
    assert mixed.shape == (1, 2, 2 * 44100)
    assert mixed.isfinite().all()
    assert 1e-3 < mixed.abs().max() < 4
