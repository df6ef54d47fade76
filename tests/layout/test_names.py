"""Finding columns by name, prefix, pattern and alias; a layout as an immutable value."""

from __future__ import annotations

import copy
import dataclasses
import fnmatch
import pickle
import re

import pytest
import torch
from fake_layouts import STEMS, column, mixed_layout, seed_layout
from hypothesis import given
from hypothesis import strategies as st

from djgraph.errors import DJGraphError, LayoutError, Position
from djgraph.layout import ParameterLayout


def test_the_seed_layout_has_the_positions_that_the_seed_documents() -> None:
    layout = seed_layout()
    assert len(layout) == 54
    assert layout.index("track_a.drums.gain") == 0
    assert layout.slice("track_a") == slice(0, 27)
    assert layout.slice("track_b") == slice(27, 54)
    for i, stem in enumerate(STEMS):
        assert layout.slice(f"track_a.{stem}") == slice(6 * i, 6 * i + 6)
        assert layout.slice(f"track_b.{stem}") == slice(27 + 6 * i, 33 + 6 * i)
    assert layout.slice("track_b.delay_feedback") == slice(53, 54)
    assert [c.name for c in layout] == list(layout.names)
    assert layout["track_a.bass.eq_mid"] is layout.columns[8]


def test_an_unknown_name_gets_the_nearest_one() -> None:
    with pytest.raises(LayoutError, match=r"'track_a.drum.gain'; did you mean 'track_a.drums.gain'"):
        seed_layout().index("track_a.drum.gain")
    with pytest.raises(LayoutError, match="there is: a, b"):
        ParameterLayout([column("a"), column("b")]).index("zzzzzz")
    with pytest.raises(LayoutError, match="a control's name is text"):
        seed_layout().index(3)  # type: ignore[arg-type]


def test_a_prefix_ends_at_a_dot_and_must_be_contiguous() -> None:
    layout = ParameterLayout([column("a.x"), column("ab.x"), column("a.y")])
    assert layout.slice("ab") == slice(1, 2)
    with pytest.raises(LayoutError, match=r"do not lie together \(columns 0 … 2.*select\('a.\*\*'\)"):
        layout.slice("a")
    with pytest.raises(LayoutError, match=r"did you mean 'track_b.drums'"):
        seed_layout().slice("track_b.drum")


@pytest.mark.parametrize(
    ("pattern", "count"),
    [
        ("*.*.gain", 8),
        ("**.gain", 8),
        ("**.eq_*", 24),
        ("track_a.**", 27),
        ("**", 54),
        ("*", 0),
        ("*.*", 6),
        ("track_?.drums.gain", 0),
        ("track_b.drums.gain", 1),
        ("track_a.**.gain", 4),
        ("**.drums.**", 12),
        ("track_*.d*", 4),
    ],
)
def test_patterns(pattern: str, count: int) -> None:
    layout = seed_layout()
    if not count:
        with pytest.raises(LayoutError, match="no control matches"):
            layout.select(pattern)
        return
    found = layout.select(pattern)
    assert len(found) == count
    assert found == sorted(found)


@pytest.mark.parametrize(
    ("pattern", "meant"),
    [("**.gian", "**.gain"), ("track_a.*.eq_lo", "track_a.*.eq_low"), ("trackb.**", "track_b.**")],
)
def test_a_pattern_that_matches_nothing_says_the_nearest_that_does(pattern: str, meant: str) -> None:
    layout = seed_layout()
    with pytest.raises(LayoutError, match=re.escape(f"did you mean {meant!r}?")):
        layout.select(pattern)
    assert meant in layout.similar_patterns(pattern)
    assert all(layout.select(other) for other in layout.similar_patterns(pattern))


@given(st.lists(st.sampled_from(["a", "b", "ab", "*", "**", "a*"]), min_size=1, max_size=4))
def test_patterns_match_as_a_recursive_matcher_does(parts: list[str]) -> None:
    def matches(pattern: list[str], name: list[str]) -> bool:
        if not pattern:
            return not name
        if pattern[0] == "**":
            return matches(pattern[1:], name) or (bool(name) and matches(pattern, name[1:]))
        return bool(name) and fnmatch.fnmatchcase(name[0], pattern[0]) and matches(pattern[1:], name[1:])

    names = ["a", "b", "a.b", "b.a", "a.a.b", "ab.a", "a.ab.b", "b.b.b.a"]
    layout = ParameterLayout([column(name) for name in names])
    expected = [i for i, name in enumerate(names) if matches(parts, name.split("."))]
    try:
        found = layout.select(".".join(parts))
    except LayoutError:
        found = []
    assert found == expected


def test_several_patterns_select_what_one_of_them_does() -> None:
    layout = ParameterLayout([column(name) for name in ("a.gain", "a.eq_low", "b.gain", "b.pan")])
    assert layout.select(["b.*", "*.gain"]) == [0, 2, 3]
    assert layout.select(("**.eq_*",)) == layout.select("**.eq_*") == [1]
    with pytest.raises(LayoutError, match=r"no control matches 'c\.gain'"):
        layout.select(["b.*", "c.gain"])
    for wrong, said in (([], "got none"), ([3], "got 3 among them"), (3, "got 3")):
        with pytest.raises(LayoutError, match=said):
            layout.select(wrong)  # type: ignore[arg-type]


def test_two_stars_that_are_no_part_of_their_own_are_told_so() -> None:
    with pytest.raises(LayoutError, match=r"no control matches '\*\*_send'; did you mean '\*\*\.\*_send'"):
        seed_layout().select("**_send")
    assert seed_layout().similar_patterns("track_a.**_feedback") == ["track_a.**.*_feedback"]


def test_selected_columns_index_a_tensor() -> None:
    layout = seed_layout()
    params = torch.arange(54.0).expand(2, 3, 54)
    assert params[..., layout.select("track_a.*.gain")][0, 0].tolist() == [0, 6, 12, 18]
    assert params[..., layout.slice("track_b.bass")].shape == (2, 3, 6)


def test_aliases_stand_for_names_everywhere() -> None:
    layout = ParameterLayout(
        [
            column("deck.eq_low", aliases=("low", "old_deck.bass")),
            column("deck.mid"),
            column("cut", aliases=("kill",)),
        ]
    )
    assert layout.aliases == (("deck.low", "old_deck.bass"), (), ("kill",))
    assert layout.index("deck.low") == layout.index("old_deck.bass") == 0
    assert layout["kill"].name == "cut"
    assert "deck.low" in layout
    assert "deck.bass" not in layout
    assert layout.slice("deck.low") == slice(0, 1)
    assert layout.select("old_*.bass") == [0]
    assert layout.pack({"deck.low": 0.25})[0].tolist() == [0.25, 0.5, 0.5]


def test_a_name_wins_over_an_alias_and_an_ambiguous_alias_is_refused() -> None:
    layout = ParameterLayout(
        [column("a.x", aliases=("y", "z")), column("a.y"), column("a.w", aliases=("z",))]
    )
    assert layout.index("a.y") == 1
    with pytest.raises(LayoutError, match=r"old name of more than one control: a.x and a.w"):
        layout.index("a.z")


def test_impossible_columns_are_refused() -> None:
    with pytest.raises(LayoutError, match="columns 0 and 1 are both called 'a'"):
        ParameterLayout([column("a"), column("a")])
    with pytest.raises(LayoutError, match="'a': scale log needs a minimum above 0"):
        ParameterLayout([column("a", scale="log")])
    with pytest.raises(LayoutError, match=r"step -1.0 is not above 0"):
        ParameterLayout([column("a", step=-1.0)])
    with pytest.raises(LayoutError, match="column 0 has no name"):
        ParameterLayout([column("", id="a")])
    assert issubclass(LayoutError, DJGraphError)


def test_a_layout_is_a_value() -> None:
    layout, same = mixed_layout(), mixed_layout()
    assert layout == same
    assert hash(layout) == hash(same)
    assert len({layout, same, seed_layout()}) == 2
    assert layout != seed_layout()
    assert layout != "layout"
    assert copy.deepcopy(layout) == copy.copy(layout) == pickle.loads(pickle.dumps(layout)) == layout
    placed = [dataclasses.replace(c, position=Position("mix.yaml", i, 1)) for i, c in enumerate(layout)]
    assert ParameterLayout(placed) == layout
    assert ParameterLayout(placed)["deck.pan"].position == Position("mix.yaml", 1, 1)
    assert "9 controls: deck.eq, deck.pan, deck.cutoff, …" in repr(layout)


def test_a_layout_cannot_be_changed() -> None:
    layout = mixed_layout()
    with pytest.raises(AttributeError, match="cannot be changed"):
        layout.columns = ()
    with pytest.raises(AttributeError, match="cannot be changed"):
        del layout.columns
    layout.default.zero_()
    layout.minimum.zero_()
    assert layout.default[0] == 1
    assert layout.minimum[2] == 20


def test_ranges_as_tensors() -> None:
    layout = ParameterLayout([column("a", -2, 4, default=3.0, neutral=0.0), column("b", 1, 2, default=1.25)])
    assert layout.default.tolist() == [3, 1.25]
    assert layout.neutral.tolist() == [0, 1.25]
    assert layout.minimum.tolist() == [-2, 1]
    assert layout.maximum.tolist() == [4, 2]
    assert layout.maximum.dtype == torch.get_default_dtype()


def test_a_layout_without_columns() -> None:
    layout = ParameterLayout([])
    assert len(layout) == 0
    assert layout.pack(n_frames=3).shape == (3, 0)
    assert layout.from_unit(torch.zeros(3, 0)).shape == (3, 0)
    layout.check(torch.zeros(3, 0))
    assert layout.unpack(torch.zeros(3, 0)) == {}
    assert ParameterLayout.from_json(layout.to_json()) == layout
