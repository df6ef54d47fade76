"""The engine of GPUs on the CPU, its kernels in Triton's interpreter, against PyTorch's tiles."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from gpu import interpreted  # skips where there is no Triton
from runtime.documents import REGISTRY
from runtime.mixes import assert_same, evaluate, leaves, make_inputs, make_params
from runtime.test_derivatives import DOCUMENT

from djgraph import gpu
from djgraph.graph import load
from djgraph.mixer import Mixer
from djgraph.region.engines.cuda import Cuda
from djgraph.region.engines.cuda.tiling import UNKNOWN, frame_bytes, free_bytes, tiling
from djgraph.region.load import RegionLoad

assert interpreted
SUMS: dict[str, Any] = {
    "djgraph": 1,
    "name": "sums",
    "transform": {"size": 48, "hop": 16},
    "inputs": [{"name": "a"}, {"name": "b", "channels": "mono"}],
    "mixer": [
        {"strip": "a", "input": "a", "chain": ["eq3"], "to": "m", "sends": [{"to": "r"}]},
        {"strip": "b", "input": "b", "chain": ["lowpass", "shaper"], "to": "m", "sends": [{"to": "r"}]},
        {"bus": "r", "chain": ["highpass"], "to": "m"},
        {"bus": "m", "chain": ["eq3"]},
    ],
    "outputs": ["m", "r"],
}
"""Ways that meet and part, gains on sums, two results, a transform whose size is no power of two."""


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The CPU's regions are this engine's; what it was called for."""
    calls: list[str] = []
    monkeypatch.setattr(Cuda, "takes", lambda self, load: load.dtype in (torch.float32, torch.float64))
    monkeypatch.setattr(Cuda, "seconds", lambda self, load: -1.0)
    for name in ("forward", "backward"):
        real = getattr(Cuda, name)

        def called(*arguments: Any, name: str = name, real: Any = real) -> Any:
            calls.append(name)
            return real(*arguments)

        monkeypatch.setattr(Cuda, name, called)
    return calls


def compare(
    document: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    grads: set[str],
    dtype: torch.dtype = torch.float64,
    samples: int = 50,
    **options: Any,
) -> None:
    mixer = Mixer(load(document, registry=REGISTRY), simd=False, **options).to(dtype)
    inputs, params = make_inputs(mixer.graph, 2, samples, dtype, 0), make_params(mixer, 2, 3, dtype, 1)
    for tensor in leaves(inputs):
        tensor.requires_grad_("inputs" in grads)
    params.requires_grad_("params" in grads)
    mixer.requires_grad_("weights" in grads)
    outputs, gradients = evaluate(mixer, inputs, params, grads)
    monkeypatch.setattr(Cuda, "takes", lambda self, load: False)
    others, expected = evaluate(mixer, inputs, params, grads)
    assert_same(outputs, others, 1e-10 if dtype == torch.float64 else 1e-5)
    assert_same(gradients, expected, 1e-9 if dtype == torch.float64 else 1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    "grads",
    [{"inputs", "params", "weights"}, {"weights"}],
    ids=lambda grads: "+".join(sorted(grads)),
)
def test_ways_that_meet_and_part(taken: list[str], monkeypatch: pytest.MonkeyPatch, grads: set[str]) -> None:
    compare(SUMS, monkeypatch, grads)
    assert set(taken) == {"forward", "backward"}


@pytest.mark.slow
@pytest.mark.parametrize("per_tile", [3])
def test_faders_before_and_reverbs_behind(
    taken: list[str], monkeypatch: pytest.MonkeyPatch, per_tile: int | None
) -> None:
    compare(DOCUMENT, monkeypatch, {"inputs", "params", "weights"}, frames_per_tile=per_tile)
    assert taken


@pytest.mark.slow
def test_single_precision(taken: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    compare(SUMS, monkeypatch, {"inputs", "params"}, torch.float32)
    assert taken


def sized(**changes: Any) -> RegionLoad:
    from djgraph.effects import Transform

    given = {
        "strips": 8, "scaled": 8, "processed": 0, "nodes": 24, "tables": 0, "results": 2, "channels": 2,
        "transform": Transform(2048, 512), "batch": 16, "frames": 862, "dtype": torch.float32,
        "device": torch.device("cuda"),
    }  # fmt: skip
    return RegionLoad(**{**given, **changes})


def test_tiles_are_as_large_as_memory_allows() -> None:
    assert tiling(sized(), 1 << 40) == (862, 16)
    frames, items = tiling(sized(), 1 << 30)
    assert frames == 862
    assert 1 <= items < 16
    assert items * frames * frame_bytes(sized()) <= 1 << 30
    frames, items = tiling(sized(), 1 << 26)
    assert items == 1
    assert frames * frame_bytes(sized()) <= 1 << 26
    assert tiling(sized(frames_per_tile=7), 1 << 40)[0] == 7
    assert free_bytes(torch.device("cpu")) == UNKNOWN


def test_who_takes_what(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "available", lambda: True)
    assert Cuda().takes(sized())
    for other in (
        {"device": torch.device("cpu")},
        {"dtype": torch.float16},
        {"paths": 1 << 20},
    ):
        assert not Cuda().takes(sized(**other))
    monkeypatch.setattr(gpu, "available", lambda: False)
    assert not Cuda().takes(sized())


@pytest.mark.slow
def test_sections_of_a_stream(taken: list[str]) -> None:
    """Blocks of a stream are sections of a clip, whose ends lack what the frames beyond them add."""
    mixer = Mixer(load(SUMS, registry=REGISTRY), simd=False).double().requires_grad_(False)
    inputs, params = make_inputs(mixer.graph, 1, 200, torch.float64, 0), mixer.layout.default.double()
    whole = mixer(inputs, params[None])
    stream = mixer.stream(dtype=torch.float64)
    blocks = [
        stream({name: audio[..., start : start + 90] for name, audio in inputs.items()}, params)
        for start in range(0, 200, 90)
    ]
    blocks.append(stream.finish())
    for name in whole:
        played = torch.cat([block[name] for block in blocks], -1)[..., stream.latency :]
        torch.testing.assert_close(played[..., :200], whole[name], rtol=1e-9, atol=1e-9)
    assert taken.count("forward") > 2
