"""What pictures of sets are drawn with: lines, texts, outlines of loudness, times."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from xml.sax.saxutils import escape

from djgraph.drawing.measure import fitted
from djgraph.text import one_line

PAPER, INK, NOTE, HAIR = "#ffffff", "#111827", "#5b6472", "#d5dae1"
LEFT = 92.0
"""Pixels in front of time."""
BADGE = 26.0
"""Width of a key."""


class Time:
    """A stretch of the mix on the page. scale: pixels of a second."""

    def __init__(self, begins: float, ends: float, scale: float) -> None:
        self.begins, self.ends, self.scale = begins, ends, scale

    def x(self, second: float) -> float:
        return LEFT + (second - self.begins) * self.scale

    def shows(self, begins: float, ends: float) -> bool:
        return begins < self.ends and ends > self.begins


def clock(seconds: float) -> str:
    """``3:05``, or ``1:03:05`` from an hour on."""
    whole = math.floor(seconds + 0.5)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def steps(
    xs: Sequence[float], values: Sequence[float], inside: Sequence[bool], middle: float, tall: float
) -> str:
    """Bars side by side, as far up as down, as outlines; parts that are nothing are left out."""
    runs: list[list[int]] = []
    for i, value in enumerate(values):
        if inside[i] and tall * value >= 0.1:
            if runs and runs[-1][-1] == i - 1:
                runs[-1].append(i)
            else:
                runs.append([i])
    path = ""
    for run in runs:
        places = [xs[i] for i in (*run, run[-1] + 1)]
        up = [f"{tall * values[i]:.1f}" for i in run]
        # One step for all neighbours of one height.
        cuts = [0, *(i for i in range(1, len(up)) if up[i] != up[i - 1]), len(up)]
        flats = [(places[a], places[b], float(up[a])) for a, b in pairwise(cuts)]
        path += f"M{places[0]:.1f},{middle:.1f}"
        path += "".join(f"V{middle - high:.1f}H{right:.1f}" for _, right, high in flats)
        path += "".join(f"V{middle + high:.1f}H{left:.1f}" for left, _, high in reversed(flats)) + "Z"
    return path


def badge(x: float, y: float, key: str) -> Iterator[str]:
    """A key of the Camelot wheel, in the colour of its place there: neighbours mix well, and look alike."""
    number = int("".join(filter(str.isdigit, key)) or 1)
    hue, light = (number * 30 + 150) % 360, 0.80 if key.endswith("A") else 0.88
    red, green, blue = (round(255 * part) for part in colorsys.hls_to_rgb(hue / 360, light, 0.55))
    fill = f"#{red:02x}{green:02x}{blue:02x}"
    yield f'<rect x="{x:.1f}" y="{y:.1f}" width="{BADGE:g}" height="12" rx="3" fill="{fill}"/>'
    yield text_at(
        x + BADGE / 2, y + 9.2, fitted(key, BADGE, 9, bold=True), INK, 9, anchor="middle", bold=True
    )


def path_of(points: Sequence[tuple[float, float]]) -> str:
    return "M" + " L".join(f"{x:.1f},{y:.1f}" for x, y in points)


def line(x: float, y: float, to_x: float, to_y: float, colour: str, thick: float, more: str = "") -> str:
    way = f"M{x:.1f},{y:.1f} L{to_x:.1f},{to_y:.1f}"
    return f'<path d="{way}" stroke="{colour}" stroke-width="{thick:g}" fill="none"{more}/>'


def text_at(
    x: float, y: float, text: str, colour: str, size: float, anchor: str = "", bold: bool = False
) -> str:
    style = (f' text-anchor="{anchor}"' if anchor else "") + (' font-weight="bold"' if bold else "")
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" font-size="{size:g}"{style}>{shown(text)}</text>'


def shown(text: str) -> str:
    return escape(one_line(text))
