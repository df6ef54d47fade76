"""Control values from a file: npy, csv, json or yaml, whoever wrote it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from djgraph.arguments import is_real
from djgraph.errors import DJGraphError, InputError, did_you_mean
from djgraph.reading import MIB, read_array, read_json, read_text
from djgraph.tables import delimiter_of, with_points

if TYPE_CHECKING:
    from torch import Tensor

    from djgraph.layout import ParameterLayout

MAX_BYTES = 256 * MIB
"""Largest file of control values that is read."""


def read_params(path: Path, layout: ParameterLayout) -> Tensor:
    """The file's values as params, ``[frames, controls]``, in plain units.

    ``.npy``: an array [frames, controls]. ``.csv``: a line of control names, then a line a frame
    (parted by commas, or by semicolons or tabs with decimal commas). ``.json``,
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
    try:
        params = readers[suffix](path, layout)
        layout.check(params)
    except DJGraphError as error:
        text = str(error)
        raise InputError(text if text.startswith(str(path)) else f"{path}: {text}") from error
    return params


def _read_npy(path: Path, layout: ParameterLayout) -> Tensor:
    import torch

    array = read_array(path, InputError, MAX_BYTES)
    if array.ndim == 3 and array.shape[0] == 1:  # a batch of one, as models give it
        array = array[0]
    if array.ndim != 2 or array.shape[1] != len(layout) or not array.shape[0]:
        raise InputError(
            f"{path} has the shape {list(array.shape)}; expected [frames, {len(layout)}], the controls of"
            " `djgraph layout` in their order"
        )
    return torch.from_numpy(array.astype("f4", order="C"))


def _read_csv(path: Path, layout: ParameterLayout) -> Tensor:
    text = read_text(path, InputError, MAX_BYTES)
    sign = delimiter_of(text.partition("\n")[0])
    rows = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=sign)
    try:
        names = [name.strip() for name in next(rows, [])]
        values: list[list[float]] = [[] for _ in names]
        for row in rows:
            if not row:
                continue
            if len(row) != len(names):
                raise InputError(f"{path}:{rows.line_num}: {len(row)} values for {len(names)} controls")
            for name, column, field in zip(names, values, row):
                column.append(_number(field, sign, f"{path}:{rows.line_num}: {name}"))
    except csv.Error as error:
        raise InputError(f"{path}:{rows.line_num}: {error}") from error
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{path}:1: {name!r} names two columns")
    if not names or not values[0]:
        raise InputError(f"{path}: expected a line of control names, then a line of values for each frame")
    return _pack(dict(zip(names, values)), layout)


def _read_json(path: Path, layout: ParameterLayout) -> Tensor:
    return _pack(read_json(path, InputError, MAX_BYTES).data, layout)


def _read_yaml(path: Path, layout: ParameterLayout) -> Tensor:
    from djgraph.language import parse

    return _pack(parse(read_text(path, InputError, MAX_BYTES), str(path)).data, layout)


def _pack(data: Any, layout: ParameterLayout) -> Tensor:
    if not isinstance(data, Mapping):
        raise InputError("expected a mapping of control name to a number or a list of numbers")
    for name, value in data.items():
        numbers = value if isinstance(value, list) else [value]
        if not numbers or not all(map(is_real, numbers)):
            raise InputError(f"{name!r}: expected a number or a list of numbers, one a frame")
    return layout.pack(data)


def _number(text: str, delimiter: str, where: str) -> float:
    try:
        return float(with_points(text, delimiter))
    except ValueError:
        raise InputError(f"{where}: {text!r} is not a number") from None
