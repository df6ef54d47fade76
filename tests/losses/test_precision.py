"""Losses under autocast, where a training calls them: what they are without it, values and gradients."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from djgraph import losses

RATE = 8000
SAMPLES = 3 * RATE


def thirds(*amplitudes: float) -> Tensor:
    return torch.tensor(amplitudes).repeat_interleave(RATE)


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "stft": losses.MultiResolutionSTFT((256,)),
    "mel": losses.MelSTFT(RATE, (512,), 32),
    "loudness": losses.Loudness(RATE),
    "two_basses": lambda a, b: losses.bass_overlap([a, b], RATE),
    "two_vocals": lambda a, b: losses.vocal_overlap([a, b], RATE),
    "keys": lambda a, b: losses.key_clash([a, b], RATE),
    "not_heard": lambda a, b: losses.inaudible([a, 0.03 * b], RATE),
    "cancellation": lambda a, b: losses.cancellation([a, b - 0.5 * a], RATE),
    "hole": lambda a, b: losses.loudness_hole(a * thirds(1, 0.01, 1) + 0.001 * b, RATE, allowed=0.0),
    "clipping": lambda a, b: losses.clipping(8 * a + b, RATE),
}


@pytest.mark.parametrize("name", LOSSES)
def test_autocast_changes_nothing(name: str) -> None:
    found = []
    for enabled in (False, True):
        generator = torch.Generator().manual_seed(0)
        # A target with a gradient, too: so spectra are compared by PyTorch's operators.
        audio = [0.1 * torch.randn(1, 2, SAMPLES, generator=generator) for _ in range(2)]
        leaves = [one.requires_grad_() for one in audio]
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            value = LOSSES[name](*leaves)
        value.backward()
        found.append([value.detach(), *(one.grad for one in leaves)])
    assert found[0][0] > 0
    assert found[1][0].dtype == torch.float32
    for plain, under in zip(*found):
        assert torch.equal(plain, under)
