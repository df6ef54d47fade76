"""The work: stems, controls, generated graphs."""

from __future__ import annotations

import pytest
import torch
from effort import few

import djgraph
from benchmarks.documents import console, console_of, wide_mixer
from benchmarks.peers.transforms import Transforms
from benchmarks.programs import inference, training
from benchmarks.work import items, make_params, make_stems, size_in_bytes, tensors
from djgraph.dsp.convolution import fft_size
from djgraph.graph.ir import EffectNode


def effects(graph: djgraph.Graph) -> list[str]:
    return [node.effect.type for node in graph.nodes if isinstance(node, EffectNode)]


def test_stems_are_the_same_every_time_and_all_different() -> None:
    graph = djgraph.load("dj_mixer")
    stems = make_stems(graph, 1000, batch=3)
    again = tensors(make_stems(graph, 1000, batch=3))
    assert all(torch.equal(a, b) for a, b in zip(tensors(stems), again))
    rows = torch.cat(tensors(stems)).flatten(0, 1)
    assert rows.shape == (8 * 3 * 2, 1000)
    assert rows.corrcoef().fill_diagonal_(0).abs().max() < 0.2
    assert size_in_bytes(stems) == rows.numel() * 4
    assert torch.equal(items(stems, 1)["track_b"]["bass"], stems["track_b"]["bass"][1:2])


def test_controls_are_in_range_smooth_and_moving() -> None:
    layout = djgraph.compile("dj_mixer").layout
    params = make_params(layout, 64, batch=2)
    layout.check(params, out_of_range=True)
    positions = layout.to_unit(params)
    assert positions.diff(dim=1).abs().max() < 0.2
    assert (positions.amax(1) - positions.amin(1)).min() > 0.1
    assert not torch.equal(params[0], params[1])


def test_wide_mixer_is_the_shipped_one_with_more_of_everything() -> None:
    few, many = effects(djgraph.load("dj_mixer")), effects(djgraph.load(wide_mixer(16, 4)))
    assert sorted(many) == sorted(few * 8)
    assert sorted(effects(djgraph.load(wide_mixer(2, 4)))) == sorted(few)


def test_wide_mixer_sounds_like_the_shipped_one() -> None:
    shipped, wide = djgraph.compile("dj_mixer"), djgraph.compile(wide_mixer(2, 4))
    stems, params = make_stems(shipped.graph, 3000), make_params(shipped.layout, 8)
    renamed = {
        track: dict(zip(names, row.values()))
        for (track, names), row in zip(wide.graph.inputs.items(), stems.values())
    }
    assert torch.equal(wide(renamed, params), shipped(stems, params))


def test_console_has_a_hundred_effects() -> None:
    found = effects(djgraph.load(console()))
    assert len(found) == 100
    assert found.count("reverb") == found.count("delay") == 1
    assert found.count("eq3") == 24 + 4 + 1


@pytest.mark.parametrize("nodes", few([125, 250, 500, 1000, 2000], 2))
def test_console_of_a_size(nodes: int) -> None:
    assert len(effects(djgraph.load(console_of(nodes)))) == pytest.approx(nodes, abs=12)


@pytest.mark.slow
def test_transforms_are_as_many_as_the_plan_makes() -> None:
    samples, response = 100_000, 67_032
    transforms = Transforms(samples, response)
    plan = djgraph.compile("dj_mixer").explain()
    assert "16 forward transforms" in plan
    assert "4 inverse transforms" in plan
    assert sum(transforms.batches) == 1 + samples // 512
    assert transforms.points == fft_size(samples, response)
    assert transforms.blocks * (transforms.points - response + 1) >= samples
    assert "3136 forward and 784 inverse transforms of 2048 points" in transforms.describe()
    transforms()


def test_training_gives_fresh_gradients_and_leaves_what_it_was_given_alone() -> None:
    mixer = djgraph.compile("djtransgan")
    stems = {track: {"x": torch.randn(1, 2, 600)} for track in ("track_a", "track_b")}
    params = make_params(mixer.layout, 4)
    seen = []

    def mix(inputs: dict[str, dict[str, torch.Tensor]], controls: torch.Tensor) -> torch.Tensor:
        seen.append((inputs["track_a"]["x"], controls))
        assert controls.grad is None
        return mixer({name: row["x"] for name, row in inputs.items()}, controls)

    program = training(mix, stems, params, stems=True)
    for _ in range(2):
        assert program.before is not None
        program.before()
        program.run()
    first, second = seen[0][1].grad, seen[1][1].grad
    assert first is second is not None
    assert seen[1][0].grad is not None
    assert not params.requires_grad
    assert not stems["track_a"]["x"].requires_grad


def test_inference_records_nothing() -> None:
    seen = []
    leaf = torch.ones(3, requires_grad=True)
    inference(lambda inputs, params: seen.append(params * 2), None, leaf).run()
    assert not seen[0].requires_grad
