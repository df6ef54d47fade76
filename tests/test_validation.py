"""``djgraph.validate``: what compile would refuse, told with its place; templates that nothing uses; strictness."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import djgraph_fx
import pytest

import djgraph
from djgraph.effects import Control, ControlModel, SettingModel, TimeEffect
from djgraph.errors import DocumentError, EffectError, GraphError, Problem
from djgraph.plugins import Registry, hookimpl
from djgraph.validation import validate

HEAD = "djgraph: 1\nname: x\ninputs: [{name: mic}]\n"
TAIL = "  - bus: master\noutputs: [master]\n"


class Fussy(TimeEffect):
    """Refuses some settings only when it is built."""

    type = "fussy"

    class Settings(SettingModel):
        size: int = 4

    class Controls(ControlModel):
        level: Annotated[float, Control(0, 1, neutral=1)] = 1.0

    def __init__(self, settings: Any, environment: Any) -> None:
        super().__init__(settings, environment)
        if settings.size > environment.sample_rate:
            raise ValueError(f"size {settings.size} is more than a second")

    def process(self, audio: Any, controls: Any, state: Any, block: Any) -> Any:
        return {"out": audio["in"] * controls["level"]}, state


class _Plugin:
    @hookimpl
    def djgraph_effects(self) -> list[type[TimeEffect]]:
        return [Fussy]


@pytest.fixture(scope="module")
def registry() -> Registry:
    registry = Registry()
    registry.register(djgraph_fx)
    registry.register(_Plugin(), name="fussy")
    return registry


def problems(text: str, registry: Registry, **options: Any) -> list[Problem]:
    with pytest.raises(DocumentError) as caught:
        validate(text, registry=registry, **options)
    return list(caught.value.problems)


def test_a_good_graph_comes_with_its_warnings(registry: Registry) -> None:
    text = f"{HEAD}mixer:\n  - {{strip: s, input: mic, to: master}}\n  - {{strip: t, input: mic}}\n{TAIL}"
    validated = validate(text, registry=registry)
    assert validated.graph.name == "x"
    assert [str(warning) for warning in validated.warnings] == [
        "<text>:6:13: strip 't' leads nowhere\n"
        "  at: mixer[1].strip\n"
        "  hint: give it a `to`, or list it under `outputs`"
    ]
    with pytest.raises(GraphError, match="strip 't' leads nowhere"):
        validate(text, registry=registry, strict=True)
    assert djgraph.validate("dj_mixer", strict=True).warnings == ()


def test_every_effect_that_cannot_be_built_is_told_with_its_place(registry: Registry) -> None:
    text = f"""{HEAD}mixer:
  - strip: s
    input: mic
    chain:
      - {{effect: fussy, settings: {{size: 50000}}}}
      - {{effect: fussy, id: again, settings: {{size: 50000}}}}
      - {{effect: fussy, id: other, settings: {{size: 60000}}}}
      - {{effect: fussy, id: fine}}
    to: master
{TAIL}"""
    assert djgraph.load(text, registry=registry).name == "x"
    first, second = problems(text, registry)
    assert str(first).startswith(
        "<text>:8:9: effect 'fussy' failed in __init__(): ValueError: size 50000 is more than a second"
    )
    assert (second.position.line, second.position.column) == (10, 9)  # type: ignore[union-attr]
    with pytest.raises(GraphError) as caught:
        validate(text, registry=registry)
    assert isinstance(caught.value.__cause__, EffectError)


def test_a_crossover_above_half_the_rate(registry: Registry) -> None:
    text = f"""{HEAD}sample_rate: 22050
mixer:
  - {{strip: s, input: mic, chain: [{{effect: eq3, settings: {{high: 12000}}}}], to: master}}
{TAIL}"""
    (problem,) = problems(text, registry)
    assert str(problem).startswith("<text>:6:67: eq3: the highest crossover is at 12000 Hz")


UNUSED = f"""{HEAD}args: {{rate: 2}}
templates:
  used: {{args: {{low: null}}, chain: [{{effect: eq3, settings: {{low: $low}}}}]}}
  band:
    args: {{low: null, high: 4000}}
    chain:
      - {{effect: eq3, settings: {{low: $low, high: deep}}}}
      - {{effect: eq3, settings: {{high: $high, lo: 3}}}}
      - {{effect: gain, controls: {{gain: $rate}}}}
      - {{effect: gain, controls: {{gian: 1, gain: {{max: 3}}}}}}
      - gian
      - {{use: inner, with: {{x: 1, y: 2}}}}
      - {{use: inner, with: {{x: $low}}}}
      - {{use: innner}}
      - {{effect: eq5, settings: {{low: $low}}}}
  inner: {{args: {{x: null}}, chain: [{{effect: gain, controls: {{gain: $x}}}}, {{effect: lowpas, id: z}}, $lo]}}
  deck:
    args: {{name: null}}
    mixer:
      - {{strip: $name, input: $name, chain: [gian], to: nowhere}}
      - {{bus: b, chain: [{{effect: gain, controls: {{gain: 7}}}}], to: nowhere}}
      - {{for: {{x: [1, 2]}}, do: [{{bus: b$x, chain: [eq4]}}]}}
mixer:
  - {{strip: s, input: mic, chain: [{{use: used, with: {{low: 100}}}}], to: master}}
{TAIL}"""


def test_templates_that_nothing_uses_are_checked_as_far_as_they_are_known(registry: Registry) -> None:
    assert djgraph.load(UNUSED, registry=registry).name == "x"
    found = problems(UNUSED, registry)
    assert [(p.position.line, p.message) for p in found if p.position] == [
        (10, "expected a number, got text 'deep'"),
        (11, "eq3 has no setting 'lo'"),
        (12, "2 is outside the range of gain, 0 … 1"),
        (13, "gain has no control 'gian'"),
        (13, "max 3 would widen the range of gain, 0 … 1"),
        (14, "there is no effect 'gian'"),
        (15, "template 'inner' has no argument 'y'"),
        (17, "there is no template 'innner'"),
        (18, "there is no effect 'eq5'"),
        (19, "there is no effect 'lowpas'"),
        (19, "there is no argument or variable 'lo'"),
        (23, "there is no effect 'gian'"),
        (24, "7 is outside the range of gain, 0 … 1"),
        (25, "there is no effect 'eq4'"),
    ]
    assert "in template 'band', which nothing uses" in str(found[0])
    assert "in 2 of 2: x = 1, 2" in str(found[-1])


def test_mistakes_of_the_text_and_of_templates_come_together(registry: Registry) -> None:
    assert len(problems(UNUSED.replace("name: x", "nmae: x"), registry)) == 15


def test_arguments_are_those_of_load(registry: Registry, tmp_path: Path) -> None:
    path = tmp_path / "g.yaml"
    path.write_text(f"{HEAD}args: {{low: null}}\nmixer:\n  - {{strip: s, input: mic, to: master}}\n{TAIL}")
    assert validate(path, registry=registry, low=3).graph.file == str(path)
    assert "argument 'low' needs a value" in str(problems(str(path), registry)[0])
