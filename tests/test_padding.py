"""Batches of items of different lengths: losses, metrics and mixes with their gradients are those of each item
alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from two_decks import GRAPH

import djgraph
from djgraph import losses, metrics
from djgraph.padding import collate, each_alone, mix_alone, pad

RATE = 8000
LENGTHS = [6000, 4001, 6000, 5003]


def noise(samples: int, seed: int, channels: int = 2) -> Tensor:
    return 0.1 * torch.randn(channels, samples, generator=torch.Generator().manual_seed(seed))


def padded(seed: int, value: float = 0.0) -> Tensor:
    """What stands behind the items may be anything."""
    batch, _ = pad([noise(length, seed + i) for i, length in enumerate(LENGTHS)])
    for i, length in enumerate(LENGTHS):
        batch[i, :, length:] = value
    return batch


AUDIO_LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "stft": losses.MultiResolutionSTFT((256, 1024)),
    "sides": losses.SumAndDifference(losses.MultiResolutionSTFT((512,), linear=1.0)),
    "mel": losses.MelSTFT(RATE, (512,), 32),
    "loudness": losses.Loudness(RATE),
    "cancellation": lambda a, b: losses.cancellation([a, b], RATE),
    "bass": lambda a, b: losses.bass_overlap([a, b], RATE),
    "hole": lambda a, b: losses.loudness_hole(a, RATE, allowed=0.0) + 0 * b.sum(),
}


@pytest.mark.parametrize("name", AUDIO_LOSSES)
def test_losses_and_gradients_are_those_of_items_alone(name: str) -> None:
    loss = AUDIO_LOSSES[name]
    mix, target = padded(0, 3.0).requires_grad_(), padded(10, -2.0)
    value = each_alone(loss, mix, target, lengths=torch.tensor(LENGTHS))
    value.backward()
    assert mix.grad is not None
    alone = []
    for i, length in enumerate(LENGTHS):
        one = mix.detach()[i : i + 1, :, :length].clone().requires_grad_()
        alone.append(loss(one, target[i : i + 1, :, :length]))
        alone[-1].backward()
        assert one.grad is not None
        torch.testing.assert_close(len(LENGTHS) * mix.grad[i, :, :length], one.grad[0], rtol=1e-5, atol=1e-8)
        assert not mix.grad[i, :, length:].any()
    torch.testing.assert_close(value, torch.stack(alone).mean(), rtol=1e-6, atol=0)


def test_values_for_each_item_come_back_in_order() -> None:
    mix, target = padded(0), padded(10)
    for measure in (
        metrics.si_sdr,
        metrics.sdr,
        lambda a, b: metrics.loudness_difference(a, b, RATE),
        losses.MultiResolutionSTFT((256,), reduction="none"),
    ):
        found = each_alone(measure, mix, target, lengths=LENGTHS)
        for i, length in enumerate(LENGTHS):
            one = measure(mix[i : i + 1, :, :length], target[i : i + 1, :, :length])
            torch.testing.assert_close(found[i : i + 1], one, rtol=1e-6, atol=1e-7)


def test_losses_of_controls_end_with_their_frames() -> None:
    layout = djgraph.ParameterLayout.from_graph(djgraph.load("dj_mixer"))
    frames = [5, 9, 3]
    items = [layout.from_unit(torch.rand(count, len(layout))) for count in frames]
    params, lengths = pad(items, 0, hold=True)
    assert lengths.tolist() == frames
    assert torch.equal(params[0, 5:], items[0][-1].expand(4, -1))
    found = each_alone(losses.total_variation, params, layout, "**.gain", lengths=lengths, dim=-2)
    expected = sum(losses.total_variation(item, layout, "**.gain") for item in items) / 3
    torch.testing.assert_close(found, expected)
    positions = each_alone(layout.to_unit, params, lengths=lengths, dim=-2)
    for one, item in zip(positions, items):
        torch.testing.assert_close(one[: len(item)], layout.to_unit(item))
        assert not one[len(item) :].any()
    by_group = each_alone(losses.per_group, losses.neutral_sparsity, params, layout, lengths=lengths, dim=-2)
    assert set(by_group) == set(losses.control_groups(layout))


@pytest.mark.parametrize("simd", [pytest.param(True, marks=pytest.mark.slow), False])
def test_a_batch_is_mixed_and_learned_from_as_its_items_are(simd: bool) -> None:
    mixer = djgraph.compile(GRAPH, simd=simd)
    sizes = ((6000, 7), (4001, 5), (6000, 7), (6000, 4))
    items: list[dict[str, Any]] = []
    for number, (samples, frames) in enumerate(sizes):
        unit = torch.rand(frames, len(mixer.layout), generator=torch.Generator().manual_seed(number))
        inputs = {
            name: {stem: noise(samples, 7 * number + i) for i, stem in enumerate(stems)}
            for name, stems in mixer.graph.inputs.items()
            if stems is not None
        }
        items.append({"inputs": inputs, "mix": noise(samples, 99), "params": mixer.layout.from_unit(unit)})
        items[-1] |= {"tempo": 120.0 + number, "name": f"item {number}"}
    batch = collate(items)
    assert batch["samples"].tolist() == [size for size, _ in sizes]
    assert batch["frames"].tolist() == [frames for _, frames in sizes]
    assert batch["name"] == [item["name"] for item in items]
    params = batch["params"].clone().requires_grad_()
    loss = losses.MultiResolutionSTFT((256, 512))

    def learned(params: Tensor) -> Tensor:
        mixed = mix_alone(
            mixer,
            batch["inputs"],
            params,
            samples=batch["samples"],
            frames=batch["frames"],
            tempo=batch["tempo"],
        )
        assert mixed.shape == batch["mix"].shape
        value: Tensor = each_alone(loss, mixed, batch["mix"], lengths=batch["samples"])
        return value

    learned(params).backward()
    assert params.grad is not None
    for number, item in enumerate(items):
        one = item["params"][None].clone().requires_grad_()
        inputs = {
            name: {stem: x[None] for stem, x in stems.items()} for name, stems in item["inputs"].items()
        }
        loss(mixer(inputs, one, tempo=item["tempo"]), item["mix"][None]).backward()
        assert one.grad is not None
        mine = len(items) * params.grad[number, : one.shape[1]]
        torch.testing.assert_close(mine, one.grad[0], rtol=1e-4, atol=1e-6 * float(one.grad.abs().max()))
        assert not params.grad[number, one.shape[1] :].any()


def test_what_does_not_fit_is_told() -> None:
    mix = padded(0)
    for lengths, words in (
        ([1, 2], "there are 2, but 4 items"),
        ([0, 1, 1, 1], r"lengths\[0\] is 0"),
        ([1, 1, 1, 6001], "from 1 to 6000"),
        (torch.ones(4), "whole numbers"),
        ("abcd", "for each item"),
    ):
        with pytest.raises(djgraph.InputError, match=words):
            each_alone(metrics.si_sdr, mix, mix, lengths=lengths)  # type: ignore[arg-type]
    with pytest.raises(djgraph.InputError, match="expected a tensor"):
        each_alone(lambda: 0, lengths=[])
    with pytest.raises(djgraph.InputError, match="a value for each item"):
        each_alone(lambda a: a[0], mix, lengths=LENGTHS)
    with pytest.raises(djgraph.InputError, match="dimension -1 alone"):
        pad([torch.zeros(2, 3), torch.zeros(1, 3)])
    with pytest.raises(djgraph.InputError, match="item 0 has audio"):
        collate([{"mix": torch.zeros(2, 3), "inputs": {"a": torch.zeros(2, 4)}}])
