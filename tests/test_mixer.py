"""The mixer as a module: what it computes at neutral, what it accepts, what it refuses, how it behaves in PyTorch."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import pytest
import torch
from effort import gradcheck
from runtime.documents import REGISTRY
from runtime.mixes import leaves, make_inputs, make_params
from torch import Tensor

import djgraph
from djgraph.graph import load

SMALL: dict[str, Any] = {"n_fft": 32, "hop_length": 8, "sample_rate": 16000, "reverb_decay_time": 0.1}


@pytest.fixture(scope="module")
def mixer() -> djgraph.Mixer:
    return djgraph.compile("dj_mixer")


def stems(
    mixer: djgraph.Mixer, batch: int = 1, samples: int = 2000, dtype: torch.dtype = torch.float32
) -> Any:
    return make_inputs(mixer.graph, batch, samples, dtype, seed=3)


def test_neutral_is_the_plain_sum_of_the_stems(mixer: djgraph.Mixer) -> None:
    for samples in (1, 700, 100_000):
        inputs = stems(mixer, 2, samples)
        total = sum(stem for track in inputs.values() for stem in track.values())
        audio = mixer(inputs, mixer.layout.neutral.expand(3, -1))
        assert (audio - total).abs().max() < 1e-6 * max(1.0, float(total.abs().max()))
        doubles = {t: {s: a.double() for s, a in track.items()} for t, track in inputs.items()}
        audio = mixer(doubles, mixer.layout.neutral.double().expand(3, -1))
        exact = sum(stem for track in doubles.values() for stem in track.values())
        torch.testing.assert_close(audio, exact, rtol=0, atol=1e-13)


def test_neutral_is_the_default(mixer: djgraph.Mixer) -> None:
    assert torch.equal(mixer.layout.neutral, mixer.layout.default)


def test_gradcheck_of_the_whole_mixer() -> None:
    mixer = djgraph.compile("dj_mixer", frames_per_tile=3, delay_default_ms=1, **SMALL)
    inputs = stems(mixer, 1, 60, torch.float64)
    names = [(track, stem) for track in inputs for stem in inputs[track]]
    params = make_params(mixer, 1, 3, torch.float64, 1)

    def run(params: Tensor, *audio: Tensor) -> Tensor:
        mixed: dict[str, dict[str, Tensor]] = {"track_a": {}, "track_b": {}}
        for (track, stem), tensor in zip(names, audio):
            mixed[track][stem] = tensor
        return mixer(mixed, params)

    audio = [inputs[track][stem] for track, stem in names]
    for tensor in audio:
        tensor.requires_grad_()
    assert gradcheck(run, (params.requires_grad_(), *audio))


def test_batch_items_do_not_touch_each_other(mixer: djgraph.Mixer) -> None:
    inputs, params = stems(mixer, 3, 5000), make_params(mixer, 3, 6, torch.float32, 2)
    together = mixer(inputs, params)
    for item in range(3):
        alone = {t: {s: a[item : item + 1] for s, a in track.items()} for t, track in inputs.items()}
        torch.testing.assert_close(
            mixer(alone, params[item : item + 1])[0], together[item], rtol=0, atol=1e-6
        )


def test_shapes_that_are_accepted(mixer: djgraph.Mixer) -> None:
    inputs, params = stems(mixer, 3), make_params(mixer, 3, 4, torch.float32, 2)
    mono = {t: {s: a[:, :1] for s, a in track.items()} for t, track in inputs.items()}
    flat = {t: {s: a[:, 0] for s, a in track.items()} for t, track in inputs.items()}
    both = {t: {s: a[:, :1].expand(-1, 2, -1) for s, a in track.items()} for t, track in inputs.items()}
    expected = mixer(both, params)
    assert expected.shape == (3, 2, 2000)
    assert torch.equal(mixer(mono, params), expected)
    assert torch.equal(mixer(flat, params), expected)
    torch.testing.assert_close(mixer(inputs, params[0]), mixer(inputs, params[:1].expand(3, -1, -1)))
    first = {t: {s: a[:1] for s, a in track.items()} for t, track in inputs.items()}
    assert mixer(first, params).shape == (3, 2, 2000)


def test_half_precision_goes_in_and_out(mixer: djgraph.Mixer) -> None:
    inputs, params = stems(mixer), make_params(mixer, 1, 4, torch.float32, 2)
    halves = {t: {s: a.half() for s, a in track.items()} for t, track in inputs.items()}
    audio = mixer(halves, params)
    assert audio.dtype == torch.float16
    torch.testing.assert_close(audio.float(), mixer(inputs, params), rtol=0, atol=1e-2)


def test_taps_are_strips_and_buses(mixer: djgraph.Mixer) -> None:
    inputs, params = stems(mixer), make_params(mixer, 1, 4, torch.float32, 2)
    audio, taps = mixer(inputs, params, return_intermediates=True)
    assert {"track_a", "track_b", "master", "track_a.drums", "track_b.other"} <= set(taps)
    torch.testing.assert_close(taps["track_a"] + taps["track_b"], audio)
    torch.testing.assert_close(taps["master"], audio)


def test_several_outputs_come_by_name() -> None:
    mixer = djgraph.compile("club_console")
    inputs = make_inputs(mixer.graph, 1, 3000, torch.float32, 0)
    params = make_params(mixer, 1, 4, torch.float32, 0)
    made = mixer(inputs, params)
    assert list(made) == list(mixer.graph.outputs)
    main = next(iter(mixer.graph.outputs))
    only = djgraph.compile("club_console", outputs=[main])
    torch.testing.assert_close(only(inputs, params), made[main])
    assert len(only.plan.ops) < len(mixer.plan.ops)


def test_an_optional_stem_may_be_missing() -> None:
    document = {
        "djgraph": 1,
        "name": "two",
        "inputs": [{"name": "deck", "stems": ["a", {"name": "b", "optional": True}]}],
        "mixer": [
            {
                "for": {"s": "deck.stems"},
                "do": [{"strip": "$s", "input": "deck.$s", "chain": ["gain"], "to": "mix"}],
            },
            {"bus": "mix"},
        ],
        "outputs": ["mix"],
    }
    mixer = djgraph.compile(document)
    audio = torch.rand(1, 2, 50)
    torch.testing.assert_close(mixer({"deck": {"a": audio}}, mixer.layout.default.expand(1, -1)), audio)
    with pytest.raises(djgraph.InputError, match=r"deck\.a"):
        mixer({"deck": {"b": audio}}, mixer.layout.default.expand(1, -1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda i: i.pop("track_b"), r"missing audio: track_b\.drums, track_b\.bass"),
        (lambda i: i["track_a"].pop("bass"), r"missing audio: track_a\.bass"),
        (lambda i: i.update(track_c=i["track_a"]), "no input 'track_c'; did you mean"),
        (lambda i: i["track_a"].update(drum=i["track_a"]["drums"]), "no stem 'drum'; did you mean 'drums'"),
        (lambda i: i.update(track_a=i["track_a"]["drums"]), "give it a mapping of stem to tensor"),
        (
            lambda i: i["track_a"].update(bass=torch.rand(1, 2, 1999)),
            "track_a.bass has 1999 samples, but .* 2000",
        ),
        (lambda i: i["track_a"].update(bass=torch.rand(1, 3, 2000)), "has 3 channels"),
        (lambda i: i["track_a"].update(bass=torch.rand(2000)), r"has the shape \[2000\]"),
        (lambda i: i["track_a"].update(bass=torch.rand(1, 2, 0)), "is empty"),
        (lambda i: i["track_a"].update(bass=torch.zeros(1, 2, 2000, dtype=torch.int16)), "floating point"),
        (lambda i: i["track_a"].update(bass=torch.rand(1, 2, 2000).double()), "all stems must agree"),
        (lambda i: i["track_a"].update(bass=[0.0]), "must be a tensor"),
    ],
)
def test_bad_audio_is_refused(mixer: djgraph.Mixer, change: Any, message: str) -> None:
    inputs = stems(mixer)
    change(inputs)
    with pytest.raises(djgraph.InputError, match=message):
        mixer(inputs, mixer.layout.default.expand(2, -1))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (torch.rand(4, 53), r"params must be \[frames, 54\].*\[4, 53\]"),
        (torch.rand(0, 54), "at least one frame"),
        (torch.rand(54), r"\[54\]"),
        (torch.rand(3, 4, 54), "batch of 3, but the audio has 2"),
        (torch.zeros(4, 54, dtype=torch.int64), "floating point"),
        ([[0.0] * 54], "must be a torch.Tensor"),
    ],
)
def test_bad_params_are_refused(mixer: djgraph.Mixer, params: Any, message: str) -> None:
    with pytest.raises(djgraph.InputError, match=message):
        mixer(stems(mixer, 2), params)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_nan_names_the_control_and_the_frame(mixer: djgraph.Mixer, bad: float) -> None:
    params = mixer.layout.default.expand(5, -1).clone()
    params[3, mixer.layout.index("track_b.bass.lpf")] = bad
    with pytest.raises(djgraph.InputError, match=r"track_b\.bass\.lpf.*frame 3"):
        mixer(stems(mixer), params)


def test_out_of_range_clamps_or_is_an_error(mixer: djgraph.Mixer) -> None:
    inputs = stems(mixer)
    params = mixer.layout.default.expand(2, -1).clone()
    params[:, mixer.layout.index("track_a.drums.eq_low")] = 7.0
    clamped = params.clamp(max=2.0)
    torch.testing.assert_close(mixer(inputs, params), mixer(inputs, clamped))
    strict = djgraph.compile("dj_mixer", out_of_range="error")
    with pytest.raises(djgraph.InputError, match=r"track_a\.drums\.eq_low"):
        strict(inputs, params)


def test_inputs_are_not_changed(mixer: djgraph.Mixer) -> None:
    inputs, params = stems(mixer), make_params(mixer, 1, 4, torch.float32, 2)
    before = copy.deepcopy((inputs, params))
    mixer(inputs, params)
    torch.testing.assert_close((inputs, params), before, rtol=0, atol=0)


def test_copies_pickles_and_state_dicts(mixer: djgraph.Mixer) -> None:
    inputs, params = stems(mixer), make_params(mixer, 1, 4, torch.float32, 2)
    expected = mixer(inputs, params)
    assert torch.equal(copy.deepcopy(mixer)(inputs, params), expected)
    assert torch.equal(pickle.loads(pickle.dumps(mixer))(inputs, params), expected)
    buffer = io.BytesIO()
    torch.save(mixer.state_dict(), buffer)
    buffer.seek(0)
    fresh = djgraph.compile("dj_mixer")
    fresh.load_state_dict(torch.load(buffer, weights_only=True))
    assert torch.equal(fresh(inputs, params), expected)


def test_weights_of_effects_are_the_mixers(mixer: djgraph.Mixer) -> None:
    document = {
        "djgraph": 1,
        "name": "learn",
        "transform": {"size": 64, "hop": 16},
        "inputs": [{"name": "in", "stems": ["a", "b"]}],
        "mixer": [
            {"strip": "a", "input": "in.a", "chain": ["shaper"], "to": "mix"},
            {"strip": "b", "input": "in.b", "chain": ["shaper", "drive"], "to": "mix"},
            {"bus": "mix"},
        ],
        "outputs": ["mix"],
    }
    model = djgraph.Mixer(load(document, registry=REGISTRY))
    assert sorted(name for name, _ in model.named_parameters()) == [
        "effects.a/shaper.curve",
        "effects.b/drive.trim",
        "effects.b/shaper.curve",
    ]
    inputs = make_inputs(model.graph, 1, 500, torch.float32, 0)
    params = make_params(model, 1, 3, torch.float32, 0)
    target = model(inputs, params).detach() * 0.5
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    losses = []
    for _ in range(40):
        loss = (model(inputs, params) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_torch_compile_traces_the_whole_mixer(mixer: djgraph.Mixer, backend: str) -> None:
    torch._dynamo.reset()
    inputs, params = stems(mixer), make_params(mixer, 1, 4, torch.float32, 2).requires_grad_()
    compiled = torch.compile(copy.deepcopy(mixer), backend=backend, fullgraph=True)
    for samples in (2000, 3001):
        inputs = stems(mixer, 1, samples)
        expected = mixer(inputs, params)
        made = compiled(inputs, params)
        torch.testing.assert_close(made, expected)
        (gradient,) = torch.autograd.grad(made.square().sum(), params)
        (wanted,) = torch.autograd.grad(expected.square().sum(), params)
        torch.testing.assert_close(gradient, wanted)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["club_console", "djtransgan", "filter_knob"])
def test_torch_compile_on_every_shipped_graph(name: str) -> None:
    torch._dynamo.reset()
    model = djgraph.compile(name)
    inputs, params = (
        make_inputs(model.graph, 2, 1500, torch.float32, 0),
        make_params(model, 2, 3, torch.float32, 0),
    )
    made = torch.compile(copy.deepcopy(model), backend="aot_eager", fullgraph=True)(inputs, params)
    torch.testing.assert_close(made, model(inputs, params))


def test_second_derivatives_of_an_operator_name_the_way_out() -> None:
    """Operators stand in compiled and exported programs; autograd below AOT refuses for itself. So does PyTorch 2.11,
    at the first derivative already."""
    from djgraph.dsp.feedback import _feedback_operator

    audio, past = torch.randn(2, 2, 50), torch.randn(2, 2, 9)
    feedback = torch.rand(2, 1, 50, requires_grad=True)
    made, _ = _feedback_operator([audio, feedback, torch.rand(2, 1, 50), past, past.clone()], [0])
    try:
        (first,) = torch.autograd.grad(made.square().sum(), feedback, create_graph=True)
    except RuntimeError as problem:  # NotImplementedError is one
        if not torch.__version__.startswith("2.11."):
            raise
        pytest.skip(f"PyTorch {torch.__version__} has no such derivatives: {problem}")
    with pytest.raises(djgraph.DJGraphError, match="call the mixer itself"):
        first.square().sum().backward()


@pytest.mark.slow
def test_operators_pass_the_checks_of_torch_library(mixer: djgraph.Mixer) -> None:
    """Schema, fake tensors and autograd registration of every operator, as PyTorch itself checks them."""
    from djgraph.dsp.convolution import Response, _convolve_operator
    from djgraph.dsp.feedback import _feedback_operator

    audio, past = torch.randn(2, 2, 50, dtype=torch.float64), torch.randn(2, 2, 9, dtype=torch.float64)
    mix = torch.rand(2, 1, 50, dtype=torch.float64)
    response = Response(10, lambda channels: torch.randn(channels, 10, dtype=torch.float64))
    arguments = [tensor.requires_grad_() for tensor in (audio, past, mix)]
    torch.library.opcheck(_convolve_operator, (arguments, [response._handle]))
    feedback = torch.rand(2, 1, 50, dtype=torch.float64, requires_grad=True)
    lines = [audio, feedback, mix, past, torch.randn(2, 2, 9, dtype=torch.float64, requires_grad=True)]
    torch.library.opcheck(_feedback_operator, (lines, [0]))


def test_unknown_options_are_refused() -> None:
    with pytest.raises(djgraph.CompileError, match="did you mean 'group'"):
        djgraph.compile("dj_mixer", optimize=["gruop"])
    with pytest.raises(djgraph.CompileError, match="did you mean 'master'"):
        djgraph.compile("dj_mixer", outputs=["mastr"])
    with pytest.raises(djgraph.CompileError, match="clamp"):
        djgraph.compile("dj_mixer", out_of_range="wrap")  # type: ignore[arg-type]


@pytest.mark.slow
def test_explain_prints_every_stage(mixer: djgraph.Mixer) -> None:
    for stage in ("graph", "lower", "fold", "share", "drop", "fuse", "group", "free"):
        assert mixer.explain(stage)
    assert "region: 16 forward transforms, 24 masks, 4 inverse transforms" in mixer.explain()
    with pytest.raises(djgraph.CompileError, match="did you mean 'group'"):
        mixer.explain("groop")


def test_autocast_does_not_lower_the_precision(mixer: djgraph.Mixer) -> None:
    inputs, params = stems(mixer), make_params(mixer, 1, 4, torch.float32, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        audio = mixer(inputs, params)
    assert torch.equal(audio, mixer(inputs, params))


def test_a_whole_clip_has_no_latency() -> None:
    document = {
        "djgraph": 1,
        "name": "look",
        "inputs": [{"name": "in"}],
        "mixer": [{"strip": "a", "input": "in", "chain": ["look_ahead"]}],
        "outputs": ["a"],
    }
    model = djgraph.Mixer(load(document, registry=REGISTRY))
    for samples in (1, 7, 300):
        audio = torch.randn(2, 2, samples, dtype=torch.float64)
        assert torch.equal(model({"in": audio}, torch.zeros(1, 1, dtype=torch.float64)), audio)
        ahead = torch.nn.functional.pad(audio, (0, 20))[..., 20:]
        made = model({"in": audio}, torch.ones(3, 1, dtype=torch.float64))
        torch.testing.assert_close(made, audio / (1 + ahead.square()))


class Pulse(djgraph.TimeEffect):
    """A generator that follows the clock: one click at the sample nearest to every beat.

    Half a sample on both sides, so that rounding cannot decide where a beat falls that lies on a sample.
    """

    type = "pulse"
    inputs = ()
    uses_clock = True

    def process(self, audio: Any, controls: Any, state: Any, block: Any) -> Any:
        beats = block.clock.beats
        half = block.clock.tempo / (120 * block.sample_rate)
        return {"out": ((beats + half).floor() > (beats - half).floor()).float().expand(-1, 2, -1)}, state


def test_a_generator_follows_the_tempo() -> None:
    registry = djgraph.plugins.Registry()
    registry.register(Clicks(), name="clicks", distribution="tests")
    document = {
        "djgraph": 1,
        "name": "click",
        "sample_rate": 8000,
        "inputs": [{"name": "in"}],
        "mixer": [
            {"strip": "click", "chain": ["pulse"], "to": "mix"},
            {"strip": "a", "input": "in", "to": "mix"},
            {"bus": "mix"},
        ],
        "outputs": ["mix"],
    }
    model = djgraph.Mixer(load(document, registry=registry))
    audio = torch.zeros(2, 2, 16000)
    params = torch.zeros(1, 0)
    made = model({"in": audio}, params, tempo=torch.tensor([120.0, 60.0]))
    assert made[0, 0].nonzero().flatten().tolist() == [0, 4000, 8000, 12000]
    assert made[1, 0].nonzero().flatten().tolist() == [0, 8000]
    with pytest.raises(djgraph.InputError, match="follow a clock"):
        model({"in": audio}, params)
    with pytest.raises(djgraph.InputError, match=r"expected 0\.1 to 100,000 BPM"):
        model({"in": audio}, params, tempo=0)
    with pytest.raises(djgraph.InputError, match="tempo must be"):
        model({"in": audio}, params, tempo=torch.ones(3))


class Clicks:
    @djgraph.plugins.hookimpl
    def djgraph_effects(self) -> list[type]:
        return [Pulse]


def test_training_after_inference_mode() -> None:
    model = djgraph.compile("dj_mixer", reverb_decay_time=0.1)
    inputs, params = stems(model), make_params(model, 1, 4, torch.float32, 2)
    with torch.inference_mode():
        audio = model(inputs, params)
    trained = model(inputs, params.requires_grad_())
    trained.square().sum().backward()
    assert params.grad is not None
    torch.testing.assert_close(trained.detach(), audio.clone())


@pytest.mark.slow
def test_long_clips_are_processed_in_blocks_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    from djgraph.runtime import blocks

    for graph in ("club_console", "dj_mixer"):
        model = djgraph.compile(graph)
        inputs = make_inputs(model.graph, 2, 5000, torch.float64, 0)
        before = [audio.clone() for audio in leaves(inputs)]
        params = make_params(model, 2, 9, torch.float64, 0)
        with torch.no_grad():
            monkeypatch.setattr(blocks, "AT_ONCE", 5000)
            whole, taps = model(inputs, params, return_intermediates=True)
            whole = whole if isinstance(whole, dict) else {"master": whole}
            for block in (4999, 1700, 64):
                monkeypatch.setattr(blocks, "AT_ONCE", block)
                pieces, others = model(inputs, params, return_intermediates=True)
                alone = model(inputs, params)  # values that nobody reads any more are written over
                for made in (pieces, alone):
                    made = made if isinstance(made, dict) else {"master": made}
                    for name, audio in whole.items():
                        torch.testing.assert_close(made[name], audio, rtol=0, atol=1e-12)
                for name, audio in taps.items():
                    torch.testing.assert_close(others[name], audio, rtol=0, atol=1e-12)
        for audio, kept in zip(leaves(inputs), before):
            assert torch.equal(audio, kept)


@pytest.mark.slow
def test_beats_are_exact_however_long_the_clip() -> None:
    """Against beats counted in integers, 2.8 hours in: float32 would be off by hundredths of a beat."""
    from djgraph.runtime.clock import make_clock

    like = torch.zeros(1)
    clock = make_clock(127.0, 1, 10_000_000, 1000, like)
    assert clock is not None
    sample = 9_999_999
    assert clock.beats[0, 0, sample].item() == pytest.approx(127 * sample / 60_000, abs=1e-9)
