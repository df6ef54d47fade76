"""A registry with the built-in effects and a few that only these tests have, and markers in texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import djgraph_fx
import jsonschema
import pytest
from pydantic import Field, model_validator

from djgraph.effects import Control, ControlModel, Port, SettingModel, TimeEffect
from djgraph.language.schema import json_schema
from djgraph.plugins import Registry, hookimpl

Validate = Callable[[Mapping[str, Any]], None]
Marked = Callable[[str], tuple[str, int, int]]


class Hiss(TimeEffect):
    """Makes sound of its own."""

    type = "hiss"
    inputs = ()

    class Controls(ControlModel):
        level: Annotated[float, Control(0, 1, neutral=0)] = 0.0


class Duck(TimeEffect):
    """Takes a second input."""

    type = "duck"
    inputs = (Port("in"), Port("sidechain"))

    class Controls(ControlModel):
        amount: Annotated[float, Control(0, 24, neutral=0, unit="dB")] = 0.0


class Split(TimeEffect):
    """Has two outputs."""

    type = "split"
    outputs = (Port("low"), Port("high"))


class Widen(TimeEffect):
    """Takes mono and gives stereo."""

    type = "widen"
    inputs = (Port("in", 1),)
    outputs = (Port("out", 2),)


class Stereo(TimeEffect):
    """Takes stereo only."""

    type = "needs_stereo"
    inputs = (Port("in", 2),)


class Band(SettingModel):
    """One band."""

    gain: float = 1.0


class Picky(TimeEffect):
    """Has settings of many types, and controls of many kinds."""

    type = "picky"

    class Settings(SettingModel):
        count: int = Field(2, ge=1, le=8)
        mode: Literal["soft", "hard"] = "soft"
        times: tuple[float, ...] = ()
        name: str = ""
        exact: bool = False
        band: Band = Band()
        low: float = 1.0
        high: float = 2.0

        @model_validator(mode="after")
        def _ordered(self) -> Any:
            if not self.low < self.high:
                raise ValueError("low must be below high")
            return self

    class Controls(ControlModel):
        division: Annotated[float, Control(0, 4, choices=(0, 1, 2, 4), rate="clip", aliases=("beats",))] = 1.0
        tone: Annotated[float, Control(20, 20000, scale="log", unit="Hz", rate="frame")] = 1000.0
        depth: Annotated[float, Control(0, 1, neutral=0)] = 0.0


class Demanding(TimeEffect):
    """Has a setting without a default."""

    type = "demanding"

    class Settings(SettingModel):
        seconds: float


class _Plugin:
    @hookimpl
    def djgraph_effects(self) -> list[type[TimeEffect]]:
        for effect in (Hiss, Duck, Split, Widen, Stereo, Picky, Demanding):
            effect.process = lambda self, audio, controls, state, block: ({}, state)  # type: ignore[method-assign]
        return [Hiss, Duck, Split, Widen, Stereo, Picky, Demanding]


@pytest.fixture(scope="session")
def registry() -> Registry:
    registry = Registry()
    registry.register(djgraph_fx)
    registry.register(_Plugin(), name="test_effects")
    return registry


@pytest.fixture(scope="session")
def marked() -> Marked:
    """Takes the one ▸ out of a text, and says in which line and column it stood."""

    def take_out(text: str) -> tuple[str, int, int]:
        before, _, after = text.partition("▸")
        assert "▸" not in after
        return before + after, before.count("\n") + 1, len(before) - before.rfind("\n")

    return take_out


def _validator(registry: Registry | None) -> Validate:
    # Making the schema, and holding it to the schema of schemas, takes most of a second: once is enough.
    schema = json_schema(registry)
    jsonschema.Draft202012Validator.check_schema(schema)
    validate: Validate = jsonschema.Draft202012Validator(schema).validate
    return validate


@pytest.fixture(scope="session")
def validate(registry: Registry) -> Validate:
    """Raises ValidationError where the JSON Schema of the registry refuses a document."""
    return _validator(registry)


@pytest.fixture(scope="session")
def validate_installed() -> Validate:
    """The same for the schema of what is installed."""
    return _validator(None)
