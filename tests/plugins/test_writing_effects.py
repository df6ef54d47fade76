"""The page that makes two effects from nothing: its code runs, and is the built-in effects, sample for sample."""

from __future__ import annotations

import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from djgraph_fx.echo import Echo
from djgraph_fx.limiter import Limiter

from djgraph.effects import Clock, Environment
from djgraph.effects.checks import CheckFailed, check_effect

PAGE = (Path(__file__).parents[2] / "docs" / "writing_effects.md").read_text(encoding="utf-8")
RATE, SAMPLES = 22050, 30000
CUTS = (1, 300, 7000, 22000)


@pytest.fixture(scope="module")
def page() -> Iterator[types.ModuleType]:
    """All Python blocks of the page, run one after another as one module: they compare with oracles of their own."""
    module = types.ModuleType("writing_effects")
    sys.modules[module.__name__] = module
    for block in re.findall(r"^```python\n(.*?)^```", PAGE, re.S | re.M):
        exec(compile(block, "docs/writing_effects.md", "exec", dont_inherit=True), module.__dict__)
    yield module
    del sys.modules[module.__name__]


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(1).standard_normal((2, SAMPLES))


def moving(random: np.random.Generator, **ranges: tuple[float, float]) -> dict[str, np.ndarray]:
    """Controls on straight lines between a new value every 100 samples."""
    places = np.arange(0, SAMPLES + 100, 100)
    return {
        name: np.interp(np.arange(SAMPLES), places, random.uniform(low, high, len(places)))
        for name, (low, high) in ranges.items()
    }


@pytest.mark.parametrize("lookahead", [0.0, 1.0, 5.0])
def test_the_limiter_is_the_built_in_one(page: types.ModuleType, noise: np.ndarray, lookahead: float) -> None:
    controls = moving(np.random.default_rng(2), ceiling=(-24.0, 0.0), release=(1.0, 300.0), mix=(0.0, 1.0))
    made = page.Limiter(page.Limiter.Settings(lookahead=lookahead), Environment(RATE))
    built_in = Limiter(Limiter.Settings(lookahead=lookahead), Environment(RATE))
    assert made.latency() == built_in.latency()
    wanted = page.run(built_in, noise, controls)
    assert np.abs(wanted - noise).max() > 0.5
    for cuts in ((), CUTS):
        np.testing.assert_allclose(page.run(made, noise, controls, cuts), wanted, atol=1e-9)


def test_the_echo_is_the_built_in_one(page: types.ModuleType, noise: np.ndarray) -> None:
    random = np.random.default_rng(3)
    controls = moving(
        random, mix=(0.0, 1.0), feedback=(0.0, 0.95), lowpass=(300.0, 9000.0), highpass=(10.0, 1000.0)
    )
    controls["beats"] = random.choice(page.LENGTHS, SAMPLES // 5000).repeat(5000)
    tempo = np.linspace(150, 190, SAMPLES)
    beats = np.append(0, np.cumsum(tempo)[:-1]) / (60 * RATE)

    def clock(start: int, end: int) -> Clock:
        return Clock(*(torch.from_numpy(one[start:end])[None, None] for one in (tempo, beats)))

    made = page.Echo(page.Echo.Settings(), Environment(RATE))
    built_in = Echo(Echo.Settings(sync="beats", change="tape"), Environment(RATE))
    others = controls | {"time": np.full(SAMPLES, 375.0)}
    wanted = page.run(built_in, noise, others, clock=clock)
    assert np.abs(wanted - noise).max() > 0.5
    for cuts in ((), CUTS):
        np.testing.assert_allclose(page.run(made, noise, controls, cuts, clock), wanted, atol=1e-9)


@pytest.mark.parametrize("name", ["Limiter", "Echo"])
def test_gradients_are_those_of_the_built_in_ones(page: types.ModuleType, name: str) -> None:
    """In the audio and in every control that has one, by backward passes of different code."""
    random, samples, rate = np.random.default_rng(4), 800, 4000
    if name == "Limiter":
        pair = (page.Limiter, page.Limiter.Settings()), (Limiter, Limiter.Settings())
        ranges = {"ceiling": (-24.0, 0.0), "release": (1.0, 300.0), "mix": (0.1, 1.0)}
        fixed: dict[str, float] = {}
    else:
        pair = (page.Echo, page.Echo.Settings()), (Echo, Echo.Settings(sync="beats", change="tape"))
        ranges = {
            "mix": (0.1, 1.0),
            "feedback": (0.1, 0.9),
            "lowpass": (300.0, 1500.0),
            "highpass": (10.0, 200.0),
        }
        fixed = {"beats": 0.125, "time": 375.0}
    audio = torch.from_numpy(random.standard_normal((1, 2, samples))).requires_grad_()
    controls = {
        key: torch.from_numpy(random.uniform(*span, (1, 1, samples))).requires_grad_()
        for key, span in ranges.items()
    }
    held = {key: torch.full((1, 1, samples), value, dtype=torch.float64) for key, value in fixed.items()}
    tempo = torch.full((1, 1, samples), 180.0, dtype=torch.float64)
    weights = torch.from_numpy(random.standard_normal((1, 2, samples)))
    found = []
    for cls, settings in pair:
        effect = cls(settings, Environment(rate))
        block = page.Block(0, samples, rate, Clock(tempo, tempo.cumsum(-1) / (60 * rate)))
        out, _ = effect.process({"in": audio}, controls | held, effect.initial_state(1, 2, audio), block)
        found.append(torch.autograd.grad((out["out"] * weights).sum(), [audio, *controls.values()]))
    for made, built_in in zip(*found, strict=True):
        assert built_in.abs().max() > 0
        torch.testing.assert_close(made, built_in, rtol=1e-7, atol=1e-9)


def test_a_mix_that_does_not_wait_is_found(page: types.ModuleType, noise: np.ndarray) -> None:
    """As the page says: the comparison with the oracle tells it."""

    class Hasty(page.Limiter):  # type: ignore[name-defined,misc]
        type = "hasty_limiter"

        def process(self, audio, controls, state, block):  # type: ignore[no-untyped-def]
            early = torch.nn.functional.pad(controls["mix"], (0, self.ahead), mode="replicate")
            return super().process(audio, controls | {"mix": early[..., self.ahead :]}, state, block)

    controls = moving(np.random.default_rng(2), ceiling=(-24.0, 0.0), release=(1.0, 300.0), mix=(0.0, 1.0))
    right, hasty = (cls(cls.Settings(), Environment(RATE)) for cls in (page.Limiter, Hasty))
    assert np.abs(page.run(right, noise, controls) - page.run(hasty, noise, controls)).max() > 0.01


@pytest.mark.slow
@pytest.mark.parametrize(("name", "settings"), [("Limiter", {}), ("Limiter", {"lookahead": 0}), ("Echo", {})])
def test_the_kit_passes(page: types.ModuleType, name: str, settings: dict[str, float]) -> None:
    cls = getattr(page, name)
    try:
        report = check_effect(cls, cls.Settings(**settings))
    except CheckFailed as fault:
        pytest.fail(str(fault))
    assert "check_streaming" in report.passed
