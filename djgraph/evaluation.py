"""How good a mix is, and how near its controls are: every figure of merit behind one function."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from djgraph import losses, metrics
from djgraph.errors import InputError
from djgraph.mixer import Mixer
from djgraph.reports import Part, contributions, parts_of

LEAST = 0.4
"""Seconds that a clip has to last for its loudness, and for what goes wrong in it."""

__all__ = ["Evaluation", "evaluate"]


@dataclass(frozen=True)
class Evaluation:
    """What was measured. figures: name → ``[batch]`` float64. mix: what was measured, ``[batch, channels,
    samples]``."""

    figures: Mapping[str, Tensor]
    mix: Tensor

    def means(self) -> dict[str, float]:
        """The means over the batch."""
        return {name: float(values.mean()) for name, values in self.figures.items()}


@torch.no_grad()
def evaluate(
    mixer: Mixer,
    inputs: Mapping[str, Any],
    params: Tensor,
    *,
    target: Tensor | None = None,
    truth: Tensor | None = None,
    groups: Mapping[str, str | Sequence[str]] | None = None,
    faults: bool = False,
    tempo: float | Tensor | None = None,
) -> Evaluation:
    """Mix, and measure: a value for each item of the batch, without gradients.

    inputs, params, tempo: as the mixer takes them; of several outputs the first is measured. With a ``target``
    ``[batch, channels, samples]``: ``si_sdr_db``, ``sdr_db``, ``spectral_distance``, and ``loudness_lu``, by how much
    the mix is louder. Always ``loudness_lufs``. With the ``truth``, controls ``[batch, frames, controls]`` in plain
    units: ``control_error``, the mean distance as a share of each control's travel, and ``control_error NAME`` of
    every group of ``groups`` (name → patterns; default: by :func:`djgraph.losses.control_groups`). With ``faults``,
    for two tracks and more, what goes wrong in the transition, as reports measure it (docs/reports.md):
    ``two_basses``, ``two_vocals``, ``keys``, ``not_heard``, ``cancellation`` (0 … 1), ``hole_lu``, ``jump_lu``,
    ``clipping_db``; of what a graph's stems do not tell apart there is no figure.

    Clips below 0.4 s have no loudness and no faults. Raises InputError for shapes that do not fit, and as the mixer
    does.
    """
    mixed = mixer(inputs, params, tempo=tempo)
    mix = mixed if isinstance(mixed, Tensor) else next(iter(mixed.values()))
    rate, batch = mixer.graph.sample_rate, len(mix)
    long = mix.shape[-1] >= LEAST * rate
    figures: dict[str, Tensor] = {}
    if target is not None:
        figures["si_sdr_db"] = metrics.si_sdr(mix, target)
        figures["sdr_db"] = metrics.sdr(mix, target)
        figures["spectral_distance"] = metrics.spectral_distance(mix, target)
        if long:
            figures["loudness_lu"] = metrics.loudness_difference(mix, target, rate)
    if long:
        figures["loudness_lufs"] = metrics.loudness(mix, rate)
    if truth is not None:
        figures |= _errors(mixer, params, truth, groups)
    if faults and long:
        figures |= _faults(mixer, inputs, params, mix, tempo)
    return Evaluation({name: values.double().cpu().expand(batch) for name, values in figures.items()}, mix)


def _errors(
    mixer: Mixer, params: Tensor, truth: Tensor, groups: Mapping[str, str | Sequence[str]] | None
) -> dict[str, Tensor]:
    layout = mixer.layout
    if not isinstance(truth, Tensor) or truth.ndim != params.ndim:
        raise InputError("truth: expected controls of the same shape as params")
    found = {"control_error": metrics.control_error(params, truth, layout)}
    for name, patterns in (losses.control_groups(layout) if groups is None else groups).items():
        found[f"control_error {name}"] = metrics.control_error(params, truth, layout, patterns)
    return found


def _faults(
    mixer: Mixer, inputs: Mapping[str, Any], params: Tensor, mix: Tensor, tempo: float | Tensor | None
) -> dict[str, Tensor]:
    rate = mixer.graph.sample_rate
    found = {
        "hole_lu": losses.loudness_hole(mix, rate, reduction="none"),
        "jump_lu": losses.loudness_jump(mix, rate, reduction="none"),
        "clipping_db": losses.clipping(mix, rate, reduction="none"),
    }
    if len(inputs) < 2:
        return found
    how: dict[str, Any] = {} if tempo is None else {"tempo": _for_parts(mixer, inputs, tempo)}
    parts = contributions(mixer, inputs, params, **how)

    def tracks(wanted: Callable[[Part], bool]) -> list[Tensor]:
        """What of each track is wanted, added up."""
        by_track: dict[str, list[Tensor]] = {}
        for part, audio in parts.items():
            if wanted(part):
                by_track.setdefault(part.track, []).append(audio)
        return [torch.stack(several).sum(0) for several in by_track.values()]

    measures: tuple[tuple[str, Callable[..., Tensor], Callable[[Part], bool]], ...] = (
        ("two_basses", losses.bass_overlap, lambda part: part.kind in ("bass", "whole")),
        ("two_vocals", losses.vocal_overlap, lambda part: part.kind == "vocals"),
        ("keys", losses.key_clash, lambda part: part.kind != "drums"),
        ("not_heard", losses.inaudible, lambda part: True),
        ("cancellation", losses.cancellation, lambda part: True),
    )
    for name, measure, wanted in measures:
        heard = tracks(wanted)
        if len(heard) > 1:
            found[name] = measure(heard, rate, reduction="none")
    return found


def _for_parts(mixer: Mixer, inputs: Mapping[str, Any], tempo: float | Tensor) -> float | Tensor:
    """All parts go through the mixer as one batch, one after the other."""
    if not isinstance(tempo, Tensor) or not tempo.ndim or len(tempo) == 1:
        return tempo
    return tempo.repeat(len(parts_of(mixer.graph, inputs)), *(1 for _ in tempo.shape[1:]))
