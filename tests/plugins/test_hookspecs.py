"""Every hook is documented, and the example in its docstring works."""

from __future__ import annotations

import inspect
import json
import sys
import textwrap
import types
from pathlib import Path

import pytest

from djgraph.effects.checks import check_effect
from djgraph.plugins import GraphFile, RecipeFile, Registry, hookspecs
from djgraph.plugins.collect import hook_names

GUIDE = Path(__file__).parents[2] / "docs" / "plugins.md"


@pytest.fixture
def example_of(monkeypatch):
    """``example_of(hook)``: the example in the hook's docstring, run as a module."""

    def run(hook: str) -> types.ModuleType:
        doc = inspect.getdoc(getattr(hookspecs, hook))
        assert doc is not None
        code = textwrap.dedent(doc.split("Example::\n", 1)[1])
        module = types.ModuleType(f"example_of_{hook}")
        monkeypatch.setitem(sys.modules, module.__name__, module)
        exec(compile(code, f"<docstring of {hook}>", "exec", dont_inherit=True), module.__dict__)
        return module

    return run


def test_the_hooks_are_these():
    assert hook_names() == ["djgraph_effects", "djgraph_exporters", "djgraph_graphs", "djgraph_recipes"]


@pytest.mark.parametrize("hook", hook_names())
def test_every_hook_is_documented_with_its_exact_arguments(hook):
    function = getattr(hookspecs, hook)
    arguments = ", ".join(inspect.signature(function).parameters)
    assert f"#### `{hook}({arguments})`" in GUIDE.read_text(encoding="utf-8")


@pytest.mark.parametrize("record", [GraphFile, RecipeFile])
def test_the_records_are_documented_with_their_exact_fields(record):
    parts = []
    for name, parameter in inspect.signature(record).parameters.items():
        default = parameter.default
        parts.append(name if default is parameter.empty else f"{name}={json.dumps(default)}")
    assert f"{record.__name__}({', '.join(parts)})" in GUIDE.read_text(encoding="utf-8")


def test_effects_example(example_of):
    registry = Registry()
    entry = registry.register(example_of("djgraph_effects"))
    assert entry.effects == ("acme_trim",)
    check_effect(registry.effect("acme_trim"))


def test_graphs_example(example_of, monkeypatch, tmp_path):
    """The example names a file of an installed package; stand in for it where djgraph is not installed."""
    package = tmp_path / "djgraph_graphs"
    package.mkdir()
    package.joinpath("__init__.py").touch()
    package.joinpath("dj_mixer.yaml").write_text("djgraph: 1\nname: dj_mixer\ntitle: A mixer\n")
    monkeypatch.delitem(sys.modules, "djgraph_graphs", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    registry = Registry()
    registry.register(example_of("djgraph_graphs"))
    entry = registry.graph("house_mixer")
    assert entry.path == package / "dj_mixer.yaml"
    assert (entry.title, entry.description) == ("A mixer", "Two tracks for house.")


def test_recipes_example(example_of, monkeypatch, tmp_path):
    package = tmp_path / "djgraph_recipes"
    package.mkdir()
    package.joinpath("__init__.py").touch()
    package.joinpath("bass_swap.yaml").write_text("automation: 1\ntitle: Bass swap\ncurves: []\n")
    monkeypatch.delitem(sys.modules, "djgraph_recipes", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    registry = Registry()
    plugin = registry.register(example_of("djgraph_recipes"))
    entry = registry.recipe("house_swap")
    assert plugin.recipes == ("house_swap",)
    assert entry.path == package / "bass_swap.yaml"
    assert (entry.title, entry.description) == ("Bass swap", "Swaps the basses, for house.")
