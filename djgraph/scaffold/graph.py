"""A small mixer in YAML, to grow: decks, with or without stems, a crossfader, a return, a cue."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from djgraph.effects.control import IDENTIFIER
from djgraph.errors import InputError
from djgraph.scaffold.fill import fill, template
from djgraph.scaffold.names import plain_name
from djgraph.scaffold.write import new_file

MOST_DECKS = 32


def new_graph(name: str, decks: int = 2, stems: Sequence[str] = (), into: Path | str = ".") -> Path:
    """Write a mixer to the new file ``into/name.yaml``; its path.

    name: lower-case words parted by ``_`` or ``-``. decks: how many tracks come in, 1 to 32; from two on they have a
    crossfader. stems: what each of them is made of; without any, each is one signal. into: a folder that is there.

    InputError where a name is none, and where the file exists.
    """
    plain_name(name, "graph")
    if not 1 <= decks <= MOST_DECKS:
        raise InputError(f"a mixer has 1 to {MOST_DECKS} decks, not {decks}")
    for place, stem in enumerate(stems):
        if not IDENTIFIER.match(stem):
            raise InputError(
                f"stem {stem!r} is no name\n  allowed: a lower-case letter, then lower-case letters, digits and _"
            )
        if stem in stems[:place]:
            raise InputError(f"stem {stem!r} is there twice")
    return new_file(Path(into) / f"{name}.yaml", text(name, decks, stems))


def text(name: str, decks: int, stems: Sequence[str]) -> str:
    """The document."""
    names = [f"deck_{number}" for number in range(1, decks + 1)]
    listed = f", stems: [{', '.join(stems)}]" if stems else ""
    faded = decks > 1
    words = {
        "name": name.replace("-", "_"),
        "title": name.replace("-", " ").replace("_", " ").capitalize(),
        "file": f"{name}.yaml",
        "inputs": "\n".join(f"  - {{name: {deck}{listed}}}" for deck in names),
        "uses": "\n".join(
            f"  - {{use: deck, with: {{name: {deck}{_side(number) if faded else ''}}}}}"
            for number, deck in enumerate(names)
        ),
        "last": names[-1],
        "next": f"deck_{decks + 1}",
    }
    parts = {
        "owner": template("graph/stems" if stems else "graph/strip"),
        "curves": template("graph/curves") if faded else "",
        "crossfader": template("graph/crossfader") if faded else "",
        "cross": template("graph/cross") if faded else "",
        "side": ", side: null" if faded else "",
    }
    return fill(
        fill(template("graph/mixer.yaml"), parts | {word: f"{{{{{word}}}}}" for word in words}), words
    )


def _side(number: int) -> str:
    """Decks 1, 3, … on the left of the crossfader, the others on its right."""
    return f", side: {('left', 'right')[number % 2]}"
