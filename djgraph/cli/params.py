"""Control values from a file: npy, csv, json or yaml, whoever wrote it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from djgraph.errors import DJGraphError, InputError, did_you_mean

if TYPE_CHECKING:
    from torch import Tensor

    from djgraph.layout import ParameterLayout

MAX_BYTES = 256 * 1024**2
"""Largest file of control values that is read."""


def read_params(path: Path, layout: ParameterLayout) -> Tensor:
    """The file's values as params, ``[frames, controls]``, in plain units.

    ``.npy``: an array [frames, controls]. ``.csv``: a line of control names, then a line a frame. ``.json``,
    ``.yaml``, ``.yml``: a mapping of control name → number or list of numbers, one a frame. By name, controls
    that are left out take their default, and old names (aliases) will do.

    Raises InputError, with the file's name, for what cannot be read, unknown names, wrong sizes and values
    that are not finite.
    """
    readers: dict[str, Callable[[Path, ParameterLayout], Tensor]] = {
        ".npy": _read_npy,
        ".csv": _read_csv,
        ".json": _read_json,
        ".yaml": _read_yaml,
        ".yml": _read_yaml,
    }
    suffix = path.suffix.lower()
    if suffix not in readers:
        guess = did_you_mean(suffix, readers) if suffix else ""
        raise InputError(f"{path}: control values are read from {', '.join(readers)}{guess}")
    if not path.is_file():
        raise InputError(f"{path} {'is not an ordinary file' if path.exists() else 'does not exist'}")
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{path} is larger than the limit of {MAX_BYTES // 1024**2} MiB for control values")
    try:
        params = readers[suffix](path, layout)
        layout.check(params)
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text: byte {error.start}") from error
    except DJGraphError as error:
        text = str(error)
        raise InputError(text if text.startswith(str(path)) else f"{path}: {text}") from error
    return params


def _read_npy(path: Path, layout: ParameterLayout) -> Tensor:
    import numpy as np
    import torch

    try:
        # As a memory map, so that a header cannot claim more than the file holds; no pickles.
        array = np.lib.format.open_memmap(path, mode="r")
    except (ValueError, EOFError, SyntaxError, OverflowError) as error:
        raise InputError(f"{path} is no NumPy array of numbers: {error}") from error
    if array.dtype.kind not in "fiub":
        raise InputError(f"{path} holds {array.dtype}; expected real numbers")
    if array.ndim == 3 and array.shape[0] == 1:  # a batch of one, as models give it
        array = array[0]
    if array.ndim != 2 or array.shape[1] != len(layout) or not array.shape[0]:
        raise InputError(
            f"{path} has the shape {list(array.shape)}; expected [frames, {len(layout)}], the controls of"
            " `djgraph layout` in their order"
        )
    return torch.from_numpy(np.array(array, dtype=np.float32))


def _read_csv(path: Path, layout: ParameterLayout) -> Tensor:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.reader(file, strict=True)
        try:
            names = [name.strip() for name in next(rows, [])]
            values: list[list[float]] = [[] for _ in names]
            for row in rows:
                if not row:
                    continue
                if len(row) != len(names):
                    raise InputError(f"{path}:{rows.line_num}: {len(row)} values for {len(names)} controls")
                for name, column, text in zip(names, values, row):
                    column.append(_number(text, f"{path}:{rows.line_num}: {name}"))
        except csv.Error as error:
            raise InputError(f"{path}:{rows.line_num}: {error}") from error
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{path}:1: {name!r} names two columns")
    if not names or not values[0]:
        raise InputError(f"{path}: expected a line of control names, then a line of values for each frame")
    return _pack(dict(zip(names, values)), layout)


def _read_json(path: Path, layout: ParameterLayout) -> Tensor:
    def mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in pairs:
            if name in found:
                raise InputError(f"{path}: {name!r} is given twice")
            found[name] = value
        return found

    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=mapping)
    except (ValueError, RecursionError) as error:
        if isinstance(error, (InputError, UnicodeDecodeError)):
            raise
        raise InputError(f"{path} is no JSON: {error}") from error
    return _pack(data, layout)


def _read_yaml(path: Path, layout: ParameterLayout) -> Tensor:
    from djgraph.document import parse

    return _pack(parse(path.read_text(encoding="utf-8-sig"), str(path)).data, layout)


def _pack(data: Any, layout: ParameterLayout) -> Tensor:
    if not isinstance(data, Mapping):
        raise InputError("expected a mapping of control name to a number or a list of numbers")
    for name, value in data.items():
        numbers = value if isinstance(value, list) else [value]
        if not numbers or any(isinstance(x, bool) or not isinstance(x, (int, float)) for x in numbers):
            raise InputError(f"{name!r}: expected a number or a list of numbers, one a frame")
        if any(abs(x) > 1e30 for x in numbers if isinstance(x, int)):
            raise InputError(f"{name!r}: a value has more digits than a control can have")
    return layout.pack(data)


def _number(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{where}: {text!r} is not a number") from None
