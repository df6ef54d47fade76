"""Streams against the mixer on the whole clip: outputs, taps, gradients, states, however the clip is cut."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import pytest
import torch
from effort import examples, few
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from runtime.documents import ONE_IN, REGISTRY, documents, registry_with
from runtime.test_against_reference import SHIPPED, leaves, make_inputs, make_params
from torch import Tensor

import djgraph
from djgraph.effects import Block, Control, ControlModel, State, TimeEffect
from djgraph.errors import InputError
from djgraph.graph import load
from djgraph.graph.ir import Graph
from djgraph.mixer import Mixer
from djgraph.runtime.reference import Reference

SMALL = {"reverb_decay_time": 0.2, "transform_size": 256, "transform_hop": 64}


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
) -> None:
    mixer = Mixer(graph, optimize=optimize, simd=simd).to(dtype)
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


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("blocks", few([[512], [1000, 3, 77], [100_000]], 1), ids=str)
def test_shipped_graphs(name: str, blocks: list[int]) -> None:
    check(djgraph.load(name), itertools.cycle(blocks), samples=9000, frames=7, seed=3)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_graphs_in_single_precision(name: str) -> None:
    check(
        djgraph.load(name), itertools.cycle([512]), samples=30_000, dtype=torch.float32, grads=False, batch=2
    )


def test_one_sample_at_a_time() -> None:
    graph = load({**BASE, "mixer": strips(["gain", "lowpass", "reverb", "look_ahead"])}, registry=REGISTRY)
    check(graph, itertools.repeat(1), samples=150)


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


@pytest.mark.parametrize("effect", [*ONE_IN, "look_ahead"])
@pytest.mark.parametrize("samples", few([1, 2, 15, 16, 31, 33, 64, 65, 400], 3))
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


@pytest.fixture(scope="module")
def mixer() -> Mixer:
    return djgraph.compile("dj_mixer")


def test_live_frames_are_reached_at_the_ends_of_blocks(mixer: Mixer) -> None:
    inputs = make_inputs(mixer.graph, 2, 5000, torch.float32, 0)
    lengths = [512, 100, 1, 2000, 900, 1487]
    params = make_params(mixer, 2, len(lengths), torch.float32, 1)
    ends = torch.tensor(lengths).cumsum(0) - 1
    expected = mixer(inputs, params, positions=ends)
    (made,) = play(mixer.stream(batch=2), inputs, lengths, [params[:, i] for i in range(len(lengths))])
    torch.testing.assert_close(made, expected, atol=2e-6, rtol=0)


def test_a_live_frame_that_is_left_out_holds(mixer: Mixer) -> None:
    inputs = make_inputs(mixer.graph, 1, 3000, torch.float32, 0)
    one, two = make_params(mixer, 1, 2, torch.float32, 1)[0]
    (made,) = play(mixer.stream(), inputs, [1000] * 3, [one, None, two])
    (same,) = play(mixer.stream(), inputs, [1000] * 3, [one, one, two])
    assert torch.equal(made, same)


def test_an_iterator_of_frames(mixer: Mixer) -> None:
    inputs = make_inputs(mixer.graph, 1, 20_000, torch.float32, 0)
    params = make_params(mixer, 1, 40, torch.float32, 1)[0]
    asked: list[int] = []

    def frames() -> Iterable[Tensor]:
        for number, frame in enumerate(params):
            asked.append(number)
            yield frame

    stream = mixer.stream(frames=frames(), fps=50)
    stream(cut(inputs, 0, 800))
    assert len(asked) <= 3  # fetched when their time comes
    stream = mixer.stream(frames=iter(params), fps=50)
    (made,) = play(stream, inputs, itertools.repeat(700))
    positions = torch.tensor([round(i * mixer.graph.sample_rate / 50) for i in range(40)])
    torch.testing.assert_close(made, mixer(inputs, params, positions=positions), atol=2e-6, rtol=0)


def test_iterators_that_end_hold_their_last_frame(mixer: Mixer) -> None:
    inputs = make_inputs(mixer.graph, 1, 4000, torch.float32, 0)
    params = make_params(mixer, 1, 2, torch.float32, 1)[0]
    (made,) = play(mixer.stream(frames=iter(params), fps=50), inputs, itertools.repeat(700))
    positions = torch.tensor([0, 882])
    torch.testing.assert_close(made, mixer(inputs, params, positions=positions), atol=2e-6, rtol=0)


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
            ({"frames": [frame]}, "fps"),
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


class Wobble(TimeEffect):
    """Follows the clock, with a latency and a state in beats."""

    type = "wobble"
    uses_clock = True

    class Controls(ControlModel):
        depth: Annotated[float, Control(0, 1, neutral=0, smoothing=3.0)] = 0.0

    def latency(self) -> int:
        return 7

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        return {"past": like.new_zeros(batch, channels, 7), "wave": like.new_zeros(batch, 1, 7)}

    def process(self, audio: Any, controls: Any, state: State, block: Block) -> Any:
        assert block.clock is not None
        wave = (torch.sin(2 * torch.pi * block.clock.beats) * block.clock.tempo / 120).to(audio["in"].dtype)
        x, wave = torch.cat([state["past"], audio["in"]], -1), torch.cat([state["wave"], wave], -1)
        length = audio["in"].shape[-1]
        out = x[..., :length] * (1 - 0.5 * wave[..., 7:])
        return {"out": out}, {"past": x[..., length:], "wave": wave[..., length:]}


CLOCKED = registry_with(Wobble)


def clocked(dtype: torch.dtype = torch.float64) -> Mixer:
    chain = [{"effect": "wobble", "id": "w"}, "lowpass", {"effect": "wobble", "id": "v"}]
    document = {**BASE, "mixer": [{"strip": "s", "input": "a", "chain": chain, "to": "mix"}, {"bus": "mix"}]}
    return Mixer(load(document, registry=CLOCKED)).to(dtype)


@pytest.mark.parametrize("blocks", [[33, 500, 7], [2000], pytest.param([1], marks=pytest.mark.slow)], ids=str)
def test_clocks_of_scores(blocks: list[int]) -> None:
    mixer = clocked()
    inputs = {"a": torch.randn(2, 2, 1200, dtype=torch.float64)}
    params, positions = score_of(mixer, 2, 5, 1200, torch.float64, 0)
    tempo = 60 + 100 * torch.rand(2, 5, dtype=torch.float64)
    expected = mixer(inputs, params, positions=positions, tempo=tempo)
    stream = mixer.stream(batch=2, score=(params, positions), tempo=(tempo, positions), dtype=torch.float64)
    (made,) = play(stream, inputs, itertools.cycle(blocks))
    torch.testing.assert_close(made, expected, atol=1e-10, rtol=0)
    stream = mixer.stream(batch=2, score=(params, positions), tempo=97.5, dtype=torch.float64)
    (made,) = play(stream, inputs, itertools.cycle(blocks))
    torch.testing.assert_close(
        made, mixer(inputs, params, positions=positions, tempo=97.5), atol=1e-10, rtol=0
    )


def test_live_clocks() -> None:
    mixer = clocked()
    audio = torch.randn(1, 2, 900, dtype=torch.float64)
    frames = make_params(mixer, 1, 3, torch.float64, 0)
    tempos, ends = [100.0, None, 140.0], torch.tensor([299, 599, 899])
    stream = mixer.stream(dtype=torch.float64)
    with pytest.raises(InputError, match="follow a clock"):
        stream({"a": audio[..., :300]}, frames[0, 0])
    made = [
        stream({"a": audio[..., 300 * n : 300 * n + 300]}, frames[0, n], tempo=tempos[n]) for n in range(2)
    ]
    again = mixer.stream(dtype=torch.float64, state=stream.state())
    made.append(stream({"a": audio[..., 600:]}, frames[0, 2], tempo=tempos[2]))
    assert torch.equal(made[-1], again({"a": audio[..., 600:]}, frames[0, 2], tempo=tempos[2]))
    made.append(stream.finish())
    expected = mixer(
        {"a": audio}, frames, positions=ends, tempo=torch.tensor([[100.0, 100.0, 140.0]], dtype=torch.float64)
    )
    torch.testing.assert_close(torch.cat(made, -1)[..., stream.latency :], expected, atol=1e-10, rtol=0)
    with pytest.raises(InputError, match="leave tempo out"):
        mixer.stream(tempo=120, dtype=torch.float64)({"a": audio}, frames[0, 0], tempo=130)


def test_iterators_of_nothing_and_of_nonsense(mixer: Mixer) -> None:
    inputs = make_inputs(mixer.graph, 1, 600, torch.float32, 0)
    with pytest.raises(InputError, match="iterator of frames is empty"):
        mixer.stream(frames=[], fps=50)(inputs)
    stream = mixer.stream(frames=[mixer.layout.default, torch.zeros(3)], fps=1000)
    with pytest.raises(InputError, match=r"single frames, \[54\] or \[batch, 54\]"):
        stream(inputs)
    # Behind what was wrong nothing more comes: the last good frame holds.
    (made,) = play(stream, inputs, [600])
    torch.testing.assert_close(made, mixer(inputs, mixer.layout.default[None]), atol=2e-6, rtol=0)


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


def test_arguments_of_no_kind(mixer: Mixer) -> None:
    frame = mixer.layout.default
    for options, message in (
        ({"batch": "2"}, "batch is '2'"),
        ({"batch": True}, "batch is True"),
        ({"score": 5}, "a score is"),
        ({"score": (frame[None],)}, "a score is"),
        ({"score": (frame[None], None)}, "positions are missing"),
        ({"frames": 3, "fps": 2}, "iterator of frames"),
        ({"frames": [frame], "fps": "a"}, "fps is 'a'"),
        ({"device": "nowhere"}, "no device 'nowhere'"),
        ({"dtype": "float32"}, "float32"),
    ):
        with pytest.raises(InputError, match=message):
            mixer.stream(**options)  # type: ignore[arg-type]


@settings(
    max_examples=examples(100),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    document=documents(),
    blocks=st.lists(st.integers(1, 60) | st.integers(60, 400), min_size=1, max_size=6),
    seed=st.integers(0, 100),
)
def test_random_graphs_live(document: Any, blocks: list[int], seed: int) -> None:
    """Nothing is read of a curve before the frame that decides on it is there."""
    mixer = Mixer(load(document, registry=REGISTRY)).double()
    inputs = make_inputs(mixer.graph, 1, sum(blocks), torch.float64, seed)
    params = make_params(mixer, 1, len(blocks), torch.float64, seed)
    with torch.no_grad():
        made = play(mixer.stream(dtype=torch.float64), inputs, blocks, list(params[0]))
        expected = flat(mixer(inputs, params, positions=torch.tensor(blocks).cumsum(0) - 1))
    for one, two in zip(made, expected, strict=True):
        torch.testing.assert_close(one, two, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("chain", [["gain"], ["gain", "eq3"], ["eq3", "gain"], ["delay"], ["reverb", "gain"]])
def test_smoothed_controls_live(chain: list[str]) -> None:
    """Boxes of 5 ms reach beyond the block; corners at every block's end are bends of full range."""
    mixer = Mixer(load({**BASE, "mixer": strips(chain, [])}, registry=REGISTRY)).double()
    assert mixer.stream().latency > 0
    blocks = [30] * 12
    inputs = {name: torch.randn(1, 2, 360, dtype=torch.float64) for name in "ab"}
    low, high = mixer.layout.minimum.double(), mixer.layout.maximum.double()
    params = torch.stack([low if number % 2 else high for number in range(12)])
    (made,) = play(mixer.stream(dtype=torch.float64), inputs, blocks, list(params))
    expected = mixer(inputs, params, positions=torch.arange(1, 13) * 30 - 1)
    torch.testing.assert_close(made, expected, atol=1e-9, rtol=0)


class Keeper(TimeEffect):
    """Keeps what it was given, and hands out what it keeps: no copies, which the contract allows."""

    type = "keeper"

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        return {"before": like.new_zeros(batch, channels, 50), "sum": like.new_zeros(batch, channels, 50)}

    def process(self, audio: Any, controls: Any, state: State, block: Block) -> Any:
        if block.length != 50:  # a whole clip
            x = audio["in"].unflatten(-1, (-1, 50))
            before = torch.nn.functional.pad(x, (0, 0, 1, 0))[..., :-1, :]
            return {"out": (x + before).cumsum(-2).flatten(-2)}, state
        total = state["sum"] + audio["in"] + state["before"]
        return {"out": total}, {"before": audio["in"], "sum": total}


def test_effects_may_keep_what_they_are_given_and_give() -> None:
    chain = [{"effect": "keeper", "id": "k"}]
    document = {**BASE, "mixer": [{"strip": "s", "input": "a", "chain": chain, "to": "mix"}, {"bus": "mix"}]}
    mixer = Mixer(load(document, registry=registry_with(Keeper)))
    audio, buffer = torch.randn(1, 2, 400), torch.zeros(1, 2, 50)
    stream, made = mixer.stream(), []
    for start in range(0, 400, 50):
        buffer.copy_(audio[..., start : start + 50])
        block = stream({"a": buffer}, mixer.layout.default)
        made.append(block.clone())
        block.fill_(9.0)
    torch.testing.assert_close(torch.cat(made, -1), mixer({"a": audio}, mixer.layout.default[None]))
