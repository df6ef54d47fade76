"""Pictures of what the controls do. matplotlib is loaded on use."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from djgraph.automation.automation import Automation, Target, layout_of
from djgraph.automation.curves import Tempo
from djgraph.errors import DJGraphError, InputError
from djgraph.layout import ParameterLayout
from djgraph.layout.names import parted

FORMATS = (".svg", ".png", ".pdf")
COLOURS = ("#2563eb", "#ea580c", "#16a34a", "#9333ea", "#64748b", "#db2777", "#ca8a04", "#0891b2")
ROW, WIDTH = 1.15, 7.0
"""Inches."""
FRAMES = 801
"""Points of a drawn line."""


def plot_automation(
    auto: Automation,
    layout: Target,
    path: str | os.PathLike[str],
    duration: float,
    tempo: Tempo | None = None,
) -> None:
    """Draw an automation to an ``.svg``, ``.png`` or ``.pdf`` file; arguments as for :meth:`Automation.render`.

    Raises AutomationError for what does not fit, InputError for another ending, and DJGraphError where
    matplotlib is not installed or the file cannot be written.
    """
    layout = layout_of(layout)
    params = auto.render(layout, n_frames=FRAMES, duration=duration, tempo=tempo)
    plot_params(layout, {"": params}, path, duration, auto.title or auto.name)


def plot_params(
    layout: ParameterLayout,
    params: Mapping[str, Tensor],
    path: str | os.PathLike[str],
    duration: float,
    title: str = "",
) -> None:
    """Draw params over time: a row for each kind of control, a line for each course.

    params: label → ``[frames, controls]``; several are drawn over one another, the second dashed. Controls that
    keep their default in all of them are left out, and controls that move alike share a line. Raises as
    :func:`plot_automation`.
    """
    check_path(path)
    for tensor in params.values():
        layout.check(tensor)
        if tensor.ndim != 2:
            raise InputError(f"expected params [frames, controls] to draw, got {list(tensor.shape)}")
    courses = {label: tensor.detach().cpu().double().numpy() for label, tensor in params.items()}
    figure = _draw(layout, courses, duration, title)
    _write(figure, path, digest(courses, duration))


def digest(courses: Mapping[str, Any], duration: float) -> str:
    """16 hex digits for what a picture shows; an SVG carries them, so that a test can tell when it is out of
    date.

    courses: label → array ``[frames, controls]``.
    """
    digest = hashlib.sha256(repr(float(duration)).encode())
    for label, values in courses.items():
        digest.update(label.encode() + np.round(np.asarray(values) * 1000).astype("<i4").tobytes())
    return digest.hexdigest()[:16]


def check_path(path: str | os.PathLike[str]) -> None:
    """Raise where no picture can come to be there, matplotlib's absence included; for asking before work."""
    from djgraph.atomic import check_target

    if Path(path).suffix.lower() not in FORMATS:
        raise InputError(f"{path}: pictures are written to {', '.join(FORMATS)}")
    check_target(path)
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise DJGraphError("drawing needs matplotlib: pip install 'djgraph[plot]'") from None


def _draw(layout: ParameterLayout, params: Mapping[str, Any], duration: float, title: str) -> Any:
    from matplotlib.figure import Figure

    rows: dict[str, dict[bytes, list[int]]] = {}
    for i, column in enumerate(layout):
        courses = [values[:, i] for values in params.values()]
        if any(np.abs(course - column.control.default).max() > 1e-9 for course in courses):
            kind = parted(column)[1]
            alike = rows.setdefault(kind, {})
            alike.setdefault(b"".join(np.float32(course).tobytes() for course in courses), []).append(i)
    figure = Figure(figsize=(WIDTH, 0.9 + ROW * max(len(rows), 1)), layout="constrained")
    axes = figure.subplots(max(len(rows), 1), 1, sharex=True, squeeze=False)[:, 0]
    if title:
        figure.suptitle(title, fontsize=11)
    if not rows:
        axes[0].text(0.5, 0.5, "every control keeps its default", ha="center", transform=axes[0].transAxes)
    for axis, (kind, alike) in zip(axes, rows.items()):
        control = layout.columns[next(iter(alike.values()))[0]].control
        for number, columns in enumerate(alike.values()):
            for style, (label, values) in zip(("-", "--", ":"), params.items()):
                time = np.linspace(0, duration, len(values))
                name = _common([layout.names[i] for i in columns]) + (f", {label}" if label else "")
                colour = COLOURS[number % len(COLOURS)]
                axis.plot(time, values[:, columns[0]], style, color=colour, label=name, linewidth=1.6)
        margin = 0.06 * (control.max - control.min)
        axis.set_ylim(control.min - margin, control.max + margin)
        axis.set_ylabel(kind if control.unit == "ratio" else f"{kind}\n{control.unit}", fontsize=8)
        axis.tick_params(labelsize=7)
        axis.grid(alpha=0.25)
        axis.legend(fontsize=6.5, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    axes[-1].set_xlabel("seconds", fontsize=8)
    axes[-1].set_xlim(0, duration)
    return figure


def _common(names: Sequence[str]) -> str:
    """One label for several names: ``track_a.*.gain``; the first and a count where they differ in depth."""
    parts = [name.split(".") for name in names]
    if len({len(part) for part in parts}) == 1:
        label = ".".join(words[0] if len(set(words)) == 1 else "*" for words in zip(*parts))
        if label.count("*") == (len(names) > 1):
            return label
    return f"{names[0]} and {len(names) - 1} more"


def _write(figure: Any, path: str | os.PathLike[str], what: str) -> None:
    import matplotlib

    from djgraph.atomic import atomic_writer

    suffix = Path(path).suffix.lower()
    # Without a date, and with ids that do not change, so that the same picture is the same file.
    settings: Any = {"svg.hashsalt": "djgraph", "svg.fonttype": "none"}
    metadata = {".svg": {"Date": None, "Description": what}, ".pdf": {"CreationDate": None}}.get(suffix)
    with matplotlib.rc_context(settings), atomic_writer(path) as file:
        figure.savefig(file, format=suffix[1:], dpi=150, metadata=metadata)
