"""Templates, arguments, repeats and references, and the limits that keep a small file from becoming a huge graph."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from djgraph.errors import DocumentError
from djgraph.graph import load
from djgraph.graph.expand import expand
from djgraph.graph.placed import PlacedOwner
from djgraph.language import limits, load_document
from djgraph.language.fields import CONCRETE
from djgraph.language.model import Bus, Repeat
from djgraph.language.site import Site
from djgraph.language.substitute import Budget, Substitution
from djgraph.plugins import registry

HEAD: dict[str, Any] = {
    "djgraph": 1,
    "name": "test",
    "inputs": [{"name": "a", "stems": ["x", "y"]}, {"name": "b", "stems": ["x"]}, {"name": "mic"}],
    "outputs": ["master"],
}


def owners(mixer: list[Any], more: dict[str, Any] | None = None, **arguments: Any) -> list[PlacedOwner]:
    document = load_document({**HEAD, "mixer": mixer, **(more or {})})
    return [item for item in expand(document, arguments).items if isinstance(item, PlacedOwner)]


def names(mixer: list[Any], more: dict[str, Any] | None = None, **arguments: Any) -> list[str]:
    return [owner.name for owner in owners(mixer, more, **arguments)]


def refusal(mixer: list[Any], more: dict[str, Any] | None = None, **arguments: Any) -> str:
    with pytest.raises(DocumentError) as caught:
        owners(mixer, more, **arguments)
    return str(caught.value)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["p", "q"], ["bus_p", "bus_q"]),
        ([1, 2.5, True], ["bus_1", None, "bus_true"]),
        ("inputs", ["bus_a", "bus_b", "bus_mic"]),
        ("a.stems", ["bus_x", "bus_y"]),
        ({"from": 2, "to": 4}, ["bus_2", "bus_3", "bus_4"]),
        ({"from": 0, "to": 0}, ["bus_0"]),
        ([], []),
        ("$which", ["bus_x"]),
        (["$first", "z"], ["bus_p", "bus_z"]),
        ("$many", ["bus_m", "bus_n"]),
        ({"from": "$low", "to": "$high"}, ["bus_1", "bus_2"]),
    ],
)
def test_what_a_repeat_may_go_over(values: Any, expected: list[str | None]) -> None:
    args = {"which": "b.stems", "first": "p", "many": ["m", "n"], "low": 1, "high": 2}
    if None in expected:  # a number with a point makes no name
        assert "expected a name, got text 'bus_2.5'" in refusal(
            [{"for": {"v": values}, "do": [{"bus": "bus_$v"}]}]
        )
        return
    assert names([{"for": {"v": values}, "do": [{"bus": "bus_$v"}]}], {"args": args}) == expected


def test_repeats_within_repeats_keep_order() -> None:
    mixer = [
        {"bus": "first"},
        {
            "for": {"t": ["a", "b"]},
            "do": [{"for": {"s": "$t.stems"}, "do": [{"bus": "$t.$s"}]}, {"bus": "$t"}],
        },
        {"bus": "last"},
    ]
    assert names(mixer) == ["first", "a.x", "a.y", "a", "b.x", "b", "last"]


def test_an_inner_variable_hides_an_outer_one() -> None:
    mixer = [{"for": {"v": ["p"]}, "do": [{"for": {"v": ["q"]}, "do": [{"bus": "$v"}]}, {"bus": "$v"}]}]
    assert names(mixer) == ["q", "p"]


def test_chain_templates_are_spliced_in_place() -> None:
    templates = {
        "band": {"args": {"low": 300}, "chain": [{"effect": "eq3", "settings": {"low": "$low"}}]},
        "both": {"args": {"low": None}, "chain": ["gain", {"use": "band", "with": {"low": "$low"}}, "delay"]},
    }
    chain = ["lowpass", {"use": "both", "with": {"low": 200}}, {"use": "band"}, "highpass"]
    (owner,) = owners([{"bus": "m", "chain": chain}], {"templates": templates})
    assert [node.model.effect for node in owner.chain] == [
        "lowpass",
        "gain",
        "eq3",
        "delay",
        "eq3",
        "highpass",
    ]
    assert [node.model.settings.get("low") for node in owner.chain] == [None, None, 200, None, 300, None]
    assert owner.chain[2].site.path == ("templates", "band", "chain", 0)
    assert owner.chain[2].site.uses == ("in template 'both'", "in template 'band'")


def test_mixer_templates_are_spliced_in_place() -> None:
    templates = {
        "deck": {
            "args": {"n": None, "to": "master"},
            "mixer": [{"bus": "deck_$n", "to": "$to"}, {"use": "extra", "with": {"n": "$n"}}],
        },
        "extra": {
            "args": {"n": None},
            "mixer": [{"for": {"i": {"from": 1, "to": "$n"}}, "do": [{"bus": "x$(n)_$i"}]}],
        },
    }
    mixer = [
        {"use": "deck", "with": {"n": 1}},
        {"use": "deck", "with": {"n": 2, "to": ["p", "q"]}},
        {"bus": "master"},
    ]
    found = owners(mixer, {"templates": templates})
    assert [owner.name for owner in found] == ["deck_1", "x1_1", "deck_2", "x2_1", "x2_2", "master"]
    assert [owner.model.to for owner in found[:3]] == [["master"], [], ["p", "q"]]


def test_a_template_sees_the_documents_arguments_but_not_its_users_variables() -> None:
    templates = {"t": {"args": {"own": "$global"}, "chain": [{"effect": "gain", "id": "$(own)_$global"}]}}
    more = {"args": {"global": "g"}, "templates": templates}
    (owner,) = owners([{"bus": "m", "chain": [{"use": "t"}]}], more)
    assert owner.chain[0].model.id == "g_g"
    templates["t"]["chain"] = [{"effect": "gain", "id": "$v"}]
    message = refusal([{"for": {"v": ["p"]}, "do": [{"bus": "$v", "chain": [{"use": "t"}]}]}], more)
    assert "there is no argument or variable 'v'" in message


def test_a_reference_alone_keeps_its_type_and_within_text_becomes_text() -> None:
    settings = {
        "number": "$n",
        "text": "$n dB",
        "flag": "$f",
        "list": "$l",
        "deep": [{"x": "$(n)"}],
        "price": "$$n",
    }
    args = {"n": 2.5, "f": True, "l": [1, [2]], "i": 3}
    node = {"effect": "gain", "settings": {**settings, "joined": "$i$f$(i)x"}}
    (owner,) = owners([{"bus": "m", "chain": [node]}], {"args": args})
    assert owner.chain[0].model.settings == {
        "number": 2.5,
        "text": "2.5 dB",
        "flag": True,
        "list": [1, [2]],
        "deep": [{"x": 2.5}],
        "price": "$n",
        "joined": "3true3x",
    }


def test_a_dollar_that_a_value_holds_is_not_read_again() -> None:
    node = {"effect": "gain", "settings": {"text": "$t"}}
    templates = {"t": {"args": {"t": None}, "chain": [node]}}
    chain = [{"use": "t", "with": {"t": "$$x"}}]
    (owner,) = owners([{"bus": "m", "chain": chain}], {"templates": templates})
    assert owner.chain[0].model.settings == {"text": "$x"}


def test_keys_may_hold_references() -> None:
    mixer = [
        {"for": {"t": ["a", "b"]}, "do": [{"macro": "m_$t", "drives": {"$t.gain.gain": [[0, 0], [1, 1]]}}]}
    ]
    items = expand(load_document({**HEAD, "mixer": mixer})).items
    drives = [list(item.model.drives) for item in items if not isinstance(item, PlacedOwner)]
    assert drives == [["a.gain.gain"], ["b.gain.gain"]]


argument_names = st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True)


@given(st.dictionaries(argument_names, st.integers() | st.text(max_size=5)), st.data())
def test_substitution_agrees_with_string_template(scope: dict[str, Any], data: st.DataObject) -> None:
    """Python's own string.Template has the same `$`, apart from the braces; it is the other way to the answer."""
    from string import Template

    names = sorted(scope)
    plain_text = st.text(st.characters(exclude_characters="$"), max_size=4)
    parts = st.one_of(plain_text.map(lambda t: (t, t)), st.just(("$$", "$$")))
    if names:
        chosen = st.sampled_from(names)
        parts = st.one_of(parts, chosen.map(lambda n: (f"$({n})", f"${{{n}}}")))
    pieces = data.draw(st.lists(parts, max_size=6))
    ours, theirs = "".join(p[0] for p in pieces), "".join(p[1] for p in pieces)
    substitution = Substitution(scope, Site(load_document({**HEAD, "mixer": []}).source), Budget())
    result = substitution.replace(ours)
    if re.fullmatch(r"\$\(\w+\)", ours):
        assert result == scope[ours[2:-1]]
    else:
        assert result == Template(theirs).substitute(scope)
    assert not substitution.problems


@pytest.mark.slow
def test_a_billion_repeats_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    repeat: dict[str, Any] = {"bus": "x"}
    for variable in "abc":
        repeat = {"for": {variable: {"from": 1, "to": 1000}}, "do": [repeat]}
    assert "more than 10 000 nodes (the limit)" in refusal([repeat])
    assert limits.STEPS == 1_000_000
    monkeypatch.setattr(limits, "STEPS", 20_000)  # the real limit takes seconds to reach
    repeat["do"][0]["do"][0]["do"] = []
    assert "make more than 20 000 values (the limit)" in refusal([repeat])


def test_a_bomb_of_templates_is_refused() -> None:
    templates = {f"t{i}": {"chain": [{"use": f"t{i + 1}"}] * 10} for i in range(20)}
    templates["t20"] = {"chain": ["gain"]}
    assert "(the limit)" in refusal([{"bus": "m", "chain": [{"use": "t0"}]}], {"templates": templates})


def passing_on(value: Any) -> dict[str, Any]:
    """Forty templates, each of which hands the next one a value made of its own argument `x`."""
    templates: dict[str, Any] = {}
    for i in range(40):
        use = {"use": f"t{i + 1}", "with": {"x": value}}
        templates[f"t{i}"] = {"args": {"x": None}, "chain": [use]}
    templates["t40"] = {"args": {"x": None}, "chain": [{"effect": "gain", "settings": {"x": "$x"}}]}
    return templates


def test_a_bomb_of_text_is_refused() -> None:
    templates = passing_on("$x$x")
    message = refusal([{"bus": "m", "chain": [{"use": "t0", "with": {"x": "ha"}}]}], {"templates": templates})
    assert "a text of more than 10 000 characters (the limit)" in message


def test_a_bomb_of_lists_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each template passes on a list that holds its own twice: shared in memory, endless to look at."""
    templates = passing_on(["$x", "$x"])
    monkeypatch.setattr(limits, "STEPS", 20_000)
    message = refusal([{"bus": "m", "chain": [{"use": "t0", "with": {"x": 1}}]}], {"templates": templates})
    assert "make more than 20 000 values (the limit)" in message


def test_templates_cannot_lie_too_deep_in_one_another() -> None:
    def uses(depth: int) -> dict[str, Any]:
        templates: dict[str, Any] = {f"t{i}": {"chain": [{"use": f"t{i + 1}"}]} for i in range(depth - 1)}
        return {"templates": {**templates, f"t{depth - 1}": {"chain": ["gain"]}}}

    mixer = [{"bus": "m", "chain": [{"use": "t0"}]}]
    assert len(owners(mixer, uses(limits.DEPTH))[0].chain) == 1
    assert "lie more than 64 deep in one another (the limit)" in refusal(mixer, uses(limits.DEPTH + 1))


def test_too_many_columns(monkeypatch: pytest.MonkeyPatch, registry: Any) -> None:
    from djgraph.graph import load

    assert limits.COLUMNS == 20_000
    monkeypatch.setattr(limits, "COLUMNS", 5)
    document = {**HEAD, "mixer": [{"bus": "master", "chain": ["eq3", {"effect": "eq3", "id": "two"}]}]}
    with pytest.raises(DocumentError, match=r"the layout has more than 5 columns \(the limit\)"):
        load(document, registry=registry)


def test_a_piece_without_references_is_the_model_that_was_loaded() -> None:
    mixer = [
        {"bus": "master", "chain": ["gain", {"effect": "delay", "id": "$which"}]},
        {"macro": "wet", "drives": {"master.gain.gain": [[0, 0], [1, 1]]}},
        {"for": {"v": ["p"]}, "do": [{"bus": "fixed"}, {"bus": "$v"}]},
    ]
    document = load_document({**HEAD, "mixer": mixer, "args": {"which": "echo"}})
    expanded = expand(document)
    written = document.model.mixer
    master, macro, fixed, named = expanded.items
    assert isinstance(master, PlacedOwner)
    assert isinstance(written[0], Bus)
    assert isinstance(written[2], Repeat)
    assert expanded.header.model is document.model
    assert master.model is written[0]
    assert master.chain[0].model is written[0].chain[0]
    assert master.chain[1].model.id == "echo"
    assert macro.model is written[1]
    assert fixed.model is written[2].do[0]
    assert named.model is not written[2].do[1]


@pytest.mark.parametrize("name", ["club_console", "dj_mixer", "djtransgan", "filter_knob"])
def test_expansion_equals_validating_every_piece_anew(name: str) -> None:
    for item in expand(load_document(name, {name: registry().graphs[name].path})).items:
        nodes = [node.model for node in item.chain] if isinstance(item, PlacedOwner) else []
        for piece in (item.model, *nodes):
            assert type(piece).model_validate(piece.written(), context=CONCRETE) == piece


def test_one_macro_repeated_without_references_is_two_columns_of_one_name() -> None:
    mixer = [
        {"bus": "master", "chain": ["gain", "delay"]},
        {
            "for": {"v": ["p", "q"]},
            "do": [{"macro": "wet", "drives": {"master.delay.mix": [[0, 0], [1, 1]]}}],
        },
    ]
    with pytest.raises(DocumentError) as caught:
        load({**HEAD, "mixer": mixer})
    assert "column 'wet' is there already, in mixer[1].do[0] (v = p)" in str(caught.value)
    assert "here v = q" in str(caught.value)
