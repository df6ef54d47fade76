"""Checkpoints say whether a mixer sounds as the one that was trained with; damaged ones are refused in words."""

from __future__ import annotations

import json
import struct
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_model import LAYOUT, OTHER, Model
from two_decks import GRAPH

import djgraph
from djgraph import checkpoint
from djgraph.errors import CheckpointError, LayoutError
from djgraph.sound import Sound


def header_of(path: Path) -> tuple[dict[str, Any], bytes]:
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def with_header(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    header, rest = header_of(path)
    change(header["__metadata__"])
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + rest)


def dj(**args: Any) -> Any:
    return djgraph.load("dj_mixer", **args)


def test_same_controls_and_another_sound_are_told(tmp_path: Path) -> None:
    """44.1 kHz and 16 kHz with another reverb have one layout fingerprint and two sounds."""
    path = tmp_path / "c.safetensors"
    graph, other = dj(), dj(sample_rate=16000, reverb_decay_time=3.0)
    layout = djgraph.ParameterLayout.from_graph(graph)
    assert layout.fingerprint == djgraph.ParameterLayout.from_graph(other).fingerprint
    model = Model(layout)
    checkpoint.save(path, {"model": model.state_dict()}, graph)
    saved = checkpoint.load(path)
    again = Model(layout)
    before = again.body.weight.clone()
    with pytest.raises(CheckpointError) as caught:
        saved.load_model(again, other)
    text = str(caught.value)
    assert "sample_rate: 44100 → 16000" in text
    assert "settings.decay_time: 1.5 → 3.0" in text
    assert "other_sound" in text
    assert torch.equal(again.body.weight, before)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert saved.load_model(again, graph) is False
        assert saved.load_model(again, layout) is False  # a layout says nothing of sound
        assert saved.load_model(again, other, other_sound=True) is False
    assert torch.equal(again.body.weight, model.body.weight)


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        (lambda g: g.update(name="renamed", title="A title", description="Words"), False),
        (lambda g: g.update(sample_rate=16000), True),
        (lambda g: g.update(transform={"size": 1024, "hop": 256}), True),
        (
            lambda g: g["mixer"][-1].update(
                chain=[{"effect": "delay", "controls": {"mix": 0.5, "feedback": 0.1}}]
            ),
            True,
        ),
    ],
)
def test_what_is_heard(change: Callable[[dict[str, Any]], object], differs: bool) -> None:
    document = json.loads(json.dumps(GRAPH))
    before = Sound.of(djgraph.load(document))
    change(document)
    after = Sound.of(djgraph.load(document))
    assert (before.graph != after.graph) == differs == bool(before.differences(after))
    assert Sound.model_validate_json(before.model_dump_json()).differences(before) == []


def test_mixers_are_taken_too(tmp_path: Path) -> None:
    mixer = djgraph.compile(GRAPH)
    checkpoint.save(tmp_path / "a", {}, mixer)
    saved = checkpoint.load(tmp_path / "a")
    assert saved.layout == mixer.layout
    assert saved.sound == Sound.of(mixer.graph)
    saved.check_sound(mixer)
    saved.check_layout(mixer)
    old = djgraph.create_mixer(sample_rate=22050)
    checkpoint.save(tmp_path / "b", {}, old)
    with pytest.raises(CheckpointError, match="sample_rate: 22050 → 44100"):
        checkpoint.load(tmp_path / "b").check_sound(djgraph.create_mixer())
    with pytest.raises(LayoutError, match="expected a mixer"):
        checkpoint.save(tmp_path / "c", {}, torch.nn.Linear(1, 1))


def test_old_checkpoints_still_load(tmp_path: Path) -> None:
    """As version 0.1 wrote them: no sound in the metadata."""
    path = tmp_path / "c"
    checkpoint.save(path, {"model": {}}, djgraph.load(GRAPH))
    with_header(path, lambda metadata: metadata.pop("sound"))
    saved = checkpoint.load(path)
    assert saved.sound is None
    saved.check_sound(djgraph.load({**GRAPH, "sample_rate": 16000}))


def test_versions_are_said(tmp_path: Path) -> None:
    graph = dj()
    checkpoint.save(tmp_path / "c", {}, graph)
    sound = Sound.of(graph)
    assert sound.versions["djgraph"] == djgraph.__version__

    def older(metadata: dict[str, Any]) -> None:
        data = json.loads(metadata["sound"])
        data["versions"] |= {"djgraph": "0.0.9", "some-plugin": "3"}
        metadata["sound"] = json.dumps(data)

    with_header(tmp_path / "c", older)
    with pytest.warns(UserWarning, match=rf"djgraph: 0\.0\.9 → {djgraph.__version__}, some-plugin: 3 → none"):
        checkpoint.load(tmp_path / "c").check_sound(graph)


def test_only_what_is_used_counts() -> None:
    assert set(Sound.of(dj()).versions) == {"djgraph"}  # its own effects are of its own distribution


def test_what_is_kept(tmp_path: Path) -> None:
    """NumPy's numbers, and the numbers that best losses begin with."""
    state = {
        "a": np.float64(0.5),
        "b": np.bool_(True),
        "c": np.int64(3),
        "d": np.str_("x"),
        "best": float("inf"),
        np.int64(7): float("nan"),
        "seed": 2**127,
    }
    checkpoint.save(tmp_path / "c", state, LAYOUT)
    found = checkpoint.load(tmp_path / "c").state
    assert found[7] != found.pop(7)
    assert found == {"a": 0.5, "b": True, "c": 3, "d": "x", "best": float("inf"), "seed": 2**127}
    deep: Any = torch.ones(1)
    for _ in range(checkpoint.LEVELS - 1):
        deep = {"x": deep}
    checkpoint.save(tmp_path / "d", deep, LAYOUT)
    assert str(checkpoint.load(tmp_path / "d").state) == str(deep)
    for bad in ({"x": [{"x": deep}]}, {"x": 10**40}, {"x": "\ud83d"}, {"\ud83d": 1}, {"x": np.zeros(2)}):
        with pytest.raises(CheckpointError):
            checkpoint.save(tmp_path / "e", bad, LAYOUT)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("tree", ""),
        ("tree", "[" * 100_000),
        ("tree", "3"),
        ("tree", '{"map": 3}'),
        ("tree", '{"map": [[1]]}'),
        ("tree", '{"map": [[[], 1]]}'),
        ("tree", '{"map": [[1.5, 1]]}'),
        ("tree", '{"tensor": "none"}'),
        ("tree", '{"tensor": []}'),
        ("tree", '{"other": []}'),
        ("tree", "{}"),
        ("tree", '{"map": [["a", [1]]]}'),
        ("tree", '{"map": [["a", ' + "9" * 5000 + "]]}"),
        ("layout", ""),
        ("layout", "[]"),
        ("layout", '{"djgraph_layout": 1, "columns": 3}'),
        ("layout", '{"djgraph_layout": 1, "columns": [[]]}'),
        ("sound", "{"),
        ("sound", '{"graph": 1, "content": {}, "versions": {}}'),
        ("sound", '{"graph": "a", "content": {}}'),
    ],
)
def test_damaged_metadata(tmp_path: Path, key: str, text: str) -> None:
    path = tmp_path / "c.safetensors"
    checkpoint.save(path, {"model": {"w": torch.ones(4)}}, djgraph.load(GRAPH))
    with_header(path, lambda metadata: metadata.update({key: text}))
    with pytest.raises(CheckpointError, match=r"c\.safetensors is damaged: ") as caught:
        checkpoint.load(path)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("head.weight", 3),
        ("head.bias", torch.ones(1)),
        ("head.origin", None),
        ("head._extra_state", torch.ones(3, dtype=torch.uint8)),
        ("head._extra_state", "x"),
        ("body.weight", [1.0]),
    ],
)
@pytest.mark.parametrize("remap", [False, True])
def test_states_that_fit_no_model(tmp_path: Path, name: str, value: Any, remap: bool) -> None:
    state = {**Model(LAYOUT).state_dict(), name: value}
    checkpoint.save(tmp_path / "c", {"model": state}, LAYOUT)
    layout = OTHER if remap else LAYOUT
    with pytest.raises((CheckpointError, LayoutError)):
        checkpoint.load(tmp_path / "c").load_model(Model(layout), layout, remap=remap)
