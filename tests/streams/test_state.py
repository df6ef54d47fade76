"""States of streams: a saved stream goes on bit for bit; damaged and foreign ones are refused."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from effort import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from runtime.documents import REGISTRY, documents
from runtime.mixes import make_inputs, make_params

import djgraph
from djgraph.effects import TimeEffect
from djgraph.errors import InputError
from djgraph.graph import load
from djgraph.mixer import Mixer
from djgraph.plugins import Registry, hookimpl

from .playing import cut, flat, reverberant, score_of


@settings(max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    document=documents(),
    blocks=st.lists(st.integers(1, 200), min_size=2, max_size=6),
    stop=st.integers(1, 5),
    batch=st.integers(1, 2),
    seed=st.integers(0, 100),
)
def test_a_saved_stream_goes_on_bit_for_bit(
    document: Any, blocks: list[int], stop: int, batch: int, seed: int
) -> None:
    safetensors = pytest.importorskip("safetensors.torch")
    graph = load(document, registry=REGISTRY)
    mixer = Mixer(graph)
    total = sum(blocks)
    inputs = make_inputs(graph, batch, total, torch.float32, seed)
    score = score_of(mixer, batch, 5, total, torch.float32, seed)
    stop = min(stop, len(blocks) - 1)
    with torch.no_grad():
        stream, made, start = mixer.stream(batch=batch, score=score), [], 0
        for number, length in enumerate(blocks):
            if number == stop:
                data = safetensors.save(stream.state())
                other = Mixer(graph)
                other.load_state_dict(mixer.state_dict())
                again = other.stream(batch=batch, score=score, state=safetensors.load(data))
                assert again.position == start
            block = cut(inputs, start, start + length)
            made.append(flat(stream(block)))
            if number >= stop:
                for mine, theirs in zip(flat(again(block)), made[-1], strict=True):
                    assert torch.equal(mine, theirs)
            start += length
        for mine, theirs in zip(flat(again.finish()), flat(stream.finish()), strict=True):
            assert torch.equal(mine, theirs)


def test_a_live_stream_is_saved_too(mixer: Mixer) -> None:
    inputs = make_inputs(mixer.graph, 1, 6000, torch.float32, 0)
    params = make_params(mixer, 1, 3, torch.float32, 1)[0]
    stream = mixer.stream()
    stream(cut(inputs, 0, 2000), params[0])
    again = mixer.stream(state=stream.state())
    for start, frame in ((2000, None), (4000, params[2])):
        one, two = (s(cut(inputs, start, start + 2000), frame) for s in (stream, again))
        assert torch.equal(one, two)


def test_states_of_others_are_refused(mixer: Mixer) -> None:
    stream = mixer.stream()
    stream(make_inputs(mixer.graph, 1, 10, torch.float32, 0), mixer.layout.default)
    state = stream.state()
    for other in (
        lambda: djgraph.compile("club_console").stream(state=state),
        lambda: mixer.stream(batch=2, state=state),
        lambda: mixer.stream(dtype=torch.float64, state=state),
        lambda: mixer.stream(state={}),
    ):
        with pytest.raises(InputError, match="none of this mixer's streams"):
            other()


def test_damaged_states_are_refused(mixer: Mixer) -> None:
    stream = mixer.stream()
    stream(make_inputs(mixer.graph, 1, 3000, torch.float32, 0), mixer.layout.default)
    good = stream.state()
    mixer.stream(state=good)
    for name, tensor in good.items():
        missing = {other: one for other, one in good.items() if other != name}
        cut_short = {**good, name: tensor.flatten()[:-1]}
        edited = {**good, name: tensor + 1}
        for wrong in (missing, *((cut_short, edited) if tensor.numel() else ())):
            with pytest.raises(InputError, match=r"damaged|none of this mixer's"):
                mixer.stream(state=wrong)
    with pytest.raises(InputError, match="mapping of names to tensors"):
        mixer.stream(state=[1])  # type: ignore[arg-type]


def test_streams_that_begin_with_one_state_do_not_meet() -> None:
    mixer = reverberant()
    inputs = make_inputs(mixer.graph, 1, 4000, torch.float32, 0)
    with torch.inference_mode():
        first = mixer.stream()
        first(cut(inputs, 0, 1000), mixer.layout.default)
        first(cut(inputs, 1000, 2000), mixer.layout.from_unit(torch.full_like(mixer.layout.default, 0.7)))
        state = first.state()
        kept = {name: tensor.clone() for name, tensor in state.items()}
        streams = [mixer.stream(state=state) for _ in range(2)]
        block, after = cut(inputs, 2000, 2300), cut(inputs, 2300, 2600)
        made = [stream(block, mixer.layout.default) for stream in streams]
        again = [stream(after, mixer.layout.default) for stream in streams]
    assert torch.equal(*made)
    assert torch.equal(*again)
    assert all(torch.equal(kept[name], state[name]) for name in kept)


def test_what_remembers_in_a_foreign_object_has_no_states() -> None:
    class Foreign(TimeEffect):
        type = "foreign"
        foreign_memory = True

        def process(self, audio: Any, controls: Any, state: Any, block: Any) -> Any:
            return {"out": -audio["in"]}, state

    registry = Registry()
    registry.register(SimpleNamespace(djgraph_effects=hookimpl(lambda: [Foreign])), name="foreign")
    document = {
        "djgraph": 1,
        "name": "foreign",
        "inputs": [{"name": "track"}],
        "mixer": [
            {"strip": "track", "input": "track", "chain": ["foreign"], "to": "master"},
            {"bus": "master"},
        ],
        "outputs": ["master"],
    }
    mixer = Mixer(load(document, registry=registry))
    stream = mixer.stream()
    sound = torch.ones(1, 2, 100)
    assert torch.equal(stream({"track": sound}, torch.zeros(0)), -sound)
    with pytest.raises(InputError, match=r"'foreign' remembers in a foreign plugin.*node track\.foreign"):
        stream.state()
    assert torch.equal(stream({"track": sound}, torch.zeros(0)), -sound)  # it goes on
