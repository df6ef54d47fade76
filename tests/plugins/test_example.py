"""The example plugin: its own tests pass, and it lives through install, use and uninstall in a fresh environment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "plugins" / "djgraph_example"

RENDER = """
import torch, djgraph
mixer = djgraph.compile(djgraph.load("wobble"))
stems = {stem: torch.randn(1, 2, 3000) for stem in ("drums", "bass", "vocals", "other")}
params = mixer.layout.default.float()[None, None].clone()
neutral = mixer({"track": stems}, params)
params[..., mixer.layout.index("track.drums.depth")] = 1.0
moved = mixer({"track": stems}, params)
print(float((neutral - sum(stems.values())).abs().max()), float((moved - neutral).abs().max()))
"""


def environment(*extra: Path) -> dict[str, str]:
    """This process's environment, without what a parent pytest or a shell may have put there."""
    kept = {
        key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "DJGRAPH_STRICT_PLUGINS")
    }
    return {**kept, "PYTHONPATH": os.pathsep.join(map(str, extra))} if extra else kept


def run(*command: str | Path, env: dict[str, str] | None = None, cwd: Path) -> str:
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=env or environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_its_files_name_the_same_things():
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))
    (module,) = project["project"]["entry-points"]["djgraph"].values()
    assert (EXAMPLE / "src" / module / "__init__.py").is_file()
    assert project["project"]["name"] in (EXAMPLE / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_its_own_tests_pass(tmp_path):
    paths = (ROOT, ROOT / "plugins", EXAMPLE / "src")
    report = run(
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", EXAMPLE / "tests"),
        env=environment(*paths),
        cwd=tmp_path,
    )
    assert " passed" in report
    assert "failed" not in report


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """Python of a new virtual environment that sees this one's packages but has its own site-packages."""
    pytest.importorskip("setuptools")
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder / "venv", with_pip=False)
    scheme = sysconfig.get_path(
        "purelib", "venv", {"base": str(folder / "venv"), "platbase": str(folder / "venv")}
    )
    # addsitedir also runs the .pth files there, by which an editable installation is found.
    parents = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    lines = [f"import site; site.addsitedir({path!r})" for path in sorted(parents)]
    Path(scheme, "parent.pth").write_text("\n".join(lines) + "\n", encoding="utf-8")
    scripts = sysconfig.get_path("scripts", "venv", {"base": str(folder / "venv")})
    return Path(scripts, "python")


@pytest.mark.slow
def test_install_use_uninstall(fresh, tmp_path):
    def python(*arguments: str | Path) -> str:
        return run(fresh, *arguments, cwd=tmp_path)

    def pip(*arguments: str | Path) -> str:
        return python("-m", "pip", "--no-input", "--disable-pip-version-check", *arguments)

    def effects() -> dict[str, dict[str, object]]:
        return {entry["name"]: entry for entry in json.loads(python("-m", "djgraph", "effects", "--json"))}

    if "djgraph" not in python("-m", "pip", "list"):
        pytest.skip("djgraph is not installed in this environment (pip install -e .)")
    assert "example_tremolo" not in effects()

    # Build from a copy, so that no build folder is left in the tree.
    source = shutil.copytree(EXAMPLE, tmp_path / "source")
    offline = ("--no-index", "--no-deps", "--quiet")
    pip("wheel", *offline, "--no-build-isolation", "--wheel-dir", tmp_path, source)
    (wheel,) = tmp_path.glob("djgraph_example-*.whl")
    pip("install", *offline, wheel)

    found = effects()
    assert found["example_tremolo"]["distribution"] == "djgraph-example"
    assert {"example_tilt", "example_tremolo", "gain"} <= set(found)
    assert "depth" in python("-m", "djgraph", "effects", "example_tremolo")
    assert "djgraph-example" in python("-m", "djgraph", "plugins")
    at_neutral, with_tremolo = map(float, python("-c", RENDER).split())
    assert at_neutral < 1e-5
    assert with_tremolo > 0.1

    pip("uninstall", "--yes", "--quiet", "djgraph-example")
    assert set(found) - set(effects()) == {"example_tilt", "example_tremolo"}
