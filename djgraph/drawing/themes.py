"""Colours of pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from djgraph.drawing.picture import BoxKind, EdgeKind


@dataclass(frozen=True)
class Theme:
    """Colours as CSS writes them. ``notes`` is of words behind a row's text, ``frame`` of what is in a frame."""

    paper: str
    text: str
    notes: str
    border: str
    frame: str
    frame_border: str
    boxes: Mapping[BoxKind, str]
    edges: Mapping[EdgeKind, str]


THEMES: Mapping[str, Theme] = {
    "light": Theme(
        paper="#ffffff",
        text="#111827",
        notes="#5b6472",
        border="#6b7280",
        frame="#f8fafc",
        frame_border="#94a3b8",
        boxes={
            "input": "#dbeafe",
            "strip": "#f3f4f6",
            "bus": "#fef3c7",
            "output": "#dcfce7",
            "knob": "#f3e8ff",
        },
        edges={
            "signal": "#4b5563",
            "send": "#2563eb",
            "feedback": "#0f766e",
            "port": "#c2410c",
            "control": "#9333ea",
        },
    ),
    "dark": Theme(
        paper="#111827",
        text="#f3f4f6",
        notes="#b6bdc9",
        border="#6b7280",
        frame="#0b1220",
        frame_border="#64748b",
        boxes={
            "input": "#1e3a5f",
            "strip": "#1f2937",
            "bus": "#4a3a12",
            "output": "#14432a",
            "knob": "#3b2357",
        },
        edges={
            "signal": "#cbd5e1",
            "send": "#60a5fa",
            "feedback": "#2dd4bf",
            "port": "#fb923c",
            "control": "#c084fc",
        },
    ),
}
