"""Loops through a delay: whole clips and streams in any blocks against a loop over samples in NumPy, and gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from streams.playing import check, play

import djgraph
from djgraph.compiler.parse import parse_plan
from djgraph.compiler.plan import Loop
from djgraph.errors import CompileError, GraphError, InputError
from djgraph.graph import EffectNode, load
from djgraph.graph.loops import loops, parts
from djgraph.mixer import Mixer
from djgraph.runtime.eval_plan import EvalClip, eval_plan
from djgraph.runtime.inputs import prepare_audio
from djgraph.runtime.reference import Reference
from runtime.mixes import make_inputs, make_params

RATE = 8000


def ring(delay: str = "10 ms", **more: Any) -> dict[str, Any]:
    """One bus that is sent back to itself."""
    return {
        "djgraph": 1,
        "name": "ring",
        "sample_rate": RATE,
        "transform": {"size": 64, "hop": 16},
        "inputs": [{"name": "mic"}],
        "mixer": [
            {"strip": "voice", "input": "mic", "to": "ring"},
            {
                "bus": "ring",
                "chain": ["gain"],
                "sends": [{"to": "ring", "feedback": True, "delay": delay}],
                "to": "master",
                **more,
            },
            {"bus": "master"},
        ],
        "outputs": ["master"],
    }


CROSSED = """
djgraph: 1
name: crossed
sample_rate: 8000
transform: {size: 64, hop: 16}
inputs: [{name: a}, {name: b, channels: mono}]
mixer:
  - {strip: a, input: a, chain: [{effect: eq3, settings: {low: 200, high: 1500}}], sends: [{to: spring}], to: master}
  - {strip: b, input: b, sends: [{to: echo, level: 0.5}], to: master}
  - bus: spring
    chain: [{effect: filter, settings: {kind: bandpass}}, {effect: gain, id: spring}]
    sends: [{to: echo}]
    to: master
  - bus: echo
    chain: [{effect: echo, controls: {mix: 1, time: 20 ms}}, {effect: eq3, settings: {low: 200, high: 1500}}]
    sends:
      - {to: spring, feedback: true, delay: 3 ms, tap: echo}
      - {to: echo, name: again, feedback: true, delay: 9 ms, level: {max: 0.5}}
    to: master
  - bus: master
    chain: [lowpass]
outputs: [master, {name: wet, from: echo}]
"""


def crossed() -> Any:
    return load(CROSSED)


def by_samples(audio: np.ndarray, gain: float, send: float, delay: int) -> np.ndarray:
    """The ring, one sample after the other."""
    out = np.zeros_like(audio)
    for n in range(audio.shape[-1]):
        back = send * out[..., n - delay] if n >= delay else 0.0
        out[..., n] = gain * (audio[..., n] + back)
    return out


def values(mixer: Mixer, **columns: float) -> torch.Tensor:
    params = mixer.layout.default.double()
    for name, value in columns.items():
        params[mixer.layout.index(name.replace("__", "."))] = value
    return params[None]


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_a_loop_is_its_recursion(data: Any) -> None:
    delay = data.draw(st.integers(1, 900), label="delay")
    gain, send = data.draw(st.floats(0, 1), label="gain"), data.draw(st.floats(0, 1), label="send")
    samples = data.draw(st.integers(1, 1000), label="samples")
    blocks = data.draw(st.lists(st.integers(1, 400), min_size=1, max_size=6), label="blocks")
    mixer = djgraph.compile(ring(f"{delay / RATE * 1000:.9f} ms"))
    audio = torch.randn(2, 2, samples, generator=torch.Generator().manual_seed(samples), dtype=torch.float64)
    params = values(mixer, ring__gain__gain=gain, ring__ring_send=send)
    expected = by_samples(audio.numpy(), gain, send, delay)
    scale = 1e-12 * max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(mixer({"mic": audio}, params), expected, rtol=0, atol=scale)
    score = params.expand(2, 1, -1), [0]
    stream = mixer.stream(batch=2, score=score, dtype=torch.float64)
    (streamed,) = play(stream, {"mic": audio}, (blocks * (samples + 1)))
    np.testing.assert_allclose(streamed, expected, rtol=0, atol=scale)


@settings(deadline=None, max_examples=20)
@given(data=st.data())
def test_loops_that_cross_are_their_recursion(data: Any) -> None:
    """Two buses that are sent to one another and to themselves, whole samples of delay inside of them."""
    names = "ab"
    edges = {(i, j): data.draw(st.integers(1, 60), label=f"{i}{j}") for i in names for j in names}
    levels = {edge: data.draw(st.floats(-0.4, 0.4), label=f"level {edge}") for edge in edges}
    inside = {name: data.draw(st.integers(0, 40), label=name) for name in names}
    samples = 500
    mixer = djgraph.compile(
        {
            **ring(),
            "mixer": [
                {"strip": "voice", "input": "mic", "to": "a"},
                *(
                    {
                        "bus": i,
                        "chain": [{"effect": "delay_samples", "settings": {"samples": inside[i]}}],
                        "sends": [
                            {
                                "to": j,
                                "name": f"to_{j}",
                                "feedback": True,
                                "delay": f"{edges[i, j] / RATE * 1000:.9f} ms",
                                "level": abs(levels[i, j]),
                            }
                            for j in names
                        ],
                        "to": "master",
                    }
                    for i in names
                ),
                {"bus": "master"},
            ],
        }
    )
    audio = torch.randn(1, 2, samples, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    sums = {name: np.zeros((1, 2, samples)) for name in names}
    outs = {name: np.zeros((1, 2, samples)) for name in names}
    for n in range(samples):
        for j in names:
            total = audio[..., n].numpy().copy() if j == "a" else np.zeros((1, 2))
            for i in names:
                if n >= edges[i, j]:
                    total += abs(levels[i, j]) * outs[i][..., n - edges[i, j]]
            sums[j][..., n] = total
            if n >= inside[j]:
                outs[j][..., n] = sums[j][..., n - inside[j]]
    expected = outs["a"] + outs["b"]
    made = mixer({"mic": audio}, values(mixer))
    np.testing.assert_allclose(made, expected, rtol=0, atol=1e-12 * max(1.0, np.abs(expected).max()))


@pytest.mark.parametrize("graph", [load(ring()), crossed()], ids=["ring", "crossed"])
@pytest.mark.parametrize("lowering", ["studio", "causal"])
def test_the_mixer_is_the_reference_with_its_gradients(graph: Any, lowering: Any) -> None:
    mixer = djgraph.compile(graph, lowering=lowering)
    reference = Reference(mixer.compiled.graph)
    inputs = make_inputs(graph, 2, 900, torch.float64, 1)
    params = make_params(mixer, 2, 4, torch.float64, 1).requires_grad_()
    found = []
    for module in (mixer, reference):
        made = module(inputs, params)
        outputs = list(made.values()) if isinstance(made, dict) else [made]
        total = sum((one * torch.cos(torch.arange(900.0, dtype=torch.float64))).sum() for one in outputs)
        found.append((outputs, torch.autograd.grad(total, params)[0]))
    (mine, gradient), (theirs, wanted) = found
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(gradient, wanted, rtol=1e-9, atol=1e-9)
    with torch.no_grad():
        made = mixer(inputs, params)
    for one, other in zip(made.values() if isinstance(made, dict) else [made], theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("graph", [load(ring()), crossed()], ids=["ring", "crossed"])
@pytest.mark.parametrize("lowering", ["studio", "causal"])
@pytest.mark.parametrize("blocks", [[1], [7, 80, 1, 333], [2000]], ids=str)
def test_a_stream_is_the_whole_clip(graph: Any, lowering: Any, blocks: list[int]) -> None:
    samples = 60 if blocks == [1] else 700
    check(graph, blocks * samples, batch=2, samples=samples, lowering=lowering)


def test_without_gradients_a_stream_is_the_whole_clip() -> None:
    check(crossed(), [7, 80, 1, 333] * 20, batch=2, grads=False)
    check(crossed(), [64] * 20, batch=2, grads=False, dtype=torch.float32)


def test_a_stream_goes_on_from_its_state() -> None:
    mixer = djgraph.compile(crossed())
    inputs = make_inputs(mixer.graph, 2, 600, torch.float32, 0)
    params = make_params(mixer, 2, 3, torch.float32, 0)
    score = params, [0, 200, 590]
    with torch.inference_mode():
        one = mixer.stream(batch=2, score=score)
        whole = [
            one({name: audio[..., i : i + 50] for name, audio in inputs.items()}) for i in range(0, 600, 50)
        ]
        first = mixer.stream(batch=2, score=score)
        for i in range(0, 300, 50):
            first({name: audio[..., i : i + 50] for name, audio in inputs.items()})
        state = {name: tensor.clone() for name, tensor in first.state().items()}
        second = djgraph.compile(crossed()).stream(batch=2, score=score, state=state)
        for i in range(300, 600, 50):
            made = second({name: audio[..., i : i + 50] for name, audio in inputs.items()})
            for name, audio in made.items():
                assert torch.equal(audio, whole[i // 50][name])


def test_the_memory_of_a_stream_does_not_grow() -> None:
    mixer = djgraph.compile(crossed())
    stream = mixer.stream()
    params = mixer.layout.default
    sizes = []
    with torch.inference_mode():
        for number in range(150):
            stream(make_inputs(mixer.graph, 1, 100, torch.float32, number), params)
            sizes.append(sum(tensor.numel() for tensor in stream.state().values()))
    assert max(sizes[100:]) <= max(sizes[50:100])


def test_detach_cuts_the_loop() -> None:
    mixer = djgraph.compile(ring())
    stream = mixer.stream(dtype=torch.float64)
    params = values(mixer, ring__ring_send=0.9)[0].requires_grad_()
    audio = torch.randn(1, 2, 300, dtype=torch.float64)
    stream({"mic": audio}, params)
    stream.detach()
    again = params.detach().clone().requires_grad_()
    made = stream({"mic": audio}, again)
    before, after = torch.autograd.grad(made.sum(), [params, again], allow_unused=True)
    assert before is None
    assert after.abs().sum() > 0


def test_gradcheck() -> None:
    mixer = djgraph.compile(ring("2 ms", chain=["gain", {"effect": "filter", "controls": {"mix": 1}}]))
    audio = torch.randn(1, 2, 70, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    low, high = mixer.layout.minimum.double(), mixer.layout.maximum.double()
    inside = torch.rand(
        1, 3, len(mixer.layout), generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )

    def run(audio: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
        return mixer({"mic": audio}, low + (high - low) * (0.1 + 0.8 * place))

    assert torch.autograd.gradcheck(run, (audio.requires_grad_(), inside.requires_grad_()))


def test_items_of_a_batch_do_not_hear_one_another() -> None:
    mixer = djgraph.compile(crossed())
    inputs = make_inputs(mixer.graph, 3, 500, torch.float64, 0)
    params = make_params(mixer, 3, 4, torch.float64, 0)
    together = mixer(inputs, params)
    for item in range(3):
        alone = mixer(
            {name: audio[item : item + 1] for name, audio in inputs.items()}, params[item : item + 1]
        )
        for name, audio in alone.items():
            torch.testing.assert_close(audio[0], together[name][item], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("optimize", [True, False])
def test_every_stage_is_read_back_and_means_the_same(optimize: bool) -> None:
    mixer = djgraph.compile(crossed(), optimize=optimize)
    graph = mixer.compiled.graph
    inputs = make_inputs(mixer.graph, 1, 300, torch.float64, 0)
    params = make_params(mixer, 1, 3, torch.float64, 0)
    audio, _, samples = prepare_audio(graph, inputs)
    from djgraph.dsp.placed import timeline_of

    rows = mixer.compiled.bank.rows(params)
    clip = EvalClip(mixer.compiled.modules, audio, mixer.compiled.bank, rows, timeline_of(samples, 3, None))
    expected = mixer(inputs, params)
    for stage in [*mixer.stages(), *mixer.stages(stream=True)]:
        assert parse_plan(str(stage.plan), graph) == stage.plan
        made = eval_plan(stage.plan, clip)
        for name, wanted in expected.items():
            torch.testing.assert_close(made[f"output {name}"], wanted, rtol=1e-9, atol=1e-9)


def test_of_effects_that_hold_back_the_longest_is_taken() -> None:
    chain = [
        {"effect": "delay_samples", "id": name, "settings": {"samples": samples}}
        for name, samples in (("short", 3), ("long", 300), ("middle", 40))
    ]
    (loop,) = loops(load(ring(chain=chain, sends=[{"to": "ring", "feedback": True}])))
    assert [node.id for node in loop.held] == ["ring.long"]
    assert loop.block == 300


def test_a_loop_stands_in_one_place_of_the_plan() -> None:
    mixer = djgraph.compile(crossed())
    (op,) = (op for op in mixer.plan.ops if isinstance(op, Loop))
    assert op.block == 24
    assert {node.id for node in op.nodes} >= {"spring.filter", "echo.echo", "echo.eq3"}
    assert set(op.results) == {"spring.spring", "echo.eq3"}
    (loop,) = loops(mixer.graph)
    order = list(parts(mixer.graph))
    assert order.count(loop) == 1
    assert len(order) == len(mixer.graph.nodes) - len(loop.nodes) + 1


def test_a_mono_loop_stays_mono_until_something_wide_comes_round() -> None:
    mono = ring()
    mono["inputs"] = [{"name": "mic", "channels": "mono"}]
    graph = load(mono)
    assert {node.channels for node in graph.nodes} == {1}
    mono["inputs"].append({"name": "side"})
    mono["mixer"][1]["sends"] = [{"to": "far", "level": 1}]
    back = {"to": "ring", "level": 0.5, "feedback": True, "delay": "10 ms"}
    mono["mixer"] += [{"strip": "side", "input": "side", "to": "far"}, {"bus": "far", "sends": [back]}]
    wide = load(mono)
    assert wide.by_id["sum:ring"].channels == wide.by_id["far.feedback:ring"].channels == 2
    mixer = djgraph.compile(wide)
    inputs = make_inputs(wide, 1, 300, torch.float64, 0)
    # far = side + ring and ring = mic + far / 2, ten ms later, so that this is the ring of mic + side / 2 later.
    into = inputs["mic"].expand(-1, 2, -1).clone()
    into[..., 80:] += 0.5 * inputs["side"][..., :-80]
    expected = by_samples(into.numpy(), 1.0, 0.5, 80)
    np.testing.assert_allclose(mixer(inputs, values(mixer)), expected, rtol=0, atol=1e-12)


TIME = {"min": 21, "max": 60, "default": 30}
HOLDING: dict[str, dict[str, Any]] = {
    "delay_samples": {"effect": "delay_samples", "settings": {"samples": 77}},
    "delay": {"effect": "delay", "settings": {"time": 5}, "controls": {"mix": 1}},
    "echo": {"effect": "echo", "controls": {"mix": 1, "time": TIME}},
    "tape": {"effect": "echo", "settings": {"change": "tape"}, "controls": {"mix": 1, "time": TIME}},
    "ping_pong": {"effect": "echo", "settings": {"mode": "ping_pong"}, "controls": {"mix": 1, "time": TIME}},
    "dub_echo": {"effect": "dub_echo", "controls": {"dry": 0, "time": TIME}},
    "in beats": {"effect": "echo", "settings": {"sync": "beats"}, "controls": {"mix": 1, "beats": 0.125}},
}


@pytest.mark.parametrize("kind", HOLDING)
def test_effects_hold_back_what_they_say(kind: str) -> None:
    """What goes in from a sample on changes nothing that comes out before it and as many more."""
    graph = load(ring(chain=[HOLDING[kind]], sends=[{"to": "ring", "level": 0.3, "feedback": True}]))
    node = next(node for node in graph.nodes if isinstance(node, EffectNode) and node.held_back)
    assert node.held_back >= 7 * RATE // 1000 or kind == "delay"
    alone = ring(chain=[HOLDING[kind]], sends=[])
    alone["mixer"][0]["to"] = ["ring", "master"]
    alone["outputs"] = ["ring"]
    mixer = djgraph.compile(alone)
    before = make_inputs(mixer.graph, 1, 1000, torch.float64, 0)
    after = {"mic": before["mic"].clone()}
    after["mic"][..., 400:] += 1
    params = make_params(mixer, 1, 5, torch.float64, 3)
    tempo = 240.0 if kind == "in beats" else None
    params[..., [column.control.id == "send" for column in mixer.graph.columns]] = 1.0
    one, other = mixer(before, params, tempo=tempo), mixer(after, params, tempo=tempo)
    changed = (one - other).abs().amax((0, 1)).nonzero()[0]
    assert changed >= 400 + node.held_back


def test_a_loop_may_take_its_delay_from_an_effect() -> None:
    hold = {"effect": "delay_samples", "settings": {"samples": 77}}
    mixer = djgraph.compile(ring(chain=[hold], sends=[{"to": "ring", "level": 0.6, "feedback": True}]))
    (op,) = (op for op in mixer.plan.ops if isinstance(op, Loop))
    assert op.block == 77
    audio = torch.randn(2, 2, 500, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    out = np.zeros((2, 2, 500))
    for n in range(77, 500):
        out[..., n] = audio.numpy()[..., n - 77] + 0.6 * out[..., n - 77]
    np.testing.assert_allclose(mixer({"mic": audio}, values(mixer)), out, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", HOLDING)
def test_loops_through_effects_that_hold_back(kind: str) -> None:
    """Against the reference with gradients, and in streams."""
    sends = [{"to": "ring", "name": "tail", "feedback": True, "level": {"max": 0.6}}]
    sends += [
        {"to": "ring", "name": "more", "feedback": True, "level": {"max": 0.3}, "delay": 9, "tap": "input"}
    ]
    nodes = ["gain", HOLDING[kind], {"effect": "filter", "settings": {"kind": "bandpass"}}]
    graph = load(ring(chain=nodes, sends=sends))
    mixer = djgraph.compile(graph)
    inputs = make_inputs(graph, 2, 600, torch.float64, 1)
    params = make_params(mixer, 2, 4, torch.float64, 1).requires_grad_()
    tempo = 240.0 if kind == "in beats" else None
    found = []
    for module in (mixer, Reference(mixer.compiled.graph)):
        made = module(inputs, params, tempo=tempo)
        found.append((made, *torch.autograd.grad((made * torch.arange(600.0)).sum(), params)))
    torch.testing.assert_close(found[0][0], found[1][0], rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(found[0][1], found[1][1], rtol=1e-8, atol=1e-7)
    for grads in (False, True):
        with torch.set_grad_enabled(grads):
            whole = mixer(inputs, params, tempo=tempo)
            positions = [0, 200, 400, 599]
            score = params, positions
            placed = mixer(inputs, params, tempo=tempo, positions=positions)
            stream = mixer.stream(batch=2, score=score, dtype=torch.float64, tempo=tempo)
            (streamed,) = play(stream, inputs, [7, 100, 1, 333] * 4)
            torch.testing.assert_close(streamed, placed, rtol=1e-10, atol=1e-10)
            torch.testing.assert_close(whole, found[0][0], rtol=1e-10, atol=1e-10)


def test_what_cannot_run_in_a_loop_is_named() -> None:
    with pytest.raises(CompileError, match=r"ring\.limiter.*looks \d+ samples ahead"):
        djgraph.compile(ring(chain=["limiter"]))


def test_it_is_told_where_the_loop_is_closed() -> None:
    text = """\
djgraph: 1
name: ring
inputs: [{name: a}]
mixer:
  - strip: s
    input: a
    to: ring
  - bus: ring
    chain: [limiter]
    sends:
      - {to: ring, feedback: true, delay: 10}
outputs: [ring]
"""
    with pytest.raises(CompileError, match=r"<text>:9:13.*the loop is closed at <text>:11:9"):
        djgraph.compile(text)


def test_a_send_back_that_closes_no_loop_is_refused() -> None:
    graph = ring()
    graph["mixer"][1]["sends"][0]["to"] = "master"
    with pytest.raises(GraphError, match="closes no loop: what bus 'master' makes does not come back to it"):
        load(graph)


def beat_ring(change: str, **controls: Any) -> dict[str, Any]:
    settings = {"sync": "beats", "change": change, "longest": 4}
    echo = {"effect": "echo", "settings": settings, "controls": {"mix": 1, "time": 375, **controls}}
    return ring(chain=[echo], sends=[{"to": "ring", "feedback": True, "level": {"max": 0.7}}])


@pytest.mark.parametrize("change", ["fade", "tape"])
def test_an_echo_in_beats_runs_in_blocks_of_what_it_holds_back(
    change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not of the shortest that any echo may have; against the reference, with tempos that change and differ."""
    from djgraph.host.calls import EffectCall

    mixer = djgraph.compile(beat_ring(change))
    lengths: list[int] = []
    process = EffectCall.process

    def counted(self: Any, *args: Any) -> Any:
        if self.module.type == "echo":
            lengths.append(args[3].length)
        return process(self, *args)

    monkeypatch.setattr(EffectCall, "process", counted)
    audio = torch.randn(2, 2, 6000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    params = values(mixer, ring__ring_send=0.6, ring__echo__beats=0.25)[None].expand(2, 5, -1).clone()
    with torch.no_grad():
        still = mixer({"mic": audio}, params, tempo=120.0)  # 1000 samples
    assert len(lengths) < 2 * 8
    assert min(lengths[:-2]) > 900
    torch.testing.assert_close(still, Reference(mixer.compiled.graph)({"mic": audio}, params, tempo=120.0))
    # The knob and the tempo move, differently in the items.
    params[1, 2:, mixer.layout.index("ring.echo.beats")] = 0.125
    tempo = torch.tensor([[120.0, 120, 180, 90, 60], [100, 240, 240, 60, 60]], dtype=torch.float64)
    places = [0, 900, 2500, 2600, 5000]
    lengths.clear()
    with torch.no_grad():
        moved = mixer({"mic": audio}, params, tempo=tempo, positions=places)
        count = len(lengths)
        stream = mixer.stream(batch=2, score=(params, places), dtype=torch.float64, tempo=(tempo, places))
        (streamed,) = play(stream, {"mic": audio}, [2500, 7, 3493])
    assert count < 2 * 6000 / 159 / 2  # the shortest echo is of 159 samples
    wanted = Reference(mixer.compiled.graph)({"mic": audio}, params, tempo=tempo, positions=places)
    torch.testing.assert_close(moved, wanted, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(streamed, wanted, rtol=1e-9, atol=1e-9)


@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_a_delay_in_beats_is_its_recursion(data: Any) -> None:
    """Whole samples, in each item at its own tempo, in clips and streams."""
    beats = data.draw(st.sampled_from(["1/64", "1/16", "0.1", "1/3", "4"]), label="beats")
    tempos = data.draw(st.lists(st.floats(25, 400), min_size=2, max_size=2), label="tempos")
    samples = data.draw(st.integers(1, 900), label="samples")
    blocks = data.draw(st.lists(st.integers(1, 400), min_size=1, max_size=6), label="blocks")
    mixer = djgraph.compile(ring(f"{beats} beat"))
    audio = torch.randn(2, 2, samples, generator=torch.Generator().manual_seed(samples), dtype=torch.float64)
    params = values(mixer, ring__ring_send=0.7)
    tempo = torch.tensor(tempos, dtype=torch.float64)
    count = float(np.prod([float(part) ** sign for part, sign in zip(beats.split("/"), (1, -1))]))
    delays = [round(count * 60 * RATE / one) for one in tempos]
    expected = np.stack([by_samples(one.numpy(), 1.0, 0.7, delay) for one, delay in zip(audio, delays)])
    np.testing.assert_allclose(mixer({"mic": audio}, params, tempo=tempo), expected, rtol=0, atol=1e-11)
    with torch.set_grad_enabled(data.draw(st.booleans(), label="gradients")):
        stream = mixer.stream(batch=2, score=(params.expand(2, 1, -1), [0]), dtype=torch.float64, tempo=tempo)
        (streamed,) = play(stream, {"mic": audio}, blocks * (samples + 1))
    np.testing.assert_allclose(streamed, expected, rtol=0, atol=1e-11)


def test_a_delay_in_beats_follows_the_tempo() -> None:
    """Against the reference with gradients and in streams, where the tempo moves, beside another way in ms."""
    sends = [{"to": "ring", "feedback": True, "delay": "1/16 beat", "level": {"max": 0.5}}]
    sends += [{"to": "ring", "name": "ms", "feedback": True, "delay": 25, "level": {"max": 0.3}}]
    mixer = djgraph.compile(ring(chain=["gain"], sends=sends))
    audio = torch.randn(2, 2, 1500, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    tempo = torch.tensor([[120.0, 180, 90], [60, 60, 240]], dtype=torch.float64)
    places = [0, 500, 1400]
    params = make_params(mixer, 2, 3, torch.float64, 1).requires_grad_()
    found = []
    for module in (mixer, Reference(mixer.compiled.graph)):
        made = module({"mic": audio}, params, tempo=tempo, positions=places)
        found.append((made, *torch.autograd.grad((made * torch.arange(1500.0)).sum(), params)))
    torch.testing.assert_close(found[0][0], found[1][0], rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(found[0][1], found[1][1], rtol=1e-8, atol=1e-7)
    with torch.no_grad():
        stream = mixer.stream(
            batch=2, score=(params.detach(), places), dtype=torch.float64, tempo=(tempo, places)
        )
        (streamed,) = play(stream, {"mic": audio}, [7, 400, 1, 640, 333, 119])
    torch.testing.assert_close(streamed, found[1][0].detach(), rtol=1e-10, atol=1e-10)


def test_a_delay_in_beats_needs_a_tempo_and_is_shown_in_beats() -> None:
    mixer = djgraph.compile(ring("1/2 beat"))
    with pytest.raises(InputError, match="give its tempo"):
        mixer({"mic": torch.zeros(1, 2, 10)}, mixer.layout.default[None])
    assert len(mixer.layout) == 2
    assert "to ring, post, level ring.ring_send, back after 0.5 beats" in mixer.explain("flow")
