"""What `pip install .` takes along: an editable install finds every folder, a wheel only those that are listed."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_package_is_listed_for_the_wheel():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    places = settings["package-dir"]
    in_the_tree = {
        ".".join((name, *folder.parent.relative_to(ROOT / places[name]).parts))
        for name in ("djgraph", "djgraph_fx")
        for folder in (ROOT / places[name]).rglob("__init__.py")
    }
    assert set(settings["packages"]) == in_the_tree | {"djgraph_graphs", "djgraph_recipes"}
