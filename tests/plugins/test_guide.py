"""The plugin author's guide: its code runs, its effects keep the contract, its tables are complete."""

from __future__ import annotations

import inspect
import re
import sys
import tomllib
import types
from pathlib import Path

import pytest

from djgraph.effects import CausalTwin, Control, Effect, checks
from djgraph.plugins import Registry

GUIDE = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def guide():
    """All Python blocks of the guide, run one after another as one module."""
    module = types.ModuleType("plugin_guide")
    sys.modules[module.__name__] = module  # as a file would be, so that its classes can be pickled
    for block in re.findall(r"^```python\n(.*?)^```", GUIDE, re.S | re.M):
        exec(compile(block, "docs/plugins.md", "exec", dont_inherit=True), module.__dict__)
    yield module
    del sys.modules[module.__name__]


def test_the_blocks_run(guide):
    assert guide.registry.effect("acme_trim") is guide.Trim


def run_parametrized(function):
    """Run a parametrised test function as pytest would; what each check did, by name."""
    (mark,) = function.pytestmark
    outcome = {}
    for parameter in mark.args[1]:
        expected = any(m.name == "xfail" for m in parameter.marks)
        try:
            function(*parameter.values)
        except pytest.skip.Exception:
            outcome[parameter.id] = "skipped"
        except AssertionError:
            assert expected, parameter.id
            outcome[parameter.id] = "failed as expected"
        else:
            assert not expected, parameter.id
            outcome[parameter.id] = "passed"
    return outcome


@pytest.mark.slow
def test_the_effects_keep_the_contract(guide):
    outcome = run_parametrized(guide.test_contract)
    assert outcome["acme_trim-check_streaming"] == "passed"
    assert {key.split("-")[0] for key in outcome} == {
        "acme_trim",
        "acme_tremor",
        "acme_pump",
        "acme_tilt",
        "acme_mute",
        "acme_shelf",
        "acme_shelf_causal",
        "acme_notch",
        "acme_duck",
        "acme_hum",
        "acme_blur",
        "acme_stab",
        "acme_crest",
        "acme_slap",
    }


def test_the_stated_failure_is_one(guide):
    outcome = run_parametrized(guide.test_crusher)
    assert [key for key, what in outcome.items() if "failed" in what] == ["acme_crusher-check_gradients"]


def test_every_effect_of_the_guide_can_be_registered_together(guide):
    classes = [
        value
        for value in vars(guide).values()
        if inspect.isclass(value)
        and issubclass(value, Effect)
        and not issubclass(value, CausalTwin)
        and not value.__module__.startswith("djgraph.")
    ]
    registry = Registry()
    registry.register(types.SimpleNamespace(djgraph_effects=guide.hookimpl(lambda: classes)))
    assert len(registry.effects) == len(classes) == 21


def test_toml_blocks_are_toml():
    blocks = re.findall(r"^```toml\n(.*?)^```", GUIDE, re.S | re.M)
    assert [tomllib.loads(block)["project"]["entry-points"]["djgraph"] for block in blocks] == [
        {"acme": "my_effects"}
    ] * 2


def test_every_check_is_in_the_table_of_promises():
    for check in (*checks.EVERY, *checks.TIME, *checks.SPECTRAL):
        if check.__name__ not in ("check_mask_range", "check_mask_frames"):
            assert f"`{check.__name__}`" in GUIDE, check.__name__


def test_every_field_of_a_control_is_documented():
    for field in inspect.signature(Control).parameters:
        if field not in ("id", "default"):  # given by the model's field
            assert f"`{field}`" in GUIDE, field


def test_every_internal_link_has_its_heading():
    headings = {
        re.sub(r"[^\w\- ]", "", h).strip().lower().replace(" ", "-")
        for h in re.findall(r"^#+ (.*)$", GUIDE, re.M)
    }
    for target in re.findall(r"\]\(#([^)]+)\)", GUIDE):
        assert target in headings, target
