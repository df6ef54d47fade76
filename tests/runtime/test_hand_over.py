"""What is handed to a mixer and what it hands back: ambiguous shapes, NaN, memory, modes, defaults of the process."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor

import djgraph
from djgraph.errors import CompileError, InputError
from djgraph.runtime.reference import Reference

SMALL: dict[str, Any] = {"sample_rate": 16000, "n_fft": 64, "hop_length": 16, "reverb_decay_time": 0.05}
TAP = """djgraph: 1
name: tap
inputs: [{name: a}, {name: b}]
mixer:
  - {strip: a, input: a, to: [master, cue]}
  - {strip: b, input: b, chain: [gain], to: rec}
  - {strip: b2, input: b, chain: [gain], to: rec2}
  - {bus: master}
  - {bus: cue}
  - {bus: rec}
  - {bus: rec2}
outputs: [master, cue, rec]
"""


@pytest.fixture(scope="module")
def mixer() -> djgraph.Mixer:
    return djgraph.compile("dj_mixer", **SMALL)


def stems(*shape: int, seed: int = 0) -> dict[str, dict[str, Tensor]]:
    random = torch.Generator().manual_seed(seed)
    names = ("drums", "bass", "vocals", "other")
    return {
        track: {name: 0.1 * torch.randn(shape, generator=random) for name in names}
        for track in ("track_a", "track_b")
    }


def test_stereo_without_a_batch_is_no_batch_of_mono(mixer: djgraph.Mixer) -> None:
    params = mixer.layout.pack()
    for made in (mixer, Reference(mixer.graph)):
        with pytest.raises(InputError, match=r"\[2, 900\].*\[1, 2, 900\].*\[2, 1, 900\]"):
            made(stems(2, 900), params)
        with pytest.raises(InputError, match=r"looks like \[samples, channels\].*audio\.T"):
            made(stems(2000, 2), params)
        with pytest.raises(InputError, match=r"looks like \[samples, channels\].*transpose"):
            made(stems(1, 2000, 2), params)
    for batch in (1, 3):
        flat = stems(batch, 900)
        mono = {track: {name: x.unsqueeze(1) for name, x in parts.items()} for track, parts in flat.items()}
        assert torch.equal(mixer(flat, params), mixer(mono, params))


def test_the_seeds_interface_takes_two_mono_clips_where_params_say_so() -> None:
    seed = djgraph.create_mixer(**SMALL)
    flat = stems(2, 900)
    tracks = flat["track_a"], flat["track_b"]
    mono = [{name: x.unsqueeze(1) for name, x in track.items()} for track in tracks]
    params = seed.layout.pack(n_frames=3, batch=2)
    assert torch.equal(seed(*tracks, params)[0], seed(*mono, params)[0])
    for other in (params[:1], params[0]):
        with pytest.raises(InputError, match="may be one stereo clip"):
            seed(*tracks, other)


@pytest.mark.parametrize("needs", [False, True])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_is_named(mixer: djgraph.Mixer, needs: bool, value: float) -> None:
    inputs = stems(2, 2, 900)
    inputs["track_b"]["bass"][1, 1, 77] = value
    params = mixer.layout.pack({"track_b.bass.gain": 0.0}).requires_grad_(needs)
    where = "track_b.bass is .* at sample 77 of channel 1, batch item 1"
    for made in (mixer, Reference(mixer.graph)):
        with pytest.raises(InputError, match=where):
            made(inputs, params)


def test_loud_but_finite_audio_passes(mixer: djgraph.Mixer) -> None:
    inputs = stems(1, 2, 900)
    inputs["track_a"]["bass"].fill_(3e38)  # the sum over the mix is infinite
    inputs["track_a"]["drums"].fill_(0)
    assert mixer(inputs, mixer.layout.pack()).shape == (1, 2, 900)


def test_writing_to_an_output_changes_nothing_else() -> None:
    for optimize in (True, False):
        tap = djgraph.compile(TAP, optimize=optimize)
        for shape in ((1, 2, 100), (1, 100), (3, 1, 100)):
            a, b = torch.randn(shape), torch.randn(shape)
            before = a.clone(), b.clone()
            out, taps = tap({"a": a, "b": b}, tap.layout.pack(), return_intermediates=True)
            everything = [*out.values(), *taps.values()]
            kept = [tensor.clone() for tensor in everything]
            for number, tensor in enumerate(everything):
                tensor.mul_(0.5)
                assert torch.equal(tensor, 0.5 * kept[number])
                for other, was in zip(everything[number + 1 :], kept[number + 1 :]):
                    assert torch.equal(other, was)
            assert torch.equal(a, before[0])
            assert torch.equal(b, before[1])


def test_outputs_may_be_written_to_in_training(mixer: djgraph.Mixer) -> None:
    for made, inputs in (
        (mixer, stems(1, 2, 900)),
        (djgraph.compile("club_console"), None),
        (djgraph.compile(TAP), {"a": torch.randn(1, 2, 900), "b": torch.randn(1, 2, 900)}),
    ):
        if inputs is None:
            inputs = {
                name: torch.randn(1, 2, 900) if parts is None else {p: torch.randn(1, 2, 900) for p in parts}
                for name, parts in made.graph.inputs.items()
            }
        results = []
        for in_place in (True, False):
            params = made.layout.pack().requires_grad_()
            out = made(inputs, params)
            loss = torch.zeros(())
            for mix in out.values() if isinstance(out, dict) else [out]:
                if in_place:
                    mix /= 3
                    loss = loss + mix.square().sum()
                else:
                    loss = loss + (mix / 3).square().sum()
            results.append(torch.autograd.grad(loss, params)[0])
        torch.testing.assert_close(*results)


def test_an_effect_may_hand_on_what_it_holds() -> None:
    from djgraph.effects import Port, TimeEffect
    from djgraph.graph import load

    from .documents import registry_with

    class Table(TimeEffect):
        type = "table"
        inputs = ()
        outputs = (Port("out", 1), Port("again", 1))

        def constants(self) -> dict[str, Tensor]:
            return {"wave": torch.ones(1, 1, 50, dtype=torch.float64)}

        def process(self, audio: Any, controls: Any, state: Any, block: Any) -> Any:
            wave = self.constant("wave", torch.empty(0))
            return {"out": wave, "again": wave}, state

    document = {
        "djgraph": 1,
        "name": "held",
        "inputs": [{"name": "in", "channels": "mono"}],
        "mixer": [
            {"strip": "dry", "input": "in"},
            {"strip": "x", "chain": [{"effect": "table", "id": "t"}]},
        ],
        "outputs": ["x", "dry"],
    }
    made = djgraph.Mixer(load(document, registry=registry_with(Table)))
    inputs = {"in": torch.zeros(1, 1, 50)}
    made(inputs, made.layout.pack())["x"].zero_()
    assert bool((made(inputs, made.layout.pack())["x"] == 1).all())


@pytest.mark.parametrize("how", ["compile", "deepcopy", "pickle", "reference"])
def test_what_was_made_in_inference_mode_can_be_trained(mixer: djgraph.Mixer, how: str) -> None:
    from .documents import REGISTRY

    document = {
        "djgraph": 1,
        "name": "learn",
        "transform": {"size": 64, "hop": 16},
        "inputs": [{"name": "in"}],
        "mixer": [{"strip": "a", "input": "in", "chain": ["shaper", "drive"]}],
        "outputs": ["a"],
    }
    text = pickle.dumps(plain := djgraph.Mixer(djgraph.graph.load(document, registry=REGISTRY)))
    with torch.inference_mode():
        made = {
            "compile": lambda: djgraph.Mixer(plain.graph),
            "deepcopy": lambda: copy.deepcopy(plain),
            "pickle": lambda: pickle.loads(text),
            "reference": lambda: Reference(plain.graph),
        }[how]()
        made(
            {"in": torch.randn(1, 2, 300)}, plain.layout.pack()
        )  # what it keeps is made in inference mode, too
    params = plain.layout.pack().requires_grad_()
    made({"in": torch.randn(1, 2, 300)}, params).square().sum().backward()
    assert all(weight.grad is not None for weight in made.parameters())
    torch.optim.SGD(made.parameters(), 0.1).step()


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@pytest.mark.parametrize("simd", [True, False])
def test_defaults_of_the_process_change_nothing(simd: bool) -> None:
    inputs = stems(1, 2, 3000)
    graph = djgraph.load("dj_mixer", **SMALL)

    def run() -> Tensor:
        made = djgraph.Mixer(graph, simd=simd)
        values = {"track_a.drums.lpf": 0.6, "track_b.bass.eq_low": 0.2, "track_a.reverb_send": 0.5}
        params = made.layout.pack(values, dtype=torch.float32).requires_grad_()
        mix = made(inputs, params)
        return torch.cat((mix.flatten(), torch.autograd.grad(mix.square().sum(), params)[0].flatten()))

    def detached() -> Tensor:
        return run().detach()

    wanted = detached()
    with torch.device("meta"):
        assert torch.equal(detached(), wanted)
    for dtype in (torch.float64, torch.float16):
        with default_dtype(dtype):
            found = detached()
        assert found.dtype == torch.float32
        assert torch.equal(found, wanted)


def test_tracing_and_meta_tensors_say_what_to_use_instead(mixer: djgraph.Mixer) -> None:
    inputs, params = stems(1, 2, 900), mixer.layout.pack()
    with pytest.raises(CompileError, match=r"torch.export.export or torch.compile"):
        torch.jit.trace(mixer, (inputs, params), strict=False)
    meta = {track: {name: x.to("meta") for name, x in parts.items()} for track, parts in inputs.items()}
    with pytest.raises(InputError, match=r"meta device.*torch.export.export"):
        mixer(meta, params.to("meta"))


def test_profile_runs_what_the_mixer_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    from djgraph.runtime import executor

    asked = []
    schedule = executor.schedule_region

    def spy(*arguments: Any) -> Any:
        made = schedule(*arguments)
        asked.append(made.simd)
        return made

    monkeypatch.setattr(executor, "schedule_region", spy)
    for simd in (True, False):
        made = djgraph.compile("dj_mixer", simd=simd, **SMALL)
        asked.clear()
        made.profile(0.05, repeats=1, backward=False)
        assert set(asked) == {simd}
