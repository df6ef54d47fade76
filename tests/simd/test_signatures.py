"""Compiled functions take a handful of arguments: what belongs together is a named tuple."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest

from djgraph import simd

if not simd.available():
    pytest.skip("without Numba", allow_module_level=True)

MOST = 9


def test_no_compiled_function_takes_a_crowd() -> None:
    crowds = {}
    for module in pkgutil.iter_modules(simd.__path__):
        for name, function in vars(importlib.import_module(f"djgraph.simd.{module.name}")).items():
            python = getattr(function, "py_func", None)
            if python is not None and len(inspect.signature(python).parameters) > MOST:
                crowds[f"{module.name}.{name}"] = len(inspect.signature(python).parameters)
    assert not crowds
