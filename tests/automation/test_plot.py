"""Pictures: what is drawn, what is left out, and where they may go."""

from __future__ import annotations

import builtins
import re
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import djgraph
from djgraph.automation import load
from djgraph.automation.plot import _groups, digest, plot_automation, plot_params
from djgraph.errors import AutomationError, DJGraphError, InputError
from djgraph.fitting.plot import plot_controls
from djgraph.layout import ParameterLayout
from djgraph.layout.names import parted

pytest.importorskip("matplotlib")


def texts(path: Path) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", path.read_text())


def test_a_row_for_each_kind_and_a_line_for_each_course(
    tmp_path: Path, mixer_layout: ParameterLayout
) -> None:
    path = tmp_path / "swap.svg"
    plot_automation(load("bass_swap"), mixer_layout, path, 32.0)
    words = texts(path)
    for word in ("Bass swap", "gain", "eq_low", "track_a.*.gain", "track_b.*.eq_low", "seconds"):
        assert word in words
    below = words.index(next(word for word in words if word.startswith("at their defaults: ")))
    drawn = words[:below]
    assert not any("hpf" in word or "eq_mid" in word for word in drawn)
    assert any("*.*.hpf" in word for word in words[below:])


def test_the_same_picture_is_the_same_file(tmp_path: Path, mixer_layout: ParameterLayout) -> None:
    for name in ("one", "two"):
        plot_automation(load("cut"), mixer_layout, tmp_path / f"{name}.svg", 8.0)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".pdf", b"%PDF"), (".svg", b"<?xml")])
def test_formats(tmp_path: Path, small: ParameterLayout, suffix: str, start: bytes) -> None:
    path = tmp_path / f"x{suffix}"
    plot_params(small, {"": small.pack({"a.gain": [0.0, 1.0]})}, path, 2.0)
    assert path.read_bytes().startswith(start)


def test_several_params_over_one_another(tmp_path: Path, small: ParameterLayout) -> None:
    params = {"played": small.pack({"a.gain": [0.0, 1.0]}), "found": small.pack({"a.gain": [0.1, 0.9, 1.0]})}
    plot_params(small, params, tmp_path / "x.svg", 2.0, "Both")
    assert {"a.gain, played", "a.gain, found", "Both"} <= set(texts(tmp_path / "x.svg"))


def test_nothing_moves(tmp_path: Path, small: ParameterLayout) -> None:
    plot_params(small, {"": small.pack(n_frames=3)}, tmp_path / "x.svg", 2.0)
    words = texts(tmp_path / "x.svg")
    assert "no control moves" in words
    assert any(word.startswith("at their defaults: ") for word in words)


def test_what_is_held_is_named_and_not_drawn(tmp_path: Path, mixer_layout: ParameterLayout) -> None:
    params = mixer_layout.pack(
        {
            "track_a.bass.gain": [0.0, 1.0],
            "track_a.vocals.eq_low": 0.5,
            "track_b.vocals.eq_low": 0.5,
            "track_a.drums.lpf": 0.25,
        }
    )
    plot_params(mixer_layout, {"": params}, tmp_path / "x.svg", 2.0)
    words = texts(tmp_path / "x.svg")
    assert {"held at 0.5: *.vocals.eq_low", "held at 0.25: track_a.drums.lpf", "track_a.bass.gain"} <= set(
        words
    )
    kinds = {"gain", "eq_low", "lpf"}
    assert kinds & set(words) == {"gain"}


def test_courses_that_differ_are_drawn_though_neither_moves(tmp_path: Path, small: ParameterLayout) -> None:
    params = {
        "played": small.pack({"a.gain": 0.5}, n_frames=2),
        "found": small.pack({"a.gain": 0.25}, n_frames=3),
    }
    plot_params(small, params, tmp_path / "x.svg", 2.0)
    assert {"a.gain, played", "a.gain, found"} <= set(texts(tmp_path / "x.svg"))


def test_many_names_below_are_cut(tmp_path: Path) -> None:
    layout = ParameterLayout.from_graph(
        djgraph.load(Path(__file__).parents[2] / "examples/mixers/console.yaml")
    )
    random = torch.rand(len(layout), generator=torch.Generator().manual_seed(0))
    low, high = (torch.tensor([getattr(c.control, end) for c in layout]) for end in ("min", "max"))
    params = (low + random * (high - low)).expand(2, -1)
    plot_params(layout, {"": params}, tmp_path / "x.svg", 2.0)
    assert "… 524 controls in all that do not move" in texts(tmp_path / "x.svg")


WORDS = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(".".join)


@given(st.sets(WORDS, min_size=1), st.randoms(use_true_random=False))
def test_grouped_names_are_those_and_no_others(known: set[str], random: Random) -> None:
    names = [name for name in sorted(known) if random.random() < 0.6]
    labels = _groups(names, sorted(known))
    told = [
        name
        for label in labels
        for name in known
        if re.fullmatch(re.escape(label).replace(r"\*", r"[^.]+"), name)
    ]
    assert sorted(told) == sorted(names)


def test_refusals(tmp_path: Path, small: ParameterLayout) -> None:
    params = small.pack(n_frames=2)
    with pytest.raises(InputError, match=r"x\.gif: pictures are written to \.svg, \.png, \.pdf"):
        plot_params(small, {"": params}, tmp_path / "x.gif", 1.0)
    with pytest.raises(InputError, match=r"expected params \[frames, controls\]"):
        plot_params(small, {"": params[None]}, tmp_path / "x.svg", 1.0)
    with pytest.raises(DJGraphError, match="does not exist"):
        plot_params(small, {"": params}, tmp_path / "no" / "x.svg", 1.0)
    with pytest.raises(AutomationError):
        plot_automation(load("bass_swap"), small, tmp_path / "x.svg", 1.0)
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib(tmp_path: Path, small: ParameterLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "matplotlib":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(DJGraphError, match=r"pip install 'djgraph\[plot\]'"):
        plot_params(small, {"": small.pack(n_frames=2)}, tmp_path / "x.svg", 1.0)


def test_the_digest_tells_courses_apart() -> None:
    a, b = torch.zeros(3, 2).numpy(), torch.tensor([[0.0, 0], [0, 0.5], [0, 0]]).numpy()
    assert len({digest({"": a}, 1.0), digest({"": b}, 1.0), digest({"": a}, 2.0), digest({"x": a}, 1.0)}) == 4
    assert digest({"": a}, 1.0) == digest({"": a + 1e-6}, 1.0)


def test_sends_to_a_bus_with_dots_in_its_name_keep_their_names(tmp_path: Path) -> None:
    layout = ParameterLayout.from_graph(
        djgraph.load(
            {
                "djgraph": 1,
                "name": "dots",
                "inputs": [{"name": "a"}],
                "outputs": ["m"],
                "mixer": [
                    {"strip": "a.b", "input": "a", "chain": ["gain"], "sends": [{"to": "fx.wet"}], "to": "m"},
                    {"bus": "fx.wet", "to": "m"},
                    {"bus": "m"},
                ],
            }
        )
    )
    assert [parted(column) for column in layout] == [("a.b.gain", "gain"), ("a.b", "fx.wet_send")]
    again = ParameterLayout.from_json(layout.to_json())
    assert [parted(column) for column in again] == [parted(column) for column in layout]
    params = layout.pack({"a.b.fx.wet_send": [0.0, 1.0]})
    plot_params(layout, {"": params}, tmp_path / "a.svg", 2.0)
    plot_controls(tmp_path / "b.svg", layout, params, torch.ones(2, 2, dtype=torch.bool), 2.0)
    for name in ("a.svg", "b.svg"):
        assert "fx.wet_send" in (tmp_path / name).read_text()
