"""Configuration files of trainings: YAML, validated like graphs, with file, line and column in every error."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import ValidationError

from djgraph.errors import DocumentError, Problem, option
from djgraph.language.faults import Fault, explain
from djgraph.language.fields import (
    CONCRETE,
    Element,
    Leaf,
    OptionalText,
    Refused,
    Text,
    Version,
    choice,
    whole,
)
from djgraph.language.fold import in_file_order
from djgraph.language.limits import Kind
from djgraph.language.load import problem, read
from djgraph.language.words import describe
from djgraph.transitions import MODELS, SEES

TRAINING = Kind("training", "training: 1")
"""Configurations of trainings: what they are called, and how large they may be."""
PRECISIONS = ("float32", "bfloat16")
"""What the network computes in; the mixer computes in single precision always."""


def _between(low: float, high: float, open_ends: bool = False) -> Leaf:
    """A number of a range, without its ends where ``open_ends``."""

    def check(value: Any) -> float:
        fits = isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
        if not fits or (open_ends and value in (low, high)):
            words = f"above {low:g} and below {high:g}" if open_ends else f"{low:g} … {high:g}"
            raise Refused(f"expected a number {words}, got {describe(value)}")
        return float(value)

    ends = ("exclusiveMinimum", "exclusiveMaximum") if open_ends else ("minimum", "maximum")
    return Leaf(check, {"type": "number", ends[0]: low, ends[1]: high})


def _groups(value: Any) -> dict[str, float]:
    if not isinstance(value, dict):
        raise Refused(f"expected patterns of controls with weights, got {describe(value)}")
    weight = _between(0, 1e6)
    for pattern in value:
        if not isinstance(pattern, str) or not pattern:
            raise Refused(f"expected a pattern of controls, such as **.gain, got {describe(pattern)}")
    return {pattern: weight.check(one) for pattern, one in value.items()}


Weight = Annotated[float, _between(0, 1e6)]
Share = Annotated[float, _between(0, 1, open_ends=True)]


class LossModel(Element):
    """The loss: the sum of these, each times its weight."""

    what = "weights of losses, {spectral: 1, neutral: 0.3}"
    spectral: Weight = 1.0
    """Multi-resolution STFT of sum and difference."""
    mel: Weight = 0.0
    """The same on mel bands."""
    loudness: Weight = 0.0
    """Difference of loudness in LU; of clips from 0.4 s."""
    neutral: Weight = 0.3
    """How far controls stand away from neutral."""
    variation: Weight = 0.0
    """How far they travel."""
    controls: Annotated[
        dict[str, float], Leaf(_groups, {"type": "object", "additionalProperties": {"type": "number"}})
    ] = {}  # noqa: RUF012 (a model's default, never shared)
    """How far they are from those that made the mix, by pattern of names: {"**.gain": 1, "**.eq_*": 0.3}."""


class TrainingModel(Element):
    """A configuration of a training."""

    what = "a configuration, training: 1"
    SCHEMA: ClassVar[str] = "training"
    training: Version
    """The version of the language."""
    corpus: Text
    """Folder of a corpus, made by djgraph dataset make; from the configuration's own folder on."""
    run: Text
    """Folder for checkpoint, log and report."""
    test: OptionalText = None
    """A corpus of other tracks to judge with, too."""
    sees: Annotated[str, choice(*SEES)] = "plan"
    """What the model gets beside the stems: a plan, or the finished mix."""
    model: Annotated[str, choice(*MODELS)] = "lstm"
    """The network."""
    hidden: Annotated[int, whole(1, 16384)] = 96
    """Its width."""
    layers: Annotated[int, whole(1, 64)] = 1
    """Its layers."""
    bands: Annotated[int, whole(1, 256)] = 8
    """Mel bands that are heard of each signal."""
    per_beat: Annotated[int, whole(1, 64)] = 4
    """Steps in a beat."""
    losses: LossModel = LossModel()
    """What is learned from."""
    epochs: Annotated[int, whole(1, 1_000_000)] = 8
    """Times that every item is heard."""
    batch: Annotated[int, whole(1, 1_000_000)] = 4
    """Items in a batch, of all processes together."""
    rate: Annotated[float, _between(0, 1, open_ends=True)] = 4e-3
    """Learning rate at its highest."""
    blur: Annotated[float, _between(0, 10)] = 0.0
    """Random shifts of what is heard while training; 1 is 80 dB."""
    held_out: Share = 0.15
    """Share of the corpus, its last items, that is not trained on."""
    precision: Annotated[str, choice(*PRECISIONS)] = "float32"
    """What the network computes in; the mixer stays in single precision."""
    seed: Annotated[int, whole(0, 2**31 - 1)] = 0
    """Of weights, order and blur."""
    workers: Annotated[int, whole(0, 1024)] = 0
    """Processes that read ahead."""
    device: Text = "auto"
    """cpu, cuda or auto."""
    start: OptionalText = None
    """A checkpoint whose weights to begin with."""

    @classmethod
    def check(cls, data: dict[str, Any]) -> list[Fault]:
        """A loss without any weight learns nothing."""
        losses = data.get("losses")
        if not isinstance(losses, dict):
            return []
        audio = [losses.get("spectral", 1.0), losses.get("mel", 0), losses.get("loudness", 0)]
        controls = losses.get("controls")
        weights = audio + (list(controls.values()) if isinstance(controls, dict) else [])
        if all(weight == 0 for weight in weights):
            return [
                Fault("every loss that compares has the weight 0: there is nothing to learn", ("losses",))
            ]
        return []

    def at(self, folder: Path) -> TrainingModel:
        """The same with paths from the working folder on, for a file in ``folder``."""
        moved = {
            name: str(folder / os.path.expanduser(path))
            for name in ("corpus", "run", "test", "start")
            if (path := getattr(self, name)) is not None
        }
        return self.model_copy(update=moved)


def load_training(source: str | os.PathLike[str] | Mapping[str, Any], **changes: Any) -> TrainingModel:
    """Read and check a configuration: a YAML or JSON file, its text, or a mapping.

    changes: keys that stand in place of the file's. Paths in a file are from its own folder on. Raises
    DocumentError that holds every problem found, with file, line and column.
    """
    given = read(source, {}, None, TRAINING)
    data = given.data
    if isinstance(data, dict):
        data = {key: value for key, value in {**data, **changes}.items() if key != "$schema"}
    try:
        model = TrainingModel.model_validate(data, context=CONCRETE)
    except ValidationError as error:
        faults = explain(error, TrainingModel)
        problems = [_placed(problem(given, fault), fault, changes) for fault in faults]
        raise DocumentError(*in_file_order(problems)) from None
    return model.at(Path(given.file).parent) if given.file else model


def _placed(found: Problem, fault: Fault, changes: Mapping[str, Any]) -> Problem:
    """A problem of what was given beside the file has no line in it, but an option."""
    name = str(fault.loc[0] if fault.loc else fault.name)
    if name not in changes:
        return found
    given = option(name, f"load_training(…, {name}=…)", f"--set {name}=…")
    return replace(found, message=f"{given}: {found.message}", position=None, path=())
