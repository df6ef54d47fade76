"""Checkpoints: what a training needs to go on, in one safetensors file that knows its parameter layout."""

from __future__ import annotations

import json
import operator
import os
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from djgraph.arguments import is_whole, shown
from djgraph.atomic import atomic_writer
from djgraph.errors import CheckpointError, DJGraphError, LayoutError, did_you_mean, shorten
from djgraph.graph.ir import Graph
from djgraph.layout import ParameterLayout
from djgraph.nn import ControlHead, ControlInput
from djgraph.reading import DIGITS, parse_json
from djgraph.sound import Sound

FORMAT = "djgraph checkpoint 1"
"""What a file says it is, in safetensors' own metadata."""
LEVELS = 64
"""How deep mappings and lists may lie in one another in a state."""
SHOWN = 12
"""Differences of sound that an error lists."""


Mixable = ParameterLayout | Graph | nn.Module
"""What a model plays: a mixer (:func:`djgraph.compile`), its graph, or only its layout."""


@dataclass(frozen=True)
class Carried:
    """What a checkpoint and a model do not share: names of tensors; ``str`` lists them, a line each.

    missing: of the model, not in the file. unused: of the file, not in the model. changed: in both, with what differs:
    ``[54, 8] → [60, 8]``.
    """

    missing: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    changed: Mapping[str, str] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """Whether all is carried over."""
        return not (self.missing or self.unused or self.changed)

    def __str__(self) -> str:
        lines = [f"missing: {name}" for name in self.missing]
        lines += [f"not in this model: {name}" for name in self.unused]
        lines += [f"{name}: {what}" for name, what in self.changed.items()]
        return "\n".join(f"  {line}" for line in lines)


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds.

    state: the nested mappings and lists that were saved; tensors on the CPU. layout: of the mixer that the model
    was trained for. path: of the file, for messages. sound: what that mixer computes; None where the file was saved
    with a layout alone, or by djgraph 0.1.
    """

    state: dict[str, Any]
    layout: ParameterLayout
    path: Path
    sound: Sound | None = None

    def check_layout(self, layout: Mixable) -> None:
        """LayoutError, with what differs, where the checkpoint was made for another layout."""
        layout = _parts(layout)[0]
        if self.layout.fingerprint == layout.fingerprint:
            return
        changes = "\n".join(f"  {line}" for line in self.layout.diff(layout).splitlines())
        raise LayoutError(
            f"{self.path} was made for another parameter layout ({self.layout.fingerprint}, here "
            f"{layout.fingerprint}); from the checkpoint to here:\n{changes}\n"
            "  to carry over by name what has been learned: remap (remap=True, --remap)"
        )

    def check_sound(self, mixer: Mixable) -> None:
        """CheckpointError, with what differs, where the mixer sounds otherwise than the one that the model was
        trained with: other settings, another sample rate, other connections.

        Where only the versions of djgraph or of plugins differ, a warning says so. Nothing is compared where the
        file, or what is handed over, says nothing of the sound (a layout alone, a checkpoint of djgraph 0.1).
        """
        graph = _parts(mixer)[1]
        if self.sound is None or graph is None:
            return
        here = Sound.of(graph)
        changes, versions = self.sound.differences(here), self.sound.version_differences(here)
        if not changes and not versions:
            return
        if not changes:
            warnings.warn(
                f"{self.path} was made with other versions, which may sound otherwise: {', '.join(versions)}",
                stacklevel=3,
            )
            return
        listed = [*changes[:SHOWN], *([f"… and {len(changes) - SHOWN} more"] if len(changes) > SHOWN else [])]
        raise CheckpointError(
            f"{self.path} was trained with a mixer that has the same controls and another sound; from the checkpoint "
            "to here:\n" + "\n".join(f"  {line}" for line in [*listed, *versions]) + "\n"
            "  to take what has been learned all the same: other_sound (other_sound=True, --other-sound)"
        )

    def load_model(
        self,
        model: nn.Module,
        layout: Mixable,
        *,
        key: str = "model",
        remap: bool = False,
        other_sound: bool = False,
        aliases: Mapping[str, str] | None = None,
        strict: bool = True,
    ) -> bool:
        """Put ``state[key]``, a state dict, into a model; True where its heads had to be remapped.

        layout: the mixer that the model is to play, or its graph: then its sound is compared, too; or only its
        layout. remap: carry every :class:`djgraph.nn.ControlHead` and :class:`djgraph.nn.ControlInput` of the model
        over to its own layout, by name and alias (an optimiser's state does not go with it: begin a new one); a model
        that hears where controls stand, as a flow does, can only get more of them, or, not ``strict``, comes near to
        what it was. other_sound: take a checkpoint of a mixer
        that sounds otherwise, as for training on at another sample rate. aliases: what was renamed since, a module, a
        learnable node or a single tensor: its name in this model → its name in the file, where an empty name is
        all of it. strict: where False, what the model or the file has alone, or in another size, stays as the model
        has it, and a warning lists it (:meth:`carried` says it as data).

        Raises LayoutError for another layout without ``remap``, CheckpointError for another sound without
        ``other_sound``, for aliases that name nothing, and, where ``strict``, where the model is another one. Then
        the model is untouched.
        """
        if not remap:
            self.check_layout(layout)
        moved = self.layout.fingerprint != _parts(layout)[0].fingerprint
        if not moved and not other_sound:  # another layout, which is accepted, is another sound
            self.check_sound(layout)
        state = self._renamed(model, key, aliases)
        if moved:
            for name, module in model.named_modules():
                if isinstance(module, (ControlHead, ControlInput)):
                    state = self._moved(module, state, f"{name}." if name else "", strict)
        carried = _compare(model, state)
        if strict and not carried.whole:
            raise CheckpointError(
                f"{self.path} holds another model; from the checkpoint to this model:\n{carried}"
            )
        if not carried.whole:
            warnings.warn(
                f"of {self.path} was not carried over, from it to this model:\n{carried}", stacklevel=2
            )
        own = model.state_dict()
        left = {*carried.missing, *carried.changed}
        model.load_state_dict({name: own[name] if name in left else state[name] for name in own})
        return moved

    def _moved(
        self, module: ControlHead | ControlInput, state: dict[str, Any], prefix: str, strict: bool
    ) -> dict[str, Any]:
        """``state`` with what lies under a prefix in the layout of the module that is to have it."""
        try:
            if isinstance(module, ControlHead):
                return module.remap(state, prefix)
            return module.remap(state, self.layout, prefix, strict)
        except LayoutError as problem:
            if strict:
                raise LayoutError(f"{self.path}: {problem}") from problem
        # Of one of other features nothing can be taken, a head's layout least of all.
        return {key: held for key, held in state.items() if not key.startswith(prefix)}

    def carried(
        self, model: nn.Module, *, key: str = "model", aliases: Mapping[str, str] | None = None
    ) -> Carried:
        """What :meth:`load_model` would carry over of ``state[key]``, and what not, before heads are remapped; the
        model is not changed."""
        return _compare(model, self._renamed(model, key, aliases))

    def _renamed(self, model: nn.Module, key: str, aliases: Mapping[str, str] | None) -> dict[str, Any]:
        """``state[key]`` under the names that the model has."""
        state = self.part(key)
        moves: dict[str, str] = {}
        own = list(model.state_dict())
        for here, there in (aliases or {}).items():
            found = {name: _moved(name, there, here) for name in state if _is_below(name, there)}
            if not found:
                raise CheckpointError(
                    f"aliases: {self.path} holds nothing called {there!r}{did_you_mean(there, _places(state))}"
                )
            if not any(_is_below(name, here) for name in own):
                raise CheckpointError(
                    f"aliases: the model holds nothing called {here!r}{did_you_mean(here, _places(own))}"
                )
            moves |= found
        kept = {name: held for name, held in state.items() if name not in moves}
        return kept | {new: state[old] for old, new in moves.items()}

    def part(self, key: str) -> dict[str, Any]:
        """``state[key]``, a mapping. CheckpointError where there is none."""
        part = self.state.get(key)
        if not isinstance(part, dict):
            raise CheckpointError(
                f"{self.path} holds no {key!r}; it holds: {shorten(list(map(str, self.state)))}"
            )
        return part


def save(path: str | os.PathLike[str], state: Mapping[str, Any], layout: Mixable) -> None:
    """Write a checkpoint, whole or not at all: what ``path`` held before stays until the new one is on disk.

    state: nested mappings (keys are text or whole numbers), lists and tuples of tensors, numbers, text and
    None: ``{"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}``. Nothing is
    pickled: the tensors are safetensors', under the names of their keys (``model.head.weight``), what is
    around them is JSON in the file's metadata. layout: the mixer that the model plays, or its graph: the file keeps
    its layout with its fingerprint, and what it sounds like; or only its layout.

    Raises CheckpointError for anything else in ``state`` and for a file that cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    tree = _pack(state, "", tensors)
    columns, graph = _parts(layout)
    header = {
        "format": FORMAT,
        "fingerprint": columns.fingerprint,
        "layout": columns.to_json(),
        "tree": json.dumps(tree, ensure_ascii=False),
    }
    if graph is not None:
        header["sound"] = Sound.of(graph).model_dump_json()
    data = _safetensors().torch.save(tensors, metadata=header)
    with atomic_writer(path, CheckpointError) as file:
        file.write(data)


def load(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint; nothing in the file is run. CheckpointError where there is none, or a damaged one."""
    library = _safetensors()
    if not os.path.isfile(path):
        raise CheckpointError(f"{path} is not there, or is no file; expected a checkpoint")
    try:
        with library.safe_open(str(path), framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (library.SafetensorError, OSError, ValueError, RuntimeError) as problem:
        raise CheckpointError(f"{path} is damaged, or no safetensors file: {problem}") from problem
    if header.get("format") != FORMAT:
        written = header.get("format", "none")
        raise CheckpointError(
            f"{path} is no checkpoint of djgraph: its format is {written!r:.80}, not {FORMAT!r}"
        )
    try:
        # Each level of a state is three of its tree: {"map": [[key, value], …]}.
        tree = parse_json(header.get("tree", ""), "its tree", CheckpointError, "keep", depth=3 * LEVELS + 2)
        state = _unpack(tree.data, tensors)
        layout = ParameterLayout.from_json(header.get("layout", ""))
        sound = None
        if "sound" in header:
            sound = parse_json(header["sound"], "its sound", CheckpointError).read_as(Sound)
    except DJGraphError as problem:
        raise CheckpointError(f"{path} is damaged: {problem}") from problem
    if not isinstance(state, dict):
        raise CheckpointError(f"{path} is damaged: it holds a {type(state).__name__}, not a mapping")
    return Checkpoint(state, layout, Path(path), sound)


def _compare(model: nn.Module, state: Mapping[str, Any]) -> Carried:
    own = model.state_dict()
    changed = {}
    for name, tensor in own.items():
        if name not in state or not isinstance(tensor, Tensor):
            continue
        held = state[name]
        if not isinstance(held, Tensor):
            changed[name] = f"{type(held).__name__} → {list(tensor.shape)}"
        # A head's extra state is its layout: compared elsewhere.
        elif tensor.shape != held.shape and not name.endswith("_extra_state"):
            changed[name] = f"{list(held.shape)} → {list(tensor.shape)}"
    missing = tuple(name for name in own if name not in state)
    return Carried(missing, tuple(name for name in state if name not in own), changed)


def _is_below(name: str, place: str) -> bool:
    return not place or name == place or name.startswith(f"{place}.")


def _moved(name: str, old: str, new: str) -> str:
    """A name below the place ``old``, below ``new``."""
    rest = name[len(old) :].removeprefix(".")
    return ".".join(part for part in (new, rest) if part)


def _places(names: Iterable[str]) -> list[str]:
    """Every module and tensor that dotted names speak of."""
    return list(dict.fromkeys(name.rsplit(".", i)[0] for name in names for i in range(name.count(".") + 1)))


def _parts(mixable: Mixable) -> tuple[ParameterLayout, Graph | None]:
    """The layout, and the graph where it is known."""
    if isinstance(mixable, ParameterLayout):
        return mixable, None
    if isinstance(mixable, Graph):
        return ParameterLayout.from_graph(mixable), mixable
    layout = getattr(mixable, "layout", None)
    graph = getattr(
        getattr(mixable, "mixer", mixable), "graph", None
    )  # of DifferentiableDJMixer: of what it holds
    if not isinstance(layout, ParameterLayout):
        raise LayoutError(
            f"layout is a {type(mixable).__name__}; expected a mixer, its graph, or its layout (mixer.layout)"
        )
    return layout, graph if isinstance(graph, Graph) else None


def _pack(value: Any, name: str, tensors: dict[str, Tensor], level: int = 0) -> Any:
    """What JSON can hold of a value; its tensors go to ``tensors``, under names that tell where they stood."""
    if level > LEVELS:
        raise CheckpointError(f"{name[:60]}…: a checkpoint nests at most {LEVELS} deep")
    if isinstance(value, Tensor):
        unique = name
        while unique in tensors:  # {"a.b": …, "a": {"b": …}}
            unique += "'"
        # A copy: safetensors refuses tensors that share memory.
        tensors[unique] = value.detach().cpu().contiguous().clone()
        return {"tensor": unique}
    if isinstance(value, Mapping):
        items = []
        for key, item in value.items():
            if not isinstance(key, str) and not is_whole(key):
                raise CheckpointError(
                    f"{name or 'state'}: the key {key!r} is neither text nor a whole number"
                )
            plain = _text(key, name) if isinstance(key, str) else operator.index(key)
            items.append([plain, _pack(item, f"{name}.{key}" if name else str(key), tensors, level + 1)])
        return {"map": items}
    if isinstance(value, (list, tuple)):
        items = [_pack(item, f"{name}.{i}", tensors, level + 1) for i, item in enumerate(value)]
        return {"list" if isinstance(value, list) else "tuple": items}
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str):
        return _text(value, name)
    if isinstance(value, int) and abs(value) >= 10 ** (DIGITS - 1):
        raise CheckpointError(
            f"{name or 'state'}: a whole number has less than {DIGITS} digits in a checkpoint"
        )
    if value is None or isinstance(value, (bool, int, float)):
        return value
    raise CheckpointError(
        f"{name or 'state'}: a checkpoint cannot hold a {type(value).__name__}; "
        "allowed: tensors, numbers, text, None, and mappings, lists and tuples of them"
    )


def _text(text: str, name: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise CheckpointError(
            f"{name or 'state'}: half a surrogate pair is no character: {text!a:.60}"
        ) from None
    return text


def _unpack(tree: Any, tensors: Mapping[str, Tensor]) -> Any:
    if not isinstance(tree, dict):
        if isinstance(tree, list):
            raise CheckpointError("its tree has a list where a value should stand")
        return tree
    kind, inside = next(iter(tree.items()), (None, None))
    if kind == "tensor":
        if not isinstance(inside, str) or inside not in tensors:
            raise CheckpointError(f"its tree names a tensor that it does not hold: {shown(inside)}")
        return tensors[inside]
    if kind not in ("map", "list", "tuple") or not isinstance(inside, list) or len(tree) != 1:
        raise CheckpointError(f"its tree has a part that is none: {shown(tree)}")
    if kind != "map":
        items = [_unpack(item, tensors) for item in inside]
        return tuple(items) if kind == "tuple" else items
    mapping = {}
    for pair in inside:
        if not (
            isinstance(pair, list) and len(pair) == 2 and (isinstance(pair[0], str) or is_whole(pair[0]))
        ):
            raise CheckpointError(f"its tree has a mapping with a part that is none: {shown(pair)}")
        mapping[pair[0]] = _unpack(pair[1], tensors)
    return mapping


def _safetensors() -> Any:
    try:
        import safetensors
        import safetensors.torch
    except ImportError as problem:
        raise CheckpointError(
            f'checkpoints need safetensors: pip install "djgraph[train]" ({problem})'
        ) from problem
    return safetensors
