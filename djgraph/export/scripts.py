"""The JavaScript of a page: the engine, what processors share, and the effects of one graph."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from djgraph.errors import CompileError
from djgraph.reading import read_text

SHARED = ("dsp.js", "single.js", "material.js", "engine.js")


@cache
def script(name: str) -> str:
    """A script or style sheet of this package."""
    return read_text(Path(__file__).parent / "web" / name, CompileError)


def engine_source(scripts: Sequence[str]) -> str:
    """What runs a program: a script that defines ``Engine`` and ``EXPORTERS``, the processors by their number."""
    wrapped = [f"(() => {{\n{one}\nreturn Processor;\n}})()" for one in scripts]
    shared = [script(name) for name in SHARED]
    return "\n".join(['"use strict";', *shared, f"const EXPORTERS = [{', '.join(wrapped)}];"])
