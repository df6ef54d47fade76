"""Convolution in short blocks against one whole convolution, by SciPy and by long transforms."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
import pytest
import scipy.signal
import torch
from effort import examples, few, gradcheck
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from djgraph.dsp import partitioned
from djgraph.dsp.convolution import SHORT, Response


def response_of(length: int, channels: int = 2, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    decay = torch.exp(-3 * torch.arange(length, dtype=torch.float64) / length)
    return torch.randn(channels, length, dtype=torch.float64, generator=generator) * decay / length**0.5


def play(
    response: Response, audio: Tensor, mix: Tensor, blocks: Iterable[int], past: Tensor | None = None
) -> Tensor:
    samples, start, made = audio.shape[-1], 0, []
    state = {"past": audio.new_zeros(*audio.shape[:-1], response.length - 1) if past is None else past}
    for length in blocks:
        stop = min(start + length, samples)
        out, state = response.stream(audio[..., start:stop], state, mix[..., start:stop], start)
        made.append(out)
        start = stop
        if start == samples:
            break
    return torch.cat(made, -1)


def oracle(audio: Tensor, response: Tensor, mix: Tensor) -> Tensor:
    wet = np.stack(
        [
            np.stack([scipy.signal.fftconvolve(x, h)[: len(x)] for x, h in zip(item, response.numpy())])
            for item in audio.double().numpy()
        ]
    )
    return torch.lerp(audio.double(), torch.from_numpy(wet), mix.double())


@settings(max_examples=examples(40), deadline=None)
@given(
    length=st.integers(2, 9000),
    blocks=st.lists(st.integers(1, 700) | st.integers(700, 12_000), min_size=1, max_size=6),
    samples=st.integers(1, 20_000),
    batch=st.integers(1, 2),
    seed=st.integers(0, 99),
)
def test_any_blocks(length: int, blocks: list[int], samples: int, batch: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    audio = torch.randn(batch, 2, samples, dtype=torch.float64, generator=generator)
    mix = torch.rand(batch, 1, samples, dtype=torch.float64, generator=generator)
    response = Response(length, lambda channels: response_of(length, channels))
    # Few blocks of one sample, which take as long as any others.
    lengths = itertools.chain(blocks, itertools.repeat(max(*blocks, 200)))
    made = play(response, audio, mix, lengths)
    torch.testing.assert_close(made, oracle(audio, response_of(length), mix), atol=1e-11, rtol=0)


@pytest.mark.parametrize(
    "blocks", few([[20_000, 64], [512], [1, 1023, 1024, 1025], [8192, 8193, 1]], 1), ids=str
)
def test_minutes_in_single_precision(blocks: list[int]) -> None:
    length, samples = 30_000, 2_000_000
    audio = torch.randn(1, 2, samples, generator=torch.Generator().manual_seed(0)) * 0.2
    mix = torch.full((1, 1, samples), 0.7)
    response = Response(length, lambda channels: response_of(length, channels))
    with torch.no_grad():
        made = play(response, audio, mix, itertools.cycle(blocks))
    assert float((made - oracle(audio, response_of(length), mix)).abs().max()) < 1e-6


def test_gradients_pass_through_blocks_and_states() -> None:
    length = 2500
    response = Response(length, lambda channels: response_of(length, channels))
    generator = torch.Generator().manual_seed(0)
    audio = torch.randn(1, 2, 6000, dtype=torch.float64, generator=generator, requires_grad=True)
    mix = torch.rand(1, 1, 6000, dtype=torch.float64, generator=generator, requires_grad=True)
    past = torch.randn(1, 2, length - 1, dtype=torch.float64, generator=generator, requires_grad=True)
    weights = torch.randn(1, 2, 6000, dtype=torch.float64, generator=generator)
    found = []
    for blocks in ([6000], [1500, 700, 1, 999, 300, 2500]):
        out = play(response, audio, mix, blocks, past)
        found.append(torch.autograd.grad((out * weights).sum(), [audio, mix, past]))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=1e-11, rtol=0)


def test_gradcheck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitioned, "partition_size", lambda length: 4)
    response = Response(11, lambda channels: response_of(11, channels))
    generator = torch.Generator().manual_seed(0)
    arguments = [
        torch.randn(*shape, dtype=torch.float64, generator=generator, requires_grad=True)
        for shape in ((1, 2, 17), (1, 1, 17), (1, 2, 10))
    ]
    assert gradcheck(lambda audio, mix, past: play(response, audio, mix, [3, 2, 5, 1, 6], past), arguments)


def test_a_state_is_as_large_however_long_the_signal() -> None:
    length = 10_000
    response = Response(length, lambda channels: response_of(length, channels))
    audio, mix = torch.randn(1, 2, 512), torch.ones(1, 1, 512)
    state, sizes = {"past": audio.new_zeros(1, 2, length - 1)}, []
    for number in range(60):
        before = {name: tensor.clone() for name, tensor in state.items()}
        _, after = response.stream(audio, state, mix, number * 512)
        assert all(torch.equal(before[name], state[name]) for name in before)  # nothing is written to
        state = after
        sizes.append(sum(tensor.numel() for tensor in state.values()))
    assert len(set(sizes[1:])) == 1


def test_batch_items_do_not_meet() -> None:
    length = 5000
    response = Response(length, lambda channels: response_of(length, channels))
    audio, mix = torch.randn(3, 2, 9000), torch.rand(3, 1, 9000)
    together = play(response, audio, mix, itertools.repeat(600))
    for item in range(3):
        alone = play(response, audio[item : item + 1], mix[item : item + 1], itertools.repeat(600))
        torch.testing.assert_close(together[item : item + 1], alone)


def test_which_blocks_are_short() -> None:
    length = 5000
    response = Response(length, lambda channels: response_of(length, channels))
    size = partitioned.partition_size(length)
    past = torch.zeros(1, 2, length - 1)
    for samples, start, short in (
        (512, 0, False),
        (512, 512, True),
        (SHORT * size, 9, True),
        (SHORT * size + 1, 9, False),
    ):
        _, state = response.stream(
            torch.randn(1, 2, samples), {"past": past}, torch.ones(1, 1, samples), start
        )
        assert ("line" in state) is short
