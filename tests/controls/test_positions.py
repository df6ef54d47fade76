"""Frames of params with positions: what a mixer makes of them, what it refuses, compiled and exported programs."""

from __future__ import annotations

import io
from typing import Annotated, Any

import numpy as np
import pytest
import torch
from runtime.documents import registry_with
from runtime.mixes import make_inputs, make_params

import djgraph
from djgraph.effects import Control, ControlModel, TimeEffect
from djgraph.errors import InputError
from djgraph.graph import load
from djgraph.mixer import Mixer
from djgraph.runtime.reference import Reference

SAMPLES = 4000
PLACES = [-200, 0, 999, 1000, 2345, 5000]


class Level(TimeEffect):
    """On an input of ones, what it reads."""

    type = "t_level"

    class Controls(ControlModel):
        line: Annotated[float, Control(0, 1, neutral=1)] = 1.0
        step: Annotated[float, Control(0, 1, neutral=1, step=0.25)] = 1.0
        once: Annotated[float, Control(0, 1, neutral=1, rate="clip")] = 1.0

    def process(self, audio: Any, controls: Any, state: Any, block: Any) -> Any:
        return {"out": audio["in"] * controls["line"] * controls["step"] * controls["once"]}, state


def level() -> Mixer:
    document: dict[str, Any] = {
        "djgraph": 1,
        "name": "one",
        "sample_rate": 44100,
        "inputs": [{"name": "in", "channels": "mono"}],
        "mixer": [{"strip": "a", "input": "in", "chain": ["t_level"], "to": "mix"}, {"bus": "mix"}],
        "outputs": ["mix"],
    }
    return Mixer(load(document, registry=registry_with(Level)))


def values(**columns: list[float]) -> torch.Tensor:
    kinds = [columns.get(name, [1.0] * len(PLACES)) for name in ("line", "step", "once")]
    return torch.tensor(kinds).T.contiguous()


@pytest.mark.parametrize(
    "kind", [list, tuple, np.array, torch.tensor, lambda p: torch.tensor(p, dtype=torch.int32)]
)
def test_a_mixer_reads_frames_where_they_are(kind: Any) -> None:
    model, audio = level(), torch.ones(1, 1, SAMPLES)
    heights = [1.0, 0.0, 0.0, 1.0, 0.5, 0.25]
    made = model({"in": audio}, values(line=heights), positions=kind(PLACES))[0, 0]
    np.testing.assert_allclose(made.numpy(), np.interp(np.arange(SAMPLES), PLACES, heights), atol=1e-6)
    held = model({"in": audio}, values(step=heights), positions=kind(PLACES))[0, 0]
    assert held.tolist() == [heights[max(i for i, p in enumerate(PLACES) if p <= n)] for n in range(SAMPLES)]
    once = model({"in": audio}, values(once=heights[::-1]), positions=kind(PLACES))
    assert torch.equal(once, torch.full_like(once, 0.25))


def test_frames_that_no_sample_reads() -> None:
    """All before the clip, or all behind it: the nearest one holds."""
    model, audio = level(), torch.ones(1, 1, 100)
    params = torch.tensor([[0.25, 1, 1], [0.75, 1, 1]])
    for places, wanted in (([-9, -3], 0.75), ([100, 200], 0.25), ([-(1 << 40), -1], 0.75)):
        made = model({"in": audio}, params, positions=places)
        assert torch.equal(made, torch.full_like(made, wanted))


def test_even_positions_are_as_good_as_none() -> None:
    mixer = djgraph.compile("dj_mixer")
    inputs = make_inputs(mixer.graph, 2, 5001, torch.float32, 0)
    params = make_params(mixer, 2, 11, torch.float32, 0)
    made = mixer(inputs, params, positions=range(0, 5001, 500))
    torch.testing.assert_close(made, mixer(inputs, params), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("positions", "message"),
    [
        ([0, 1, 2], r"there are 3 positions, but params have 6 frames"),
        ([0, 1, 2, 2, 4, 5], r"must ascend, but positions\[2\] is 2 and positions\[3\] is 2"),
        ([5, 4, 3, 2, 1, 0], r"must ascend, but positions\[0\] is 5 and positions\[1\] is 4"),
        (torch.tensor([0, 1, 9, 3, 4, 5]), r"must ascend, but positions\[2\] is 9 and positions\[3\] is 3"),
        ([0, 1, 2, 3, 4, 5.5], r"whole numbers.*positions\[5\] is 5.5"),
        ([0, 1, 2, 3, 4, True], r"whole numbers.*positions\[5\] is True"),
        (torch.arange(6.0), r"whole numbers.*not torch.float32"),
        (torch.ones(6, dtype=torch.bool), r"whole numbers.*not torch.bool"),
        (torch.arange(6)[None], r"1-D tensor.*shape \[1, 6\]"),
        (7, r"sequence of them.*not int"),
        ("012345", r"sequence of them.*not str"),
        ([0, 1, 2, 3, 4, 2**40 + 1], r"positions\[5\] is 1099511627777; expected samples within ±2\^40"),
        (torch.tensor([-(2**63), 1, 2, 3, 4, 5]), r"positions\[0\] is -9223372036854775808; expected"),
    ],
)
def test_what_are_no_positions(positions: Any, message: str) -> None:
    model = level()
    for module in (model, Reference(model.graph)):
        with pytest.raises(InputError, match=message):
            module({"in": torch.ones(1, 1, 50)}, values(), positions=positions)


def test_second_derivatives_of_a_region() -> None:
    mixer = djgraph.compile("dj_mixer")
    inputs = make_inputs(mixer.graph, 1, 900, torch.float64, 1)
    places = [-30, 4, 300, 301, 1200]
    params = make_params(mixer, 1, 5, torch.float64, 1).requires_grad_()
    reference = Reference(mixer.graph)
    found = []
    for module in (mixer, reference):
        loss = module(inputs, params, positions=places).square().sum()
        (first,) = torch.autograd.grad(loss, params, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), params)
        found.append(second)
    torch.testing.assert_close(found[0], found[1], rtol=1e-6, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("make", [lambda: djgraph.compile("dj_mixer"), level])
def test_compiled_programs_take_positions_as_they_come(make: Any) -> None:
    """They are no constants: other positions, other sound, by the same program; gradients, too."""
    mixer = make()
    program = torch.compile(mixer, fullgraph=True, backend="aot_eager")
    inputs = make_inputs(mixer.graph, 1, 3000, torch.float32, 2)
    params = make_params(mixer, 1, 4, torch.float32, 2).requires_grad_()
    for places in ([0, 700, 701, 2999], [-5, 10, 1000, 4000]):
        at = torch.tensor(places)
        made, wanted = program(inputs, params, positions=at), mixer(inputs, params, positions=at)
        torch.testing.assert_close(made, wanted, rtol=0, atol=1e-6)
        gradients = [torch.autograd.grad(one.square().sum(), params)[0] for one in (made, wanted)]
        torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_exported_programs_take_positions() -> None:
    mixer = djgraph.compile("filter_knob")
    inputs = make_inputs(mixer.graph, 1, 3000, torch.float32, 2)
    params = make_params(mixer, 1, 4, torch.float32, 2)
    given = {"positions": torch.tensor([0, 700, 701, 2999])}
    file = io.BytesIO()
    torch.export.save(torch.export.export(mixer, (inputs, params), given), file)
    file.seek(0)
    program = torch.export.load(file).module()
    for places in ([0, 700, 701, 2999], [-5, 10, 1000, 4000]):
        at = torch.tensor(places)
        torch.testing.assert_close(
            program(inputs, params, positions=at), mixer(inputs, params, positions=at), rtol=0, atol=1e-6
        )
