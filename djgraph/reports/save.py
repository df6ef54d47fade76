"""Reports as files: text, JSON, a page, a picture."""

from __future__ import annotations

import json
import os
from pathlib import Path

from djgraph.atomic import atomic_writer, check_target, write_text
from djgraph.errors import DJGraphError, InputError
from djgraph.reports.report import Report
from djgraph.text import json_printable

FORMATS = (".txt", ".json", ".html", ".svg", ".png")
"""Endings of reports."""


def check_report(path: str | os.PathLike[str]) -> None:
    """Raise where no report can come to be there: InputError for another ending and for a place that cannot be written,
    DJGraphError where PNG needs what is not installed."""
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        raise InputError(f"{path}: reports are written as {', '.join(FORMATS)}")
    check_target(path, InputError)
    if suffix == ".png":
        try:
            import resvg_py  # noqa: F401
        except ImportError:
            raise DJGraphError("pictures as PNG need resvg: pip install 'djgraph[draw]'") from None


def save_report(path: str | os.PathLike[str], report: Report) -> None:
    """Write a report, whole or not at all: ``.txt``, ``.json``, ``.html`` (with its picture), ``.svg`` or ``.png``.
    Raises as :func:`check_report`."""
    check_report(path)
    suffix = Path(path).suffix.lower()
    if suffix == ".txt":
        write_text(path, report.text(), InputError)
    elif suffix == ".json":
        text = json.dumps(report.data(), ensure_ascii=False, allow_nan=False, indent=1)
        write_text(path, json_printable(text) + "\n", InputError)
    else:
        from djgraph.reports.picture import to_html, to_png, to_svg

        if suffix == ".png":
            with atomic_writer(path, InputError) as file:
                file.write(to_png(report))
        else:
            write_text(path, to_svg(report) if suffix == ".svg" else to_html(report), InputError)
