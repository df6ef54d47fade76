"""The verdict: how close a model, a linear crossfade, the recipe itself and the truth come to the mixes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from djgraph import metrics
from djgraph.automation import load
from djgraph.evaluation import evaluate
from djgraph.mixer import Mixer
from djgraph.seed.crossfade import SimpleCrossfader
from djgraph.training.clips import Transitions, collate
from djgraph.training.progress import Progress, Silent

Player = Callable[[dict[str, Any]], Tensor]
"""Params ``[batch, frames, controls]`` for a batch."""
LINEAR = "linear crossfade"
FIGURES = (
    "si_sdr_db",
    "spectral_distance",
    "loudness_lu",
    "two_basses",
    "two_vocals",
    "hole_lu",
    "jump_lu",
    "keys",
)
"""What is told beside the loss; those after ``loudness_lu`` where faults are asked for."""


def baselines(data: Transitions) -> dict[str, Player]:
    """What a model is held against, each told when the transition begins and ends.

    The linear crossfade; where plans are known, the recipe by its name with its own amounts; and the truth: the
    controls that made the mix.
    """
    layout, settings = data.corpus.layout, data.corpus.settings
    fader = SimpleCrossfader("linear", layout=layout)

    def linear(batch: dict[str, Any]) -> Tensor:
        frames = batch["params"].shape[1]
        rows = []
        for start, length in batch["plan"].tolist():
            if math.isnan(start):  # random curves: it takes the whole clip
                start, length = 0.0, settings.seconds
            first = min(max(start / settings.seconds, 0.0), 0.999)
            last = min(max((start + length) / settings.seconds, first + 1e-3), 1.0)
            rows.append(fader(frames, 1, cue_in=first, cue_out=last))
        return torch.cat(rows)

    def recipe(batch: dict[str, Any]) -> Tensor:
        rows = []
        for name, (start, length), tempo in zip(
            batch["name"], batch["plan"].tolist(), batch["tempo"].tolist()
        ):
            when = {} if math.isnan(start) else {"start": start} | ({"length": length} if length else {})
            auto = load(name, **when)
            frames = batch["params"].shape[1]
            rows.append(auto.render(layout, n_frames=frames, duration=settings.seconds, tempo=tempo))
        return torch.stack(rows).float()

    players: dict[str, Player] = {LINEAR: linear}
    if settings.curves == 0:
        players["recipe as it ships"] = recipe
    return players | {"truth": lambda batch: batch["params"]}


def judge(
    players: Mapping[str, Player],
    mixer: Mixer,
    data: Transitions,
    loss: Callable[[Tensor, Tensor], Tensor],
    *,
    batch_size: int,
    device: torch.device,
    progress: Progress | None = None,
    faults: bool = False,
) -> dict[str, Any]:
    """Figures for each player, as JSON can hold them: means over the items, and the loss of each item.

    loss: of mix and target, ``[batch, …]``: a value for each item. ``si_sdr_db``: of the mix (the mean of decibels).
    ``moved`` and ``idle``: how far controls are from the truth, as a share of their travel, those that the truth
    moves away from their default and those that it leaves alone. ``loudness_lu``: by how many LU the mix is louder or
    quieter. With ``faults`` what goes wrong in the transition, too (docs/metrics.md). ``margin`` compares ``model``
    with the linear crossfade.
    """
    layout = data.corpus.layout
    default = layout.to_unit(layout.default.double())
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in players}
    loader = DataLoader(data, batch_size=batch_size, collate_fn=collate)
    with progress or Silent() as bar, torch.no_grad():
        bar.begin("judging", len(data))
        for batch in loader:
            inputs, target = _on(batch["inputs"], device), batch["mix"].to(device)
            true = layout.to_unit(batch["params"].double())
            moves = (true - default).abs().amax(1) > 1e-6
            for name, player in players.items():
                params = player(batch)
                played = evaluate(
                    mixer, inputs, params.to(device), target=target, faults=faults, tempo=batch["tempo"]
                )
                params = params.cpu()
                figures = {name: played.figures[name] for name in FIGURES if name in played.figures}
                if "loudness_lu" in figures:
                    figures["loudness_lu"] = figures["loudness_lu"].abs()
                found = {
                    "loss": loss(played.mix, target).flatten(1).mean(1),
                    **figures,
                    "moved": metrics.control_error(params, batch["params"], layout, counts=moves),
                    "idle": metrics.control_error(params, batch["params"], layout, counts=~moves),
                }
                columns = [values.tolist() for values in found.values()]
                rows[name] += [dict(zip(found, row)) for row in zip(*columns)]
            bar.advance(len(target))
    means = {
        name: {key: sum(row[key] for row in found) / len(found) for key in found[0]}
        for name, found in rows.items()
    }
    return {
        "corpus": str(data.corpus.root),
        "items": len(data),
        "players": means,
        "margin": _margin(rows["model"], rows[LINEAR]),
        "losses": {name: [round(row["loss"], 6) for row in found] for name, found in rows.items()},
    }


def show(report: Mapping[str, Any]) -> str:
    """The report for people."""
    lines = [
        f"{report['items']} transitions of {report['corpus']} that were not trained on",
        f"{'':<20} {'loss':>8} {'SI-SDR':>10} {'controls moved, left alone':>28}",
    ]
    for name, found in report["players"].items():
        errors = f"{100 * found['moved']:.1f} %, {100 * found['idle']:.1f} % off"
        lines.append(f"{name:<20} {found['loss']:>8.4f} {found['si_sdr_db']:>7.1f} dB {errors:>28}")
    margin = report["margin"]
    side = "below" if margin["loss"] >= 0 else "above"
    lines.append(
        f"the model's loss is {100 * abs(margin['loss']):.0f} % {side} that of the linear crossfade, its SI-SDR"
        f" {margin['si_sdr_db']:+.1f} dB; it is closer in {margin['closer']} of {report['items']}"
    )
    return "\n".join(lines)


def _margin(model: list[dict[str, float]], linear: list[dict[str, float]]) -> dict[str, float]:
    def mean(rows: list[dict[str, float]], key: str) -> float:
        return sum(row[key] for row in rows) / len(rows)

    return {
        "loss": 1 - mean(model, "loss") / max(mean(linear, "loss"), 1e-12),
        "si_sdr_db": mean(model, "si_sdr_db") - mean(linear, "si_sdr_db"),
        "closer": sum(a["loss"] < b["loss"] for a, b in zip(model, linear)),
    }


def _on(value: Any, device: torch.device) -> Any:
    if isinstance(value, dict):
        return {key: _on(item, device) for key, item in value.items()}
    return value.to(device)
