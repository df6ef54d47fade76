"""Fits of mixes with known controls, and what a fit refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from effort import few

import djgraph
from djgraph.errors import CompileError, InputError
from djgraph.fitting import Progress, guess
from djgraph.metrics import si_sdr

from .conftest import GAIN, RATE, SMALL, noise, play


@pytest.fixture(scope="module")
def truth(mixer: djgraph.Mixer) -> torch.Tensor:
    """A fade of one stem, an EQ move of another, a low-pass sweep of the third."""
    layout = mixer.layout
    return layout.pack(
        {
            "a.low.gain": torch.linspace(1, 0.2, 16),
            "a.high.eq3.mid": torch.linspace(1, 0.3, 16),
            "b.lowpass.cutoff": torch.linspace(1, 0.65, 16),
        }
    )


@pytest.fixture(scope="module")
def target(mixer: djgraph.Mixer, stems: dict, truth: torch.Tensor) -> torch.Tensor:
    return play(mixer, stems, truth)


def test_known_controls_are_recovered(
    mixer: djgraph.Mixer, stems: dict, truth: torch.Tensor, target: torch.Tensor
) -> None:
    seen: list[Progress] = []
    result = djgraph.fit(mixer, stems, target, frames=16, callback=seen.append, truth=truth)
    report = result.report
    assert report["si_sdr_db"] > 35
    assert float(si_sdr(play(mixer, stems, result.params), target)) == pytest.approx(
        report["si_sdr_db"], abs=0.1
    )
    for name in ("a.low.gain", "a.high.eq3.mid"):
        column = mixer.layout.index(name)
        np.testing.assert_allclose(result.params[:, column], truth[:, column], atol=0.06)
        mean = float((result.params[:, column] - truth[:, column]).abs().mean())
        assert mean < 0.02
        assert report["control_error"][name] == pytest.approx(mean, abs=0.01)
        assert report["controls"][name]["moves"]
    cutoff = mixer.layout.index("b.lowpass.cutoff")
    half = len(truth) // 2  # wide open, a cutoff above the top of the spectrum is not heard
    np.testing.assert_allclose(result.params[half:, cutoff], truth[half:, cutoff], atol=0.02)
    # What nobody moved is written down as at rest.
    for name in ("a.low.eq3.low", "a.high.gain", "b.gain", "b.highpass.cutoff"):
        column = mixer.layout.index(name)
        assert float((result.params[:, column] - truth[:, column]).abs().mean()) < 0.02
    assert report["heard_error"]["mean"] < 0.02
    assert seen[0].stage == "guess"
    assert seen[-1].stage == "mixer"
    losses = [p.loss for p in seen if p.stage == "mixer"]
    assert losses == sorted(losses, reverse=True)
    json.dumps(report, allow_nan=False)


def test_the_automation_renders_to_the_params(
    mixer: djgraph.Mixer, stems: dict, target: torch.Tensor
) -> None:
    result = djgraph.fit(mixer, stems, target, frames=16, steps=0)
    made = result.automation.render(mixer.layout, n_frames=16, duration=result.seconds)
    span = mixer.layout.maximum - mixer.layout.minimum
    assert float(((made - result.params) / span).abs().max()) < 0.006


@pytest.mark.slow
def test_delay_level_rate_and_mono(mixer: djgraph.Mixer, stems: dict, truth: torch.Tensor) -> None:
    played = play(mixer, stems, mixer.layout.pack({"a.low.gain": [1.0, 1.0, 0.2, 0.2]})).mean(0, keepdim=True)
    late = 0.5 * torch.nn.functional.pad(played, (437, 0))
    doubled = torch.from_numpy(
        np.fft.irfft(np.fft.rfft(late.double().numpy()), 2 * late.shape[-1]) * 2
    ).float()
    result = djgraph.fit(mixer, stems, doubled, target_rate=2 * RATE, frames=8, steps=0)
    assert result.report["delay_samples"] == pytest.approx(437, abs=0.1)
    assert result.report["level_db"] == pytest.approx(20 * np.log10(0.5), abs=0.1)
    assert float(result.params[0, 0]) == pytest.approx(1, abs=0.05)
    assert float(result.params[-1, 0]) == pytest.approx(0.2, abs=0.05)
    assert result.mix.shape == (2, stems["b"].shape[-1])


@pytest.mark.slow
def test_an_eq_band_that_stands_out_is_not_taken_for_the_level(mixer: djgraph.Mixer, stems: dict) -> None:
    moves = {
        "b.gain": torch.linspace(0.9, 0.2, 8),
        "a.high.gain": torch.linspace(0.1, 0.8, 8),
        "a.high.eq3.low": 1.6,
        "a.high.eq3.mid": 1.6,
        "a.low.gain": torch.linspace(0.5, 0.9, 8),
        "a.low.eq3.low": 1.6,
    }
    target = play(mixer, stems, mixer.layout.pack(moves, n_frames=8))
    result = djgraph.fit(mixer, stems, target, frames=8, steps=0)
    assert result.report["level_db"] == pytest.approx(0, abs=0.05)
    assert float(result.params[-1, mixer.layout.index("b.gain")]) == pytest.approx(0.2, abs=0.02)


def test_a_shorter_target_is_aligned_and_said(
    mixer: djgraph.Mixer, stems: dict, target: torch.Tensor, truth: torch.Tensor
) -> None:
    result = djgraph.fit(mixer, stems, target[:, 4000:10000], frames=16, steps=2)
    assert result.report["delay_samples"] == pytest.approx(-4000, abs=0.1)
    assert "covers 0.75 s of 1.50 s" in result.report["notes"][0]
    column = mixer.layout.index("a.low.gain")
    np.testing.assert_allclose(result.params[6:13, column], truth[6:13, column], atol=0.05)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (torch.zeros(2, 12000), "silent"),
        pytest.param(noise(99), "does not sound like a mix of these stems", marks=pytest.mark.slow),
        (noise(1)[:, :300], "too little"),
        (torch.full((2, 12000), torch.nan), "NaN"),
        (torch.zeros(3, 2, 100), "one clip"),
        (torch.zeros(2, 100, dtype=torch.int16), "floating point"),
    ],
)
def test_targets_that_are_refused(mixer: djgraph.Mixer, stems: dict, bad: torch.Tensor, words: str) -> None:
    with pytest.raises(InputError, match=words):
        djgraph.fit(mixer, stems, bad)


def test_a_target_of_silent_stems_is_refused(mixer: djgraph.Mixer, stems: dict, target: torch.Tensor) -> None:
    silent = {"a": {name: 0 * audio for name, audio in stems["a"].items()}, "b": 0 * stems["b"]}
    with pytest.raises(InputError, match="does not sound like a mix of these stems"):
        djgraph.fit(mixer, silent, target, delay=0.0)


@pytest.mark.parametrize("samples", [1, 100, 300, 1000, 4000])
def test_clips_of_any_length_are_fitted(mixer: djgraph.Mixer, stems: dict, samples: int) -> None:
    """From one sample on: shorter than a window, than a block, than what tells of masters and what follows faders."""
    short = {
        "a": {name: audio[:, :samples] for name, audio in stems["a"].items()},
        "b": stems["b"][:, :samples],
    }
    target = play(mixer, short, mixer.layout.pack({"a.low.gain": 0.4}))
    result = djgraph.fit(mixer, short, target, frames=2, steps=1, delay=0.0, level=1.0)
    assert result.mix.shape == target.shape
    for found in (result.params, result.low, result.high, result.mix):
        assert bool(torch.isfinite(found).all())


def test_tracks_and_targets_may_be_doubles(mixer: djgraph.Mixer, stems: dict, target: torch.Tensor) -> None:
    doubles = {"a": {name: audio.double() for name, audio in stems["a"].items()}, "b": stems["b"].double()}
    found = djgraph.fit(mixer, doubles, target.double(), frames=4, steps=0, delay=0.0)
    plain = djgraph.fit(mixer, stems, target, frames=4, steps=0, delay=0.0)
    torch.testing.assert_close(found.params, plain.params)
    torch.testing.assert_close(found.mix, plain.mix)


def test_unknown_output_and_frames(mixer: djgraph.Mixer, stems: dict, target: torch.Tensor) -> None:
    with pytest.raises(InputError, match="did you mean 'master'"):
        djgraph.fit(mixer, stems, target, output="mastr")
    with pytest.raises(InputError, match="frames"):
        djgraph.fit(mixer, stems, target, frames=0)


def test_a_silent_stem_is_said_and_left_at_rest(
    mixer: djgraph.Mixer, stems: dict, target: torch.Tensor
) -> None:
    quiet = {**stems, "b": torch.zeros_like(stems["b"])}
    mix = play(mixer, quiet, mixer.layout.pack({"a.low.gain": 0.4}))
    result = djgraph.fit(mixer, quiet, mix, frames=4, level=1.0)
    names = result.report["not_identified"]
    assert {"b.gain", "b.lowpass.cutoff", "b.highpass.cutoff"} <= set(names)
    assert result.report["controls"]["b.gain"]["why_not"] == "silent: b"
    for name in ("b.gain", "b.lowpass.cutoff"):
        column = mixer.layout.index(name)
        assert float((result.params[:, column] - mixer.layout.neutral[column]).abs().max()) < 1e-3
    np.testing.assert_allclose(result.params[:, 0], 0.4, atol=0.01)


def test_stopping_and_going_on(
    mixer: djgraph.Mixer, stems: dict, target: torch.Tensor, tmp_path: Path
) -> None:
    state = tmp_path / "state.json"

    def interrupt(progress: Progress) -> None:
        if progress.stage == "mixer":
            raise KeyboardInterrupt

    first = djgraph.fit(mixer, stems, target, frames=16, callback=interrupt, checkpoint=state)
    assert first.report["interrupted"]
    assert first.report["mixer_steps"] == 1
    stages: list[str] = []
    second = djgraph.fit(
        mixer, stems, target, frames=16, callback=lambda p: stages.append(p.stage), resume=state
    )
    assert set(stages) == {"mixer"}
    assert second.report["si_sdr_db"] > first.report["si_sdr_db"]
    assert djgraph.fit(mixer, stems, target, frames=4, callback=lambda p: True).report["interrupted"]
    other = djgraph.compile({**SMALL, "mixer": [*SMALL["mixer"][1:]]})
    with pytest.raises(InputError, match=r"another layout.*unknown here"):
        djgraph.fit(other, stems, target, resume=state)
    with pytest.raises(InputError, match="another target or of other stems"):
        djgraph.fit(mixer, stems, 0.9 * target, resume=state)
    state.write_text("{}")
    with pytest.raises(InputError, match="is not the state of a fit"):
        djgraph.fit(mixer, stems, target, resume=state)


@pytest.mark.parametrize(("stage", "step"), few([("guess", 1), ("curves", 2), ("curves", 3)], 1))
def test_going_on_before_the_mixer_finds_what_the_whole_fit_finds(
    mixer: djgraph.Mixer, stems: dict, target: torch.Tensor, tmp_path: Path, stage: str, step: int
) -> None:
    state = tmp_path / "state.json"
    heard: list[tuple[str, int]] = []

    def at(progress: Progress) -> bool:
        heard.append((progress.stage, progress.step))
        return heard[-1] == (stage, step)

    assert djgraph.fit(mixer, stems, target, frames=16, callback=at, checkpoint=state).report["interrupted"]
    assert heard.pop() == (stage, step)
    heard.clear()
    resumed = djgraph.fit(mixer, stems, target, frames=16, steps=0, callback=at, resume=state)
    assert heard[0] == ("curves", step + 1)
    whole = djgraph.fit(mixer, stems, target, frames=16, steps=0)
    torch.testing.assert_close(resumed.params[:, 0], whole.params[:, 0], atol=0.02, rtol=0)
    assert resumed.report["si_sdr_db"] > whole.report["si_sdr_db"] - 1


def test_an_interrupt_before_the_first_guess_passes_through(
    mixer: djgraph.Mixer, stems: dict, target: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(guess, "search", interrupt)
    with pytest.raises(KeyboardInterrupt):
        djgraph.fit(mixer, stems, target, frames=4)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"delay": float("nan")}, "delay is nan"),
        ({"level": float("nan")}, "level is nan"),
        ({"level": 0.0}, "level is 0"),
        ({"level": 1e9}, r"level is 1000000000.0; expected a ratio from 1e-05 to 100000"),
        ({"delay": 1e306}, "delay is 1e.306; expected seconds"),
        ({"frames": 10**9}, "frames is 1000000000 for 1.50 s; expected at most 1000 a second"),
        ({"steps": -1}, "steps is -1"),
        ({"tolerance": float("nan")}, "tolerance is nan"),
        ({"truth": torch.ones(4, 3)}, r"truth.*\[4, 3\]"),
        ({"truth": torch.ones(1, 4, 11)}, r"truth.*\[1, 4, 11\]"),
    ],
)
def test_numbers_that_are_refused(
    mixer: djgraph.Mixer, stems: dict, target: torch.Tensor, options: dict, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        djgraph.fit(mixer, stems, target, **options)


@pytest.mark.slow
def test_a_loss_of_ones_own(mixer: djgraph.Mixer, stems: dict, target: torch.Tensor) -> None:
    shapes = []

    def loss(mix: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        shapes.append((mix.shape, wanted.shape))
        return (mix - wanted).abs().mean()

    result = djgraph.fit(mixer, stems, target, frames=8, steps=3, loss=loss)
    assert set(shapes) == {((1, *target.shape), (1, *target.shape))}
    assert result.report["si_sdr_db"] > 25
    with pytest.raises(InputError, match="not finite"):
        djgraph.fit(mixer, stems, target, frames=8, loss=lambda mix, wanted: (mix * torch.inf).sum())


def test_sends_that_are_measured_through_the_mixer() -> None:
    echo = {"effect": "delay", "settings": {"time": 60}}
    graph = {
        "djgraph": 1,
        "name": "wet",
        "sample_rate": RATE,
        "transform": {"size": 256, "hop": 64},
        "inputs": [{"name": "a"}, {"name": "b"}],
        "mixer": [
            {"strip": "a", "input": "a", "chain": [GAIN, echo], "to": "master"},
            {"strip": "b", "input": "b", "chain": [GAIN], "to": "master"},
            {"bus": "master"},
        ],
        "outputs": ["master"],
    }
    mixer = djgraph.compile(graph)
    stems = {"a": noise(1), "b": noise(2)}
    params = mixer.layout.pack(
        {"a.delay.mix": torch.linspace(0, 0.6, 8), "b.gain": torch.linspace(1, 0.4, 8)}
    )
    result = djgraph.fit(mixer, stems, play(mixer, stems, params), frames=8, level=1.0)
    assert result.report["si_sdr_db"] > 30
    for name in ("a.delay.mix", "b.gain"):
        column = mixer.layout.index(name)
        np.testing.assert_allclose(result.params[:, column], params[:, column], atol=0.05)


@pytest.mark.slow
def test_a_macro_is_fitted_as_one_knob() -> None:
    mixer = djgraph.compile("filter_knob")
    rng = np.random.RandomState(0)
    stems = {
        n: torch.from_numpy(0.1 * rng.standard_normal((2, 44100))).float() for n in ("track_a", "track_b")
    }
    name = next(n for n in mixer.layout.names if n.endswith("track_a.filter"))
    params = mixer.layout.pack({name: torch.linspace(0.5, 0.85, 8)})
    result = djgraph.fit(mixer, stems, play(mixer, stems, params), frames=8, steps=2, level=1.0)
    column = mixer.layout.index(name)
    assert float((result.params[2:, column] - params[2:, column]).abs().mean()) < 0.02


@pytest.mark.slow
def test_the_picture(
    mixer: djgraph.Mixer, stems: dict, target: torch.Tensor, truth: torch.Tensor, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    result = djgraph.fit(mixer, stems, target, frames=4, steps=0)
    result.plot(tmp_path / "controls.png", truth)
    assert (tmp_path / "controls.png").read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(InputError, match="pictures are written to"):
        result.plot(tmp_path / "controls.txt")


@pytest.mark.parametrize("swap", few([True, False], 1))
@pytest.mark.parametrize(
    "signs",
    [
        pytest.param((1, 1), marks=pytest.mark.slow),
        pytest.param((-1, -1), marks=pytest.mark.slow),
        (-1, 1),
    ],
)
def test_a_recording_that_is_the_wrong_way_round(
    mixer: djgraph.Mixer, stems: dict, target: torch.Tensor, swap: bool, signs: tuple[int, int]
) -> None:
    recorded = torch.nn.functional.pad(target, (300, 0)) * torch.tensor(signs)[:, None]
    result = djgraph.fit(mixer, stems, recorded.flip(0) if swap else recorded, frames=8, steps=0)
    plain = djgraph.fit(mixer, stems, torch.nn.functional.pad(target, (300, 0)), frames=8, steps=0)
    torch.testing.assert_close(result.params, plain.params, atol=1e-3, rtol=0)
    assert result.report["si_sdr_db"] == pytest.approx(plain.report["si_sdr_db"], abs=0.1)
    assert result.report["swapped"] is swap
    named = [name for name, sign in zip(("left", "right"), reversed(signs) if swap else signs) if sign < 0]
    assert result.report["inverted"] == named
    assert any("polarity is inverted" in note for note in result.report["notes"]) == bool(named)
    assert any("left and right are exchanged" in note for note in result.report["notes"]) == swap
    assert plain.report["inverted"] == []
    assert plain.report["swapped"] is False


def test_a_mono_recording_of_inverted_polarity(
    mixer: djgraph.Mixer, stems: dict, target: torch.Tensor
) -> None:
    result = djgraph.fit(mixer, stems, -target.mean(0, keepdim=True), frames=8, steps=0)
    assert result.report["inverted"] == ["mono"]
    assert result.report["si_sdr_db"] > 25


@pytest.mark.slow
def test_a_dc_offset_of_the_recording_spoils_nothing(
    mixer: djgraph.Mixer, stems: dict, target: torch.Tensor
) -> None:
    plain = djgraph.fit(mixer, stems, target, frames=8, steps=0)
    result = djgraph.fit(mixer, stems, target + torch.tensor([[0.3], [-0.02]]), frames=8, steps=0)
    torch.testing.assert_close(
        result.params, plain.params, atol=5e-2, rtol=0
    )  # the clip is short: it has a mean of its own
    assert result.report["si_sdr_db"] > 30  # 21 where the offset is looked for in the bass
    assert any("DC offset of +0.3" in note for note in result.report["notes"])
    assert not any("DC" in note for note in plain.report["notes"])


def test_a_graph_without_controls() -> None:
    graph = {
        "djgraph": 1,
        "name": "bare",
        "inputs": [{"name": "a"}],
        "mixer": [{"strip": "a", "input": "a", "to": "master"}, {"bus": "master"}],
        "outputs": ["master"],
    }
    with pytest.raises(InputError, match="'bare' has no controls, so there is nothing to fit"):
        djgraph.fit(graph, {"a": noise(1)}, noise(1))


@pytest.mark.slow
def test_a_fit_in_inference_mode(mixer: djgraph.Mixer, stems: dict, target: torch.Tensor) -> None:
    expected = djgraph.fit(mixer, stems, target, frames=4, steps=1)
    with torch.inference_mode():
        inside = {"a": {name: 1 * x for name, x in stems["a"].items()}, "b": 1 * stems["b"]}
        result = djgraph.fit(SMALL, inside, 1 * target, frames=4, steps=1, truth=1 * expected.params)
    torch.testing.assert_close(result.params, expected.params)
    assert result.params.requires_grad_().requires_grad


def test_a_filter_in_time_is_fitted_by_its_magnitude() -> None:
    chain = ["filter_knob", {"effect": "trim", "controls": {"gain": {"as": "gain"}}}]
    document = SMALL | {
        "inputs": [{"name": "a"}, {"name": "b"}],
        "mixer": [
            {"strip": "a", "input": "a", "chain": chain, "to": "master"},
            {"strip": "b", "input": "b", "chain": [GAIN], "to": "master"},
            {"bus": "master"},
        ],
    }
    mixer = djgraph.compile(document)
    stems = {"a": noise(2), "b": noise(3, colour=0.3)}
    truth = mixer.layout.pack(
        {"a.filter_knob.knob": torch.linspace(-0.25, -0.6, 16), "a.gain": torch.linspace(0, -9, 16)}
    )
    result = djgraph.fit(mixer, stems, play(mixer, stems, truth), frames=16)
    knob, gain = (mixer.layout.index(name) for name in ("a.filter_knob.knob", "a.gain"))
    np.testing.assert_allclose(result.params[:, knob], truth[:, knob], atol=0.05)
    np.testing.assert_allclose(result.params[:, gain], truth[:, gain], atol=1.5)


def test_a_missing_tempo_is_told_before_any_work(tmp_path: Path) -> None:
    document = SMALL | {
        "inputs": [{"name": "b"}],
        "mixer": [{"strip": "b", "input": "b", "chain": [GAIN, "trans"], "to": "master"}, {"bus": "master"}],
    }
    state = tmp_path / "state.json"
    with pytest.raises(InputError, match="follow a clock"):
        djgraph.fit(djgraph.compile(document), {"b": noise(3)}, noise(3), checkpoint=state)
    assert not state.exists()


KNOB_AND_PEQ = {
    **SMALL,
    "name": "knob_and_peq",
    "inputs": [{"name": "a"}, {"name": "b"}],
    "mixer": [
        {
            "strip": "a",
            "input": "a",
            "chain": [
                {"effect": "filter_knob", "controls": {"q": 0.7071}},
                {"effect": "tilt", "controls": {"pivot": 800}},
                GAIN,
            ],
            "to": "master",
        },
        {"strip": "b", "input": "b", "chain": [GAIN], "to": "master"},
        {"bus": "master"},
    ],
}


def test_filters_in_time_on_one_strip_are_told_apart_by_their_phases() -> None:
    mixer = djgraph.compile(KNOB_AND_PEQ)
    stems = {"a": noise(1, colour=0.5), "b": noise(2)}
    truth = mixer.layout.pack(
        {
            "a.filter_knob.knob": torch.linspace(0, -0.5, 16),
            "a.tilt.tilt": torch.linspace(0, 6, 16),
            "b.gain": torch.linspace(0.2, 1, 16),
        }
    )
    target = play(mixer, stems, truth)
    result = djgraph.fit(mixer, stems, target, frames=16, steps=4, truth=truth)
    assert result.report["si_sdr_db"] > 30
    assert result.report["heard_error"]["mean"] < 0.02
    assert result.report["warnings"] == []


@pytest.mark.slow
def test_a_live_recording_is_unmixed_by_the_causal_lowering(stems: dict, truth: torch.Tensor) -> None:
    target = play(djgraph.compile(SMALL, lowering="causal"), stems, truth)
    result = djgraph.fit(SMALL, stems, target, frames=16, steps=4, truth=truth, lowering="causal")
    assert result.report["si_sdr_db"] > 25
    assert abs(result.report["delay_samples"]) < 0.2
    studio = djgraph.fit(SMALL, stems, target, frames=16, steps=4)
    assert studio.report["si_sdr_db"] < result.report["si_sdr_db"] - 6


def test_the_curves_of_a_live_recording_are_found_under_the_causal_lowering(
    stems: dict, truth: torch.Tensor
) -> None:
    live = djgraph.compile(SMALL, lowering="causal")
    target = play(live, stems, truth)
    result = djgraph.fit(live, stems, target, frames=8, steps=0, truth=truth, lowering="causal")
    assert result.report["si_sdr_db"] > 12
    assert abs(result.report["delay_samples"]) < 0.2
    with pytest.raises(InputError, match="lowering is 'studio', but the mixer is compiled with 'causal'"):
        djgraph.fit(live, stems, target, lowering="studio")
    with pytest.raises(CompileError, match="lowering is 'studio' or 'causal', not 'live'"):
        djgraph.fit(SMALL, stems, target, lowering="live")  # type: ignore[arg-type]


def test_a_mix_that_stays_far_from_its_target_is_warned_of(mixer: djgraph.Mixer, stems: dict) -> None:
    # Half of the recording is something that no control of this mixer makes.
    plain = play(mixer, stems, mixer.layout.pack({}))
    other = play(mixer, stems | {"b": noise(9, colour=0.3)}, mixer.layout.pack({"a.low.gain": 0.0}))
    result = djgraph.fit(mixer, stems, plain + other, frames=4, steps=0, level=1.0, delay=0.0)
    fact, *reasons = result.report["warnings"]
    assert "far from the target" in fact
    assert "no step was made through the mixer" in reasons[0]
    assert any("lowering causal" in reason for reason in reasons)
    json.dumps(result.report)


@pytest.mark.parametrize(
    ("channels", "what"), [("quad", "the output 'room' is quad"), (None, "the input 'a' is quad")]
)
def test_more_than_stereo_is_refused(channels: str | None, what: str) -> None:
    chain = ["gain"] if channels else ["gain", "downmix"]
    document = {
        "djgraph": 1,
        "name": "wide",
        "inputs": [{"name": "a", "channels": "quad"}],
        "mixer": [{"strip": "a", "input": "a", "chain": chain, "to": "room"}, {"bus": "room"}],
        "outputs": ["room"],
    }
    with pytest.raises(InputError, match=f"{what}, and mixes are compared in mono or stereo"):
        djgraph.fitting.fit(document, {"a": torch.randn(4, 44100)}, torch.randn(2, 44100))


def test_a_stereo_mix_through_more_speakers_is_fitted() -> None:
    """Inside it may be quad: what places a signal there is no plain gain, and is fitted by descent."""
    document = {
        "djgraph": 1,
        "name": "wide",
        "sample_rate": 8000,
        "transform": {"size": 256, "hop": 128},
        "inputs": [{"name": "a"}, {"name": "b"}],
        "mixer": [
            {
                "strip": "a",
                "input": "a",
                "chain": ["gain", {"effect": "quad_pan", "controls": {"x": 0, "y": 0.5}}],
                "to": "room",
            },
            {
                "strip": "b",
                "input": "b",
                "chain": ["gain", {"effect": "quad_pan", "controls": {"x": 0, "y": 1}}],
                "to": "room",
            },
            {"bus": "room"},
            {
                "strip": "heard",
                "input": "room",
                "chain": [{"effect": "downmix", "controls": {"centre": 0, "surround": 0.7, "lfe": 0}}],
            },
        ],
        "outputs": ["heard"],
    }
    mixer = djgraph.compile(document)
    sound = {name: noise(n) for n, name in enumerate("ab")}
    truth = mixer.layout.pack({"a.gain.gain": 0.5, "b.gain.gain": 1.0}, n_frames=4)
    target = mixer({name: one[None] for name, one in sound.items()}, truth)[0]
    result = djgraph.fitting.fit(mixer, sound, target, frames=4, steps=40)
    assert (result.params - truth).abs().max() < 0.05
