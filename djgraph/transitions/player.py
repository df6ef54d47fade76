"""A trained model of transitions, read from its checkpoint: what it proposes for the tracks that it hears."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import torch
from pydantic import Field, ValidationError
from torch import Tensor, nn

from djgraph.checkpoint import Mixable, load
from djgraph.errors import CheckpointError, InputError
from djgraph.layout import ParameterLayout
from djgraph.reading import Stored
from djgraph.transitions.models import build_model
from djgraph.transitions.senses import Plan, Senses

if TYPE_CHECKING:
    from collections.abc import Mapping

    from djgraph.features import BeatGrid

FRAMES_PER_SECOND = 20
NAMED = "checkpoint.safetensors"
"""The checkpoint in the folder of a run."""
Name = Annotated[str, Field(min_length=1, max_length=200)]


class _Senses(Stored):
    """Of a checkpoint: what :class:`Senses` has."""

    sees: Literal["plan", "mix"]
    signals: Annotated[list[Name], Field(min_length=1, max_length=1000)]
    sample_rate: Annotated[int, Field(ge=1000, le=1_000_000)]
    recipes: Annotated[list[Name], Field(max_length=1000)]
    bands: Annotated[int, Field(ge=1, le=256)] = 8
    per_beat: Annotated[int, Field(ge=1, le=64)] = 4


class _About(Stored):
    senses: _Senses
    hidden: Annotated[int, Field(ge=1, le=16384)]
    model: Literal["lstm", "transformer", "flow"] = "lstm"
    layers: Annotated[int, Field(ge=1, le=64)] = 1


@dataclass(frozen=True)
class TransitionPlayer:
    """A model, what it gets, and the layout that it plays. path: of its checkpoint. remapped: whether it was trained
    for another layout, and what it learned was carried over by name."""

    model: nn.Module
    senses: Senses
    layout: ParameterLayout
    path: Path
    remapped: bool = False

    def signals(self, inputs: Mapping[str, object]) -> dict[str, Tensor]:
        """What it hears of inputs, by signal (``track_a.drums``, or ``track_a`` without stems). InputError for
        one that there is not."""
        found: dict[str, Tensor] = {}
        for name in self.senses.signals:
            track, _, stem = name.partition(".")
            value = inputs.get(track)
            if stem and isinstance(value, dict):
                value = value.get(stem)
            if not isinstance(value, Tensor):
                raise InputError(
                    f"{self.path.name} listens to {name}, which is not among what is played: {', '.join(inputs)}"
                )
            found[name] = value
        return found

    def propose(
        self,
        signals: Mapping[str, Tensor],
        grid: BeatGrid,
        *,
        mix: Tensor | None = None,
        plan: Plan | None = None,
    ) -> Tensor:
        """Controls ``[frames, controls]`` in plain units, 20 frames a second over the clip.

        signals: each ``[channels, samples]`` at the senses' rate, as long as the grid. mix: of the same length, for a
        model that listens to one. plan: for a model that is told one. Raises InputError where that is missing, and for
        a transition that does not fit into the clip or was not learned.
        """
        seconds = grid.seconds
        if self.senses.sees == "mix" and mix is None:
            raise InputError("this model listens to a mix, and none is given")
        if self.senses.sees == "plan":
            if plan is None:
                raise InputError(
                    f"this model plays what is planned: which transition ({', '.join(self.senses.recipes)}), when, "
                    "and how long"
                )
            if not 0 <= plan.start <= plan.start + plan.length <= seconds:
                raise InputError(
                    f"{plan.length:g} s from {plan.start:g} s on do not fit into tracks of {seconds:.2f} s"
                )
        features = self.senses(signals, grid, mix=mix, plan=plan)
        frames = round(seconds * FRAMES_PER_SECOND) + 1
        with torch.inference_mode():
            params: Tensor = self.model(features[None], grid.spread(frames)[None])[0]
        return params.clone()


def load_player(
    path: str | os.PathLike[str],
    mixer: Mixable | None = None,
    *,
    remap: bool = False,
    other_sound: bool = False,
) -> TransitionPlayer:
    """The model of a run: a checkpoint, or the folder that holds it. Nothing in it is run.

    mixer: what it is to play (default: the layout that it was trained for). remap, other_sound: as of
    :meth:`djgraph.checkpoint.Checkpoint.load_model`. Raises CheckpointError where there is none, one of another model
    or of another sound; LayoutError for one of another layout.
    """
    path = Path(path)
    saved = load(path / NAMED if path.is_dir() else path)
    try:
        about = _About.model_validate(saved.part("about"))
    except ValidationError as problem:
        error = problem.errors()[0]
        where = ".".join(map(str, error["loc"]))
        raise CheckpointError(
            f"{saved.path} was not written by a training of transitions: {where}: {error['msg']}"
        ) from problem
    told = about.senses
    senses = Senses(
        told.sees, tuple(told.signals), told.sample_rate, tuple(told.recipes), told.bands, told.per_beat
    )
    target: Mixable = saved.layout if mixer is None else mixer
    layout = target if isinstance(target, ParameterLayout) else _layout(target)
    model = build_model(about.model, senses.size, layout, about.hidden, about.layers)
    moved = saved.load_model(model, target, remap=remap, other_sound=other_sound)
    return TransitionPlayer(model.eval(), senses, layout, saved.path, moved)


def _layout(mixer: Mixable) -> ParameterLayout:
    from djgraph.graph.ir import Graph

    if isinstance(mixer, Graph):
        return ParameterLayout.from_graph(mixer)
    found = getattr(mixer, "layout", None)
    if not isinstance(found, ParameterLayout):
        raise InputError(f"expected a mixer, its graph, or its layout, got a {type(mixer).__name__}")
    return found
