"""What `pip install .` takes along: an editable install finds every folder, a wheel only those that are listed."""

import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

import djgraph
from djgraph import _MODULES, _WHERE

ROOT = Path(__file__).parents[1]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PLACES = SETTINGS["tool"]["setuptools"]["package-dir"]

CONSUMER = """\
import torch

import djgraph
from djgraph.graph import Graph

mixer = djgraph.compile("dj_mixer")
names: tuple[str, ...] = mixer.layout.names
assert len(names) == 54, names
graph: Graph = mixer.graph
inputs = {track: {stem: torch.randn(1, 2, 4410) for stem in stems or ()} for track, stems in graph.inputs.items()}
mixed = mixer(inputs, mixer.layout.default[None, None])
assert isinstance(mixed, torch.Tensor) and mixed.shape == (1, 2, 4410)
"""
WRONG = """
reveal_type(mixer)
mixer.layout.index(54)
"""


def test_every_package_is_listed_for_the_wheel():
    in_the_tree = {
        ".".join((name, *folder.parent.relative_to(ROOT / PLACES[name]).parts))
        for name in ("djgraph", "djgraph_fx")
        for folder in (ROOT / PLACES[name]).rglob("__init__.py")
    }
    assert set(SETTINGS["tool"]["setuptools"]["packages"]) == in_the_tree | {
        "djgraph_graphs",
        "djgraph_recipes",
    }


def test_the_version_is_the_same_everywhere():
    version = SETTINGS["project"]["version"]
    assert djgraph.__version__ == version
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\n## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_public_names_are_written_out_and_loaded():
    """Type checkers need a list without expressions; each name of it is there."""
    assert set(djgraph.__all__) == {*_WHERE, *_MODULES, "__version__"}
    for name in djgraph.__all__:
        assert getattr(djgraph, name) is not None


@pytest.mark.slow
def test_a_wheel_holds_all_and_its_users_are_type_checked(tmp_path):
    """In an environment that holds the wheel and nothing of the tree; other packages are those that tests have."""
    pip = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(tmp_path),
    ]
    tree = tmp_path / "tree"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(tree)], check=True)
    subprocess.run([*pip, str(tree)], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    listed = subprocess.run(["git", "ls-files"], cwd=tree, capture_output=True, text=True, check=True).stdout
    for package, place in PLACES.items():
        wanted = {
            package + name.removeprefix(place) for name in listed.splitlines() if name.startswith(f"{place}/")
        }
        assert wanted - held == set()
    assert any(name.endswith("licenses/LICENSE") for name in held)

    venv.create(tmp_path / "own", symlinks=True)
    own = tmp_path / "own/bin/python"
    (site,) = (tmp_path / "own/lib").glob("python*/site-packages")
    zipfile.ZipFile(wheel).extractall(site)
    (site / "others.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")  # behind the wheel
    script = tmp_path / "consumer.py"
    script.write_text(CONSUMER, encoding="utf-8")
    where = "import djgraph; print(djgraph.__file__)"
    found = subprocess.run([own, "-c", where], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert found.stdout.startswith(str(site))
    subprocess.run([own, script], check=True, cwd=tmp_path)
    mypy = [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(own), str(script)]
    seen = subprocess.run(mypy, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert seen.stdout.startswith("Success"), seen.stdout
    script.write_text(CONSUMER + WRONG, encoding="utf-8")
    seen = subprocess.run(mypy, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert '"djgraph.mixer.Mixer"' in seen.stdout
    assert "Found 1 error" in seen.stdout
