"""A picture of every control over time."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

import torch
from torch import Tensor

from djgraph.atomic import atomic_writer
from djgraph.automation.plot import check_path
from djgraph.layout import ParameterLayout
from djgraph.layout.names import parted


def plot_controls(
    path: str | os.PathLike[str],
    layout: ParameterLayout,
    params: Tensor,
    audible: Tensor,
    seconds: float,
    truth: Tensor | None = None,
) -> None:
    """Writes the picture: a panel for each strip, a line for each control; dotted where it is not audible.

    path: ``.png``, ``.svg`` or ``.pdf``. params: ``[frames, controls]``. audible: ``[blocks, controls]``, whether a
    control is heard there. seconds: length of the clip. truth: known params ``[frames, controls]``,
    drawn as thin black lines. Raises InputError for another suffix, DJGraphError where matplotlib is missing or the
    file cannot be written.
    """
    check_path(path)
    from matplotlib.figure import Figure

    strips: dict[str, list[int]] = defaultdict(list)
    for index, declared in enumerate(layout.columns):
        strips[parted(declared)[0] or "mixer"].append(index)
    columns = 2 if len(strips) > 1 else 1
    rows = -(-len(strips) // columns)
    figure = Figure(figsize=(6.5 * columns, 1.9 * rows + 0.6), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True)
    positions = layout.to_unit(params.double())
    time = torch.linspace(0, seconds, len(positions), dtype=torch.float64, device="cpu").numpy()
    nearest = torch.linspace(0, len(audible) - 1, len(positions), dtype=torch.float64, device="cpu")
    audible = audible[nearest.round().long()]
    for number, (strip, members) in enumerate(strips.items()):
        panel = axes[number % rows][number // rows]
        for colour, column in enumerate(members):
            label = parted(layout.columns[column])[1]
            values = positions[:, column]
            heard = values.where(audible[:, column], torch.nan)
            panel.plot(time, values.numpy(), ":", color=f"C{colour % 10}", linewidth=0.8, alpha=0.6)
            panel.plot(time, heard.numpy(), color=f"C{colour % 10}", linewidth=1.6, label=label)
            if truth is not None:
                known = layout.to_unit(truth.double())[:, column]
                at = torch.linspace(0, seconds, len(known), dtype=torch.float64, device="cpu").numpy()
                panel.plot(at, known.numpy(), color="black", linewidth=0.5)
        panel.set_title(strip, fontsize=9, loc="left")
        panel.set_ylim(-0.04, 1.04)
        panel.tick_params(labelsize=7)
        panel.legend(fontsize=6, ncols=3, loc="center right", framealpha=0.7)
    for number in range(len(strips), rows * columns):
        axes[number % rows][number // rows].axis("off")
    figure.supxlabel("seconds", fontsize=8)
    figure.supylabel("position, 0 … 1", fontsize=8)
    with atomic_writer(path) as file:
        figure.savefig(file, format=Path(path).suffix[1:].lower(), dpi=110)
