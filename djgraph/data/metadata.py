"""What is known of a track: the ``track.json`` beside its stems, whichever program wrote it."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from djgraph.arguments import is_real, shown
from djgraph.data.stored import MAX_TEMPO
from djgraph.errors import AudioFileError
from djgraph.reading import read_json


def read_metadata(folder: Path) -> tuple[float | None, tuple[float, ...], dict[str, Any]]:
    """Tempo (BPM or None), beats (seconds, ascending, may be none) and everything else that is known of a track.

    From ``track.json`` in its folder, or else ``<folder>.json`` beside it. NaN, null and half characters, as
    other programs write them for what they do not know, count as not known; anything else that makes no sense is
    an AudioFileError with its place.
    """
    path = folder / "track.json"
    if not path.is_file():
        path = folder.with_name(f"{folder.name}.json")
    if not path.is_file():
        return None, (), {}
    file = read_json(path, AudioFileError, not_finite="null")
    if not isinstance(file.data, dict):
        file.refuse("expected a mapping with tempo, beats and whatever else there is")
    info = dict(file.data)
    tempo, beats = info.pop("tempo", None), info.pop("beats", None)
    if tempo is not None and not (is_real(tempo) and 0 < tempo < MAX_TEMPO):
        file.refuse(
            f"tempo is {shown(tempo)}; expected beats a minute, above 0 and below {MAX_TEMPO:g}",
            ("tempo",),
            hint="null, or no tempo at all, says that it is not known",
        )
    beats = [] if beats is None else beats
    if not isinstance(beats, list):
        file.refuse(f"beats is {shown(beats)}; expected a list of seconds", ("beats",))
    for i, beat in enumerate(beats):
        if not is_real(beat):
            file.refuse(f"beats: expected a list of seconds; one is {shown(beat)}", ("beats", i))
    for i, (before, after) in enumerate(itertools.pairwise(beats), 1):
        if after <= before:
            file.refuse("beats run backwards; expected ascending seconds", ("beats", i))
    return None if tempo is None else float(tempo), tuple(map(float, beats)), info
