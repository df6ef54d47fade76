"""What may be wrong with an item whose files are whole: its params, its labels, the djgraph that made it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from djgraph.arguments import shown
from djgraph.data import store
from djgraph.data.description import Description
from djgraph.errors import CorpusError, InputError, shorten
from djgraph.layout import ParameterLayout
from djgraph.reading import MIB, read_array


def read_params(folder: Path, about: Description) -> Tensor:
    """An item's params ``[frames, controls]``, float32. CorpusError for anything else in their file."""
    path = folder / store.PARAMS
    wanted = (about.n_frames, len(about.layout))
    array = read_array(path, CorpusError, 1024 * MIB)
    if array.shape != wanted or array.dtype != "<f4":
        raise CorpusError(f"{path} holds {list(array.shape)} {array.dtype}; expected {list(wanted)} float32")
    params = torch.from_numpy(
        array.astype("f4", order="C")
    )  # a copy: the file's bytes are not to be written to
    if not bool(params.isfinite().all()):
        raise CorpusError(f"{path} holds values that are not finite")
    return params


def label_faults(layout: ParameterLayout, params: Tensor) -> list[str]:
    """What params ``[frames, controls]`` say that no mixer of this layout does: values out of range or between
    those that a control can take, and movements of a control that is read once a clip."""
    faults = []
    try:
        layout.check(params, out_of_range=True)
    except InputError as problem:
        faults.append(str(problem))
    moving = (params != params[:1]).any(0)
    once = [c.name for i, c in enumerate(layout.columns) if c.control.rate == "clip" and moving[i]]
    if once:
        faults.append(f"controls move that are read once a clip: {shorten(once, 8)}")
    return faults


def warn_of_before(about: Description, root: object) -> None:
    """Say that a corpus of djgraph 0.1 may hold false labels, where its layout has controls that make them."""
    columns = about.layout.columns
    told = [c.name for c in columns if c.control.rate == "clip" or c.control.choices or c.control.step]
    if told and not about.made_with:
        warnings.warn(
            f"{root} was made by djgraph 0.1, which moved controls that are read once a clip, or have steps, as if"
            f" they were faders ({shorten(told, 4)}): labels may be false. djgraph dataset check {root} says where;"
            " djgraph dataset make, in a new folder, makes it right",
            stacklevel=3,
        )


def item_faults(
    folder: Path, about: Description, record: Mapping[str, Any], tracks: Mapping[str, str]
) -> Iterator[str]:
    """What is wrong with an item whose files are whole. tracks: name → what is wrong with it."""
    try:
        faults = label_faults(about.layout, read_params(folder, about))
    except CorpusError as problem:
        yield f"is damaged: {problem}"
    else:
        if faults:
            yield f"has false labels: {'; '.join(faults)}. Make the corpus anew, in a new folder"
    for name in about.inputs:
        played = record["inputs"].get(name)
        if played is None:
            yield f"does not say what the input {shown(name)} plays"
        elif fault := tracks.get(played["track"]):
            yield f"plays the track {shown(played['track'])}, which {fault}"
