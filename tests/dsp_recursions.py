"""What the tests of all recursions share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from unittest.mock import patch

import numpy as np
import torch
from effort import gradcheck, gradgradcheck
from torch import Tensor

from djgraph import simd
from djgraph.dsp import Frames

Kernel = Callable[..., tuple[Tensor, ...]]
"""``(signal, controls…, state) → (outputs…, state)``"""


def noise(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def between(low: float, high: float, *shape: int, seed: int = 0) -> Tensor:
    """Numbers spread evenly over a range, float64."""
    drawn = torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return low + (high - low) * drawn


def drawn(values: Tensor, hop: int, samples: int) -> np.ndarray:
    """A curve of frames at every sample, by NumPy."""
    flat = values.detach().reshape(-1, values.shape[-1]).numpy()
    places = np.arange(values.shape[-1]) * hop
    rows = [np.interp(np.arange(samples), places, row) for row in flat]
    return np.stack(rows).reshape(*values.shape[:-1], samples)


def without_compiled_code() -> object:
    """PyTorch's operations do the work."""
    return patch.object(simd, "takes", lambda tensor: False)


def check_equals_a_loop(
    kernel: Kernel,
    sample_loop: Callable[..., Sequence[np.ndarray]],
    arguments: Sequence[Tensor],
    compiled: bool,
    tolerance: float = 1e-10,
) -> None:
    """Results against a loop over samples in NumPy, by compiled code or by PyTorch's operations."""
    want = sample_loop(*arguments)
    if compiled:
        got = kernel(*arguments)
    else:
        with without_compiled_code():
            got = kernel(*arguments)
    for tensor, wanted in zip(got, want, strict=True):
        np.testing.assert_allclose(tensor.numpy(), wanted, rtol=tolerance, atol=tolerance)


def check_blocks_equal_the_whole(
    kernel: Kernel, signal: Tensor, controls: Sequence[Tensor], state: Tensor, cuts: Sequence[int]
) -> None:
    """In results and gradients. A control has a number for each sample, or one."""
    given = [tensor.detach().requires_grad_() for tensor in (signal, *controls, state)]
    whole = kernel(*given)
    parts, start, carried = [], 0, given[-1]
    for cut in cuts:
        span = slice(start, start + cut)
        block = [tensor[..., span] if tensor.shape[-1] > 1 else tensor for tensor in given[:-1]]
        *made, carried = kernel(*block, carried)
        parts.append(made)
        start += cut
    streamed = (*(torch.cat(outputs, dim=-1) for outputs in zip(*parts)), carried)
    weights = [noise(*tensor.shape, seed=7 + i) for i, tensor in enumerate(whole)]

    def gradients(results: Sequence[Tensor]) -> Sequence[Tensor]:
        return torch.autograd.grad(sum((r * w).sum() for r, w in zip(results, weights)), given)

    for got, want in zip(streamed, whole):
        torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-10)
    for got, want in zip(gradients(streamed), gradients(whole)):
        torch.testing.assert_close(got, want, rtol=1e-8, atol=1e-9)


def check_gradients(kernel: Kernel, arguments: Sequence[Tensor], second: bool = True) -> None:
    """Against finite differences; and those of each argument alone are the same."""
    given = [tensor.detach().requires_grad_() for tensor in arguments]
    assert gradcheck(kernel, given)
    if second:
        assert gradgradcheck(kernel, given)
    together = torch.autograd.grad(sum(made.sum() for made in kernel(*given)), given)
    for wanted, want in enumerate(together):
        alone = [tensor.detach().requires_grad_(k == wanted) for k, tensor in enumerate(given)]
        (got,) = torch.autograd.grad(sum(made.sum() for made in kernel(*alone)), [alone[wanted]])
        torch.testing.assert_close(got, want)


def check_both_ways_agree(kernel: Kernel, arguments: Sequence[Tensor]) -> None:
    """Compiled code and PyTorch's operations, forward and backward."""

    def run() -> tuple[Sequence[Tensor], Sequence[Tensor]]:
        given = [tensor.detach().requires_grad_() for tensor in arguments]
        made = kernel(*given)
        return made, torch.autograd.grad(sum((m * m).sum() for m in made), given)

    compiled = run()
    with without_compiled_code():  # type: ignore[attr-defined]
        plain = run()
    for ours, theirs in zip(compiled, plain):
        for got, want in zip(ours, theirs):
            torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-9)


def check_compiled_programs(kernel: Kernel, arguments: Sequence[Tensor]) -> None:
    """A program of torch.compile computes the same, without a graph break."""
    program = torch.compile(kernel, backend="aot_eager", fullgraph=True)
    for got, want in zip(program(*arguments), kernel(*arguments), strict=True):
        torch.testing.assert_close(got, want)


def framed(kernel: Kernel, hop: int) -> Kernel:
    """The kernel with all controls as frames."""
    return lambda signal, *rest: kernel(signal, *(Frames(c, hop) for c in rest[:-1]), rest[-1])


def check_silence_and_small_numbers(kernel: Kernel, *controls: object) -> None:
    """Silence stays silence, state included, and numbers that hardly are any stay numbers."""
    for value in (0.0, 1e-42):
        results = kernel(torch.full((1, 1, 500), value), *controls)
        assert all(result.isfinite().all() for result in results)
        assert value or not any(result.any() for result in results)
