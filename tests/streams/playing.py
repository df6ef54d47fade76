"""Small graphs, and whole clips played through streams in blocks and held against the mixer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from runtime.documents import REGISTRY
from runtime.mixes import leaves, make_inputs, make_params
from torch import Tensor

from djgraph.graph import load
from djgraph.graph.ir import Graph
from djgraph.mixer import Mixer


def cut(inputs: Mapping[str, Any], start: int, stop: int) -> dict[str, Any]:
    return {
        name: {stem: audio[..., start:stop] for stem, audio in value.items()}
        if isinstance(value, dict)
        else value[..., start:stop]
        for name, value in inputs.items()
    }


def flat(made: Any) -> list[Tensor]:
    """Outputs and taps of a call, in a fixed order."""
    result, taps = made if isinstance(made, tuple) else (made, {})
    outputs = [result[name] for name in sorted(result)] if isinstance(result, dict) else [result]
    return [*outputs, *(taps[name] for name in sorted(taps))]


def play(stream: Any, inputs: Mapping[str, Any], blocks: Iterable[int], params: Any = None) -> list[Tensor]:
    """All that a stream gives for a clip, less its latency. params: by block, for live streams."""
    made, start, total = [], 0, leaves(dict(inputs))[0].shape[-1]
    for number, length in enumerate(blocks):
        stop = min(start + length, total)
        given = () if params is None else (params[number],)
        made.append(flat(stream(cut(inputs, start, stop), *given)))
        assert all(part.shape[-1] == stop - start for part in made[-1])
        start = stop
        if start == total:
            break
    assert start == total
    made.append(flat(stream.finish()))
    assert all(part.shape[-1] == stream.latency for part in made[-1])
    whole = [torch.cat(parts, -1) for parts in zip(*made, strict=True)]
    assert all(not part[..., : stream.latency].any() for part in whole if stream.latency)
    return [part[..., stream.latency :] for part in whole]


def score_of(mixer: Mixer, batch: int, frames: int, samples: int, dtype: torch.dtype, seed: int) -> Any:
    """Params at random positions, some of them outside the clip."""
    generator = torch.Generator().manual_seed(seed)
    places = torch.randperm(samples + 40, generator=generator)[: min(frames, samples)] - 20
    positions = places.sort().values
    return make_params(mixer, batch, len(positions), dtype, seed), positions


def check(
    graph: Graph,
    blocks: Iterable[int],
    *,
    batch: int = 1,
    samples: int = 700,
    frames: int = 5,
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
    grads: bool = True,
    optimize: Any = True,
    taps: bool = True,
    simd: bool = True,
    lowering: Any = "studio",
) -> None:
    mixer = Mixer(graph, optimize=optimize, simd=simd, lowering=lowering).to(dtype)
    inputs = make_inputs(graph, batch, samples, dtype, seed)
    params, positions = score_of(mixer, batch, frames, samples, dtype, seed)
    params.requires_grad_(grads)
    stems = leaves(inputs)
    for stem in stems:
        stem.requires_grad_(grads)
    with torch.set_grad_enabled(grads):
        expected = flat(mixer(inputs, params, positions=positions, return_intermediates=taps))
        stream = mixer.stream(batch=batch, score=(params, positions), taps=taps, dtype=dtype)
        made = play(stream, inputs, blocks)
    tolerance = 1e-9 if dtype == torch.float64 else 2e-6
    for mine, theirs in zip(made, expected, strict=True):
        assert mine.shape == theirs.shape
        scale = max(float(theirs.detach().abs().max()), 1.0)
        assert float((mine - theirs).detach().abs().max()) <= tolerance * scale
    if not grads:
        return
    wanted = [params, *stems, *mixer.parameters()]
    found = []
    for outputs in (made, expected):
        total = sum((out * torch.cos(torch.arange(out.shape[-1], dtype=dtype))).sum() for out in outputs)
        assert isinstance(total, Tensor)
        # Where nothing reaches an output there is no gradient.
        reached = total.requires_grad
        found.append(
            torch.autograd.grad(total, wanted, allow_unused=True) if reached else [None] * len(wanted)
        )
    for mine, theirs in zip(*found, strict=True):
        mine = torch.zeros(()) if mine is None else mine
        theirs = torch.zeros(()) if theirs is None else theirs
        if not theirs.numel():  # a graph without controls
            continue
        scale = max(float(theirs.abs().max()), 1e-2)
        assert float((mine - theirs).abs().max()) <= (1e-8 if dtype == torch.float64 else 1e-3) * scale


BASE: dict[str, Any] = {
    "djgraph": 1,
    "name": "small",
    "sample_rate": 22050,
    "transform": {"size": 64, "hop": 16},
    "inputs": [{"name": "a"}, {"name": "b", "optional": True}],
    "outputs": ["mix"],
}


SETTINGS = {"reverb": {"decay_time": 0.1, "pre_delay": 1}, "delay": {"time": 2}}


def strips(*chains: list[str]) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for number, chain in enumerate(chains):
        nodes = [
            {"effect": name, "id": f"n{place}", **({"settings": SETTINGS[name]} if name in SETTINGS else {})}
            | ({"inputs": {"key": "b"}} if name == "duck" else {})
            for place, name in enumerate(chain)
        ]
        made.append({"strip": f"s{number}", "input": "ab"[number % 2], "chain": nodes, "to": "mix"})
    return [*made, {"bus": "mix"}]


def reverberant() -> Mixer:
    """Frames, a reverb of three partitions and an echo, all of them short."""
    chain = ["gain", "lowpass", "reverb", "delay"]
    return Mixer(load({**BASE, "mixer": strips(chain, [])}, registry=REGISTRY))
