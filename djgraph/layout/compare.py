"""Whether two layouts are the same, how they differ in words, and tensors moved from one to the other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor

from djgraph.effects.control import Control
from djgraph.errors import LayoutError
from djgraph.graph.ir import Column

FINGERPRINT_DIGITS = 16


class Layout(Protocol):
    """What a comparison reads of a :class:`djgraph.layout.ParameterLayout`."""

    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names in order."""

    @property
    def aliases(self) -> tuple[tuple[str, ...], ...]:
        """The full old names of every column."""

    def __len__(self) -> int: ...


def meaning(control: Control) -> dict[str, object]:
    """What decides how a column's numbers are read: range, scale, unit, step and choices."""
    return {
        "min": control.min + 0.0,  # turns -0.0 and integers into one spelling
        "max": control.max + 0.0,
        "scale": control.scale,
        "exponent": control.exponent + 0.0 if control.scale == "power" else None,
        "unit": control.unit,
        "step": control.step + 0.0 if control.step else None,
        "choices": [choice + 0.0 for choice in control.choices],
    }


def fingerprint(layout: Layout) -> str:
    """16 hex digits that change with names, order and :func:`meaning`, and with nothing else."""
    content = [[column.name, meaning(column.control)] for column in layout.columns]
    text = json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:FINGERPRINT_DIGITS]


def origins(old: Layout, new: Layout) -> list[int | None]:
    """For every column of ``new``, the column of ``old`` that it continues, or None.

    A name that is in both wins; then an old name that the new column lists among its aliases; then an alias
    of the old column (the way back from a newer layout). No column is continued twice.
    """
    sources: list[int | None] = [
        old.names.index(name) if name in set(old.names) else None for name in new.names
    ]
    taken = {i for i in sources if i is not None}
    position = {name: i for i, name in enumerate(old.names)}
    by_alias = {alias: i for i, aliases in enumerate(old.aliases) for alias in aliases}
    for source, lookup in ((new.aliases, position), ([(name,) for name in new.names], by_alias)):
        for i, candidates in enumerate(source):
            match = next((lookup[n] for n in candidates if n in lookup and lookup[n] not in taken), None)
            if sources[i] is None and match is not None:
                sources[i] = match
                taken.add(match)
    return sources


def diff(old: Layout, new: Layout) -> str:
    """What changes on the way from ``old`` to ``new``, a line each; empty where nothing does."""
    sources = origins(old, new)
    kept = {i for i in sources if i is not None}
    pairs = [(i, j) for j, i in enumerate(sources) if i is not None]
    lines = [f"removed: {name} (column {i})" for i, name in enumerate(old.names) if i not in kept]
    lines += [f"added: {name} (column {j})" for j, name in enumerate(new.names) if sources[j] is None]
    lines += [f"renamed: {old.names[i]} → {new.names[j]}" for i, j in pairs if old.names[i] != new.names[j]]
    for i, j in pairs:
        before, after = meaning(old.columns[i].control), meaning(new.columns[j].control)
        changes = [
            f"{key} {_show(before[key])} → {_show(after[key])}" for key in before if before[key] != after[key]
        ]
        if changes:
            lines.append(f"changed: {new.names[j]}: {', '.join(changes)}")
    lines += [_moved(new, run) for run in _runs(pairs) if run[0][0] != run[0][1]]
    return "\n".join(lines)


def remap(params: Tensor, old: Layout, new: Layout) -> Tensor:
    """See :meth:`ParameterLayout.remap`."""
    if not isinstance(params, Tensor) or not params.ndim or params.shape[-1] != len(old):
        came = list(params.shape) if isinstance(params, Tensor) else type(params).__name__
        raise LayoutError(f"expected a tensor [..., {len(old)}] in the old layout, got {came}")
    sources = origins(old, new)
    default = torch.tensor([c.control.default for c in new.columns], dtype=torch.float64, device="cpu").to(
        params
    )
    here = [j for j, i in enumerate(sources) if i is not None]
    there = [i for i in sources if i is not None]
    base = default.expand(*params.shape[:-1], len(new))
    moved = params.index_select(-1, torch.tensor(there, dtype=torch.long, device=params.device))
    return base.index_copy(-1, torch.tensor(here, dtype=torch.long, device=params.device), moved)


def _runs(pairs: Sequence[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    """Stretches of columns that lie next to each other in both layouts."""
    run: list[tuple[int, int]] = []
    for i, j in pairs:
        if run and (i, j) != (run[-1][0] + 1, run[-1][1] + 1):
            yield run
            run = []
        run.append((i, j))
    if run:
        yield run


def _moved(new: Layout, run: Sequence[tuple[int, int]]) -> str:
    (i, j), (last_i, last_j) = run[0], run[-1]
    if len(run) == 1:
        return f"moved: {new.names[j]}: column {i} → {j}"
    return f"moved: {new.names[j]} … {new.names[last_j]}: columns {i}…{last_i} → {j}…{last_j}"


def _show(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return "(" + ", ".join(map(_show, value)) + ")"
    return "none" if value is None else str(value)
