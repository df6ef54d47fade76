"""A compressor or limiter on the graph's own output: the mixer in two parts, and its settings from a recording."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

import djgraph
from djgraph.fitting import problem
from djgraph.fitting.own import own_of
from djgraph.fitting.priors import Priors, Rest

from .conftest import RATE, SMALL, noise, play


def with_master(*chain: Any) -> djgraph.Mixer:
    strips = SMALL["mixer"][:-1]  # type: ignore[index]
    return djgraph.compile({**SMALL, "mixer": [*strips, {"bus": "master", "chain": list(chain)}]})


def beats(seconds: float) -> dict[str, Any]:
    """Stems that hit at times of their own, so that a compressor has something to do."""

    def hits(seed: int, period: float) -> torch.Tensor:
        audio = noise(seed, seconds, colour=0.3)
        time = torch.arange(audio.shape[-1]) / RATE
        return 3 * audio * torch.exp(-(time % period) / 0.12) + 0.1 * audio

    return {"a": {"low": hits(1, 0.5), "high": hits(2, 0.31)}, "b": hits(3, 0.73)}


def test_a_knob_that_drives_something_else_too_is_no_setting_of_the_master() -> None:
    trim = {"effect": "trim", "id": "volume", "controls": {"gain": {"min": -24}}}
    compressor = {"effect": "compressor", "controls": {"makeup": {"tie": "volume.gain"}}}
    limiter = {"effect": "limiter", "controls": {"release": {"tie": "compressor.release"}}}
    own = own_of(with_master(trim, compressor, limiter), "master")
    assert own is not None
    assert "makeup" not in {control for _, control in own.columns}
    # One that drives both, and nothing else, is.
    assert own.columns["master.limiter", "release"] == own.columns["master.compressor", "release"]


LIMITER = {"effect": "limiter", "controls": {"ceiling": -9, "release": 60, "mix": 1}}


def test_both_parts_are_the_mixer() -> None:
    mixer = with_master({"effect": "trim", "id": "volume"}, "compressor", LIMITER)
    own = own_of(mixer, "master")
    assert own is not None
    assert [node.id for node in own.nodes] == ["master.limiter", "master.compressor"]
    names = {control: mixer.layout.names[column] for (_, control), column in own.columns.items()}
    assert names["threshold"] == "master.compressor.threshold"
    assert "ceiling" not in names  # the graph has set it
    stems = beats(1.0)
    params = mixer.layout.pack(
        {
            "a.low.gain": torch.linspace(1, 0.3, 9),
            "master.volume.gain": torch.full((9,), 4.0),
            "master.compressor.threshold": torch.full((9,), -20.0),
            "master.compressor.ratio": torch.full((9,), 4.0),
        }
    )
    whole = play(mixer, stems, params)
    batch = {
        k: {s: x[None] for s, x in v.items()} if isinstance(v, dict) else v[None] for k, v in stems.items()
    }
    with torch.no_grad():
        dry = own.before(batch, params, None)
        np.testing.assert_allclose(own.through(dry, params), whole, atol=1e-6)
        plain = own.through(dry, params, resting=True)
        made = own.gain(dry, params) * plain
    assert float((made - whole).norm() / whole.norm()) < 0.05
    assert float((plain - whole).norm() / whole.norm()) > 0.3


def test_what_turns_down_a_part_alone_is_not_the_masters() -> None:
    assert own_of(djgraph.compile(SMALL), "master") is None
    assert own_of(with_master("gate"), "master") is None
    graph = {**SMALL, "mixer": [{"strip": "b", "input": "b", "chain": ["compressor"], "to": "master"}]}
    strips = [one for one in SMALL["mixer"][:-1] if one.get("strip") != "b"]  # type: ignore[index]
    graph["mixer"] = [*strips, *graph["mixer"], {"bus": "master", "chain": [LIMITER]}]
    assert own_of(djgraph.compile(graph), "master") is None
    live = djgraph.compile("dj_mixer_live")
    own = own_of(live, "master")
    assert own is not None
    assert not own.columns


def test_what_is_set_once_is_held() -> None:
    """The curvature against the second derivatives of the penalty."""
    still = torch.tensor([0.5, 0.0], dtype=torch.float64)
    ones = torch.ones(2, dtype=torch.float64)
    rest, priors = Rest(0 * ones, ones, still), Priors(0.0, 0.0, 0.0)
    u = torch.rand(4, 2, dtype=torch.float64)
    full = torch.autograd.functional.hessian(lambda x: priors.value(x, rest), u)
    made = priors.curvature(u, rest)
    for frame in range(4):
        np.testing.assert_allclose(made.diagonal[frame], full[frame, :, frame, :], atol=1e-12)
        if frame < 3:
            np.testing.assert_allclose(made.upper[frame], full[frame, :, frame + 1, :], atol=1e-12)
    assert float(priors.value(ones.expand(4, 2), rest)) == 0


def law(level: np.ndarray, threshold: float, ratio: float, knee: float, makeup: float) -> np.ndarray:
    """The static gain in dB (Giannoulis, Massberg and Reiss 2012, equation 4)."""
    over = level - threshold
    bent = np.where(
        2 * over < -knee, 0.0, np.where(2 * np.abs(over) <= knee, (over + knee / 2) ** 2 / (2 * knee), over)
    )
    return makeup - (1 - 1 / ratio) * bent


@pytest.mark.slow
def test_settings_of_a_compressor_come_out() -> None:
    stems = beats(6.0)
    mixer = with_master("compressor")
    known = {"threshold": -20.0, "ratio": 4.0, "knee": 6.0, "attack": 8.0, "release": 120.0, "makeup": 3.0}
    truth = mixer.layout.pack(
        {"a.low.gain": torch.linspace(1, 0.4, 40), "b.gain": torch.linspace(0.5, 1, 40)}
        | {f"master.compressor.{name}": torch.full((40,), value) for name, value in known.items()}
    )
    target = play(mixer, stems, truth)
    result = djgraph.fit(mixer, stems, target, frames=40, steps=3, delay=0.0)
    gains = [mixer.layout.index(name) for name in ("a.low.gain", "a.high.gain", "b.gain")]
    assert float((result.params - truth)[:, gains].abs().mean()) < 0.04
    found = {name: result.params[:, mixer.layout.index(f"master.compressor.{name}")] for name in known}
    for name, values in found.items():
        assert float(values.std()) < 0.1 * max(1.0, abs(known[name])), name
    level = np.linspace(
        -35,
        float(20 * math.log10(float(play(mixer, stems, mixer.layout.pack({}, n_frames=2)).abs().max()))),
        50,
    )
    laws = [
        law(level, *(float(one[name]) for name in ("threshold", "ratio", "knee", "makeup")))
        for one in (known, {name: float(values.mean()) for name, values in found.items()})
    ]
    assert float(np.abs(laws[0] - laws[1]).mean()) < 1.0
    assert result.report["master"]["own"] is True
    assert result.report["master"]["most_db"] > 3
    assert result.report["si_sdr_db"] > 25
    assert not {f"master.compressor.{n}" for n in ("threshold", "ratio")} & set(
        result.report["not_identified"]
    )


@pytest.mark.slow
def test_a_limiter_that_is_set_is_not_taken_for_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    stems, mixer = beats(6.0), with_master(LIMITER)
    truth = mixer.layout.pack(
        {"a.low.gain": torch.linspace(1, 0.4, 40), "b.gain": torch.linspace(0.5, 1, 40)}
    )
    target = play(mixer, stems, truth)
    gains = [mixer.layout.index(name) for name in ("a.low.gain", "a.high.gain", "b.gain")]

    def off() -> float:
        result = djgraph.fit(mixer, stems, target, frames=40, steps=2, delay=0.0)
        return float((result.params - truth)[:, gains].abs().mean())

    found = off()
    monkeypatch.setattr(problem, "own_of", lambda *given: None)
    assert found < 0.6 * off()
