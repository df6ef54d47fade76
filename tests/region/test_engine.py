"""Engines are chosen in one place, and a third one can be added from outside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
import torch
from runtime.mixes import leaves, make_inputs, make_params
from torch import Tensor

import djgraph
from djgraph import gpu
from djgraph.errors import CompileError
from djgraph.region import engines
from djgraph.region.clip import Clip
from djgraph.region.engine import Engine, Gradients, Wanted
from djgraph.region.engines import RegionLoad, choose
from djgraph.region.plain import mix_plainly


class PlainEngine(Engine):
    """Runs a region in operations that autograd knows, a whole clip at a time."""

    name = "plain"

    def __init__(self) -> None:
        self.calls: list[str] = []

    def takes(self, load: RegionLoad) -> bool:
        return load.dtype == torch.float64

    def seconds(self, load: RegionLoad) -> float:
        return -1.0

    def working_bytes(self, load: RegionLoad) -> tuple[float, float]:
        return 12.0, 34.0

    def forward(self, clip: Clip, rows: Tensor, sources: Sequence[Tensor]) -> Tensor:
        self.calls.append("forward")
        return mix_plainly(clip, rows, sources)

    def backward(
        self,
        clip: Clip,
        rows: Tensor,
        sources: Sequence[Tensor],
        gradient: Tensor,
        wanted: Wanted,
    ) -> Gradients:
        self.calls.append("backward")
        assert not wanted.weights
        with torch.enable_grad():
            given = [one.detach().requires_grad_() for one in (rows, *sources)]
            made = mix_plainly(clip, given[0], given[1:])
        needed = [wanted.rows, *wanted.sources]
        found = iter(torch.autograd.grad(made, [g for g, need in zip(given, needed) if need], gradient))
        row_total, *totals = (next(found) if need else None for need in needed)
        return row_total, totals, []


@pytest.fixture
def plain() -> Iterator[PlainEngine]:
    engine = PlainEngine()
    engines.register(engine)
    try:
        yield engine
    finally:
        engines.unregister("plain")


def test_a_third_engine_is_used_where_it_says_so(plain: PlainEngine) -> None:
    mixer = djgraph.compile("dj_mixer")
    inputs = make_inputs(mixer.graph, 2, 3000, torch.float64, 0)
    params = make_params(mixer, 2, 5, torch.float64, 1).requires_grad_()
    stems = leaves(inputs)
    for stem in stems:
        stem.requires_grad_()
    made = mixer(inputs, params)
    (gradient, *others) = torch.autograd.grad(made.square().sum(), [params, *stems])
    assert plain.calls == ["forward", "backward"]
    engines.unregister("plain")
    expected = mixer(inputs, params)
    torch.testing.assert_close(made, expected)
    for one, other in zip(
        (gradient, *others), torch.autograd.grad(expected.square().sum(), [params, *stems]), strict=True
    ):
        torch.testing.assert_close(one, other)
    engines.register(plain)
    mixer({t: {s: x.float() for s, x in stems.items()} for t, stems in inputs.items()}, params.float())
    assert plain.calls == ["forward", "backward"]


def test_costs_ask_the_engine_that_would_run(plain: PlainEngine) -> None:
    mixer = djgraph.compile("dj_mixer")
    data = mixer.explain_dict("free", dtype=torch.float64)
    (region,) = [op for op in data["stages"][0]["costs"]["operations"] if op["label"].startswith("region")]
    audio = 2 * 441000 * 8
    assert region["forward"]["memory"] == 2 * audio + 12


def test_two_engines_of_one_name(plain: PlainEngine) -> None:
    with pytest.raises(CompileError, match="'plain' already"):
        engines.register(PlainEngine())


def load(**changes: object) -> RegionLoad:
    given = {
        "strips": 8, "scaled": 8, "processed": 0, "nodes": 24, "tables": 0, "results": 2, "channels": 2,
        "transform": djgraph.load("dj_mixer").transform, "batch": 1, "frames": 862, "dtype": torch.float32,
        "device": torch.device("cpu"),
    }  # fmt: skip
    return RegionLoad(**{**given, **changes})  # type: ignore[arg-type]


@pytest.mark.usefixtures("engines_by_cost")
@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "vectors"),
        ({"frames": 1}, "operators"),
        ({"frames": 16}, "vectors"),
        ({"dtype": torch.float64}, "vectors"),
        ({"dtype": torch.float16}, "operators"),
        ({"simd": False}, "operators"),
        ({"device": torch.device("cuda")}, "cuda" if gpu.available() else "operators"),
        ({"device": torch.device("cuda"), "dtype": torch.float16}, "operators"),
        ({"device": torch.device("mps")}, "operators"),
        ({"channels": 4}, "operators"),
        ({"transform": djgraph.effects.Transform(3000, 1000)}, "operators"),
    ],
)
def test_who_runs_what(changes: dict[str, object], name: str) -> None:
    assert choose(load(**changes)).name == name


def test_a_gpu_gets_larger_tiles() -> None:
    engine = choose(load(simd=False))
    (ours, _), (theirs, _) = (
        engine.working_bytes(load(device=torch.device(d), batch=16)) for d in ("cpu", "cuda")
    )
    assert theirs > 10 * ours
