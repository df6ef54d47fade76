"""More than two channels: quad, 5.1 and numbers without a name, held against one mono mix for each channel."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from djgraph.graph import load
from djgraph.graph.ir import Graph
from djgraph.mixer import Mixer
from djgraph.plugins import registry
from djgraph.runtime.reference import Reference

SAMPLES = 5000
ALIKE = ["gain", "eq3", "saturate", "delay", "tremolo", "peq"]
"""Effects that treat every channel by itself."""


def graph_of(channels: Any) -> Graph:
    """A mono voice and a wide bed into a wide bus."""
    return load(
        {
            "djgraph": 1,
            "name": "wide",
            "inputs": [{"name": "voice", "channels": "mono"}, {"name": "bed", "channels": channels}],
            "mixer": [
                {
                    "strip": "voice",
                    "input": "voice",
                    "channels": channels,
                    "chain": ["gain", "eq3"],
                    "to": "room",
                },
                {"strip": "bed", "input": "bed", "chain": ALIKE, "to": "room", "sends": [{"to": "hall"}]},
                {"bus": "hall", "channels": channels, "chain": ["lowpass"], "to": "room"},
                {"bus": "room", "channels": channels, "chain": ["gain"]},
            ],
            "outputs": [{"name": "room", "from": "room", "channels": channels}],
        }
    )


def material(channels: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(channels)
    return {
        name: torch.randn(2, count, SAMPLES, generator=generator, dtype=torch.float64)
        for name, count in (("voice", 1), ("bed", channels))
    }


def params_of(graph: Graph, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    low, high = (
        torch.tensor([getattr(c.control, end) for c in graph.columns], dtype=torch.float64)
        for end in ("min", "max")
    )
    return low + (high - low) * torch.rand(2, 5, len(low), generator=generator, dtype=torch.float64)


def mixed(model: Any, audio: dict[str, Tensor], params: Tensor) -> tuple[Tensor, Tensor]:
    leaf = params.clone().requires_grad_()
    made = model.double()(audio, leaf)
    (gradient,) = torch.autograd.grad(made.square().sum(), leaf)
    return made.detach(), gradient


@pytest.mark.parametrize(("word", "count"), [("quad", 4), (5.1, 6), (11, 11)])
@pytest.mark.parametrize("simd", [True, False])
def test_each_channel_is_a_mono_mix(word: Any, count: int, simd: bool) -> None:
    graph, audio = graph_of(word), material(count)
    params = params_of(graph)
    made, gradient = mixed(Mixer(graph, simd=simd), audio, params)
    expected, wanted = mixed(Reference(graph), audio, params)
    torch.testing.assert_close(made, expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(gradient, wanted, rtol=1e-6, atol=1e-6)

    mono = Mixer(graph_of("mono")).double()
    parts = [
        mono({"voice": audio["voice"], "bed": audio["bed"][:, [channel]]}, params) for channel in range(count)
    ]
    torch.testing.assert_close(made, torch.cat(parts, 1), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("word", "count"), [("quad", 4), ("5.1", 6)])
@pytest.mark.parametrize("lowering", ["studio", "causal"])
def test_streams_are_the_whole(word: str, count: int, lowering: Any) -> None:
    graph = graph_of(word)
    mixer = Mixer(graph, lowering=lowering)
    audio = {name: one[:1].float() for name, one in material(count).items()}
    params = params_of(graph, 1)[:1].float()
    positions = torch.tensor([0, 700, 1999, 2000, 4800])
    whole = mixer(audio, params, positions=positions)
    stream = mixer.stream(score=(params, positions))
    cuts = [0, 1, 2, 600, 1111, 4096, SAMPLES]
    parts = [
        stream({name: one[..., start:stop] for name, one in audio.items()})
        for start, stop in itertools.pairwise(cuts)
    ]
    played = torch.cat([*parts, stream.finish()], -1)[..., stream.latency :]
    assert played.shape == (1, count, SAMPLES)
    torch.testing.assert_close(played, whole, rtol=0, atol=2e-5)


def test_keys_of_other_counts() -> None:
    """A compressor of quad that hears itself, mono, stereo or 5.1, and one of stereo that hears quad.

    The key's loudest channel counts: the oracle is the same compressor with that as a mono key.
    """
    widths = {"bed": 4, "voice": 1, "deck": 2, "film": 6}
    words = {4: "quad", 1: "mono", 2: "stereo", 6: "5.1"}
    pairs = [("bed", "bed"), ("bed", "voice"), ("bed", "deck"), ("bed", "film"), ("deck", "bed")]

    def graph_with(keys: dict[str, int]) -> Graph:
        strips = []
        for number, (source, key) in enumerate(pairs):
            node: dict[str, Any] = {"effect": "compressor", "inputs": {"sidechain": f"key_{key}"}}
            if key == source and keys[key] == widths[key]:
                node = {"effect": "compressor"}  # by default it hears its own signal
            strips.append({"strip": f"s{number}", "input": source, "chain": [node]})
        inputs = [{"name": name, "channels": words[count]} for name, count in widths.items()]
        inputs += [{"name": f"key_{name}", "channels": words[count]} for name, count in keys.items()]
        return load(
            {
                "djgraph": 1,
                "name": "keys",
                "inputs": inputs,
                "mixer": strips,
                "outputs": [f"s{number}" for number in range(len(pairs))],
            }
        )

    generator = torch.Generator().manual_seed(3)
    sound = {
        name: torch.randn(1, count, SAMPLES, generator=generator, dtype=torch.float64)
        for name, count in widths.items()
    }
    wide, narrow = graph_with(widths), graph_with(dict.fromkeys(widths, 1))
    mixer = Mixer(wide).double()
    values = {"threshold": -40.0, "ratio": 8.0, "attack": 1.0}
    params = mixer.layout.default.double().expand(1, 1, -1).clone()
    for index, name in enumerate(mixer.layout.names):
        params[..., index] = values.get(name.rpartition(".")[2], params[..., index])
    keys = {f"key_{name}": one for name, one in sound.items()}
    loudest = {name: one.abs().amax(1, keepdim=True) for name, one in keys.items()}
    made = mixer({**sound, **keys}, params)
    assert [made[f"s{n}"].shape[1] for n in range(len(pairs))] == [4, 4, 4, 4, 2]
    wanted = Mixer(narrow).double()({**sound, **loudest}, params)
    reference = Reference(wide).double()({**sound, **keys}, params)
    for name, one in made.items():
        torch.testing.assert_close(one, wanted[name], rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(one, reference[name], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("count", [4, 6])
@pytest.mark.slow
def test_built_in_effects_take_any_number_of_channels(count: int) -> None:
    """All of them, whatever they do with them: as many come out, all finite, and the same by the reference."""
    tried = 0
    for name, entry in registry().effects.items():
        effect = entry.effect
        if not effect.inputs or any(
            port.channels is not None for port in (*effect.inputs, effect.outputs[0])
        ):
            continue
        if any(field.is_required() for field in effect.Settings.model_fields.values()):
            continue
        others = {port.name: "b" for port in effect.inputs[1:]}
        graph = load(
            {
                "djgraph": 1,
                "name": "one",
                "inputs": [{"name": name, "channels": count} for name in "ab"],
                "mixer": [{"strip": "s", "input": "a", "chain": [{"effect": name, "inputs": others}]}],
                "outputs": ["s"],
            }
        )
        generator = torch.Generator().manual_seed(count)
        audio = {key: 0.1 * torch.randn(1, count, 3000, generator=generator) for key in "ab"}
        params = params_of(graph)[:1].float()
        tempo = 120.0 if effect.uses_clock else None
        made = Mixer(graph)(audio, params, tempo=tempo)
        expected = Reference(graph)(audio, params, tempo=tempo)
        assert made.shape == (1, count, 3000), name
        assert made.isfinite().all(), name
        torch.testing.assert_close(
            made, expected, rtol=1e-4, atol=1e-4, msg=lambda text, name=name: f"{name}: {text}"
        )
        tried += 1
    assert tried > 40
