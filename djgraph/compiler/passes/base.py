"""What a pass is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from djgraph.compiler.plan import Plan


@dataclass(frozen=True)
class Pass:
    name: str
    summary: str
    run: Callable[[Plan], Plan]
