"""Other people's programs on like work. Each is imported only when its case runs; a missing one is reported."""

from __future__ import annotations

import importlib
import warnings
from typing import Any

from benchmarks.errors import Unavailable


def load(module: str) -> Any:
    """The module, without the warnings that it prints on import.

    Raises Unavailable where it, or something that it needs, is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(module)
    except ImportError as problem:
        name = module.split(".")[0]
        raise Unavailable(f'{name} cannot be imported ({problem}); pip install "djgraph[bench]"') from problem
