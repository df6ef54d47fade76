"""Conformance checks of what an effect declares: attributes, ports, settings."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import get_args

from pydantic import BaseModel, ValidationError
from torch import nn

from djgraph.arguments import is_whole
from djgraph.effects import contract, source, twin
from djgraph.effects.checks.bench import Bench, CheckFailed, expect
from djgraph.effects.contract import AtNeutral, Effect, SpectralEffect, TimeEffect
from djgraph.effects.control import collect_controls
from djgraph.effects.source import SourceEffect

ALIKE, SHORT, ALIKE_SHORT = 0.75, 5, 0.85
"""From which share of equal letters on a name is taken for another one; for names shorter than SHORT."""
NOT_DECLARED = frozenset({"controls", "domain", "constant", "kept", "causal_twin"})
"""Public names of the bases that authors do not define."""


def check_declaration(bench: Bench) -> None:
    """The class is complete, what it declares does not contradict itself, and no attribute is a misspelt one."""
    cls = bench.effect_class
    expect(isinstance(cls.type, str), "has no `type`: it is an abstract class")
    kinds: dict[type[Effect], str] = {TimeEffect: "process", SpectralEffect: "mask", SourceEffect: "process"}
    base = next((kind for kind in kinds if issubclass(cls, kind)), None)
    if base is None:
        raise CheckFailed("is neither a TimeEffect nor a SpectralEffect nor a SourceEffect")
    method = kinds[base]
    expect(getattr(cls, method) is not getattr(base, method), f"does not define {method}()")
    expect(
        cls.controls == collect_controls(cls.type, cls.Controls), "`controls` is not what `Controls` declares"
    )
    for wrong, right in _misspelt(bench.build()):
        raise CheckFailed(f"has an attribute {wrong!r} that nothing reads; did you mean {right!r}?")
    for port in (*cls.inputs, *cls.outputs):
        count = port.channels
        expect(count is None or (is_whole(count) and count > 0), f"port {port.name}: {count!r} channels")
    if not cls.inputs and not bench.plays:
        expect(
            all(port.channels is not None for port in cls.outputs),
            "has no input, so its outputs must say how many channels they have",
        )
    if issubclass(cls, SpectralEffect):
        expect(not cls.uses_clock, "uses_clock: a spectral effect is given no clock")
    if issubclass(cls, TimeEffect):
        allowed = get_args(AtNeutral)
        expect(cls.at_neutral in allowed, f"at_neutral is {cls.at_neutral!r}, none of {', '.join(allowed)}")
    if issubclass(cls, TimeEffect) and cls.memoryless:
        frame = [control.id for control in cls.controls if control.rate == "frame"]
        expect(
            not frame,
            f"memoryless, but control {', '.join(frame)} is read per frame; read it per sample or clip",
        )


def check_settings(bench: Bench) -> None:
    """Settings compare equal, survive JSON, describe themselves and refuse unknown keys."""
    model = bench.effect_class.Settings
    expect(issubclass(model, BaseModel), "Settings is not a pydantic model")
    settings = bench.settings
    again = model.model_validate_json(settings.model_dump_json())
    expect(again == settings, f"settings change on their way through JSON: {settings!r} became {again!r}")
    model.model_json_schema()
    try:
        model.model_validate({**settings.model_dump(), "no_such_setting": 1})
    except ValidationError:
        pass
    else:
        raise CheckFailed("Settings takes keys that it does not have; derive it from SettingModel")
    try:
        setattr(settings, next(iter(model.model_fields), "anything"), None)
    except (ValidationError, ValueError):
        return
    raise CheckFailed("Settings can be changed after they are made; derive it from SettingModel")


def _misspelt(effect: Effect) -> Iterator[tuple[str, str]]:
    """Names that an author gave, and the name of the contract that each was probably meant to be.

    Only names of the contract that the author did not define can have been meant. Beside those of classes, this is
    about ``uses_clock``, which an effect may set in its ``__init__``.
    """
    modules = [one.__name__ for one in (contract, source, twin)]
    bases = [cls for cls in type(effect).__mro__ if cls.__module__ in modules]
    own = [cls for cls in type(effect).__mro__ if cls not in bases and not issubclass(nn.Module, cls)]
    meant = {name for cls in bases for name in vars(cls) if not name.startswith("_")} - NOT_DECLARED
    given = {name for cls in own for name in vars(cls)}
    for name in sorted(given - meant - NOT_DECLARED):
        if not name.startswith("_") and (guess := _nearest(name, meant - given)):
            yield name, guess
    if "uses_clock" not in given | vars(effect).keys():
        for name, value in vars(effect).items():
            if isinstance(value, bool) and name != "training" and _nearest(name, {"uses_clock"}):
                yield name, "uses_clock"


def _nearest(name: str, options: set[str]) -> str | None:
    ratios = {
        option: difflib.SequenceMatcher(None, name.lower(), option.lower()).ratio()
        for option in sorted(options)
    }
    close = [
        option
        for option, ratio in ratios.items()
        if ratio >= (ALIKE if len(option) >= SHORT else ALIKE_SHORT)
    ]
    return max(close, key=ratios.__getitem__, default=None)
