"""The registry: what is found, what fails and how, who clashes with whom."""

from __future__ import annotations

import itertools
import threading
import types
import warnings
from pathlib import Path

import pytest
from plugin_sources import good

import djgraph.plugins
from djgraph.effects import Effect, Port, SpectralEffect, TimeEffect
from djgraph.errors import DJGraphError, PluginError, Terminated
from djgraph.plugins import GraphFile, PluginWarning, RecipeFile, Registry, hookimpl

HOOK = "from djgraph.plugins import hookimpl\n@hookimpl\ndef djgraph_effects():\n"


class Wire(TimeEffect):
    type = "wire"

    def process(self, audio, controls, state, block):
        return {"out": audio["in"]}, state


class Abstract(TimeEffect):
    inputs = (Port("in"), Port("side"))


class Unfinished(SpectralEffect):
    type = "unfinished"


class Neither(Effect):
    type = "neither"
    domain = "time"


def plugin(effects=None, graphs=None, recipes=None):
    """A plugin object whose hooks return these."""
    hooks = {}
    if effects is not None:
        hooks["djgraph_effects"] = hookimpl(lambda: effects)
    if graphs is not None:
        hooks["djgraph_graphs"] = hookimpl(lambda: graphs)
    if recipes is not None:
        hooks["djgraph_recipes"] = hookimpl(lambda: recipes)
    return types.SimpleNamespace(**hooks)


# ---- what is found


def test_an_installed_plugin_is_found(install, load):
    install("acme-effects", good("acme_wire"), entry="acme")
    found = load()
    entry = found.effects["acme_wire"]
    assert (entry.name, entry.plugin, entry.distribution, entry.version) == (
        "acme_wire",
        "acme",
        "acme-effects",
        "1.5",
    )
    assert found.effect("acme_wire") is entry.effect
    assert djgraph.plugins.effect("acme_wire") is entry.effect
    (mine,) = [p for p in found.plugins if p.distribution == "acme-effects"]
    assert (mine.name, mine.version, mine.effects, mine.graphs) == ("acme", "1.5", ("acme_wire",), ())


def test_registry_is_loaded_once_until_reset(install, load):
    first = load()
    install("acme-effects", good("acme_wire"))
    assert djgraph.plugins.registry() is first
    assert "acme_wire" not in first.effects
    djgraph.plugins.reset()
    assert "acme_wire" in djgraph.plugins.registry().effects


def test_threads_get_one_registry(install):
    install("acme-effects", "import time\ntime.sleep(0.05)\n" + good("acme_wire").replace("\n    ", "\n"))
    got = []
    threads = [threading.Thread(target=lambda: got.append(djgraph.plugins.registry())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 8
    assert len({id(one) for one in got}) == 1


def test_order_of_registration_does_not_matter():
    parts = [("b", ["zeta", "alpha"]), ("a", ["mid"]), ("c", ["beta"])]
    results = set()
    for order in itertools.permutations(parts):
        registry = Registry()
        for name, types_ in order:
            effects = [type(t.title(), (Wire,), {"type": t}) for t in types_]
            registry.register(plugin(effects), name=name, distribution="d")
        results.add((tuple(registry.effects), tuple((p.name, p.effects) for p in registry.plugins)))
    assert results == {
        (("alpha", "beta", "mid", "zeta"), (("a", ("mid",)), ("b", ("alpha", "zeta")), ("c", ("beta",))))
    }


def test_tables_are_read_only():
    registry = Registry()
    registry.register(plugin([Wire]))
    with pytest.raises(TypeError):
        registry.effects["other"] = registry.effects["wire"]  # type: ignore[index]


def test_hooks_may_yield_and_classes_may_be_plugins():
    class Plugin:
        @hookimpl
        def djgraph_effects(self):
            yield Wire

    registry = Registry()
    assert registry.register(Plugin(), distribution="d", version="2").effects == ("wire",)
    assert registry.plugins[0].name == "Plugin"


# ---- what fails


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (plugin(), "implements no hook"),
        (types.SimpleNamespace(djgraph_effects=lambda: [Wire]), "marked with djgraph.plugins.hookimpl"),
        (types.SimpleNamespace(djgraph_efects=hookimpl(lambda: [Wire])), "djgraph_efects"),
        (types.SimpleNamespace(djgraph_effects=hookimpl(lambda registry: [Wire])), "registry"),
        (plugin(effects=Wire), "not a list"),
        (plugin(effects="wire"), "not a list"),
        (types.SimpleNamespace(djgraph_effects=hookimpl(lambda: None)), "returned None"),
        (plugin([Wire, 3]), "gave 3, not a subclass"),
        (plugin([dict]), "not a subclass of djgraph.effects.Effect"),
        (plugin([TimeEffect]), "abstract: it has no `type`"),
        (plugin([Abstract]), "Abstract, which is abstract"),
        (plugin([Unfinished]), "does not define mask()"),
        (plugin([Neither]), "subclass TimeEffect, SpectralEffect or SourceEffect"),
        (plugin([Wire, type("Again", (Wire,), {})]), "two effects of type 'wire': Wire and Again"),
        (plugin(graphs=["mixer.yaml"]), "'mixer.yaml', which is not a djgraph.plugins.GraphFile"),
        (plugin(graphs=[GraphFile("My Mixer", __file__)]), "graph name 'My Mixer'"),
        (plugin(graphs=[GraphFile("mixer", "mixer.yaml")]), "relative"),
        (plugin(graphs=[GraphFile("mixer", __file__)]), "none of .yaml, .yml, .json"),
        (plugin(graphs=[GraphFile("mixer", Path(__file__).parent / "no.yaml")]), "there is no file"),
        (plugin(graphs=[GraphFile("mixer", 3)]), "path 3 is not a path"),  # type: ignore[arg-type]
        (plugin(recipes=[GraphFile("swap", __file__)]), "which is not a djgraph.plugins.RecipeFile"),
        (plugin(recipes=[RecipeFile("My Swap", __file__)]), "recipe name 'My Swap'"),
        (plugin(recipes=[RecipeFile("swap", Path(__file__).parent / "no.yaml")]), "there is no file"),
    ],
)
def test_unfit_plugins_are_refused_and_leave_nothing(bad, message):
    registry = Registry()
    with pytest.raises(PluginError) as caught:
        registry.register(bad, name="bad", distribution="bad-things", version="3")
    assert message in str(caught.value)
    assert "plugin 'bad' of distribution bad-things 3" in str(caught.value)
    assert not registry.effects
    assert not registry.graphs
    assert not registry.recipes
    assert not registry.plugins


UNTELLABLE = """
    import sys

    class Odd({base}):
        def __str__(self):
            {raised}

    raise Odd
"""


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("import no_such_module_here", "ModuleNotFoundError"),
        ("def broken(:", "SyntaxError"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("raise ValueError('two\\nlines')", "ValueError: two lines"),
        (
            "from djgraph.plugins import hookimpl\n@hookimpl\ndef djgraph_effects():\n    return 1 / 0",
            "ZeroDivisionError",
        ),
        (
            HOOK + "    yield 1\n    raise KeyError(2)",
            "KeyError: 2",
        ),
        ("import djgraph.plugins\ndjgraph.plugins.registry()", "called while plugins are being loaded"),
        ("x = 1", "implements no hook"),
        ("class Odd(BaseException): ...\nraise Odd('strange')", "Odd: strange"),
        ("raise GeneratorExit", "GeneratorExit"),
        ("raise BaseExceptionGroup('many', [SystemExit(1)])", "BaseExceptionGroup: many"),
        (
            UNTELLABLE.format(base="Exception", raised="1 / 0"),
            "Odd, whose message cannot be told: ZeroDivisionError",
        ),
        (UNTELLABLE.format(base="BaseException", raised="sys.exit(1)"), "cannot be told: SystemExit"),
        (UNTELLABLE.format(base="Exception", raised="return 1"), "cannot be told: TypeError"),
        ("raise ValueError('\\x1b[31m\\u202e red \\x00')", r"ValueError: \x1b[31m\u202e red \x00"),
        ("raise ValueError('x' * 10 ** 7)", "ValueError: xxx"),
        (HOOK + "    sys.exit()", "NameError"),
        ("import sys\n" + HOOK + "    sys.exit()", "SystemExit"),
        (
            "from djgraph.effects import TimeEffect\nclass Odd(TimeEffect):\n    type = 'Not A Name'",
            "EffectError: bad_things.Odd: type 'Not A Name'",
        ),
    ],
)
def test_a_broken_plugin_is_listed_and_not_fatal(install, load, source, error):
    install("bad-things", source, entry="bad")
    install("acme-effects", good("acme_wire"))
    with pytest.warns(PluginWarning, match="plugin 'bad' of distribution bad-things 1.5") as caught:
        found = load()
    assert len(caught) == 1
    assert "acme_wire" in found.effects
    (failure,) = [f for f in found.failures if f.distribution == "bad-things"]
    assert (failure.name, failure.version) == ("bad", "1.5")
    assert error in failure.error
    assert "\n" not in failure.error
    assert not {"\x1b", "\u202e", "\x00"} & set(
        failure.error + failure.traceback + str(failure) + found.hint()
    )
    assert len(failure.error) < 2_000
    assert len(failure.traceback) < 100_000
    assert "Traceback" in failure.traceback
    assert not [p for p in found.plugins if p.distribution == "bad-things"]


@pytest.mark.parametrize(
    ("source", "stop"),
    [
        ("raise KeyboardInterrupt", KeyboardInterrupt),
        ("from djgraph.errors import Terminated\nraise Terminated(143)", Terminated),
    ],
)
def test_who_stops_the_program_while_plugins_load_is_obeyed(install, load, source, stop):
    install("slow-things", source)
    with pytest.raises(stop):
        load()


def test_what_a_plugin_prints_is_not_ours(install, load, capsys):
    install(
        "loud-things",
        "    print('imported')\n" + good("loud_wire").replace("return [", "print('asked'); return ["),
    )
    assert "loud_wire" in load().effects
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "imported\nasked\n"


def test_one_warning_for_many_failures(install, load):
    install("bad-one", "1 / 0")
    install("bad-two", "1 / 0")
    with pytest.warns(PluginWarning) as caught:
        found = load()
    assert len(caught) == 1
    assert [f.distribution for f in found.failures] == ["bad-one", "bad-two"]


@pytest.mark.parametrize("value", ["1", "true", "yes"])
def test_strict_makes_a_failure_fatal(install, load, monkeypatch, value):
    install("bad-things", "1 / 0", entry="bad")
    monkeypatch.setenv("DJGRAPH_STRICT_PLUGINS", value)
    with pytest.raises(
        PluginError, match=r"plugin 'bad' of distribution bad-things 1.5 .*ZeroDivisionError"
    ) as caught:
        load()
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert isinstance(caught.value, DJGraphError)


@pytest.mark.parametrize("value", ["", "0", "false", "off"])
def test_strict_can_be_off(install, load, monkeypatch, value):
    install("bad-things", "1 / 0")
    monkeypatch.setenv("DJGRAPH_STRICT_PLUGINS", value)
    with pytest.warns(PluginWarning):
        assert load().failures


def test_a_distribution_with_damaged_metadata_is_a_failure_like_any(install, load, tmp_path):
    install("bad-things", "1 / 0")
    (tmp_path / "bad_things-1.5.dist-info" / "METADATA").unlink()
    with pytest.warns(PluginWarning):
        assert [f.error for f in load().failures] == ["ZeroDivisionError: division by zero"]


# ---- who clashes


def test_two_providers_of_an_effect_are_an_error_that_names_both(install, load):
    install("acme-effects", good("wobble"), entry="acme")
    install("bolt-effects", good("wobble"), entry="bolt")
    with pytest.raises(PluginError) as caught:
        load()
    text = str(caught.value)
    assert "effect 'wobble'" in text
    assert "plugin 'acme' of distribution acme-effects 1.5" in text
    assert "plugin 'bolt' of distribution bolt-effects 1.5" in text
    assert text.index("acme") < text.index("bolt")


def test_two_providers_of_a_graph_are_an_error_that_names_both(tmp_path):
    file = tmp_path / "mixer.yaml"
    file.write_text("djgraph: 1\n")
    registry = Registry()
    registry.register(plugin(graphs=[GraphFile("mixer", file)]), name="acme", distribution="acme-mixers")
    with pytest.raises(
        PluginError, match=r"graph 'mixer': plugin 'acme' of .*acme-mixers.*'bolt' of .*bolt-mixers"
    ):
        registry.register(plugin(graphs=[GraphFile("mixer", file)]), name="bolt", distribution="bolt-mixers")
    assert registry.graph("mixer").distribution == "acme-mixers"
    assert [p.name for p in registry.plugins] == ["acme"]


def test_two_providers_of_a_recipe_are_an_error_that_names_both(tmp_path):
    file = tmp_path / "swap.yaml"
    file.write_text("automation: 1\ntitle: Swap\n")
    registry = Registry()
    entry = registry.register(plugin(recipes=[RecipeFile("swap", file)]), name="acme")
    assert entry.recipes == ("swap",)
    assert registry.recipe("swap").title == "Swap"
    with pytest.raises(PluginError, match=r"two plugins provide recipe 'swap': plugin 'acme' .*'bolt'"):
        registry.register(plugin(recipes=[RecipeFile("swap", file)]), name="bolt")
    with pytest.raises(PluginError, match=r"two recipes named 'swap'"):
        registry.register(plugin(recipes=[RecipeFile("swap", file)] * 2), name="bolt")
    with pytest.raises(PluginError, match="there is no recipe 'swop'\n  known: swap\n  did you mean: swap"):
        registry.recipe("swop")


def test_one_error_lists_every_clash():
    registry = Registry()
    other = type("Other", (Wire,), {"type": "other"})
    registry.register(plugin([Wire, other]), name="a")
    with pytest.raises(PluginError) as caught:
        registry.register(plugin([Wire, other]), name="b")
    assert "effect 'other', 'wire': plugin 'a'" in str(caught.value)
    assert "(registered in this process)" in str(caught.value)


# ---- unknown names


def test_an_unknown_effect_names_the_nearest_and_the_known():
    registry = Registry()
    registry.register(plugin([Wire, type("Fuzz", (Wire,), {"type": "fuzz"})]))
    with pytest.raises(PluginError) as caught:
        registry.effect("wirre")
    assert str(caught.value) == "there is no effect 'wirre'\n  known: fuzz, wire\n  did you mean: wire"
    with pytest.raises(PluginError, match="there is no graph 'x'"):
        registry.graph("x")
    assert registry.hint() is None


def test_an_unknown_effect_mentions_the_plugins_that_failed(install, load):
    install("bad-things", "import no_such_module_here", entry="bad")
    with pytest.warns(PluginWarning):
        found = load()
    with pytest.raises(
        PluginError, match=r"plugin 'bad' of distribution bad-things 1.5: ModuleNotFoundError"
    ):
        found.effect("bad_fuzz")


def test_run_from_a_checkout_it_says_how_to_install(monkeypatch):
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: ())
    registry = Registry()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        registry.load_entry_points()
    with pytest.raises(PluginError, match="pip install -e"):
        registry.effect("gain")


# ---- graphs


@pytest.mark.parametrize(
    ("text", "title", "description"),
    [
        (
            "djgraph: 1\nname: m\ntitle: Two decks\ndescription: |\n  A mixer\n  of two.\n",
            "Two decks",
            "A mixer of two.",
        ),
        ('{"djgraph": 1, "inputs": [{"title": "no"}], "title": "Two decks"}', "Two decks", ""),
        (
            "inputs:\n  - {title: no, description: no}\n? [title]\n: no\ntemplates: {title: {title: no}}\n",
            "",
            "",
        ),
        ("title: [a, list]\ndescription: text\n", "", "text"),
        ("title: Before\nname: [unclosed\n", "Before", ""),
        ("a: &a [x, x]\nb: *a\ntitle: *a\n", "", ""),
        ("- title: no\n", "", ""),
        ("just text", "", ""),
        ("", "", ""),
    ],
)
def test_heading_is_read_from_the_file(tmp_path, text, title, description):
    file = tmp_path / "mixer.yaml"
    file.write_text(text, encoding="utf-8")
    registry = Registry()
    registry.register(plugin(graphs=[GraphFile("mixer", file)]))
    entry = registry.graph("mixer")
    assert (entry.title, entry.description) == (title, description)


def test_a_record_describes_a_graph_better_than_its_file(tmp_path):
    file = tmp_path / "mixer.json"
    file.write_text('{"description": "of the file"}')
    registry = Registry()
    registry.register(plugin(graphs=[GraphFile("mixer", str(file), "of the record")]))
    assert registry.graph("mixer").description == "of the record"


def test_a_file_that_cannot_be_read_has_no_heading(tmp_path):
    file = tmp_path / "mixer.yaml"
    file.write_bytes(b"title: \xff\xfe")
    registry = Registry()
    registry.register(plugin(graphs=[GraphFile("mixer", file)]))
    file.write_bytes(b"\xff\xfe\xff")
    assert registry.graph("mixer").title == ""
