"""The engines that run spectral regions, one package each, and the one place where one of them is chosen."""

from __future__ import annotations

from djgraph.errors import CompileError
from djgraph.region.engine import Engine, Gradients
from djgraph.region.engines.cuda import Cuda
from djgraph.region.engines.operators import Operators
from djgraph.region.engines.shared import Shared
from djgraph.region.engines.vectors import Vectors
from djgraph.region.load import RegionLoad

__all__ = ["ENGINES", "Engine", "Gradients", "RegionLoad", "choose", "register", "unregister"]

ENGINES: list[Engine] = [Operators(), Vectors(), Cuda(), Shared()]
"""All engines. The first takes every region."""


def choose(load: RegionLoad) -> Engine:
    """The engine that runs such a call the fastest, by the engines' own estimates."""
    return min((engine for engine in ENGINES if engine.takes(load)), key=lambda engine: engine.seconds(load))


def register(engine: Engine) -> None:
    """Adds an engine. Raises CompileError where one of that name is there."""
    if any(one.name == engine.name for one in ENGINES):
        raise CompileError(f"there is an engine {engine.name!r} already")
    ENGINES.append(engine)


def unregister(name: str) -> None:
    """Removes an engine that was added."""
    ENGINES[:] = [engine for engine in ENGINES if engine.name != name]
