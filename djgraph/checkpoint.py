"""Checkpoints: what a training needs to go on, in one safetensors file that knows its parameter layout."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from djgraph.atomic import atomic_writer
from djgraph.errors import CheckpointError, DJGraphError, LayoutError, shorten
from djgraph.layout import ParameterLayout
from djgraph.nn import ControlHead

FORMAT = "djgraph checkpoint 1"
"""What a file says it is, in safetensors' own metadata."""


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds.

    state: the nested mappings and lists that were saved; tensors on the CPU. layout: of the mixer that the model
    was trained for. path: of the file, for messages.
    """

    state: dict[str, Any]
    layout: ParameterLayout
    path: Path

    def check_layout(self, layout: ParameterLayout) -> None:
        """LayoutError, with what differs, where the checkpoint was made for another layout."""
        if self.layout.fingerprint == layout.fingerprint:
            return
        changes = "\n".join(f"  {line}" for line in self.layout.diff(layout).splitlines())
        raise LayoutError(
            f"{self.path} was made for another parameter layout ({self.layout.fingerprint}, here "
            f"{layout.fingerprint}); from the checkpoint to here:\n{changes}\n"
            "  to carry over by name what has been learned: remap (remap=True, --remap)"
        )

    def load_model(
        self, model: nn.Module, layout: ParameterLayout, *, key: str = "model", remap: bool = False
    ) -> bool:
        """Put ``state[key]``, a state dict, into a model; True where its heads had to be remapped.

        remap: carry every :class:`djgraph.nn.ControlHead` of the model over to its own layout, by name and
        alias (an optimiser's state does not go with it: begin a new one). Raises LayoutError for another
        layout without ``remap``, CheckpointError where the model is another one. Then the model is untouched.
        """
        if not remap:
            self.check_layout(layout)
        state = self.part(key)
        moved = self.layout.fingerprint != layout.fingerprint
        if moved:
            for name, module in model.named_modules():
                if isinstance(module, ControlHead):
                    state = module.remap(state, prefix=f"{name}." if name else "")
        own = model.state_dict()
        wrong = [f"missing: {name}" for name in own if name not in state]
        wrong += [f"not in this model: {name}" for name in state if name not in own]
        wrong += [
            f"{name}: {list(state[name].shape)} → {list(tensor.shape)}"
            for name, tensor in own.items()
            if name in state
            and isinstance(tensor, Tensor)
            and tensor.shape != state[name].shape
            and not name.endswith("_extra_state")  # the head's layout: compared above
        ]
        if wrong:
            raise CheckpointError(
                f"{self.path} holds another model; from the checkpoint to this model:\n  "
                + "\n  ".join(wrong)
            )
        model.load_state_dict(state)
        return moved

    def part(self, key: str) -> dict[str, Any]:
        """``state[key]``, a mapping. CheckpointError where there is none."""
        found = self.state.get(key)
        if not isinstance(found, dict):
            raise CheckpointError(f"{self.path} holds no {key!r}; it holds: {shorten(list(self.state))}")
        return found


def save(path: str | os.PathLike[str], state: Mapping[str, Any], layout: ParameterLayout) -> None:
    """Write a checkpoint, whole or not at all: what ``path`` held before stays until the new one is on disk.

    state: nested mappings (keys are text or whole numbers), lists and tuples of tensors, numbers, text and
    None: ``{"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}``. Nothing is
    pickled: the tensors are safetensors', under the names of their keys (``model.head.weight``), what is
    around them is JSON in the file's metadata. layout: of the mixer that the model plays; the file keeps it,
    with its fingerprint.

    Raises CheckpointError for anything else in ``state`` and for a file that cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    tree = _pack(state, "", tensors)
    header = {
        "format": FORMAT,
        "fingerprint": layout.fingerprint,
        "layout": layout.to_json(),
        "tree": json.dumps(tree),  # in ASCII: text may hold file names that are no UTF-8
    }
    data = _safetensors().torch.save(tensors, metadata=header)
    with atomic_writer(path, CheckpointError) as file:
        file.write(data)


def load(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint; nothing in the file is run. CheckpointError where there is none, or a damaged one."""
    library = _safetensors()
    if not Path(path).is_file():
        raise CheckpointError(f"{path} is not there, or is no file; expected a checkpoint")
    try:
        with library.safe_open(str(path), framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (library.SafetensorError, OSError) as problem:
        raise CheckpointError(f"{path} is damaged, or no safetensors file: {problem}") from problem
    if header.get("format") != FORMAT:
        found = header.get("format", "none")
        raise CheckpointError(f"{path} is no checkpoint of djgraph: its format is {found!r}, not {FORMAT!r}")
    try:
        state = _unpack(json.loads(header["tree"]), tensors)
        layout = ParameterLayout.from_json(header["layout"])
    except (KeyError, TypeError, ValueError, RecursionError, DJGraphError) as problem:
        raise CheckpointError(f"{path} is damaged: {type(problem).__name__}: {problem}") from problem
    if not isinstance(state, dict):
        raise CheckpointError(f"{path} is damaged: it holds a {type(state).__name__}, not a mapping")
    return Checkpoint(state, layout, Path(path))


def _pack(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """What JSON can hold of a value; its tensors go to ``tensors``, under names that tell where they stood."""
    if isinstance(value, Tensor):
        unique = name
        while unique in tensors:  # {"a.b": …, "a": {"b": …}}
            unique += "'"
        # A copy: safetensors refuses tensors that share memory.
        tensors[unique] = value.detach().cpu().contiguous().clone()
        return {"tensor": unique}
    if isinstance(value, Mapping):
        if bad := [key for key in value if isinstance(key, bool) or not isinstance(key, (str, int))]:
            raise CheckpointError(f"{name or 'state'}: the key {bad[0]!r} is neither text nor a whole number")
        items = [
            [key, _pack(item, f"{name}.{key}" if name else str(key), tensors)] for key, item in value.items()
        ]
        return {"map": items}
    if isinstance(value, (list, tuple)):
        items = [_pack(item, f"{name}.{i}", tensors) for i, item in enumerate(value)]
        return {"list" if isinstance(value, list) else "tuple": items}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise CheckpointError(
        f"{name or 'state'}: a checkpoint cannot hold a {type(value).__name__}; "
        "allowed: tensors, numbers, text, None, and mappings, lists and tuples of them"
    )


def _unpack(tree: Any, tensors: Mapping[str, Tensor]) -> Any:
    if not isinstance(tree, dict):
        return tree
    ((kind, inside),) = tree.items()
    if kind == "tensor":
        return tensors[inside]
    if kind == "map":
        return {key: _unpack(item, tensors) for key, item in inside}
    items = [_unpack(item, tensors) for item in inside]
    return tuple(items) if kind == "tuple" else items


def _safetensors() -> Any:
    try:
        import safetensors
        import safetensors.torch
    except ImportError as problem:
        raise CheckpointError(
            f'checkpoints need safetensors: pip install "djgraph[train]" ({problem})'
        ) from problem
    return safetensors
