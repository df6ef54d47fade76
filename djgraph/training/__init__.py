"""Training models that play transitions: configuration files, the loop, several processes, verdicts.

``djgraph train CONFIG.yaml`` is this from the command line; examples/ is the same with scripts of one's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from djgraph.training.clips import Transitions
    from djgraph.training.config import TrainingModel, load_training
    from djgraph.training.loop import Loop, Trained
    from djgraph.training.objective import Objective
    from djgraph.training.run import Run
    from djgraph.training.session import Session, begin, train

_LATER = {
    "Loop": "loop",
    "Objective": "objective",
    "Run": "run",
    "Session": "session",
    "Trained": "loop",
    "TrainingModel": "config",
    "Transitions": "clips",
    "begin": "session",
    "load_training": "config",
    "train": "session",
}
"""What is imported when it is asked for, and from which module."""

__all__ = [
    "Loop",
    "Objective",
    "Run",
    "Session",
    "Trained",
    "TrainingModel",
    "Transitions",
    "begin",
    "load_training",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'djgraph.training' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"djgraph.training.{_LATER[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
