"""Fixtures: distributions made up on the spot, found through the real importlib.metadata."""

from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from djgraph.plugins import Registry, registry, reset

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """``install(distribution, source, module=…, entry=…)`` puts a distribution with one plugin on the path."""
    monkeypatch.delenv("DJGRAPH_STRICT_PLUGINS", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    reset()
    made = []

    def make(distribution: str, source: str, module: str | None = None, entry: str = "plugin") -> Path:
        module = module or distribution.replace("-", "_")
        made.append(module)
        (tmp_path / f"{module}.py").write_text(textwrap.dedent(source), encoding="utf-8")
        info = tmp_path / f"{distribution.replace('-', '_')}-1.5.dist-info"
        info.mkdir()
        info.joinpath("METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.5\n")
        info.joinpath("entry_points.txt").write_text(f"[djgraph]\n{entry} = {module}\n")
        importlib.invalidate_caches()
        return tmp_path / f"{module}.py"

    yield make
    reset()
    for module in made:
        sys.modules.pop(module, None)


@pytest.fixture
def load() -> Callable[[], Registry]:
    """The process's registry, loaded anew."""

    def fresh() -> Registry:
        reset()
        return registry()

    return fresh
