"""Streams against the mixer on the whole clip: outputs, taps, gradients, however the clip is cut."""

from __future__ import annotations

import itertools
import threading
from typing import Any

import pytest
import torch
from effort import examples, few
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from runtime.documents import CHAINS, ONE_IN, REGISTRY, causal_graph, documents, looped_documents
from runtime.mixes import SHIPPED, make_inputs, make_params
from torch import Tensor

import djgraph
from djgraph.errors import InputError
from djgraph.graph import load
from djgraph.mixer import Mixer
from djgraph.runtime.reference import Reference

from .playing import BASE, check, cut, flat, play, score_of, strips


@pytest.mark.parametrize("name", few(SHIPPED, 2))
@pytest.mark.parametrize("blocks", few([[512], [1000, 3, 77], [100_000]], 1), ids=str)
def test_shipped_graphs(name: str, blocks: list[int]) -> None:
    check(djgraph.load(name), itertools.cycle(blocks), samples=9000, frames=7, seed=3)


@pytest.mark.parametrize("name", few(SHIPPED, 1))
def test_shipped_graphs_in_single_precision(name: str) -> None:
    check(
        djgraph.load(name), itertools.cycle([512]), samples=30_000, dtype=torch.float32, grads=False, batch=2
    )


def test_one_sample_at_a_time() -> None:
    graph = load({**BASE, "mixer": strips(["gain", "lowpass", "reverb", "look_ahead"])}, registry=REGISTRY)
    check(graph, itertools.repeat(1), samples=150)


@pytest.mark.parametrize("effect", [*ONE_IN, "look_ahead"])
@pytest.mark.parametrize("samples", few([65, 1, 2, 15, 16, 31, 33, 64, 400], 1))
def test_every_effect_beside_a_plain_path(effect: str, samples: int) -> None:
    """Paths of unequal latency meet in the bus; clips shorter than a transform, than a hop, of one sample."""
    graph = load({**BASE, "mixer": strips([effect], [], ["lowpass", effect])}, registry=REGISTRY)
    for blocks in ([samples], [7, 1, 20]):
        check(graph, itertools.cycle(blocks), samples=samples, frames=4)


@settings(
    max_examples=examples(300),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    document=documents(),
    blocks=st.lists(st.integers(1, 40) | st.integers(41, 900), min_size=1, max_size=8),
    batch=st.integers(1, 3),
    samples=st.integers(1, 500),
    frames=st.integers(1, 9),
    dtype=st.sampled_from([torch.float64, torch.float32]),
    optimize=st.sampled_from([True, False]),
    simd=st.booleans(),
    taps=st.booleans(),
    grads=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_random_graphs(document: Any, blocks: list[int], **case: Any) -> None:
    check(load(document, registry=REGISTRY), itertools.cycle(blocks), **case)


@settings(
    max_examples=examples(100),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    document=looped_documents(),
    blocks=st.lists(st.integers(1, 40) | st.integers(41, 900), min_size=1, max_size=8),
    batch=st.integers(1, 2),
    samples=st.integers(1, 400),
    dtype=st.sampled_from([torch.float64, torch.float32]),
    taps=st.booleans(),
    grads=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_random_graphs_with_loops(document: Any, blocks: list[int], **case: Any) -> None:
    check(load(document, registry=REGISTRY), itertools.cycle(blocks), **case)


@pytest.mark.slow
def test_memory_does_not_grow(mixer: Mixer) -> None:
    stream, sizes = mixer.stream(), []
    frame = mixer.layout.default
    inputs = make_inputs(mixer.graph, 1, 512, torch.float32, 0)
    with torch.no_grad():
        for _ in range(300):
            stream(inputs, frame)
            sizes.append(sum(tensor.numel() for tensor in stream.state().values()))
    assert max(sizes[250:]) <= max(sizes[150:250]) * 1.02


def test_streams_of_one_mixer_in_threads(mixer: Mixer) -> None:
    inputs = [make_inputs(mixer.graph, 1, 8000, torch.float32, seed) for seed in range(4)]
    params = [make_params(mixer, 1, 16, torch.float32, seed)[0] for seed in range(4)]
    expected = [play(mixer.stream(), i, itertools.repeat(500), p) for i, p in zip(inputs, params)]
    made: dict[int, list[Tensor]] = {}

    def run(number: int) -> None:
        made[number] = play(mixer.stream(), inputs[number], itertools.repeat(500), params[number])

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, want in enumerate(expected):
        torch.testing.assert_close(made[number], want)


def test_detach_cuts_the_gradient(mixer: Mixer) -> None:
    inputs = make_inputs(mixer.graph, 1, 6000, torch.float32, 0)
    params = make_params(mixer, 1, 2, torch.float32, 1)[0].requires_grad_()
    stream = mixer.stream()
    stream(cut(inputs, 0, 3000), params[0])
    stream.detach()
    made = stream(cut(inputs, 3000, 6000), params[1])
    (gradient,) = torch.autograd.grad(made.square().sum(), params)
    assert not gradient[0].any()
    assert gradient[1].any()


def test_a_caller_may_fill_its_buffer_anew_and_write_to_what_it_got(mixer: Mixer) -> None:
    inputs = make_inputs(mixer.graph, 1, 4096, torch.float32, 0)
    params = make_params(mixer, 1, 8, torch.float32, 1)[0]
    expected = play(mixer.stream(), inputs, itertools.repeat(512), params)
    stream, made = mixer.stream(), []
    buffer = {t: {s: torch.zeros(1, 2, 512) for s in stems} for t, stems in inputs.items()}
    for number in range(8):
        for track, stems in inputs.items():
            for stem, audio in stems.items():
                buffer[track][stem].copy_(audio[..., number * 512 : (number + 1) * 512])
        block = stream(buffer, params[number])
        made.append(block.clone())
        block.fill_(9.0)
    made.append(stream.finish())
    torch.testing.assert_close(torch.cat(made, -1)[..., stream.latency :], expected[0])


def test_missing_optional_inputs_are_silence() -> None:
    graph = load({**BASE, "mixer": strips(["gain", "lowpass"], ["delay"])}, registry=REGISTRY)
    mixer = Mixer(graph)
    a, frame = torch.randn(1, 2, 300), mixer.layout.default
    (made,) = play(mixer.stream(), {"a": a}, itertools.repeat(60), [frame] * 5)
    torch.testing.assert_close(made, mixer({"a": a}, frame[None]), atol=2e-6, rtol=0)


class TestRefusals:
    def test_before_anything_is_changed(self, mixer: Mixer) -> None:
        inputs, frame = make_inputs(mixer.graph, 1, 600, torch.float32, 0), mixer.layout.default
        stream = mixer.stream()
        wrong: list[tuple[Any, Any, str]] = [
            (inputs, None, "params with the first block"),
            (inputs, frame[:3], r"\[54\] or \[batch, 54\]"),
            (inputs, frame.expand(3, -1), r"\[54\] or \[batch, 54\]"),
            ({"track_a": inputs["track_a"]}, frame, "missing audio: track_b"),
            (make_inputs(mixer.graph, 2, 600, torch.float32, 0), frame, "batch of 1, but the audio has 2"),
            (make_inputs(mixer.graph, 1, 600, torch.float64, 0), frame, "float32"),
        ]
        for audio, params, message in wrong:
            with pytest.raises(InputError, match=message):
                stream(audio, params)
            assert stream.position == 0
        bad = make_inputs(mixer.graph, 1, 600, torch.float32, 0)
        bad["track_b"]["bass"][0, 1, 7] = float("nan")
        with pytest.raises(InputError, match=r"track_b\.bass is nan at sample 7"):
            stream(bad, frame)
        (made,) = play(stream, inputs, [600], [frame])
        torch.testing.assert_close(made, mixer(inputs, frame[None]), atol=2e-6, rtol=0)
        with pytest.raises(InputError, match="finished"):
            stream(inputs, frame)
        with pytest.raises(InputError, match="finished"):
            stream.finish()

    def test_of_options(self, mixer: Mixer) -> None:
        frame = mixer.layout.default
        for options, message in (
            ({"batch": 0}, "batch"),
            ({"dtype": torch.float16}, "float32 or torch.float64"),
            ({"fps": 50}, "frames"),
            ({"frames": 5}, "iterator"),
            ({"frames": [frame], "fps": 0}, "fps"),
            ({"score": (frame[None], [0]), "frames": [frame], "fps": 50}, "not both"),
            ({"score": (frame[None], [0, 1])}, "position"),
            ({"score": (frame[None].expand(2, -1), [5, 5])}, "must ascend"),
            ({"tempo": 120}, "clock"),
        ):
            with pytest.raises(InputError, match=message):
                mixer.stream(**options)
        with pytest.raises(InputError, match="no audio yet"):
            mixer.stream().finish()
        stream = mixer.stream(score=(frame[None], [0]))
        with pytest.raises(InputError, match="leave params out"):
            stream(make_inputs(mixer.graph, 1, 10, torch.float32, 0), frame)


def test_the_reference_agrees() -> None:
    """Not only the compiled mixer, which shares code with streams."""
    graph = djgraph.load("club_console")
    mixer, reference = Mixer(graph), Reference(graph)
    inputs = make_inputs(graph, 1, 6000, torch.float64, 0)
    params, positions = score_of(mixer, 1, 6, 6000, torch.float64, 1)
    made = play(mixer.stream(score=(params, positions), dtype=torch.float64), inputs, itertools.repeat(333))
    for one, two in zip(made, flat(reference(inputs, params, positions=positions)), strict=True):
        torch.testing.assert_close(one, two)


@pytest.mark.parametrize("blocks", few([[512], [1000, 3, 77]], 1), ids=str)
def test_the_default_mixer_under_the_causal_lowering(blocks: list[int]) -> None:
    check(djgraph.load("dj_mixer"), itertools.cycle(blocks), samples=5000, seed=3, lowering="causal")


def test_the_causal_lowering_in_single_precision() -> None:
    check(
        djgraph.load("dj_mixer"),
        itertools.cycle([128]),
        samples=30_000,
        dtype=torch.float32,
        grads=False,
        lowering="causal",
    )


@settings(max_examples=examples(30), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    chains=CHAINS,
    blocks=st.lists(st.integers(1, 40) | st.integers(41, 900), min_size=1, max_size=8),
    batch=st.integers(1, 2),
    samples=st.integers(1, 500),
    seed=st.integers(0, 1000),
)
def test_random_chains_under_the_causal_lowering(
    chains: list[list[str]], blocks: list[int], **case: Any
) -> None:
    check(causal_graph(chains), itertools.cycle(blocks), lowering="causal", **case)
