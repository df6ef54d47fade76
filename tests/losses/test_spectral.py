"""Losses of audio: against NumPy, on silence, in every shape."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from auraloss.freq import STFTLoss
from effort import gradcheck, gradgradcheck
from torch import Tensor, nn

import djgraph
from djgraph import losses
from djgraph.errors import InputError
from djgraph.losses import MelSTFT, MultiResolutionSTFT, SumAndDifference, comparison
from djgraph.losses.mel import mel_filters
from djgraph.simd import distance

RATE = 16000
LOSSES = {
    "stft": lambda: MultiResolutionSTFT((64, 256)),
    "linear": lambda: MultiResolutionSTFT((64,), convergence=0, log=0, linear=1),
    "mel": lambda: MelSTFT(RATE, (128, 256), bands=12),
    "sides": lambda: SumAndDifference(MultiResolutionSTFT((64,))),
    "mel sides": lambda: SumAndDifference(MelSTFT(RATE, (256,), bands=12)),
}


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(0.3 * np.random.default_rng(seed).standard_normal(shape))


def magnitudes(x: np.ndarray, size: int, floor_db: float) -> np.ndarray:
    """Centred frames with silence beyond the ends, one by one; the floor added in power."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    floor = window.sum() / 2 * 10 ** (floor_db / 20)
    padded = np.concatenate([np.zeros(size // 2), x, np.zeros(size // 2)])
    starts = range(0, len(padded) - size + 1, size // 4)
    power = np.array([np.abs(np.fft.rfft(window * padded[s : s + size])) ** 2 for s in starts]).T
    return np.sqrt(power + floor**2)


def terms(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    return (
        float(np.sqrt(((x - y) ** 2).sum()) / np.sqrt((y**2).sum())),
        float(np.abs(np.log(x) - np.log(y)).mean()),
        float(np.abs(x - y).mean()),
    )


@pytest.mark.slow
def test_values_against_numpy() -> None:
    mix, target = noise(3, 2, 1000), noise(3, 2, 1000, seed=1)
    loss = MultiResolutionSTFT(
        (64, 256), convergence=0.5, log=2.0, linear=0.25, floor_db=-50, reduction="none"
    )
    got = loss(mix, target)
    assert got.shape == (3, 2)
    for item in range(3):
        for channel in range(2):
            a, b = mix[item, channel].numpy(), target[item, channel].numpy()
            each = [terms(magnitudes(a, size, -50), magnitudes(b, size, -50)) for size in (64, 256)]
            expected = np.mean([0.5 * c + 2 * g + 0.25 * m for c, g, m in each])
            assert float(got[item, channel]) == pytest.approx(expected, rel=1e-9)
    mean = MultiResolutionSTFT((64, 256), convergence=0.5, log=2.0, linear=0.25, floor_db=-50)
    assert float(mean(mix, target)) == pytest.approx(float(got.mean()))


@pytest.mark.slow
def test_mel_against_numpy() -> None:
    mix, target = noise(1, 1, 2000), noise(1, 1, 2000, seed=1)
    bank = mel_filters(RATE, 256, 12).numpy()
    a, b = (bank @ magnitudes(x[0, 0].numpy(), 256, -80) for x in (mix, target))
    convergence, log, _ = terms(a, b)
    assert float(MelSTFT(RATE, (256,), bands=12)(mix, target)) == pytest.approx(convergence + log, rel=1e-9)


@pytest.mark.parametrize(("rate", "size", "bands"), [(44100, 2048, 128), (16000, 512, 40), (8000, 256, 20)])
def test_mel_filters_are_those_of_torchaudio(rate: int, size: int, bands: int) -> None:
    functional = pytest.importorskip("torchaudio.functional")
    theirs = functional.melscale_fbanks(size // 2 + 1, 0.0, rate / 2, bands, rate, mel_scale="slaney").T
    torch.testing.assert_close(
        mel_filters(rate, size, bands).float(), theirs / theirs.sum(-1, keepdim=True), atol=2e-4, rtol=1e-3
    )


def test_sides_against_their_definition() -> None:
    mix, target = noise(2, 2, 500), noise(2, 2, 500, seed=1)
    plain = MultiResolutionSTFT((64,))
    shared = plain(mix.sum(1, keepdim=True), target.sum(1, keepdim=True))
    apart = plain(mix[:, :1] - mix[:, 1:], target[:, :1] - target[:, 1:])
    both = SumAndDifference(plain, sum_weight=1, difference_weight=3)
    assert float(both(mix, target)) == pytest.approx(float((shared + 3 * apart) / 4), rel=1e-9)
    mono = mix[:, :1], target[:, :1]
    assert float(both(*mono)) == pytest.approx(float(plain(*mono)))


@pytest.mark.parametrize("kind", LOSSES)
def test_the_same_is_0_and_the_better_is_lower(kind: str) -> None:
    loss, target, other = LOSSES[kind](), noise(2, 2, 1000), noise(2, 2, 1000, seed=1)
    assert float(loss(target, target)) == 0
    near, far = (float(loss(target + share * other, target)) for share in (0.1, 0.5))
    assert 0 < near < far


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("silent", ["both", "mix", "target", "one item"])
def test_silence_is_finite(kind: str, dtype: torch.dtype, silent: str) -> None:
    mix, target = noise(2, 2, 1000).to(dtype), noise(2, 2, 1000, seed=1).to(dtype)
    if silent in ("both", "mix"):
        mix = torch.zeros_like(mix)
    if silent in ("both", "target"):
        target = torch.zeros_like(target)
    if silent == "one item":
        mix[0], target[0] = 0, 0
    mix.requires_grad_()
    target.requires_grad_()
    value = LOSSES[kind]()(mix, target)
    value.backward()
    assert torch.isfinite(value)
    for tensor in (mix, target):
        assert tensor.grad is not None
        assert torch.isfinite(tensor.grad).all()
    if silent == "both":
        assert value.item() == 0


def test_a_silent_item_does_not_change_the_others() -> None:
    mix, target = noise(2, 1, 1000), noise(2, 1, 1000, seed=1)
    loss = MultiResolutionSTFT((64, 256), reduction="none")
    alone = loss(mix[:1], target[:1])
    target[1] = 0
    torch.testing.assert_close(loss(mix, target)[:1], alone)


def test_nearly_silent_audio_still_has_a_way_up() -> None:
    """A fader almost closed must be able to learn to open."""
    sound = noise(1, 1, 2000)
    gain = torch.tensor(1e-3, dtype=torch.float64, requires_grad=True)
    MultiResolutionSTFT((64, 256))(gain * sound, sound).backward()
    assert gain.grad is not None
    assert float(gain.grad) < 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["stft", "mel", "sides"])
def test_gradcheck(kind: str) -> None:
    mix, target = noise(1, 2, 90), noise(1, 2, 90, seed=1)
    make = {
        "stft": lambda: MultiResolutionSTFT((16, 32)),
        "mel": lambda: MelSTFT(RATE, (64,), bands=4, floor_db=-60),
        "sides": lambda: SumAndDifference(MultiResolutionSTFT((16,))),
    }
    assert gradcheck(make[kind](), (mix.requires_grad_(), target.requires_grad_()))


def test_shapes() -> None:
    loss = MultiResolutionSTFT((64,), reduction="none")
    mix, target = noise(3, 2, 400), noise(3, 2, 400, seed=1)
    full = loss(mix, target)
    torch.testing.assert_close(loss(mix[:, 0], target[:, 0]), full[:, :1])
    torch.testing.assert_close(loss(mix[1, 1], target[1, 1]), full[1:2, 1:])
    assert loss(mix, target[:1]).shape == (3, 2)  # one target for a batch of attempts
    torch.testing.assert_close(loss(mix[:, :1], target)[:, 1], loss(mix[:, 0], target[:, 1])[:, 0])
    flipped = mix.transpose(1, 2).contiguous().transpose(1, 2)
    torch.testing.assert_close(loss(flipped, target), full)
    for samples in (1, 7, 63, 65):  # shorter than a window
        assert torch.isfinite(loss(mix[..., :samples], target[..., :samples])).all()


def test_half_precision_is_computed_in_single() -> None:
    mix, target = noise(1, 2, 400), noise(1, 2, 400, seed=1)
    value = MultiResolutionSTFT((64,))(mix.half(), target.half())
    assert value.dtype == torch.float32
    assert float(value) == pytest.approx(float(MultiResolutionSTFT((64,))(mix, target)), rel=1e-2)


def test_a_loss_keeps_nothing_in_a_state_dict() -> None:
    for make in LOSSES.values():
        assert make().state_dict() == {}
        assert make().double()(noise(1, 2, 400), noise(1, 2, 400)).dtype == torch.float64


def test_refusals() -> None:
    loss = MultiResolutionSTFT((64,))
    sound = noise(2, 2, 100)
    for a, b in (
        (sound, sound[..., :-1]),
        (sound, noise(3, 2, 100)),
        (sound, noise(2, 3, 100)),
        (sound[None], sound[None]),
        (sound[..., :0], sound[..., :0]),
        (sound.long(), sound.long()),
    ):
        with pytest.raises(InputError, match="mix \\["):
            loss(a, b)
    for wrong in ((), (63,), (2,), (True,)):
        with pytest.raises(InputError, match="sizes"):
            MultiResolutionSTFT(wrong)
    for options in (
        {"floor_db": 3.0},
        {"floor_db": -400.0},
        {"log": float("nan")},
        {"reduction": "sum"},
        {"convergence": 0.0, "log": 0.0},
        {"log": -1.0},
    ):
        with pytest.raises(InputError):
            MultiResolutionSTFT((64,), **options)
    with pytest.raises(InputError, match="too many"):
        MelSTFT(RATE, (64,), bands=60)
    with pytest.raises(InputError, match="3 channels"):
        SumAndDifference()(noise(1, 3, 100), noise(1, 3, 100))
    with pytest.raises(InputError, match="not both 0"):
        SumAndDifference(sum_weight=0, difference_weight=0)


class Auraloss(STFTLoss):
    """auraloss's own terms, on magnitudes with the floor."""

    def __init__(self, size: int, dtype: torch.dtype) -> None:
        super().__init__(size, size // 4, size, w_lin_mag=0.25, reduction="none")
        self.window = torch.hann_window(size, dtype=torch.float64).to(dtype)
        self.floor = size / 4 * 1e-4

    def stft(self, x: Tensor) -> tuple[Tensor, Tensor]:
        spectrum = torch.stft(
            x, self.fft_size, self.hop_size, window=self.window, pad_mode="constant", return_complex=True
        )
        magnitude = (spectrum.abs() ** 2 + self.floor**2).sqrt()
        return magnitude, magnitude


@pytest.mark.parametrize(("dtype", "near"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("quieter", [1.0, 1e-3])
def test_values_and_gradients_are_those_of_auraloss(dtype: torch.dtype, near: float, quieter: float) -> None:
    mix, target = (
        (quieter * noise(1, 1, 9000)).to(dtype).requires_grad_(),
        noise(1, 1, 9000, seed=1).to(dtype),
    )
    sizes = (64, 512, 2048)
    expected = sum(Auraloss(size, dtype)(mix, target).mean() for size in sizes) / len(sizes)
    got = MultiResolutionSTFT(sizes, linear=0.25)(mix, target)
    assert float(got) == pytest.approx(float(expected), rel=near)
    (ours,), (theirs,) = torch.autograd.grad(got, mix), torch.autograd.grad(expected, mix)
    assert float((ours - theirs).norm() / theirs.norm()) < 10 * near


@pytest.mark.parametrize("kind", LOSSES)
def test_the_vector_units_compute_what_the_operators_do(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """3 channels where they are allowed: a pair and one alone; a clip whose last frames fill no vector."""
    loss = LOSSES[kind]()
    channels = 2 if "sides" in kind else 3
    mix, target = noise(2, channels, 1111), noise(2, channels, 1111, seed=1)
    found = []
    for there in (True, False):
        monkeypatch.setattr(comparison.simd, "takes", lambda tensor, there=there: there)
        leaf = mix.clone().requires_grad_()
        value = loss(leaf, target)
        found.append((value.detach(), *torch.autograd.grad(value, leaf)))
    torch.testing.assert_close(found[0], found[1], rtol=1e-10, atol=1e-13)


@pytest.mark.slow
def test_derivatives_of_every_order() -> None:
    loss, target = MultiResolutionSTFT((16, 32), linear=0.3), noise(1, 2, 90, seed=1)
    mix = noise(1, 2, 90).requires_grad_()
    assert gradcheck(lambda x: loss(x, target), (mix,))
    assert gradgradcheck(lambda x: loss(x, target), (mix,))
    assert gradgradcheck(lambda x: loss(x, losses.Target(target)), (mix,))
    # A gradient penalty, against differences of first derivatives.
    direction = noise(1, 2, 90, seed=3)

    def slope(x: Tensor, graph: bool) -> Tensor:
        (gradient,) = torch.autograd.grad(loss(x, target), x, create_graph=graph)
        return (gradient * direction).sum()

    (second,) = torch.autograd.grad(slope(mix, True), mix)
    step = 1e-6 * direction
    ends = [float(slope((mix + sign * step).detach().requires_grad_(), False)) for sign in (1, -1)]
    assert float((second * direction).sum()) == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-4)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore:.*torch.jit:FutureWarning")
def test_transforms_of_functions() -> None:
    loss, mix, target = MultiResolutionSTFT((64,)), noise(3, 2, 400), noise(3, 2, 400, seed=1)
    leaf = mix.clone().requires_grad_()
    value = loss(leaf, target)
    (expected,) = torch.autograd.grad(value, leaf)
    torch.testing.assert_close(torch.func.grad(loss)(mix, target), expected)
    torch.testing.assert_close(torch.vmap(loss)(mix, target).mean(), value.detach())
    tangent = noise(3, 2, 400, seed=2)
    slope = (expected * tangent).sum()
    for jvp in (torch.func.jvp, torch.autograd.functional.jvp):
        torch.testing.assert_close(jvp(lambda x: loss(x, target), (mix,), (tangent,))[1], slope)
    value = loss(leaf, target)
    (many,) = torch.autograd.grad(value, leaf, torch.tensor([1.0, 2.0]).double(), is_grads_batched=True)
    torch.testing.assert_close(many, torch.stack([expected, 2 * expected]))
    traced = torch.jit.trace(lambda x: loss(x, target), (mix,), check_trace=False)
    torch.testing.assert_close(traced(0.5 * mix), loss(0.5 * mix, target))
    with torch.inference_mode():
        torch.testing.assert_close(loss(1.0 * mix, target), value.detach())
    with torch.device("meta"):
        torch.testing.assert_close(MultiResolutionSTFT((64,))(mix, target), value.detach())


@pytest.mark.parametrize("kind", LOSSES)
def test_a_target_that_is_seen_again(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loss, audio = LOSSES[kind](), noise(2, 2, 1000, seed=1)
    held = losses.Target(audio)
    for seed in range(3):
        mix = noise(2, 2, 1000, seed=seed + 5)
        assert torch.equal(loss(mix, held), loss(mix, audio))
    expected = loss(noise(2, 2, 1000), audio)
    audio.zero_()  # it has its own
    assert torch.equal(loss(noise(2, 2, 1000), held), expected)
    one = losses.Target(noise(2, 1, 1000, seed=4))  # of a batch that has other channels
    torch.testing.assert_close(
        loss(noise(2, 2, 1000), one), loss(noise(2, 2, 1000), noise(2, 1, 1000, seed=4))
    )
    alone = losses.Target(noise(1, 2, 1000, seed=4))
    each = [loss(noise(1, 2, 1000, seed=s), noise(1, 2, 1000, seed=4)) for s in range(3)]
    batch = torch.cat([noise(1, 2, 1000, seed=s) for s in range(3)])
    torch.testing.assert_close(loss(batch, alone), torch.stack(each).mean())
    torch.testing.assert_close(
        loss(batch.float(), alone).double(), torch.stack(each).mean(), rtol=1e-5, atol=0
    )
    with pytest.raises(InputError, match="not equally long"):
        loss(batch[..., 1:], alone)


def test_a_known_target_is_not_transformed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    plainly = distance.measure
    monkeypatch.setattr(
        distance,
        "measure",
        lambda mix, target, *rest: (seen.append(target is None), plainly(mix, target, *rest))[1],
    )
    held, loss = losses.Target(noise(2, 2, 1000)), MultiResolutionSTFT((64, 128))
    for _ in range(3):
        loss(noise(2, 2, 1000, seed=1), held)
    assert seen == [False, True, True]


def test_several_losses_at_once() -> None:
    mix, target = noise(2, 2, 1000), noise(2, 2, 1000, seed=1)
    parts = MultiResolutionSTFT((64, 256)), MelSTFT(RATE, (256,), bands=12, floor_db=-60)
    leaf = mix.clone().requires_grad_()
    value = losses.Combined(*parts, weights=(2, 0.5))(leaf, target)
    expected = 2 * parts[0](leaf, target) + 0.5 * parts[1](leaf, target)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(torch.autograd.grad(value, leaf), torch.autograd.grad(expected, leaf))
    both = SumAndDifference(losses.Combined(*parts, reduction="none"))(mix, target)
    assert both.shape == (2, 1)
    for wrong in ((), (nn.MSELoss(),), (SumAndDifference(),)):
        with pytest.raises(InputError, match="MultiResolutionSTFT, MelSTFT"):
            losses.Combined(*wrong)
    with pytest.raises(InputError, match="weights"):
        losses.Combined(*parts, weights=(1,))


@pytest.mark.parametrize("kind", LOSSES)
def test_a_sample_that_is_no_number_is_no_number_in_the_loss(kind: str) -> None:
    mix = noise(2, 2, 1000)
    mix[1, 0, 500] = torch.nan
    assert not torch.isfinite(LOSSES[kind]()(mix, noise(2, 2, 1000, seed=1)))


def test_sizes_that_are_no_powers_of_two() -> None:
    mix, target = noise(2, 2, 1000), noise(2, 2, 1000, seed=1)
    each = [terms(magnitudes(mix[0, 0].numpy(), 60, -80), magnitudes(target[0, 0].numpy(), 60, -80))]
    got = MultiResolutionSTFT((60,), reduction="none")(mix, target)
    assert float(got[0, 0]) == pytest.approx(sum(each[0][:2]), rel=1e-9)


def test_nothing_else_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "auraloss", None)
    monkeypatch.delitem(sys.modules, "djgraph.losses.spectral")
    monkeypatch.delattr(djgraph.losses, "spectral")
    assert djgraph.losses.MelSTFT is not None


@pytest.mark.parametrize("sizes", [[512.0], [True], ["512"], [2], [513], []])
def test_sizes_are_even_whole_numbers(sizes: list[object]) -> None:
    with pytest.raises(InputError, match="even numbers of samples"):
        MultiResolutionSTFT(sizes=sizes)  # type: ignore[arg-type]


def test_stereo_without_a_batch_is_not_compared_with_another_clip() -> None:
    """``[2, samples]`` against ``[1, 2, samples]``: left would be compared with right."""
    mix, target = torch.randn(1, 2, 8000), torch.randn(1, 2, 8000)
    loss = MultiResolutionSTFT()
    for given in ((mix[0], target), (mix, target[0])):
        with pytest.raises(InputError, match=r"\[1, 2, 8000\].*\[2, 1, 8000\]"):
            loss(*given)
        with pytest.raises(InputError, match=r"\[2, 8000\]"):
            losses.SumAndDifference()(*given)
    with pytest.raises(InputError, match="one stereo clip"):
        losses.SumAndDifference()(mix[0], target[0])
    # Alike, it is a batch of mono clips: channels are compared one by one, as in a stereo clip.
    torch.testing.assert_close(loss(mix[0], target[0]), loss(mix, target))
