"""Recursions on short blocks: what is kept between calls never shows in what they give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
import torch
from dsp_recursions import noise, without_compiled_code
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from djgraph.dsp import Frames, first_order, two_bands
from djgraph.dsp.recursion import KEPT, Recursion
from djgraph.errors import DJGraphError

pytest.importorskip("numba")


def crossover(audio: Tensor, cutoff: Any, low: Any, state: Tensor) -> tuple[Tensor, Tensor]:
    return two_bands(audio, cutoff, low, 1.0, state, sample_rate=1000)


def the_long_way(call: Callable[[], tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    with patch.object(Recursion, "_quickly", lambda *arguments: None):
        return call()


KINDS = ("number", "one", "samples", "expanded", "strided", "shared", "double", "frames")


def control(kind: str, lead: tuple[int, ...], samples: int, seed: int, dtype: torch.dtype) -> Any:
    whole = 100 + 50 * noise(*lead, samples + 3, seed=seed).abs().to(dtype)
    values = whole[..., :samples].contiguous()
    match kind:
        case "number":
            return 100.0 + seed
        case "one":
            return whole[..., :1]
        case "expanded":
            return whole[..., :1].expand(*lead, samples)
        case "strided":
            return values.repeat_interleave(2, -1)[..., ::2]
        case "shared":  # by the signals of the first dimension
            return values[:1]
        case "double":
            return values.double()
        case "frames":
            return Frames(whole[..., :3], 5)
    return values


@settings(max_examples=examples(80), deadline=None)
@given(
    kinds=st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from(KINDS)), min_size=1, max_size=4),
    lead=st.sampled_from([(1,), (3,), (2, 2), (9, 2)]),
    lengths=st.lists(st.integers(0, 300), min_size=1, max_size=3),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    strided=st.booleans(),
)
def test_the_same_as_the_long_way(
    kinds: list[tuple[str, str]],
    lead: tuple[int, ...],
    lengths: list[int],
    dtype: torch.dtype,
    strided: bool,
) -> None:
    state = noise(*lead, 4).to(dtype)
    with torch.no_grad():
        for seed, (first, second) in enumerate(kinds):
            for samples in lengths:
                audio = noise(*lead, samples, seed=seed).to(dtype)
                if strided:
                    audio = audio.transpose(0, -1).contiguous().transpose(0, -1)
                    state = state.transpose(0, -1).contiguous().transpose(0, -1)
                cutoff = control(first, lead, samples, seed, dtype)
                low = control(second, lead, samples, seed + 1, dtype)
                made = crossover(audio, cutoff, low, state)
                wanted = the_long_way(lambda: crossover(audio, cutoff, low, state))  # noqa: B023
                assert all(torch.equal(*pair) for pair in zip(made, wanted, strict=True))
                state = made[1]


def test_blocks_of_one_shape_take_the_short_way_and_new_values_count() -> None:
    audio, state = noise(2, 2, 64).float(), torch.zeros(2, 2, 4)
    with torch.inference_mode():
        for seed in range(3):
            cutoff = 100 * noise(2, 1, 64, seed=seed).float().abs()
            made = crossover(audio, cutoff, 0.5, state)
            with without_compiled_code():  # type: ignore[attr-defined]
                wanted = crossover(audio, cutoff, 0.5, state)
            torch.testing.assert_close(made, wanted, atol=2e-5, rtol=1e-4)
            state = made[1]
            audio = audio.flip(-1)


def test_what_does_not_fit_is_refused_before_and_after() -> None:
    audio, state = noise(2, 16), noise(2, 4)
    with torch.no_grad():
        for _ in range(2):
            with pytest.raises(DJGraphError, match="does not broadcast"):
                crossover(audio, torch.ones(2, 15).double(), 1.0, state)
            with pytest.raises(DJGraphError, match="state has to be"):
                crossover(audio, 100.0, 1.0, state.float())
            crossover(audio, 100.0, 1.0, state)


def test_derivatives_are_taken_the_long_way() -> None:
    audio, state, cutoff = noise(2, 16), noise(2, 4), (noise(2, 16).abs() * 100).requires_grad_()
    with torch.no_grad():
        plain, _ = crossover(audio, cutoff, 1.0, state)
    watched, _ = crossover(audio, cutoff, 1.0, state)
    assert torch.equal(plain, watched)
    assert not plain.requires_grad
    assert torch.autograd.grad(watched.sum(), cutoff)[0].abs().sum() > 0
    _, tangent = torch.func.jvp(lambda c: crossover(audio, c, 1.0, state)[0], (cutoff,), (cutoff,))
    assert tangent.abs().sum() > 0


def test_what_is_kept_has_a_bound() -> None:
    recursions = []
    quickly = Recursion._quickly

    def seen(self: Recursion, *arguments: Any) -> Any:
        recursions.append(self)
        return quickly(self, *arguments)

    state = noise(2, 2)
    with patch.object(Recursion, "_quickly", seen), torch.no_grad():
        for samples in range(1, 2 * KEPT):
            first_order(noise(2, samples), 1.0, 0.5, 0.25, state)
    assert recursions
    assert all(0 < len(one._prepared) <= KEPT for one in recursions)


def test_torch_compile_traces_the_long_way() -> None:
    def run(audio: Tensor, cutoff: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        return crossover(audio, cutoff, 0.5, state)

    given = noise(2, 64), 100 * noise(2, 64, seed=1).abs(), noise(2, 4)
    with torch.no_grad():
        traced = torch.compile(run, fullgraph=True, backend="eager")(*given)
        assert all(torch.equal(*pair) for pair in zip(traced, run(*given), strict=True))
