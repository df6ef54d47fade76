"""The distributions that wrap other libraries: their own tests pass, wherever the library is installed."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WRAPPED = {"djgraph_torchaudio": "torchaudio", "djgraph_pedalboard": "pedalboard"}
"""Distributions, and what each wraps."""


@pytest.mark.parametrize("name", WRAPPED)
def test_its_files_name_the_same_things(name: str) -> None:
    folder = ROOT / "plugins" / name
    settings = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    project = settings["project"]
    assert project["name"] == name.replace("_", "-")
    modules = project["entry-points"]["djgraph"].values()
    assert modules
    for module in modules:
        assert (folder / "src" / (module.replace(".", "/") + ".py")).is_file() or module == name
    assert project["name"] in (folder / "README.md").read_text(encoding="utf-8")
    assert any(one.startswith(WRAPPED[name]) for one in project["dependencies"])
    source = folder / "src"
    packages = {".".join(path.parent.relative_to(source).parts) for path in source.rglob("__init__.py")}
    assert set(settings["tool"]["setuptools"]["packages"]) == packages


def test_djgraph_itself_does_not_need_them() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert not any(one.startswith(("pedalboard", "djgraph")) for one in project["dependencies"])


@pytest.mark.slow
@pytest.mark.parametrize("name", WRAPPED)
def test_its_own_tests_pass(name: str, tmp_path: Path) -> None:
    library = WRAPPED[name]
    try:
        importlib.import_module(library)
    except ImportError as error:
        pytest.skip(f"{name} wraps {library}, which cannot be imported: {error}")
    folder = ROOT / "plugins" / name
    kept = {key: value for key, value in os.environ.items() if not key.startswith("DJGRAPH_")}
    paths = os.pathsep.join(map(str, (ROOT, ROOT / "plugins", folder / "src")))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder / "tests")],
        cwd=tmp_path,
        env={**kept, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert " passed" in done.stdout
