"""What each track adds to a mix: the mixer with all other inputs silent."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from djgraph.errors import InputError
from djgraph.graph.ir import Graph
from djgraph.mixer import Mixer

Kind = Literal["bass", "vocals", "drums", "other", "whole"]
"""What a part is; ``whole``: all of a track that comes without stems."""
_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("bass", "sub", "bassline"), "bass"),
    **dict.fromkeys(("vocals", "vocal", "voice", "voices", "vox", "acapella", "singer"), "vocals"),
    **dict.fromkeys(("drums", "drum", "percussion", "beat", "beats", "kick"), "drums"),
}


@dataclass(frozen=True)
class Part:
    """Signals of one input that are heard together. track: the input. kind: what they are. stems: which of its stems;
    None for an input without."""

    track: str
    kind: Kind
    stems: tuple[str | None, ...]

    def holds(self, track: str, stem: str | None) -> bool:
        return track == self.track and stem in self.stems


def parts_of(graph: Graph, given: Collection[str] | None = None) -> tuple[Part, ...]:
    """The parts of a graph's inputs, or of those that are ``given``: of each its bass, vocals, drums and what else it
    has, by the names of its stems."""
    parts = []
    for track, stems in graph.inputs.items():
        if given is not None and track not in given:
            continue
        by_kind: dict[Kind, list[str | None]] = {}
        for stem in stems if stems is not None else (None,):
            kind: Kind = "whole" if stem is None else _KINDS.get(stem.lower(), "other")
            by_kind.setdefault(kind, []).append(stem)
        parts += [Part(track, kind, tuple(names)) for kind, names in by_kind.items()]
    return tuple(parts)


def contributions(
    mixer: Mixer,
    inputs: Mapping[str, Any],
    params: Tensor,
    *,
    kinds: Collection[Kind] | None = None,
    output: str | None = None,
    **how: Any,
) -> dict[Part, Tensor]:
    """What every part adds to a mix, ``[batch, channels, samples]`` each: what the mixer makes of it while all other
    inputs are silent. In graphs that are linear in their audio these add up to the mix.

    inputs, params: as the mixer takes them, ``how`` likewise (``positions``, ``tempo``, …). kinds: of which parts
    (default: all of them). output: which of its outputs (default: the first). All parts go through the mixer as one
    batch; gradients pass. Raises InputError as the mixer does, and for kinds and outputs that there are not.
    """
    parts = tuple(part for part in parts_of(mixer.graph, inputs) if kinds is None or part.kind in kinds)
    if not parts:
        raise InputError(
            f"there is no part of {', '.join(kinds or ())}; there is: {_there(mixer.graph, inputs)}"
        )
    for name, value in inputs.items():
        if not isinstance(value, Tensor | Mapping):
            raise InputError(
                f"contributions take {name} as tensors, in which each part can be silent; djgraph.reports.Listener "
                "takes what sources read from disk"
            )
    batch = max(len(x) for value in inputs.values() for x in _signals(value).values())
    spread = {name: _alone(name, value, parts, batch) for name, value in inputs.items()}
    if params.ndim == 3 and len(params) > 1:
        params = params.repeat(len(parts), 1, 1)
    mixed = mixer(spread, params, **how)
    whole = chosen(mixed, output)
    return dict(zip(parts, whole.unflatten(0, (len(parts), batch)).unbind(0)))


def _there(graph: Graph, given: Collection[str]) -> str:
    return ", ".join(dict.fromkeys(part.kind for part in parts_of(graph, given)))


def chosen(mixed: Tensor | Mapping[str, Tensor], output: str | None) -> Tensor:
    """One output of what a mixer gave; its first without a name."""
    if isinstance(mixed, Tensor):
        return mixed
    if output is not None and output not in mixed:
        raise InputError(f"there is no output {output!r}; there is: {', '.join(mixed)}")
    return mixed[next(iter(mixed)) if output is None else output]


def _signals(value: Any) -> Mapping[str | None, Tensor]:
    return value if isinstance(value, Mapping) else {None: value}


def _alone(track: str, value: Any, parts: tuple[Part, ...], batch: int) -> Any:
    """Of one input: ``[parts·batch, channels, samples]``, silent but where its part is heard."""
    rows: dict[str | None, Tensor] = {}
    for stem, audio in _signals(value).items():
        silent = torch.zeros_like(audio).expand(batch, -1, -1)
        rows[stem] = torch.cat(
            [audio.expand(batch, -1, -1) if part.holds(track, stem) else silent for part in parts]
        )
    return rows if isinstance(value, Mapping) else rows[None]
