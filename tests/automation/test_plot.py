"""Pictures: what is drawn, what is left out, and where they may go."""

from __future__ import annotations

import builtins
import re
from pathlib import Path
from typing import Any

import pytest
import torch

import djgraph
from djgraph.automation import load
from djgraph.automation.plot import digest, plot_automation, plot_params
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
    assert not any("hpf" in word or "eq_mid" in word for word in words)


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
    assert "every control keeps its default" in texts(tmp_path / "x.svg")


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
