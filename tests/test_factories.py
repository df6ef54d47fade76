"""Whatever makes a tensor says on which device and, for numbers with a fraction, of which dtype: the process's defaults
(``torch.device``, ``set_default_device``, ``set_default_dtype``) must not change what is computed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import djgraph

ROOT = Path(djgraph.__file__).parents[1]
ALWAYS_FRACTIONS = {
    "zeros",
    "ones",
    "empty",
    "linspace",
    "logspace",
    "hann_window",
    "hamming_window",
    "eye",
    "rand",
    "randn",
}
MAKERS = ALWAYS_FRACTIONS | {
    "tensor",
    "full",
    "arange",
    "randint",
    "randperm",
    "scalar_tensor",
    "as_tensor",
    "asarray",
}
FOLLOWS_THE_DEFAULTS = {"djgraph/nn.py: torch.zeros"}
"""Weights of layers that users train, as those of torch.nn do."""


def bare_calls(source: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        name, owner = node.func.attr, node.func.value
        if not (isinstance(owner, ast.Name) and owner.id == "torch" and name in MAKERS):
            continue
        given = {keyword.arg for keyword in node.keywords}
        if "device" not in given or (name in ALWAYS_FRACTIONS and "dtype" not in given):
            yield node.lineno, f"torch.{name}"


def test_it_finds_what_it_looks_for() -> None:
    assert list(
        bare_calls("a = torch.zeros(3)\nb = torch.zeros(3, dtype=d, device=e)\nc = torch.arange(3)")
    ) == [
        (1, "torch.zeros"),
        (3, "torch.arange"),
    ]


def test_every_tensor_is_made_on_a_device_that_is_named() -> None:
    files = [*(ROOT / "djgraph").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")]
    found = [
        f"{path.relative_to(ROOT).as_posix()}:{line}: {call}"
        for path in files
        if "tests" not in path.parts
        for line, call in bare_calls(path.read_text(encoding="utf-8"))
        if f"{path.relative_to(ROOT).as_posix()}: {call}" not in FOLLOWS_THE_DEFAULTS
    ]
    assert len(files) > 100
    assert not found
