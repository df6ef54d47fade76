"""Scans for GPUs in Triton's interpreter, against sample loops and PyTorch's operators."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from djgraph import dsp
from djgraph.dsp import scan as plain
from djgraph.gpu import scan
from gpu.interpreted import as_on_a_gpu  # noqa: F401 (a fixture)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def looped(matrices: Tensor, drive: Tensor, initial: Tensor, backwards: bool) -> Tensor:
    samples, state, states = drive.shape[-1], initial, torch.empty_like(drive)
    for n in reversed(range(samples)) if backwards else range(samples):
        if backwards:
            step = (
                matrices[..., n + 1].mT if n + 1 < samples else torch.eye(drive.shape[1], dtype=drive.dtype)
            )
        else:
            step = matrices[..., n]
        state = (step @ state.unsqueeze(-1)).squeeze(-1) + drive[..., n]
        states[..., n] = state
    return states


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize(
    ("samples", "block", "programs"),
    [
        (40, 32, 1),
        pytest.param(1, 1024, 512, marks=pytest.mark.slow),
        pytest.param(150, 16, 64, marks=pytest.mark.slow),
    ],
)
def test_against_a_loop(
    monkeypatch: pytest.MonkeyPatch, size: int, samples: int, block: int, programs: int, backwards: bool
) -> None:
    """Chunks that are not full, and few signals, which are cut into segments."""
    monkeypatch.setattr(scan, "BLOCK", block)
    monkeypatch.setattr(scan, "PROGRAMS", programs)
    monkeypatch.setattr(scan, "CHUNKS", 2)
    given = 0.6 * random(3, size, size, samples), random(3, size, samples, seed=1), random(3, size, seed=2)
    made = scan.gpu_scan(*given, backwards)
    torch.testing.assert_close(made, looped(*given, backwards), rtol=1e-12, atol=1e-12)


def test_branches_are_those_of_a_loop() -> None:
    level, rise, fall = (
        random(5, 60).abs(),
        random(5, 60, seed=1).sigmoid(),
        random(5, 60, seed=2).sigmoid() / 9,
    )
    state, wanted = random(5, seed=3).abs(), []
    made = scan.gpu_branch(level, rise, fall, state)
    for n in range(60):
        wanted.append(level[:, n] > state)
        state = state + torch.where(wanted[-1], rise[:, n], fall[:, n]) * (level[:, n] - state)
    assert torch.equal(made, torch.stack(wanted, -1))


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 2])
def test_gradients(size: int) -> None:
    def states(matrices: Tensor, drive: Tensor, initial: Tensor) -> Tensor:
        return plain.Scan()(matrices, drive, initial)[0]

    given = [0.5 * random(1, size, size, 6), random(2, size, 6, seed=1), random(2, size, seed=2)]
    leaves = [one.requires_grad_() for one in given]
    assert torch.autograd.gradcheck(states, leaves, fast_mode=True)
    assert torch.autograd.gradgradcheck(states, leaves, fast_mode=True)


def kernels() -> list[object]:
    x, at, out = (
        random(2, 2, 200),
        200 + 4000 * random(2, 1, 200, seed=3).sigmoid(),
        random(2, 2, 200, seed=9),
    )
    rate = {"sample_rate": 44100}
    some = [
        ("svf", lambda a, c: dsp.svf(a, c, 0.8, 1.0, 0.3, 0.0, **rate)[0]),
        ("linkwitz_riley", lambda a, c: dsp.linkwitz_riley(a, c, **rate)[1]),
        ("branching", lambda a, c: dsp.follow(a.abs(), c / 4000, 5.0, **rate)[0]),
        ("decoupled", lambda a, c: dsp.follow(a.abs(), c / 4000, 5.0, decoupled=True, **rate)[0]),
        ("biquads", lambda a, c: dsp.biquads(a, _sections(a))[0]),
    ]
    return [pytest.param(one, (x, at, out), id=name) for name, one in some]


def _sections(like: Tensor) -> Tensor:
    return torch.tensor([[0.2, 0.3, 0.1, 1.0, -0.6, 0.2]], dtype=like.dtype, device=like.device)


@pytest.mark.slow
@pytest.mark.usefixtures("as_on_a_gpu")
@pytest.mark.parametrize(("kernel", "given"), kernels())
def test_recursions_of_effects(monkeypatch: pytest.MonkeyPatch, kernel: object, given: object) -> None:
    """Forward and backward, against PyTorch's operators."""
    audio, control, seed = given  # type: ignore[misc]
    leaves = [audio.clone().requires_grad_(), control.clone().requires_grad_()]
    made = kernel(*leaves)  # type: ignore[operator]
    found = torch.autograd.grad(made, leaves, seed, allow_unused=True)
    monkeypatch.setattr("djgraph.gpu.takes", lambda tensor: False)
    wanted = kernel(*leaves)  # type: ignore[operator]
    torch.testing.assert_close(made, wanted, rtol=1e-9, atol=1e-9)
    for one, other in zip(found, torch.autograd.grad(wanted, leaves, seed, allow_unused=True)):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-9)
