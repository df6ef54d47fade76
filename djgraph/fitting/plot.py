"""A picture of every control over time: a panel for each kind of control, in it a lane for each that has one."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from djgraph.atomic import atomic_writer
from djgraph.automation.plot import check_path
from djgraph.errors import InputError
from djgraph.fitting.around import AROUND, UNTOLD, Around, draw_around
from djgraph.fitting.panels import Panel, arrange, panels
from djgraph.layout import ParameterLayout
from djgraph.text import one_line

FOUND, PLAYED, OFF, UNHEARD = "#2563eb", "#d97706", "#fecaca", "#e2e5ea"
INK, QUIET, HAIR = "#111827", "#6b7280", "#d1d5db"
SHORTEST = 0.01
"""A gap in which a control is not heard is greyed if it is longer than this share of the clip."""
SPECK = 0.0025
"""Between gaps, a moment in which it is heard is left white if it is longer than this share."""
TALL = 0.78
"""Of a lane's height, what the range of a control takes."""
WIDTHS = {1: 7.0, 2: 9.0, 3: 11.0}
"""Inches, by how many panels stand side by side."""
EDGE, BETWEEN, TITLE, HEAD, FOOT = 0.16, 0.24, 0.27, 0.34, 0.5
LANE = (0.24, 0.62)
"""Least and greatest height of a lane."""
GOOD = 7.0
"""Height that all lanes together are given, if they fit."""
MOST = 300.0
"""Height beyond which lanes get smaller: pictures of more pixels are not drawn."""
KIND, LABEL, SMALL = 9.0, 8.0, 7.0
"""Points."""
LONGEST = 1.7
"""Inches that the name of a lane may take."""


def plot_controls(
    path: str | os.PathLike[str],
    layout: ParameterLayout,
    params: Tensor,
    audible: Tensor,
    seconds: float,
    truth: Tensor | None = None,
    around: Around | None = None,
) -> None:
    """Write :func:`draw_controls` to ``path``: ``.png``, ``.svg`` or ``.pdf``.

    Raises InputError for another suffix or for shapes that do not fit, DJGraphError where matplotlib is missing or the
    file cannot be written.
    """
    check_path(path)
    figure = draw_controls(layout, params, audible, seconds, truth, around)
    with atomic_writer(path) as file:
        figure.savefig(file, format=Path(path).suffix[1:].lower(), dpi=130)


def draw_controls(
    layout: ParameterLayout,
    params: Tensor,
    audible: Tensor,
    seconds: float,
    truth: Tensor | None = None,
    around: Around | None = None,
) -> Any:
    """The picture as a figure of matplotlib's: an axes for each kind of control, in it a lane for each control.

    params: ``[frames, controls]``, plain units. audible: ``[blocks, controls]``, whether a control is heard there;
    where it is not for longer than a hundredth of the clip, its lane is grey and its line thin and dotted. seconds:
    length of the clip. around: intervals, drawn behind the curve; where they say nothing though a control is heard,
    its lane is violet. truth: known params ``[frames, controls]``, dashed in another colour; what lies between the
    two is red where it is heard. A lane goes from a control's minimum to its maximum along its scale. Raises InputError
    for shapes that do not fit.
    """
    given = {"params": params, "audible": audible, "truth": truth}
    if around is not None:
        given |= {"low": around.low, "high": around.high, "told": around.told}
    for name, tensor in given.items():
        if tensor is not None and (tensor.ndim != 2 or tensor.shape[1] != len(layout) or not len(tensor)):
            raise InputError(f"{name} are {list(tensor.shape)}, expected [frames, {len(layout)}]")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(facecolor="white")
    canvas = FigureCanvasAgg(figure)
    rows = arrange(panels(layout))
    sheet = _Sheet(rows, _Ruler(canvas.get_renderer()))
    figure.set_size_inches(sheet.width, sheet.height)
    course = _Course.of(layout, params, seconds)
    known = None if truth is None else _Course.of(layout, truth, seconds)
    heard = np.stack([_calm(column) for column in audible.cpu().numpy().T], 1)
    lowest = [max(i for i, row in enumerate(rows) if len(row) > place) for place in range(len(rows[0]))]
    for number, row in enumerate(rows):
        for place, panel in enumerate(row):
            axes = figure.add_axes(sheet.box(number, place))
            _frame(axes, seconds, len(panel.owners), number == lowest[place])
            _title(axes, panel, sheet)
            _lanes(axes, panel, layout, course, known, heard)
            if around is not None:
                _around(axes, panel, layout, course, around, heard)
            if place == 0 or row[place - 1].owners != panel.owners:
                for lane, owner in enumerate(panel.owners):
                    name_lane(axes, lane, sheet.names[owner])
    _legend(figure, sheet, known is not None, around is not None)
    return figure


@dataclass(frozen=True)
class _Course:
    """time: ``[frames]`` in seconds. positions: ``[frames, controls]``, 0…1."""

    time: NDArray[Any]
    positions: NDArray[Any]

    @classmethod
    def of(cls, layout: ParameterLayout, params: Tensor, seconds: float) -> _Course:
        positions = layout.to_unit(params.detach().cpu().double()).numpy()
        return cls(np.linspace(0, seconds, len(positions)), positions)


class _Ruler:
    """How wide text is, in inches, and text cut to a width."""

    def __init__(self, renderer: Any) -> None:
        self._renderer = renderer

    def width(self, text: str, size: float, bold: bool = False) -> float:
        from matplotlib.font_manager import FontProperties

        font = FontProperties(size=size, weight="bold" if bold else "normal")
        wide, _, _ = self._renderer.get_text_width_height_descent(text, font, False)
        return float(wide / self._renderer.dpi)

    def fitted(self, text: str, size: float, room: float, bold: bool = False) -> str:
        """The text, or its beginning and its end with ``…`` between: names of strips differ at either."""
        if self.width(text, size, bold) <= room:
            return text
        for kept in range(len(text) - 1, 1, -1):
            cut = f"{text[: kept - kept // 2]}…{text[len(text) - kept // 2 :]}"
            if self.width(cut, size, bold) <= room:
                return cut
        return "…"

    def names(self, owners: Iterable[str], size: float, room: float) -> dict[str, str]:
        """Names that fit. Those that would look alike when cut begin where they differ."""
        cut = {owner: self.fitted(one_line(owner), size, room) for owner in owners}
        for short in {text for text, count in Counter(cut.values()).items() if count > 1}:
            alike = [owner for owner, text in cut.items() if text == short]
            same = next(i for i, letters in enumerate(zip(*alike)) if len(set(letters)) > 1)
            cut |= {owner: self.fitted("…" + one_line(owner[same:]), size, room) for owner in alike}
        return cut


class _Sheet:
    """Where the panels stand. Inches from the upper left; matplotlib wants shares from the lower left."""

    def __init__(self, rows: Sequence[Sequence[Panel]], ruler: _Ruler) -> None:
        across = len(rows[0])
        self.width = WIDTHS[across]
        self.ruler = ruler
        owners = dict.fromkeys(owner for row in rows for panel in row for owner in panel.owners)
        self.names = ruler.names(owners, LABEL, LONGEST)
        rooms = []
        for place in range(across):
            shown = [
                max(ruler.width(self.names[owner], LABEL) for owner in row[place].owners) + 0.12
                for row in rows
                if len(row) > place and (place == 0 or row[place - 1].owners != row[place].owners)
            ]
            rooms.append(max(shown, default=0.0))
        wide = (self.width - 2 * EDGE - sum(rooms) - BETWEEN * (across - 1)) / across
        self.wide = wide
        self._left = [EDGE + sum(rooms[: place + 1]) + (wide + BETWEEN) * place for place in range(across)]
        lanes = [max(len(panel.owners) for panel in row) for row in rows]
        self._lane = min(max(GOOD / sum(lanes), LANE[0]), LANE[1], MOST / sum(lanes))
        self._lanes = [[len(panel.owners) for panel in row] for row in rows]
        tops, at = [], HEAD
        for most in lanes:
            tops.append(at + TITLE)
            at += TITLE + most * self._lane + 0.1
        self._tops = tops
        self.height = at + FOOT - 0.1

    def box(self, row: int, place: int) -> tuple[float, float, float, float]:
        """Left, bottom, width and height of a panel, as shares of the figure."""
        tall = self._lanes[row][place] * self._lane
        bottom = self.height - self._tops[row] - tall
        return (
            self._left[place] / self.width,
            bottom / self.height,
            self.wide / self.width,
            tall / self.height,
        )


def _frame(axes: Any, seconds: float, lanes: int, lowest: bool) -> None:
    """The empty panel: time, lines between lanes."""
    axes.set_xlim(0, seconds)
    axes.set_ylim(lanes, 0)
    axes.set_yticks([])
    axes.tick_params(axis="x", labelsize=SMALL, colors=QUIET, length=2.5 if lowest else 0, labelbottom=lowest)
    if lowest:
        axes.set_xlabel("seconds", fontsize=SMALL, color=QUIET, labelpad=2)
    axes.grid(axis="x", color=HAIR, linewidth=0.5, alpha=0.6)
    axes.set_axisbelow(True)
    for line in range(1, lanes):
        axes.axhline(line, color=HAIR, linewidth=0.6, zorder=1)
    for spine in axes.spines.values():
        spine.set(color=HAIR, linewidth=0.8)


def _title(axes: Any, panel: Panel, sheet: _Sheet) -> None:
    """The kind of control, and what a lane covers where there is room for it."""
    room = sheet.wide - 0.1
    kind = sheet.ruler.fitted(one_line(panel.kind), KIND, room, bold=True)
    left = room - sheet.ruler.width(kind, KIND, bold=True)
    texts = [("left", kind, {"fontsize": KIND, "fontweight": "bold", "color": INK})]
    if sheet.ruler.width(panel.range, SMALL) <= left:
        texts.append(("right", panel.range, {"fontsize": SMALL, "color": QUIET}))
    for side, text, style in texts:
        axes.set_title(text, loc=side, pad=4, parse_math=False, **style)


def _lanes(
    axes: Any,
    panel: Panel,
    layout: ParameterLayout,
    found: _Course,
    known: _Course | None,
    heard: NDArray[Any],
) -> None:
    for lane, column in enumerate(panel.columns):
        seconds = found.time[-1]
        dark = unheard_spans(heard[:, column], seconds)
        axes.broken_barh(
            [(start, end - start) for start, end in dark],
            (lane, 1),
            facecolor=UNHEARD,
            linewidth=0,
            zorder=0.5,
            gid=f"unheard-{column}",
        )
        values = _height(lane, found.positions[:, column])
        loud = _at(heard[:, column], len(values))
        style = "steps-post" if layout.columns[column].control.held else "default"
        lit = np.where(_widened(loud), values, np.nan)
        if known is not None:
            truth = np.interp(found.time, known.time, known.positions[:, column])
            axes.fill_between(
                found.time, values, _height(lane, truth), where=loud, color=OFF, linewidth=0, zorder=1.5
            )
        axes.plot(found.time, values, ":", color=FOUND, linewidth=0.9, alpha=0.7, drawstyle=style, zorder=2)
        axes.plot(
            found.time,
            lit,
            color=FOUND,
            linewidth=1.7,
            drawstyle=style,
            solid_capstyle="butt",
            zorder=3,
            gid=f"found-{column}",
        )
        if known is not None:
            axes.plot(
                known.time,
                _height(lane, known.positions[:, column]),
                color=PLAYED,
                linewidth=1.1,
                dashes=(3.2, 1.8),
                drawstyle=style,
                zorder=4,
                gid=f"played-{column}",
            )


def name_lane(axes: Any, lane: int, name: str) -> None:
    """Write the name of a lane beside it."""
    axes.annotate(
        name,
        (0, lane + 0.5),
        xycoords=("axes fraction", "data"),
        xytext=(-5, 0),
        textcoords="offset points",
        ha="right",
        va="center",
        fontsize=LABEL,
        color=INK,
        annotation_clip=False,
        parse_math=False,
    )


def _around(
    axes: Any, panel: Panel, layout: ParameterLayout, found: _Course, around: Around, heard: NDArray[Any]
) -> None:
    """The intervals of a panel's controls."""
    frames = len(found.time)
    low, high = (_Course.of(layout, one, found.time[-1]).positions for one in (around.low, around.high))
    told = around.told.cpu().numpy()
    for lane, column in enumerate(panel.columns):
        loud = _at(heard[:, column], frames)
        sure = _calm(told[:, column] | ~loud)
        draw_around(
            axes,
            lane,
            column,
            found.time,
            (_height(lane, low[:, column]), _height(lane, high[:, column])),
            _widened(loud & sure),
            unheard_spans(sure, found.time[-1]),
            layout.columns[column].control.held,
        )


def _legend(figure: Any, sheet: _Sheet, known: bool, around: bool) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    entries: list[Any] = [Line2D([], [], color=FOUND, linewidth=1.7, label="recovered")]
    if known:
        entries.append(Line2D([], [], color=PLAYED, linewidth=1.1, dashes=(3.2, 1.8), label="played"))
        entries.append(Patch(facecolor=OFF, label="difference, where it is heard"))
    if around:
        entries.append(Patch(facecolor=AROUND, label="nine of ten lie here"))
        entries.append(Patch(facecolor=UNTOLD, label="cannot be told"))
    entries.append(Patch(facecolor=UNHEARD, label="not heard"))
    figure.legend(
        handles=entries,
        loc="upper left",
        bbox_to_anchor=(EDGE / sheet.width, 1 - 0.1 / sheet.height),
        ncols=len(entries),
        fontsize=LABEL,
        frameon=False,
        borderpad=0,
        borderaxespad=0,
        handlelength=1.8,
        columnspacing=1.6,
        labelcolor=INK,
    )


def unheard_spans(heard: NDArray[Any], seconds: float) -> list[tuple[float, float]]:
    """From when to when a control is not heard, in seconds, of ``[blocks]`` whose middles are spread over the clip."""
    if len(heard) == 1:
        return [] if heard[0] else [(0.0, seconds)]
    last = len(heard) - 1
    return [
        (max(0.0, float(start - 0.5) / last * seconds), min(seconds, float(end - 0.5) / last * seconds))
        for start, end in zip(*_runs(~heard.astype(bool)))
    ]


def _calm(audible: NDArray[Any]) -> NDArray[Any]:
    """``[blocks]`` without the short gaps, as between two hits of a drum, and then without specks between long ones."""
    calm = audible.astype(bool)
    for value, share in ((False, SHORTEST), (True, SPECK)):
        calm = calm.copy()
        for start, end in zip(*_runs(calm == value)):
            if end - start <= share * len(calm):
                calm[start:end] = not value
    return calm


def _runs(flags: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Where stretches of True begin and where they end."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(int)))
    return edges[::2], edges[1::2]


def _at(heard: NDArray[Any], frames: int) -> NDArray[Any]:
    """``[blocks]`` at so many frames: of each the nearest block."""
    nearest: NDArray[Any] = heard[np.linspace(0, len(heard) - 1, frames).round().astype(int)]
    return nearest


def _widened(heard: NDArray[Any]) -> NDArray[Any]:
    """With the frames beside: a line needs two points."""
    wide = heard.copy()
    wide[1:] |= heard[:-1]
    wide[:-1] |= heard[1:]
    return wide


def _height(lane: int, positions: NDArray[Any]) -> NDArray[Any]:
    """Positions 0…1 in a lane; axes go downwards."""
    height: NDArray[Any] = lane + 1 - (1 - TALL) / 2 - TALL * positions
    return height
