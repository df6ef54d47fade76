"""Pictures of what the controls do. matplotlib is loaded on use."""

from __future__ import annotations

import hashlib
import os
import textwrap
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
LINE = 0.13
"""Inches of a line of text below."""
CHARACTERS = 130
"""Of a line of text below."""
MOST_BELOW = 8
"""Lines of text below."""
FRAMES = 801
"""Points of a drawn line."""
STILL = 1e-9
"""What differs by less is the same."""


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

    params: label → ``[frames, controls]``; several are drawn over one another, the second dashed. What moves is drawn,
    and what is not the same in all of them; controls that move alike share a line. What is held is named below, with
    its value unless that is its default. Raises as :func:`plot_automation`.
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
    held: dict[float, list[int]] = {}
    resting: list[int] = []
    for i, column in enumerate(layout):
        courses = [values[:, i] for values in params.values()]
        together = np.concatenate(courses)
        if np.ptp(together) > STILL:
            kind = parted(column)[1]
            alike = rows.setdefault(kind, {})
            alike.setdefault(b"".join(np.float32(course).tobytes() for course in courses), []).append(i)
        elif abs(together[0] - column.control.default) > STILL:
            held.setdefault(round(float(together[0]), 6), []).append(i)
        else:
            resting.append(i)
    below = _below(layout, held, resting)
    figure = Figure(
        figsize=(WIDTH, 0.9 + ROW * max(len(rows), 1) + LINE * (below.count("\n") + 1)), layout="constrained"
    )
    axes = figure.subplots(max(len(rows), 1), 1, sharex=True, squeeze=False)[:, 0]
    if title:
        figure.suptitle(title, fontsize=11)
    if not rows:
        axes[0].text(0.5, 0.5, "no control moves", ha="center", transform=axes[0].transAxes)
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
    figure.supxlabel(below, fontsize=6.5, color="#5b6472", x=0.01, ha="left")
    return figure


def _below(layout: ParameterLayout, held: Mapping[float, Sequence[int]], resting: Sequence[int]) -> str:
    """What does not move, in lines: what is held at which value, and what keeps its default."""
    said = []
    for value, columns in held.items():
        said.append(
            f"held at {value:g}: {', '.join(_groups([layout.names[i] for i in columns], layout.names))}"
        )
    if resting:
        said.append(
            f"at their defaults: {', '.join(_groups([layout.names[i] for i in resting], layout.names))}"
        )
    lines = [line for text in said for line in textwrap.wrap(text, CHARACTERS, subsequent_indent="    ")]
    if len(lines) > MOST_BELOW:
        count = sum(map(len, held.values())) + len(resting)
        lines = [*lines[: MOST_BELOW - 1], f"… {count} controls in all that do not move"]
    return "\n".join(lines)


def _groups(names: Sequence[str], known: Sequence[str]) -> list[str]:
    """Names that differ in one word as one, ``track_a.*.lpf``, where all that are ``known`` by it are among them."""
    found = {name: frozenset([name]) for name in names}
    while True:
        starred: dict[tuple[str, ...], list[str]] = {}
        for label in found:
            words = label.split(".")
            for place in range(len(words)):
                pattern = (*words[:place], "*", *words[place + 1 :])
                if words[place] != "*" and set(pattern) != {"*"}:
                    starred.setdefault(pattern, []).append(label)
        together = ((pattern, labels) for pattern, labels in starred.items() if len(labels) > 1)
        for pattern, labels in sorted(together, key=lambda pair: -len(pair[1])):
            members = frozenset().union(*(found[label] for label in labels))
            if members.issuperset(name for name in known if _matches(name, pattern)):
                place = list(found).index(labels[0])
                left = [(label, own) for label, own in found.items() if label not in labels]
                found = dict([*left[:place], (".".join(pattern), members), *left[place:]])
                break
        else:
            return list(found)


def _matches(name: str, pattern: Sequence[str]) -> bool:
    words = name.split(".")
    return len(words) == len(pattern) and all(one in (word, "*") for word, one in zip(words, pattern))


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
