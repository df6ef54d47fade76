"""A document with faults → what of it is sound, so that the rest is checked in the same run.

Misspelt keys take the name that was probably meant; what is wrong beyond that is taken out, and with it whatever
cannot stand without it. What was taken out is remembered, since names that it would have brought may be missed later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from djgraph.errors import DocumentPath, nearest
from djgraph.language.faults import Fault, explain, keys_of
from djgraph.language.losses import Loss, slug
from djgraph.language.source import Data, Mark, Source

_Model = TypeVar("_Model", bound=BaseModel)

ROUNDS = 12
"""How often a document is mended and validated again: elements within elements that fall one after the other."""

_STAND_INS: dict[str, Data] = {"djgraph": 1, "name": "unnamed", "mixer": [], "outputs": ["master"]}
"""What takes the place of a required key of the document that is missing or wrong."""


@dataclass(frozen=True)
class Mended:
    """What of a document is sound, and how its paths are written in the document."""

    source: Source
    losses: tuple[Loss, ...] = ()
    removed: dict[DocumentPath, list[int]] = field(default_factory=dict)
    """List, by its path in the document → the places of the items that were taken out of it."""
    renamed: dict[DocumentPath, str] = field(default_factory=dict)
    """A key that was put in place, by its path → the key that the document has."""

    def original(self, path: DocumentPath) -> DocumentPath:
        """The document's path of what has ``path`` in the mended one."""
        written: DocumentPath = ()
        for part in path:
            if isinstance(part, int):
                for gone in self.removed.get(written, ()):
                    part += gone <= part
            else:
                part = self.renamed.get((*written, part), part)
            written = (*written, part)
        return written


@dataclass(frozen=True)
class Examined(Generic[_Model]):
    """Every fault of a document, by its place as written, and what of it is sound; None where that is too little."""

    faults: tuple[Fault, ...]
    model: _Model | None
    mended: Mended


def examine(
    source: Source,
    model: type[_Model],
    context: str | None = None,
    unknown: Sequence[DocumentPath] = (),
) -> Examined[_Model]:
    """Validate a document, or a piece of one, mending it until what is left is sound.

    context: pydantic's. unknown: places whose values are not known, which is told elsewhere.
    """
    found = [Fault("", path) for path in unknown]
    valid = None
    if not unknown:
        valid, found = _validate(source.data, model, context)
    if valid is not None or not isinstance(source.data, dict):
        return Examined(tuple(found), valid, Mended(source))
    work, faults = _Work(source, keys_of(model)), list[Fault]()
    for _ in range(ROUNDS):
        new = work.take_out(found)
        faults += [fault for fault in new if fault.message]  # others are told elsewhere
        valid, found = _validate(work.data, model, context)
        if valid is not None:
            break
    return Examined(tuple(dict.fromkeys(faults)), valid, work.mended(source.file))


def _validate(data: Data, model: type[_Model], context: str | None) -> tuple[_Model | None, list[Fault]]:
    try:
        return model.model_validate(data, context=context), []
    except ValidationError as error:
        return None, explain(error, model)


class _Work:
    """A copy of data and marks, from which pieces are taken out."""

    def __init__(self, source: Source, keys: Sequence[str]) -> None:
        self._stand_ins = {key: value for key, value in _STAND_INS.items() if key in keys}
        self._written: Any = source.data
        self.data: Any = _copied(source.data)
        self._marks = _copied_mark(source.marks)
        self._losses: list[Loss] = []
        self._removed: dict[DocumentPath, list[int]] = {}
        self._renamed: dict[DocumentPath, str] = {}
        self._guessed: set[DocumentPath] = set()
        self._called: list[str] = []

    def mended(self, file: str | None) -> Mended:
        return Mended(Source(self.data, self._marks, file), tuple(self._losses), self._removed, self._renamed)

    def take_out(self, faults: Sequence[Fault]) -> list[Fault]:
        """Mend all faults; those that do not come from mending, by their place in the document as written."""
        now = self.mended(None)
        placed = [replace(fault, loc=now.original(self._known(fault.loc))) for fault in faults]
        before = [loss.path for loss in self._losses]
        new = [one for one in placed if not any(path[: len(one.loc)] == one.loc for path in before)]
        # What stands under a misspelt key and does not fit at all was not meant for the key that is nearest.
        new = [one for one in new if one.loc not in self._guessed]
        by_path = {self._scope(self._known(fault.loc)): fault for fault in faults}
        # From the last to the first, so that the places of list items still fit.
        for path in sorted(by_path, key=_sortable, reverse=True):
            self._mend(path, by_path[path])
        return new

    def _mend(self, path: DocumentPath, fault: Fault) -> None:
        if fault.key and fault.name is not None and path and path[-1] == fault.name:
            guess = nearest(fault.name, fault.allowed)
            if guess is not None and self._rename(path, guess):
                return
        if not path:
            for key in self._stand_ins:
                if key not in self.data:
                    self._stand_in(key)
        elif len(path) == 1 and path[0] in self._stand_ins:
            self._stand_in(str(path[0]))
        elif self._known(path) == path and not self._call(path):
            self._remove(path)

    @staticmethod
    def _scope(path: DocumentPath) -> DocumentPath:
        """What is taken out where a fault is: an input without some of its stems would be another one."""
        return path[:2] if path[:1] == ("inputs",) and "stems" in path[2:] else path

    def _rename(self, path: DocumentPath, key: str) -> bool:
        """Give a key the name that was meant, in its place; False where there is one of that name."""
        holder, old = _at(self.data, path[:-1]), path[-1]
        if key in holder or not isinstance(old, str):
            return False
        original = self.mended(None).original(path[:-1])
        items = [(key if name == old else name, value) for name, value in holder.items()]
        holder.clear()
        holder.update(items)
        self._renamed[(*original, key)] = self._renamed.pop((*original, old), old)
        self._guessed.add((*original, self._renamed[*original, key]))
        mark = self._mark_at(path[:-1])
        if mark is not None and old in mark.children:
            mark.children[key] = mark.children.pop(old)
            mark.keys[key] = mark.keys.pop(old)
        return True

    def _call(self, path: DocumentPath) -> bool:
        """Give something a name that can be one where it has none; False where it does not need one."""
        holder, key = _at(self.data, path[:-1]), path[-1]
        if not _needs_name(holder, path):
            return False
        original = self.mended(None).original(path)
        # Somebody who wrote ``Deck 1`` may write deck_1 elsewhere.
        name = slug(holder[key]) or "unnamed"
        holder[key] = name if name not in self._called else f"{name}_{len(self._called)}"
        self._called.append(holder[key])
        written = {key: _at(self._written, original)}
        self._losses.append(Loss(original, written, *self._owner(path[:-1]), only_name=True))
        return True

    def _remove(self, path: DocumentPath) -> None:
        original = self.mended(None).original(path)
        holder, part = _at(self.data, path[:-1]), path[-1]
        self._losses.append(Loss(original, _at(self._written, original), *self._owner(path)))
        del holder[part]
        mark = self._mark_at(path[:-1])
        if isinstance(part, int):
            gone = self._removed.setdefault(original[:-1], [])
            gone.append(int(original[-1]))
            gone.sort()
            if mark is not None:
                rest = [child for index, child in mark.children.items() if index != part]
                mark.children = dict(enumerate(rest))
        elif mark is not None:
            mark.children.pop(part, None)
            mark.keys.pop(part, None)

    def _owner(self, path: DocumentPath) -> tuple[str | None, DocumentPath]:
        """The strip or bus around a piece, and its path in the document; nothing where its name is not known."""
        for depth in range(len(path) - 1, 0, -1):
            holder = _at(self.data, path[:depth])
            name = holder.get("strip", holder.get("bus")) if isinstance(holder, dict) else None
            if name is not None:
                return (name if isinstance(name, str) else None), self.mended(None).original(path[:depth])
        return None, ()

    def _stand_in(self, key: str) -> None:
        self._losses.append(Loss((key,), self.data.get(key)))
        self.data[key] = _copied(_STAND_INS[key])
        if self._marks is not None and key in self._marks.children:
            mark = self._marks.children[key]
            self._marks.children[key] = Mark(mark.line, mark.column)

    def _known(self, path: DocumentPath) -> DocumentPath:
        value: Any = self.data
        for depth, part in enumerate(path):
            known = (
                part in value if isinstance(value, dict) else isinstance(value, list) and _within(part, value)
            )
            if not known:
                return path[:depth]
            value = value[part]
        return path

    def _mark_at(self, path: DocumentPath) -> Mark | None:
        mark = self._marks
        for part in path:
            mark = mark.children.get(part) if mark is not None else None
        return mark


def _needs_name(holder: Any, path: DocumentPath) -> bool:
    """Whether what stands at a path is the name without which what holds it is nothing."""
    if not isinstance(holder, dict) or not all(isinstance(part, str | int) for part in path):
        return False
    if path[-1] in ("strip", "bus", "macro"):
        return True
    if path[-1] == "switch":
        return "choices" in holder
    return path[-1] == "name" and not {"sends", "switch"} & set(path)


def _at(value: Any, path: DocumentPath) -> Any:
    for part in path:
        value = value[part]
    return value


def _within(part: str | int, items: list[Any]) -> bool:
    return isinstance(part, int) and part < len(items)


def _sortable(path: DocumentPath) -> tuple[tuple[int, str], ...]:
    return tuple((part, "") if isinstance(part, int) else (-1, part) for part in path)


def _copied(value: Data) -> Any:
    """Lists and mappings anew; aliases of a document share them."""
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def _copied_mark(mark: Mark | None) -> Mark | None:
    if mark is None:
        return None
    children = {part: _copied_mark(child) for part, child in mark.children.items()}
    return Mark(mark.line, mark.column, {p: c for p, c in children.items() if c is not None}, dict(mark.keys))
