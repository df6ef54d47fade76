"""Checkpoints: what goes in comes out, other layouts are told apart, damage is found, nothing is half written."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from small_model import LAYOUT, OTHER, Model
from torch import nn

from djgraph import ParameterLayout, checkpoint
from djgraph.errors import CheckpointError, LayoutError


def trained(layout: ParameterLayout, steps: int = 3) -> tuple[Model, torch.optim.Adam]:
    torch.manual_seed(1)
    model = Model(layout)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.randn(5, 3)).square().mean().backward()
        optimizer.step()
    return model, optimizer


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    model, optimizer = trained(LAYOUT)
    state: dict[str, Any] = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "random": torch.get_rng_state(),
        "progress": {"epoch": 3, "loss": 0.1 + 0.2, "name": "größer", "none": None, "done": False},
        "nested": [(1, torch.zeros(0, 2)), [], {7: torch.tensor(3)}],
        "a.b": torch.ones(1),
        "a": {"b": torch.ones(2)},
    }
    path = tmp_path / "c.safetensors"
    checkpoint.save(path, state, LAYOUT)
    found = checkpoint.load(path)
    assert found.layout == LAYOUT
    assert found.state["progress"] == state["progress"]
    assert found.state["nested"][0][0] == 1
    assert isinstance(found.state["nested"][0], tuple)
    assert found.state["nested"][0][1].shape == (0, 2)
    assert found.state["nested"][2] == {7: torch.tensor(3)}
    assert (len(found.state["a.b"]), len(found.state["a"]["b"])) == (1, 2)
    assert torch.equal(found.state["random"], state["random"])
    for name, tensor in model.state_dict().items():
        assert torch.equal(found.state["model"][name], tensor)
    again = Model(LAYOUT)
    other = torch.optim.Adam(again.parameters(), lr=0.1)
    assert found.load_model(again, LAYOUT) is False
    other.load_state_dict(found.part("optimizer"))
    for both in ((model, optimizer), (again, other)):
        both[1].zero_grad()
        both[0](torch.ones(2, 3)).sum().backward()
        both[1].step()
    for a, b in zip(model.parameters(), again.parameters()):
        assert torch.equal(a, b)


def test_it_is_a_plain_safetensors_file(tmp_path: Path) -> None:
    """Read by hand, as the format's page says: length, JSON header, bytes."""
    path = tmp_path / "c.safetensors"
    checkpoint.save(path, {"model": {"w": torch.arange(4.0)}}, LAYOUT)
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    assert header["__metadata__"]["fingerprint"] == LAYOUT.fingerprint
    assert ParameterLayout.from_json(header["__metadata__"]["layout"]) == LAYOUT
    first, last = header["model.w"]["data_offsets"]
    assert struct.unpack("<4f", data[8 + length + first : 8 + length + last]) == (0, 1, 2, 3)


def test_shared_memory_is_no_obstacle(tmp_path: Path) -> None:
    weight = torch.arange(6.0).view(2, 3)
    checkpoint.save(tmp_path / "c", {"a": weight, "b": weight.T, "c": weight[1]}, LAYOUT)
    state = checkpoint.load(tmp_path / "c").state
    assert torch.equal(state["b"], weight.T)
    assert torch.equal(state["c"], weight[1])


def test_another_layout_is_told(tmp_path: Path) -> None:
    model, _ = trained(LAYOUT)
    path = tmp_path / "c.safetensors"
    checkpoint.save(path, {"model": model.state_dict()}, LAYOUT)
    found, newer = checkpoint.load(path), Model(OTHER)
    before = {name: tensor.clone() for name, tensor in newer.state_dict().items()}
    with pytest.raises(LayoutError) as caught:
        found.load_model(newer, OTHER)
    text = str(caught.value)
    for part in (
        "removed: a.low",
        "added: c.gain",
        LAYOUT.fingerprint,
        OTHER.fingerprint,
        "remap",
        str(path),
    ):
        assert part in text
    assert all(torch.equal(tensor, before[name]) for name, tensor in newer.state_dict().items())
    assert found.load_model(newer, OTHER, remap=True) is True
    # Column for column, by name.
    x = torch.randn(6, 3)
    was, now = LAYOUT.unpack(model(x)), OTHER.unpack(newer(x))
    for name in ("a.gain", "b.gain"):
        torch.testing.assert_close(now[name], was[name])
    assert (now["c.gain"] == OTHER["c.gain"].control.neutral).all()


def test_another_model_is_told(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    checkpoint.save(path, {"model": Model(LAYOUT).state_dict()}, LAYOUT)
    found = checkpoint.load(path)
    wider = Model(LAYOUT, width=5)
    before = wider.body.weight.clone()
    with pytest.raises(CheckpointError, match=r"body\.weight: \[4, 3\] → \[5, 3\]"):
        found.load_model(wider, LAYOUT)
    assert torch.equal(wider.body.weight, before)
    with pytest.raises(CheckpointError, match=r"not in this model: head\.weight"):
        found.load_model(nn.Linear(3, 4), LAYOUT)
    with pytest.raises(CheckpointError, match="holds no 'optimizer'; it holds: model"):
        found.part("optimizer")


class Learned(nn.Module):
    """Nodes with weights of their own, under names that change."""

    def __init__(self, **sizes: int) -> None:
        super().__init__()
        self.nodes = nn.ModuleDict({name: nn.Linear(2, size) for name, size in sizes.items()})


def test_what_was_renamed_added_and_removed(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    old = Learned(echo=3, room=4, gone=2)
    checkpoint.save(path, {"mixer": old.state_dict()}, LAYOUT)
    found, new = checkpoint.load(path), Learned(hall=4, echo=3, fresh=5)
    before = {name: tensor.clone() for name, tensor in new.state_dict().items()}
    aliases = {"nodes.hall": "nodes.room"}
    carried = found.carried(new, key="mixer", aliases=aliases)
    assert carried.missing == ("nodes.fresh.weight", "nodes.fresh.bias")
    assert carried.unused == ("nodes.gone.weight", "nodes.gone.bias")
    assert carried.changed == {}
    assert not carried.whole
    with pytest.raises(CheckpointError, match=r"missing: nodes\.fresh\.weight"):
        found.load_model(new, LAYOUT, key="mixer", aliases=aliases)
    assert all(torch.equal(tensor, before[name]) for name, tensor in new.state_dict().items())
    with pytest.warns(
        UserWarning, match=r"(?s)missing: nodes\.fresh\.weight.*not in this model: nodes\.gone\.bias"
    ):
        found.load_model(new, LAYOUT, key="mixer", aliases=aliases, strict=False)
    assert torch.equal(new.nodes["hall"].weight, old.nodes["room"].weight)
    assert torch.equal(new.nodes["echo"].bias, old.nodes["echo"].bias)
    assert torch.equal(new.nodes["fresh"].weight, before["nodes.fresh.weight"])
    # Two that changed their names with each other; one tensor alone.
    swapped = Learned(echo=4, room=3, gone=2)
    both = {"nodes.echo": "nodes.room", "nodes.room": "nodes.echo"}
    assert found.load_model(swapped, LAYOUT, key="mixer", aliases=both) is False
    assert torch.equal(swapped.nodes["echo"].weight, old.nodes["room"].weight)
    assert torch.equal(swapped.nodes["room"].bias, old.nodes["echo"].bias)
    assert found.carried(new, key="mixer", aliases={"nodes.fresh.bias": "nodes.room.bias"}).changed == {
        "nodes.fresh.bias": "[4] → [5]"
    }
    held = nn.ModuleDict({"inner": Learned(echo=3, room=4, gone=2)})  # the whole of it, below a name
    assert found.load_model(held, LAYOUT, key="mixer", aliases={"inner": ""}) is False
    assert torch.equal(held["inner"].nodes["room"].bias, old.nodes["room"].bias)
    with pytest.raises(CheckpointError, match=r"nothing called 'nodes\.rom'.*nodes\.room"):
        found.load_model(new, LAYOUT, key="mixer", aliases={"nodes.hall": "nodes.rom"})
    with pytest.raises(CheckpointError, match=r"the model holds nothing called 'nodes\.hal'.*nodes\.hall"):
        found.load_model(new, LAYOUT, key="mixer", aliases={"nodes.hal": "nodes.room"})


@pytest.mark.filterwarnings("ignore:of .* was not carried over")
def test_a_head_that_cannot_be_remapped_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    old = Model(LAYOUT)
    checkpoint.save(path, {"model": old.state_dict()}, LAYOUT)
    new = Model(OTHER, width=5)
    before = new.head.weight.clone()
    with pytest.raises(LayoutError, match="controls, features"):
        checkpoint.load(path).load_model(new, OTHER, remap=True)
    assert checkpoint.load(path).load_model(new, OTHER, remap=True, strict=False) is True
    assert torch.equal(new.head.weight, before)
    assert new.head.layout == OTHER


@pytest.mark.parametrize(
    "bad", [{"x": {1, 2}}, {"x": [object()]}, {1.5: 2}, {"x": {None: 1}}, {"x": lambda: 1}]
)
def test_what_cannot_be_kept(tmp_path: Path, bad: dict[str, Any]) -> None:
    path = tmp_path / "c.safetensors"
    path.write_text("before")
    with pytest.raises(CheckpointError):
        checkpoint.save(path, bad, LAYOUT)
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["c.safetensors"]


def cut(data: bytes) -> bytes:
    return data[:-3]


def flip(data: bytes) -> bytes:
    return data[:4] + b"\xff" + data[5:]


def no_tree(data: bytes) -> bytes:
    return data.replace(b'"tree"', b'"tres"')


def wrong_name(data: bytes) -> bytes:
    return data.replace(b'"format":"djgraph', b'"format":"another')


@pytest.mark.parametrize(
    "damage", [cut, flip, no_tree, wrong_name, lambda _: b"", lambda _: b"PK\x03\x04 a pickle"]
)
def test_damage(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "c.safetensors"
    checkpoint.save(path, {"model": {"w": torch.ones(4)}}, LAYOUT)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CheckpointError, match=r"c\.safetensors"):
        checkpoint.load(path)


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is not there"):
        checkpoint.load(tmp_path / "none")
    with pytest.raises(CheckpointError, match="does not exist"):
        checkpoint.save(tmp_path / "no" / "c", {}, LAYOUT)
