"""Which names are known where: the signals of a document, of graphs that are parts of it, and what goes in and out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from djgraph.errors import Problem
from djgraph.graph.draft import InputDraft, OwnerDraft, SumDraft
from djgraph.graph.ir import Point
from djgraph.graph.placed import PlacedGraph
from djgraph.language.parts import Input, Stem
from djgraph.language.site import Site


@dataclass(eq=False)
class Given:
    """A signal that passes between a graph and a part of it: what it is on the other side, and where that is said."""

    text: str
    site: Site
    channels: int | None = None
    """How many it has at most, if it goes in."""


@dataclass(eq=False)
class Space:
    """The signals of one document, under the names that it has for them.

    outputs: those of graphs that are parts of it, and of which document they are said.
    """

    owners: dict[str, OwnerDraft] = field(default_factory=dict)
    signals: dict[str, Point | Given] = field(default_factory=dict)
    stems: dict[str, list[str]] = field(default_factory=dict)
    outputs: dict[str, Given] = field(default_factory=dict)

    @cached_property
    def known_to_strips(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self.signals, *self.owners, *self.outputs]))

    @cached_property
    def known(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self.owners, *self.outputs, *self.signals]))

    @cached_property
    def buses(self) -> tuple[str, ...]:
        return tuple(name for name, owner in self.owners.items() if owner.sum is not None)

    def declare(self, name: str, signal: Point | Given, stem_of: str | None) -> None:
        """Note an input, or a stem of one."""
        self.signals[name] = signal
        if stem_of is not None:
            self.stems.setdefault(stem_of, []).append(name)


class Spaces:
    """The names of a document, and those of its parts: what begins the names of a part → its space.

    ``problems`` fills with inputs of parts that are given wrongly, ``missing`` with names that nothing has;
    ``silences`` take the place of inputs that are not given.
    """

    def __init__(
        self, inputs: Sequence[InputDraft], owners: Mapping[str, OwnerDraft], parts: Sequence[PlacedGraph]
    ) -> None:
        self._spaces: dict[str, Space] = defaultdict(Space)
        self.problems: list[Problem] = []
        self.missing: list[Problem] = []
        self.silences: list[SumDraft] = []
        for owner in owners.values():
            self[owner.site.space].owners[owner.placed.own_name] = owner
        for node in inputs:
            stem_of = None if node.stem is None else node.input
            self[""].declare(node.id.removeprefix("in:"), Point(node.id), stem_of)
        for part in parts:
            self._declare(part)

    def __getitem__(self, space: str) -> Space:
        return self._spaces[space]

    def _declare(self, part: PlacedGraph) -> None:
        """Note the inputs of a part, in its own document, and its outputs, in the one around it."""
        around, name = self[part.site.space], part.model.as_
        first = around.owners.get(name)
        if first is not None or name in around.signals or name in around.stems:
            what = "an input" if first is None else f"a {first.placed.kind}"
            message = f"{name!r} is the name of {what} already"
            self.problems.append(part.site.problem(message, "as"))
        site = part.header.site
        for index, output in enumerate(part.header.model.outputs):
            given = Given(output.from_, site.below("outputs", index, "from"))
            if index == 0:
                around.outputs[name] = given
            around.outputs.setdefault(f"{name}.{output.name}", given)
        known = _inputs_of(part)
        unknown = [key for key in part.model.inputs if key not in known]
        for key in unknown:
            message = f"graph {part.model.graph!r} has no input {key!r}"
            site = part.site.below("inputs")
            self.missing.append(site.problem(message, key, allowed=known, name=key, key=True))
        left = dict(part.model.inputs)
        for declared in part.header.model.inputs:
            self._declare_input(part, declared, left, told=bool(unknown))

    def _declare_input(self, part: PlacedGraph, declared: Input, left: dict[str, str], told: bool) -> None:
        """Note an input of a part, or its stems.

        left: what the part is given; what is used goes. told: why an input is not given is a problem noted already.
        """
        inputs, name = part.site.below("inputs"), declared.name
        whole = left.pop(name, None)
        if not declared.stems:
            self._give(part, declared, None, whole, inputs.below(name), told)
            return
        stems: list[str] | None = []
        if whole is not None and (stems := self[part.site.space].stems.get(whole)) is None:
            known = tuple(self[part.site.space].stems)
            message = f"input {name!r} of graph {part.model.graph!r} has stems, and {whole!r} is no input with stems"
            hint = f"or each stem by itself: {name}.{declared.stems[0].name}: …"
            self.missing.append(inputs.problem(message, name, allowed=known, name=whole, hint=hint))
        for stem in declared.stems:
            own = f"{name}.{stem.name}"
            text, site = left.pop(own, None), inputs.below(own)
            if text is None and whole is not None:
                theirs, site = f"{whole}.{stem.name}", inputs.below(name)
                text = theirs if stems is not None and theirs in stems else None
            self._give(part, declared, stem, text, site, told or stems is None)

    def _give(
        self,
        part: PlacedGraph,
        declared: Input,
        stem: Stem | None,
        text: str | None,
        site: Site,
        told: bool,
    ) -> None:
        """Note what a part is given for an input or a stem: ``text``, or silence where it is optional."""
        name = declared.name if stem is None else f"{declared.name}.{stem.name}"
        if text is None and not (told or declared.optional or (stem is not None and stem.optional)):
            message = f"graph {part.model.graph!r} needs input {name!r}"
            hint = f"inputs: {{{name}: a strip, bus or input}}"
            self.problems.append(part.site.problem(message, "inputs", hint=hint))
        signal: Point | Given
        if text is None:
            silence = SumDraft(f"sum:in:{part.name}.{name}", site, channels=declared.channels)
            self.silences.append(silence)
            signal = silence.out
        else:
            signal = Given(text, site, declared.channels)
        self[f"{part.name}."].declare(name, signal, None if stem is None else declared.name)


def _inputs_of(part: PlacedGraph) -> tuple[str, ...]:
    """What may be given to a part: its inputs, and their stems."""
    names = dict.fromkeys(declared.name for declared in part.header.model.inputs)
    for declared in part.header.model.inputs:
        names |= dict.fromkeys(f"{declared.name}.{stem.name}" for stem in declared.stems)
    return tuple(names)
