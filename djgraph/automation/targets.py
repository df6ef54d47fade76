"""Which columns of a layout a curve moves: controls by name, faders of tracks, controls by their roles."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence

from djgraph.automation.curves import EVERYWHERE, Curve
from djgraph.automation.model import ORDINAL
from djgraph.effects.roles import FADER, ROLES
from djgraph.errors import LayoutError, shorten
from djgraph.graph.ir import Column, Part
from djgraph.layout import ParameterLayout
from djgraph.layout.faders import NAMES, find_faders, find_tracks, too_few, unclear

SHOWN = 4
"""Controls that a message names."""


class Missing(Exception):
    """The layout lacks what a curve names."""

    def __init__(
        self,
        message: str,
        allowed: Sequence[str] = (),
        name: str | None = None,
        hint: str | None = None,
        key: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message, self.allowed, self.name, self.hint, self.key = message, allowed, name, hint, key


class Unclear(Missing):
    """The layout has more than one of what a curve names, and nothing says which is meant."""


class Targets:
    """Finds the columns that curves move."""

    def __init__(self, layout: ParameterLayout) -> None:
        self.layout = layout
        self.faders = find_faders(layout)
        self.tracks = find_tracks(layout)

    def columns(self, curve: Curve) -> list[int]:
        """The curve's columns, each once. Raises Missing, or Unclear."""
        find: Callable[[str], list[int]] = self._fader if curve.fader else self._control
        if curve.role:
            return self._role(curve.role, curve.targets[0])
        return list(dict.fromkeys(column for target in curve.targets for column in find(target)))

    # ── By name ─────────────────────────────────────────────────────────────────────────────────────────────

    def _control(self, target: str) -> list[int]:
        texts = self._ordinal(target)
        columns: list[int] = []
        lacks = []
        for text in texts:
            try:
                columns += self._one(target, text)
            except Missing as lack:
                lacks.append(lack)
        if len(lacks) == len(texts):
            raise lacks[0]
        return columns

    def _one(self, target: str, text: str) -> list[int]:
        try:
            return self.layout.select(text) if "*" in text else [self.layout.index(text)]
        except LayoutError as error:
            if "old name of more than one" in str(error):
                raise Missing(str(error)) from None
        if "*" in text:
            message = f"no control matches {_named(target, text)}"
            raise Missing(message, self.layout.similar_patterns(text) or self.layout.names, text)
        if (instead := self.layout.instead(text)) is not None:
            raise Missing(f"{instead}, so it has no column of its own")
        raise Missing(f"there is no control {_named(target, text)}", self.layout.names, text)

    # ── Faders ──────────────────────────────────────────────────────────────────────────────────────────────

    def _fader(self, target: str) -> list[int]:
        text = self._ordinal(target)[0]
        head, dot, stem = target.partition(".")
        if ORDINAL.match(head):
            track = self.tracks[int(head[0]) - 1]
            columns, stems = track.columns, track.stems
            if not dot and (fault := unclear(self.layout, track, head)) is not None:
                raise Unclear(fault, hint=_how_to_say("fader", head))
        else:
            if head not in self.faders:
                raise Missing(f"there is no track {head!r} with a fader", tuple(self.faders), head)
            columns, stems = self.faders[head].columns, self.faders[head].stems
        if not dot:
            return columns
        columns = [column for name, column in stems.items() if _matches(name, stem)]
        if not columns:
            names = tuple(f"{text.partition('.')[0]}.{name}" for name in stems)
            kinds = " or ".join(f"{text}.{kind}" for kind in NAMES)
            raise Missing(f"there is no stem with a fader {_named(target, text)} ({kinds})", names, text)
        return columns

    def _ordinal(self, target: str) -> list[str]:
        """The target with the names of the track that an ordinal stands for: one, as a rule."""
        head, dot, rest = target.partition(".")
        match = ORDINAL.match(head)
        if match is None:
            return [target]
        index = int(match[1]) - 1
        if index >= len(self.tracks):
            names = [" and ".join(track.names) for track in self.tracks]
            what = (
                too_few(self.layout, names)
                if index < 2
                else f"there are {len(self.tracks)}: {shorten(names)}"
            )
            raise Missing(
                f"the graph has no {head} track with a fader: {what}", hint=_how_to_say("fader", head)
            )
        return [name + dot + rest for name in self.tracks[index].names]

    # ── Roles ───────────────────────────────────────────────────────────────────────────────────────────────

    def _role(self, role: str, target: str) -> list[int]:
        if role == FADER and target != EVERYWHERE:
            return self._fader(target)
        marked = [(i, column.part) for i, column in enumerate(self.layout) if column.part is not None]
        having = [(i, part) for i, part in marked if part.role == role]
        if not having:
            there = tuple(dict.fromkeys(part.role for _, part in marked))
            known = f" ({ROLES[role].description.lower()})" if role in ROLES else ""
            message = f"the graph has no control with the role {role!r}{known}"
            raise Missing(message, there, role, _how_to_say(role), "role")
        if target == EVERYWHERE:
            return [i for i, _ in having]
        found = self._of(having, target)
        if not found:
            names = ", ".join(self._ordinal(target))
            what = target if names == target else f"{target} ({names})"
            others = dict.fromkeys(part.owner for _, part in having)
            message = f"{what} has no control with the role {role!r}; it is in {shorten(list(others), SHOWN)}"
            raise Missing(message, hint=_how_to_say(role), key="of")
        self._check_clear(role, target, found)
        return [i for i, _ in found]

    def _of(self, having: Sequence[tuple[int, Part]], target: str) -> list[tuple[int, Part]]:
        """Those of a track, of a strip or bus, or of what lies below it."""
        texts = self._ordinal(target)
        head, dot, stem = target.partition(".")
        if ORDINAL.match(head):
            track = self.tracks[int(head[0]) - 1]
            if not dot:
                return [(i, part) for i, part in having if part.track == track.number]
            texts += [name for name in track.names if _matches(name, stem)]
            return [(i, part) for i, part in having if any(_matches(part.owner, text) for text in texts)]
        below = [
            (i, part)
            for i, part in having
            if _matches(part.owner, target) or (not dot and part.owner.startswith(f"{target}."))
        ]
        if below or dot:
            # Of several in a row that which counts for the track.
            return [(i, part) for i, part in below if part.track is not None] or below
        if head not in self.faders:
            owners = dict.fromkeys([*self.faders, *(part.owner for _, part in having)])
            raise Missing(f"there is no strip or bus {head!r} with a role", tuple(owners), head, key="of")
        number = self.faders[head].track
        return [(i, part) for i, part in having if number is not None and part.track == number]

    def _check_clear(self, role: str, target: str, found: Sequence[tuple[int, Part]]) -> None:
        """Raises Unclear where several nodes of one strip or bus have a role, and only their effects say so."""
        by_owner: dict[str, list[Column]] = defaultdict(list)
        for i, part in found:
            if not part.declared:
                by_owner[part.owner].append(self.layout.columns[i])
        for owner, columns in by_owner.items():
            if len({node for column in columns for node, _ in column.drives}) > 1:
                names = shorten([column.name for column in columns], SHOWN)
                message = f"{owner!r} has several controls with the role {role!r}: {names}"
                raise Unclear(message, hint=_how_to_say(role), key="role")


def _how_to_say(role: str, head: str | None = None) -> str:
    """How a graph, or whoever plays a recipe, says which controls are meant."""
    graph = f"a graph says which controls these are: `roles: {{{role}: […]}}`"
    return f"say a track's name in place of {head}, or {graph}" if head else graph


def _matches(name: str, pattern: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name) is not None


def _named(target: str, text: str) -> str:
    return repr(target) if target == text else f"{text!r} ({target})"
