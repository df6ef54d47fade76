"""Effects that break their contract at run time: an error names the effect, its node, its plugin and what was due."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch
from effort import few
from runtime.documents import registry_with

import djgraph
from djgraph.compiler.lower import lower
from djgraph.effects import AmplitudeEffect, Effect, RatioEffect, SpectralEffect, TimeEffect
from djgraph.errors import EffectError
from djgraph.fitting.bands import bands_of
from djgraph.fitting.response import Response
from djgraph.graph import EffectNode, load
from djgraph.host.build import build_effects
from djgraph.inspection.costs import Workload, estimate
from djgraph.runtime.reference import Reference

GRAPH = """djgraph: 1
name: broken
sample_rate: 22050
transform: {size: 64, hop: 16}
inputs: [{name: deck}]
mixer:
  - strip: deck
    input: deck
    chain:
      - {effect: odd, id: culprit}
      - eq3
    to: mix
  - bus: mix
outputs: [mix]
"""


def boom(*_: Any) -> Any:
    raise ValueError("boom")


def passing(_: Any, audio: Any, controls: Any, state: Any, block: Any) -> Any:
    return {"out": audio["in"]}, state


def odd(base: type[Effect], **members: Any) -> type[Effect]:
    return type("Odd", (base,), {"type": "odd", "__module__": __name__, **members})


def ratio(weights: Any) -> type[Effect]:
    def constants(self: Any) -> Any:
        return {"above": torch.ones(1, self.environment.transform.bins, dtype=torch.float64)}

    return odd(RatioEffect, constants=constants, weights=weights)


RETURN = r"process\(\) must return \(\{'out': \[batch, channels, samples\]\}, state\)"
MASK = r"mask\(\) must return \[batch, frames, bins\]"


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even that")


def unspeakable(*_: Any) -> Any:
    raise Unspeakable


class Strange(BaseException):
    """No Exception, and none of Python's own either."""


def strange(*_: Any) -> Any:
    raise Strange("boom")


def sparse(_: Any, audio: Any, controls: Any, state: Any, block: Any) -> Any:
    return {"out": audio["in"].to_sparse()}, state


def on_meta(_: Any, audio: Any, controls: Any, state: Any, block: Any) -> Any:
    return {"out": audio["in"].to("meta")}, state


def module_only(self: Any, settings: Any, environment: Any) -> None:
    torch.nn.Module.__init__(self)


SUPER = r"does not call super\(\).__init__\(settings, environment\)"

CASES: list[tuple[str, type[Effect], str]] = [
    ("raise in process", odd(TimeEffect, process=boom), "ValueError: boom"),
    ("raise before a transform", odd(TimeEffect, process=boom, memoryless=True), "ValueError: boom"),
    ("raise without words", odd(TimeEffect, process=unspeakable), "message cannot be shown"),
    ("raise in __init__", odd(TimeEffect, process=passing, __init__=boom), r"__init__\(\): ValueError: boom"),
    (
        "raise in state",
        odd(TimeEffect, process=passing, initial_state=boom),
        r"initial_state\(\): ValueError",
    ),
    (
        "no state",
        odd(TimeEffect, process=passing, initial_state=lambda *_: None),
        "mapping of names to tensors",
    ),
    ("raise in latency", odd(TimeEffect, process=passing, latency=boom), r"latency\(\): ValueError"),
    ("odd latency", odd(TimeEffect, process=passing, latency=lambda s: 0.5), "whole number of samples"),
    ("None", odd(TimeEffect, process=lambda *_: None), RETURN),
    ("no audio", odd(TimeEffect, process=lambda s, a, c, t, b: (None, t)), RETURN),
    ("a tensor", odd(TimeEffect, process=lambda s, a, c, t, b: (a["in"], t)), RETURN),
    ("wrong port", odd(TimeEffect, process=lambda s, a, c, t, b: ({"uot": a["in"]}, t)), "'uot'"),
    (
        "short",
        odd(TimeEffect, process=lambda s, a, c, t, b: ({"out": a["in"][..., 1:]}, t)),
        r"\[1, 2, 999\]",
    ),
    (
        "short before a transform",
        odd(TimeEffect, process=lambda s, a, c, t, b: ({"out": a["in"][..., 1:]}, t), memoryless=True),
        RETURN,
    ),
    (
        "another type",
        odd(TimeEffect, process=lambda s, a, c, t, b: ({"out": a["in"].double()}, t)),
        "of float64, not of float32",
    ),
    (
        "a state that is lost",
        odd(
            TimeEffect,
            process=lambda s, a, c, t, b: ({"out": a["in"]}, {}),
            initial_state=lambda s, b, c, like: {"last": like.new_zeros(b, c)},
        ),
        "the state that it returned is empty, and it was given a mapping with 'last'",
    ),
    (
        "a port that it has not",
        odd(TimeEffect, process=lambda s, a, c, t, b: ({"out": a["inn"]}, t)),
        r"KeyError: 'inn'(.|\n)*it has: controls none, input ports in\n  did you mean: in$",
    ),
    (
        "a setting that it has not",
        odd(TimeEffect, process=lambda s, a, c, t, b: ({"out": s.settings.deep * a["in"]}, t)),
        "has no attribute 'deep'(.|\n)*it has: settings none$",
    ),
    ("raise in mask", odd(SpectralEffect, mask=boom), "ValueError: boom"),
    ("no mask", odd(SpectralEffect, mask=lambda s, c: None), MASK),
    ("mask of another shape", odd(SpectralEffect, mask=lambda s, c: torch.ones(7)), MASK),
    ("raise in amplitude", odd(AmplitudeEffect, amplitude=boom), "ValueError: boom"),
    ("amplitude of another shape", odd(AmplitudeEffect, amplitude=lambda s, c: torch.ones(3)), "odd"),
    ("raise in weights", ratio(boom), "ValueError: boom"),
    ("no weights", ratio(lambda s, c: None), "odd"),
    ("sparse audio", odd(TimeEffect, process=sparse), "layout sparse_coo, not a dense one"),
    ("audio without values", odd(TimeEffect, process=on_meta), "on the meta device, which holds no values"),
    (
        "state without values",
        odd(TimeEffect, process=passing, initial_state=lambda *_: {"x": torch.ones(1, device="meta")}),
        "its 'x' is a tensor .* on the meta device",
    ),
    (
        "mask without values",
        odd(SpectralEffect, mask=lambda *_: torch.ones((), device="meta")),
        "meta device",
    ),
    ("sparse mask", odd(SpectralEffect, mask=lambda *_: torch.ones(1, 1, 1).to_sparse()), "sparse_coo"),
    ("no base's __init__", odd(TimeEffect, process=passing, __init__=lambda *_: None), SUPER),
    ("own __init__ of nn.Module", odd(TimeEffect, process=passing, __init__=module_only), SUPER),
    ("an exception like no other", odd(TimeEffect, process=strange), "Strange: boom"),
    ("the same in __init__", odd(TimeEffect, process=passing, __init__=strange), "Strange: boom"),
    ("raise in constants", odd(RatioEffect, constants=boom, weights=boom), "boom"),
]


@pytest.mark.parametrize(("effect", "says"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
@pytest.mark.parametrize("engine", few(["vectors", "operators", "plain", "reference"], 2))
def test_the_error_names_node_plugin_and_place(
    effect: type[Effect], says: str, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = registry_with(effect)
    monkeypatch.setattr("djgraph.plugins.registry", lambda: registry)

    def run() -> Any:
        graph = load(GRAPH, registry=registry)
        made: Any = Reference(graph) if engine == "reference" else None
        if made is None:
            made = djgraph.Mixer(graph, simd=engine == "vectors", optimize=engine != "plain")
        return made({"deck": torch.randn(1, 2, 1000)}, made.layout.pack())

    with pytest.raises(EffectError, match=says) as caught:
        run()
    text = str(caught.value)
    assert "effect 'odd'" in text
    assert "deck.culprit (<text>:10:" in text
    if "boom" in says:
        assert (
            f"test_calls.py:{(strange if 'Strange' in says else boom).__code__.co_firstlineno + 1}, in "
            in text
        )
    assert "plugin 'more' of distribution more-effects 1.5" in text
    assert f"{__name__}.Odd" in text


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit, MemoryError, torch.OutOfMemoryError])
def test_what_is_no_fault_of_the_effect_passes(raised: type[BaseException]) -> None:
    def process(*_: Any) -> Any:
        raise raised("enough")

    made = djgraph.Mixer(load(GRAPH, registry=registry_with(odd(TimeEffect, process=process))))
    with pytest.raises(raised, match="enough"):
        made({"deck": torch.randn(1, 2, 1000)}, made.layout.pack())


@pytest.mark.slow
def test_activation_checkpoints_still_stop_early() -> None:
    """PyTorch ends the forward pass of a checkpoint by an exception of its own, which comes through effects' code."""
    from torch.utils.checkpoint import checkpoint

    class Squared(TimeEffect):
        type: ClassVar[str] = "odd"

        def process(self, audio: Any, controls: Any, state: Any, block: Any) -> Any:
            return {"out": audio["in"].square()}, state

    made = djgraph.Mixer(load(GRAPH, registry=registry_with(Squared)))
    audio = torch.randn(1, 2, 1000, requires_grad=True)
    params = made.layout.pack()
    plain = torch.autograd.grad(made({"deck": audio}, params).sum(), audio)
    kept: Any = checkpoint(lambda x: made({"deck": x}, params).sum(), audio, use_reentrant=False)
    torch.testing.assert_close(torch.autograd.grad(kept, audio), plain)


@pytest.mark.parametrize(
    "effect",
    [
        odd(TimeEffect, process=boom),
        odd(TimeEffect, process=passing, latency=boom),
        odd(SpectralEffect, mask=boom),
        odd(SpectralEffect, mask=strange),
        odd(SpectralEffect, mask=lambda s, c: torch.ones(1, 1, 1), __deepcopy__=boom),
    ],
    ids=["process", "latency", "mask", "an exception like no other", "copying"],
)
def test_estimates_of_costs_name_the_effect_as_well(effect: type[Effect]) -> None:
    graph = load(GRAPH, registry=registry_with(effect))
    plan = lower(
        graph, graph.outputs, {node.id: node.id for node in graph.nodes if isinstance(node, EffectNode)}
    )
    modules = build_effects(graph)
    with pytest.raises(EffectError, match=r"effect 'odd' failed in (.|\n)*boom(.|\n)*deck\.culprit"):
        estimate(plan, modules, Workload(1000, 1, 4))


@pytest.mark.parametrize(
    "effect",
    [
        odd(SpectralEffect, mask=boom),
        odd(TimeEffect, process=boom, memoryless=True),
        odd(TimeEffect, process=boom, memoryless=True, __init__=boom),
    ],
    ids=["mask", "process", "__init__"],
)
def test_so_does_the_response_of_a_fit(effect: type[Effect]) -> None:
    graph = load(GRAPH, registry=registry_with(effect))
    with pytest.raises(EffectError, match=r"effect 'odd' failed in (.|\n)*boom(.|\n)*deck\.culprit"):
        Response(graph, graph.outputs["mix"], bands_of(graph.sample_rate, graph.transform))
