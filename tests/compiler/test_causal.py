"""The causal lowering: twins in the places of masks, and nothing else that a user could see."""

from __future__ import annotations

import pickle
import types
from typing import Any

import djgraph_fx
import pytest
import torch

import djgraph
from djgraph import checkpoint
from djgraph.compiler.causal import lowered
from djgraph.compiler.parse import parse_plan
from djgraph.effects import CausalTwin, SpectralEffect
from djgraph.errors import CompileError
from djgraph.graph import load
from djgraph.graph.ir import EffectNode
from djgraph.plugins import Registry, hookimpl, registry

BASE: dict[str, Any] = {"djgraph": 1, "name": "small", "inputs": [{"name": "a"}], "outputs": ["mix"]}


def chained(*chain: Any, **load_options: Any) -> Any:
    mixer = [{"strip": "s", "input": "a", "chain": list(chain), "to": "mix"}, {"bus": "mix"}]
    return load({**BASE, "mixer": mixer}, **load_options)


def test_spectral_effects_make_way_for_their_twins() -> None:
    graph = djgraph.load("dj_mixer")
    causal = lowered(graph, "causal")
    assert lowered(graph, "studio") is graph
    assert causal.columns == graph.columns
    assert (causal.outputs, causal.taps, causal.inputs) == (graph.outputs, graph.taps, graph.inputs)
    for before, after in zip(graph.nodes, causal.nodes, strict=True):
        if isinstance(before, EffectNode) and issubclass(before.effect, SpectralEffect):
            assert isinstance(after, EffectNode)
            assert after.effect is before.effect.causal_twin
            assert (after.bindings, after.settings) == (before.bindings, before.settings)
        else:
            assert after is before


def test_a_twin_is_no_effect_of_graph_files() -> None:
    assert not any(issubclass(entry.effect, CausalTwin) for entry in registry().effects.values())
    with pytest.raises(djgraph.GraphError, match="lowpass_causal"):
        chained("lowpass_causal")


def test_everything_that_a_user_keeps_is_the_same(tmp_path: Any) -> None:
    studio, causal = djgraph.compile("dj_mixer"), djgraph.compile("dj_mixer", lowering="causal")
    assert (studio.lowering, causal.lowering) == ("studio", "causal")
    assert causal.layout == studio.layout
    assert causal.layout.fingerprint == studio.layout.fingerprint
    assert causal.graph == studio.graph
    assert causal.state_dict().keys() == studio.state_dict().keys()
    path = tmp_path / "model.safetensors"
    checkpoint.save(path, {"model": {"w": torch.ones(2)}}, studio)
    assert checkpoint.load(path).layout == causal.layout
    assert "lowering='causal'" in repr(causal)
    assert "lowering" not in repr(studio)


def test_a_stream_waits_for_no_window() -> None:
    studio, causal = djgraph.compile("dj_mixer"), djgraph.compile("dj_mixer", lowering="causal")
    smoothing = 111  # half of the 5 ms that a gain's control is smoothed by
    assert studio.stream().latency == 2047 + smoothing
    assert causal.stream().latency == smoothing
    assert "latency of the stream: 111 samples" in causal.explain(stream=True)


def test_gains_are_the_same_and_sums_too() -> None:
    """An impulse through two strips of the default mixer, at rest: magnitudes, where the window does not smear them."""
    studio, causal = djgraph.compile("dj_mixer"), djgraph.compile("dj_mixer", lowering="causal")
    size, place = 2**16, 2**15
    stems = {
        track: {stem: torch.zeros(1, 2, size) for stem in ("drums", "bass", "vocals", "other")}
        for track in ("track_a", "track_b")
    }
    stems["track_a"]["drums"][..., place] = 1
    params = studio.layout.pack(
        {
            "track_a.drums.eq_low": 0.3,
            "track_a.drums.eq_high": 1.7,
            "track_a.drums.lpf": 0.85,
            "track_a.drums.hpf": 0.45,
        }
    )
    spectra = [torch.fft.rfft(mixer(stems, params[None])[0, 0]).abs() for mixer in (studio, causal)]
    bins = slice(round(500 * size / 44100), round(15000 * size / 44100))
    off = 20 * torch.log10(spectra[1][bins] / spectra[0][bins])
    assert off.abs().max() < 0.1


def test_plans_know_twins() -> None:
    mixer = djgraph.compile("dj_mixer", lowering="causal")
    for stream in (False, True):
        for stage in mixer.stages(stream=stream):
            text = str(stage.plan)
            assert "stft" not in text
            assert parse_plan(text, mixer.compiled.graph) == stage.plan
    assert "lowpass_causal × 8" in str(mixer.plan)
    assert mixer.explain("graph") == str(lowered(mixer.graph, "causal"))
    costs = mixer.explain_dict("group", seconds=0.2)["stages"][0]["costs"]
    assert costs["forward_transforms"] == 0
    assert costs["forward"]["flops"] > 0


def test_streams_of_the_two_do_not_take_each_others_states() -> None:
    studio, causal = (
        djgraph.compile(chained("lowpass"), lowering=lowering) for lowering in ("studio", "causal")
    )
    stream = causal.stream()
    stream({"a": torch.zeros(1, 2, 8)}, causal.layout.pack())
    with pytest.raises(djgraph.InputError, match="none of this mixer's streams"):
        studio.stream(state=stream.state())


def test_a_causal_mixer_can_be_pickled() -> None:
    mixer = djgraph.compile(chained("eq3"), lowering="causal")
    again = pickle.loads(pickle.dumps(mixer))
    audio, params = {"a": torch.randn(1, 2, 500)}, mixer.layout.pack()[None]
    assert again.lowering == "causal"
    assert torch.equal(again(audio, params), mixer(audio, params))


def test_a_causal_mixer_can_be_exported() -> None:
    mixer = djgraph.compile(chained("eq3", "lowpass", "highpass"), lowering="causal")
    audio, params = {"a": torch.randn(1, 2, 700)}, mixer.layout.pack()[None].float()
    program = torch.export.export(mixer, (audio, params)).module()
    torch.testing.assert_close(program(audio, params), mixer(audio, params))


def test_one_error_names_all_nodes_without_a_twin() -> None:
    class Lonely(SpectralEffect):
        type = "lonely"

        def mask(self, controls: Any) -> Any:
            return torch.ones(self.environment.transform.bins)

    own = Registry()
    own.register(djgraph_fx, name="fx")
    own.register(types.SimpleNamespace(djgraph_effects=hookimpl(lambda: [Lonely])), name="own")
    graph = chained(
        "lonely",
        "eq3",
        {"effect": "lowpass", "id": "steep", "settings": {"order": 7}},
        {"effect": "highpass", "settings": {"order": 2}},
        registry=own,
    )
    djgraph.compile(graph)
    with pytest.raises(CompileError) as caught:
        djgraph.compile(graph, lowering="causal")
    text = str(caught.value)
    assert text.startswith(
        "graph small has no causal lowering, which needs a causal twin of every spectral effect:"
    )
    assert "s.lonely" in text
    assert "effect lonely has no causal twin" in text
    assert "s.steep" in text
    assert "order 7 is no recursion; orders with a causal twin: 2 and 4, the nearest is 4" in text
    assert "eq3" not in text
    assert "highpass" not in text


def test_another_lowering_is_refused() -> None:
    with pytest.raises(CompileError, match="'studio' or 'causal', not 'casual'; did you mean 'causal'"):
        djgraph.compile("dj_mixer", lowering="casual")
    with pytest.raises(CompileError, match="'studio' or 'causal', not None"):
        djgraph.compile("dj_mixer", lowering=None)  # type: ignore[arg-type]
