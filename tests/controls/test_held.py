"""Controls with a step or choices: held from frame to frame and on their grid, in every path of the runtime."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Annotated, Any

import pytest
import torch

import djgraph
from djgraph.effects import AmplitudeEffect, Control, ControlModel, RatioEffect, SpectralEffect, TimeEffect
from djgraph.errors import DocumentError, InputError
from djgraph.graph import load
from djgraph.mixer import Mixer
from djgraph.plugins import hookimpl
from djgraph.runtime.reference import Reference

SAMPLES = 5000
LEVELS = (0.25, 0.5, 1.0)
seen: dict[str, set[float]] = {}


def note(name: str, values: torch.Tensor) -> torch.Tensor:
    seen.setdefault(name, set()).update(values.detach().unique().tolist())
    return values


class Pick(TimeEffect):
    type = "t_pick"

    class Controls(ControlModel):
        level: Annotated[float, Control(0.25, 1, neutral=1, choices=LEVELS, scale="log", smoothing=5)] = 1.0

    def process(self, audio: Any, controls: Any, state: Any, block: Any) -> Any:
        return {"out": audio["in"] * note(self.type, controls["level"])}, state


class Memoryless(Pick):
    type = "t_memoryless"
    memoryless = True


class Amplitude(AmplitudeEffect):
    type = "t_amplitude"

    class Controls(ControlModel):
        level: Annotated[float, Control(0, 1, neutral=1, step=0.25)] = 1.0

    def amplitude(self, controls: Any) -> Any:
        return note(self.type, controls["level"])


class Switch(TimeEffect):
    type = "t_switch"

    class Controls(ControlModel):
        level: Annotated[float, Control(0, 1, neutral=1, step=1, rate="frame", gradient="none")] = 1.0

    def process(self, audio: Any, controls: Any, state: Any, block: Any) -> Any:
        level = note(self.type, controls["level"]).repeat_interleave(512, -1)[..., : block.length]
        return {"out": audio["in"] * level}, state


class Gain(SpectralEffect):
    type = "t_gain"

    class Controls(ControlModel):
        level: Annotated[float, Control(0, 1, neutral=1, step=0.25, rate="frame")] = 1.0
        once: Annotated[float, Control(0.25, 1, neutral=1, choices=LEVELS, rate="clip")] = 1.0

    def mask(self, controls: Any) -> Any:
        flat = torch.ones(self.environment.transform.bins, device=controls["level"].device)
        return note(self.type, controls["level"]) * note("once", controls["once"]) * flat


class Ratio(RatioEffect):
    type = "t_ratio"

    class Controls(ControlModel):
        level: Annotated[float, Control(0, 1, neutral=1, step=0.5, rate="frame")] = 1.0

    def constants(self) -> Any:
        return {"above": torch.ones(1, self.environment.transform.bins, dtype=torch.float64)}

    def weights(self, controls: Any) -> Any:
        return note(self.type, controls["level"]), None


EFFECTS = [Pick, Memoryless, Amplitude, Switch, Gain, Ratio]
GRIDS = {
    "t_pick": LEVELS,
    "t_memoryless": LEVELS,
    "t_amplitude": (0, 0.25, 0.5, 0.75, 1),
    "t_switch": (0, 1),
    "t_gain": (0, 0.25, 0.5, 0.75, 1),
    "once": LEVELS,
    "t_ratio": (0, 0.5, 1),
}


@pytest.fixture(scope="module", autouse=True)
def _registered() -> Any:
    plugin = SimpleNamespace(djgraph_effects=hookimpl(lambda: EFFECTS))
    djgraph.plugins.registry().register(plugin, name="test_held_controls")
    return


def graph(*chain: Any, macros: Any = (), **strip: Any) -> Any:
    return load(
        {
            "djgraph": 1,
            "name": "g",
            "inputs": [{"name": "a"}, {"name": "b"}],
            "mixer": [
                {"strip": "s", "input": "a", "chain": [*chain, "eq3"], "to": "m", **strip},
                {"strip": "free", "input": "b", "chain": ["gain", "eq3"], "to": "m"},
                {"bus": "m"},
                *macros,
            ],
            "outputs": ["m"],
        }
    )


ALL = ["t_pick", "t_memoryless", "t_switch", "t_gain", "t_ratio", "t_amplitude"]


def run(
    module: Any, seed: int = 0, samples: int = SAMPLES, positions: list[int] | None = None
) -> tuple[torch.Tensor, torch.Tensor, Any]:
    torch.manual_seed(seed)
    audio = {name: torch.randn(2, 2, samples, dtype=torch.float64) for name in "ab"}
    params = module.layout.from_unit(torch.rand(2, 7, len(module.layout), dtype=torch.float64))
    params.requires_grad_()
    made = module(audio, params, positions=positions)
    weight = torch.cos(torch.arange(made.numel(), dtype=torch.float64)).view_as(made)
    (gradient,) = torch.autograd.grad((made * weight).sum(), params)
    return made.detach(), gradient, params


@pytest.mark.parametrize("chain", [ALL, ["t_memoryless"], ["t_amplitude"], ["t_gain", "t_ratio"]])
@pytest.mark.parametrize("simd", [True, False])
@pytest.mark.parametrize("positions", [None, [-90, 0, 700, 701, 2048, 4100, 9000]])
def test_no_path_hands_an_effect_anything_off_its_grid(
    chain: list[str], simd: bool, positions: list[int] | None
) -> None:
    mixer = Mixer(graph(*chain), simd=simd)
    reference = Reference(graph(*chain))
    seen.clear()
    made, gradient, _ = run(mixer, positions=positions)
    wanted, wanted_gradient, _ = run(reference, positions=positions)
    assert seen
    for name, values in seen.items():
        assert {round(v, 7) for v in values} <= set(GRIDS[name]), name
        assert len(values) > 1 or name == "once"
    torch.testing.assert_close(made, wanted, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(gradient, wanted_gradient, rtol=1e-7, atol=1e-7)


def test_held_on_the_frames_sample_without_smoothing() -> None:
    mixer = djgraph.compile(
        load(
            {
                "djgraph": 1,
                "name": "g",
                "inputs": [{"name": "a"}],
                "mixer": [{"strip": "s", "input": "a", "chain": ["t_pick"], "to": "m"}, {"bus": "m"}],
                "outputs": ["m"],
            }
        )
    )
    params = mixer.layout.pack({"s.t_pick.level": [1.0, 0.26, 0.6, 0.5]})
    made = mixer({"a": torch.ones(1, 2, 10)}, params.requires_grad_())
    # Frames lie at samples 0, 3, 6, 9; on a log scale 0.26 is nearest to 0.25, and 0.6 to 0.5.
    assert made[0, 0].tolist() == [1, 1, 1, 0.25, 0.25, 0.25, 0.5, 0.5, 0.5, 0.5]
    made.sum().backward()
    assert params.grad is not None
    assert params.grad[:, 0].tolist() == [
        6,
        6,
        6,
        2,
    ]  # straight through: samples that read a frame, in stereo


def test_no_gradient_where_none_is_declared() -> None:
    mixer = Mixer(graph("t_switch", "t_pick"))
    _, gradient, _ = run(mixer)
    assert not gradient[..., mixer.layout.index("s.t_switch.level")].any()
    assert gradient[..., mixer.layout.index("s.t_pick.level")].any()


def test_macros_ties_constants_and_narrower_ranges_keep_the_grid() -> None:
    macro = {
        "macro": "knob",
        "min": 0,
        "max": 1,
        "default": 1,
        "drives": {"s.t_pick.level": [[0, 0.25], [1, 1]]},
    }
    cases = [
        graph("t_pick", macros=[macro]),
        graph(
            "t_pick",
            {"effect": "t_amplitude", "controls": {"level": {"min": 0.5, "max": 0.9, "default": 0.75}}},
        ),
        graph({"effect": "t_gain", "controls": {"level": 0.75, "once": 0.5}}, "t_pick"),
    ]
    for case in cases:
        seen.clear()
        made, _, _ = run(Mixer(case))
        for name, values in seen.items():
            assert {round(v, 7) for v in values} <= set(GRIDS[name]), name
        assert min(seen.get("t_amplitude", {0.5})) >= 0.5
        torch.testing.assert_close(made, run(Reference(case))[0], rtol=1e-9, atol=1e-9)


def test_what_reads_the_column_of_a_switch_is_held_too() -> None:
    """A fader that is tied to a control with choices follows what that may take."""
    tied = graph("t_pick", {"effect": "gain", "controls": {"gain": {"tie": "t_pick.level"}}})
    made, gradient, params = run(Mixer(tied))
    wanted, wanted_gradient, _ = run(Reference(tied))
    torch.testing.assert_close(made, wanted, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(gradient, wanted_gradient, rtol=1e-7, atol=1e-7)
    assert params.shape[-1] == len(djgraph.compile(graph("t_pick")).layout)


def test_a_graph_cannot_leave_the_grid() -> None:
    for level, words in (
        ({"min": 0.3}, "min is 0.3, none of the values"),
        (
            0.3,
            r"level is 0.3, none of the values that it may take \(0, 0.25, 0.5, 0.75, 1\); the nearest: 0.25 and 0.5",
        ),
        ({"default": 0.6}, "default of level is 0.6, none of the values"),
    ):
        with pytest.raises(DocumentError, match=words):
            graph({"effect": "t_amplitude", "controls": {"level": level}})
    with pytest.raises(DocumentError, match="holds none of the values"):
        graph({"effect": "t_pick", "controls": {"level": {"min": 0.6, "max": 0.9, "default": 0.7}}})


def test_the_strict_check_names_column_frame_value_and_the_nearest() -> None:
    strict, lenient = Mixer(graph(*ALL), out_of_range="error"), Mixer(graph(*ALL))
    name = "s.t_amplitude.level"
    params = strict.layout.pack({name: [1.0, 0.75, 0.7, 0.3]})
    audio = {"a": torch.zeros(1, 2, 100), "b": torch.zeros(1, 2, 100)}
    for call in (lambda: strict(audio, params), lambda: strict.layout.check(params, out_of_range=True)):
        with pytest.raises(InputError) as caught:
            call()
        text = str(caught.value)
        assert repr(name) in text
        assert "frame 2" in text
        assert "0.5 and 0.75" in text
        assert "1 more value" in text
    lenient(audio, params)
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        fine = strict.layout.pack({name: [0.25, 0.75]}, dtype=dtype)
        strict.layout.check(fine, out_of_range=True)
