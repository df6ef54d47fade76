"""Templates, arguments, repeats and other graphs: a document → strips, buses and macros one by one, without references.

The document's models are read as they are. Only a piece in which references stood is validated again, with values
in their place.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

from pydantic import ValidationError

from djgraph.errors import Copy, DocumentError, DocumentPath, Problem, option
from djgraph.graph.placed import (
    Expanded,
    Placed,
    PlacedGraph,
    PlacedItem,
    PlacedOwner,
    PlacedSwitch,
)
from djgraph.graph.shelf import Shelf
from djgraph.language import limits
from djgraph.language.faults import explain, keys_of
from djgraph.language.fields import CONCRETE, Element
from djgraph.language.fold import in_file_order
from djgraph.language.load import Document, Graphs
from djgraph.language.losses import Loss, certain_of_all
from djgraph.language.mend import examine
from djgraph.language.model import Bus, Header, Inputs, Item, Macro, Repeat, Strip, Template
from djgraph.language.parts import ChainItem, ChainRepeat, ChainSwitch, GraphUse, Node, Use, UseGraph
from djgraph.language.repeats import ListRepeat, Loop, Range
from djgraph.language.site import Moved, Site, spoken
from djgraph.language.source import Source, plain
from djgraph.language.substitute import UNKNOWN, Budget, Exhausted, Substitution
from djgraph.language.switches import Switch

_Model = TypeVar("_Model", bound=Element)


@dataclass(frozen=True)
class Expansion:
    """What of a document could be expanded.

    problems: what is wrong; then ``losses`` are the pieces that are missing from ``expanded``, and ``all_losses`` those
    from templates that nothing uses, too. loose: nodes that are sound, of strips and buses that are not and of of
    templates that nothing uses. effects: the names of the effects of nodes that hold references without a value, and
    where they stand. within: what is wrong with the graphs that are
    parts of it.
    """

    expanded: Expanded
    problems: tuple[Problem, ...] = ()
    losses: tuple[Loss, ...] = ()
    all_losses: tuple[Loss, ...] = ()
    loose: tuple[Placed[Node], ...] = ()
    effects: tuple[tuple[str, Site], ...] = ()
    within: tuple[Problem, ...] = ()


def expand(
    document: Document, arguments: Mapping[str, Any] | None = None, graphs: Graphs | None = None
) -> Expanded:
    """Put arguments, templates, repeats and other graphs in place.

    arguments: values for the document's ``args``. graphs: those that are known by name. Raises DocumentError that
    holds every problem found.
    """
    expansion = expand_sound(document, arguments or {}, graphs or {})
    if expansion.problems or expansion.within:
        raise DocumentError(*in_file_order([*expansion.problems, *expansion.within]))
    return expansion.expanded


def expand_sound(
    document: Document, arguments: Mapping[str, Any], graphs: Graphs, unused: bool = False
) -> Expansion:
    """The same of what is sound. Raises DocumentError where that is too little to go on: a limit, the header.

    unused: look into templates that nothing uses, too.
    """
    return _Expander(document, _Shared(Shelf(document, graphs))).run(arguments, unused)


@dataclass(frozen=True)
class _Frame:
    """What is known at one place of the expansion."""

    scope: Mapping[str, Any]
    variables: Mapping[str, Any]
    said: str = ""
    """The variables and their values in words."""
    uses: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()
    depth: int = 0
    owner: str | None = None
    """The strip or bus whose chain this is in, with the place of it."""
    owner_path: DocumentPath = ()


@dataclass(frozen=True)
class _Piece:
    """A template where it is used: what stands in it, where, and what is known there."""

    template: Template
    site: Site
    frame: _Frame


class _Shared:
    """What the expansion of a document has in common with those of the graphs that are parts of it."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.budget = Budget()
        self.copies: dict[tuple[str | None, DocumentPath], list[Copy]] = defaultdict(list)
        self.parts: list[PlacedGraph] = []
        self.spaces: set[str] = set()
        self.problems: list[Problem] = []
        """What is wrong with parts, as their own files have it."""


class _Expander:
    """Expands one document.

    frame: what is known around it, where it is a part of another. space: what begins all its names then. around: the
    documents that it is a part of, from the outside in.
    """

    def __init__(
        self,
        document: Document,
        shared: _Shared,
        frame: _Frame | None = None,
        space: str = "",
        around: tuple[Document, ...] = (),
    ) -> None:
        self._document = document
        self._model = document.model
        self._shared = shared
        self._around = (*around, document)
        self._root = Site(document.source, space=space)
        self._frame = frame or _Frame({}, {})
        self._globals: Mapping[str, Any] = {}
        self._budget = shared.budget
        self._problems: list[Problem] = []
        self._inputs: dict[str, list[str]] | None = None
        self._losses: list[Loss] = []
        self._loose: list[Placed[Node]] = []
        self._effects: list[tuple[str, Site]] = []
        self._used: set[str] = set()

    def run(self, arguments: Mapping[str, Any], unused: bool) -> Expansion:
        root = self._at(self._root, self._frame)
        self._globals = self._arguments(root, arguments)
        frame = replace(self._frame, scope=self._globals)
        # Inputs first: repeats in what follows may run over them.
        beside = [key for key in keys_of(type(self._model)) if key not in keys_of(Inputs)]
        inputs = self._place(Inputs, self._model, root, frame, without=beside)
        if inputs is not None:
            self._inputs = self._name_inputs(inputs)
            inner = ("args", "templates", "mixer")
            header = self._place(Header, self._model, root, frame, without=inner)
        if inputs is None or header is None:
            problems = certain_of_all(self._document.as_written(self._problems), self._document.losses)
            raise DocumentError(*in_file_order((*self._document.problems, *problems)))
        items = tuple(self._items(self._model.mixer, root.below("mixer"), frame))
        expanded = Expanded(header, items, tuple(self._shared.parts))
        losses = tuple(self._losses)
        if unused:
            self._expand_unused()
        return Expansion(
            expanded,
            tuple(self._problems),
            losses,
            tuple(self._losses),
            tuple(self._loose),
            tuple(self._effects),
            tuple(self._shared.problems),
        )

    def _expand_unused(self) -> None:
        """Look into templates that nothing uses, those first that no other template uses either."""
        templates = self._model.templates
        inner = {name for template in templates.values() for name in _names_used(template.written())}
        for name in sorted(templates, key=lambda name: name in inner):
            if name not in self._used:
                self._budget = Budget()
                self._expand_alone(name, templates[name])

    def _expand_alone(self, name: str, template: Template) -> None:
        """Note the nodes of one template, with its defaults and, for required arguments, values that are not known."""
        args = self._root.below("templates", name, "args")
        defaults, _ = self._replace(template.args, args, _Frame(self._globals, {}))
        if defaults is UNKNOWN:
            return
        values = {key: UNKNOWN if value is None else value for key, value in defaults.items()}
        uses = (f"in template {name!r}, which nothing uses",)
        frame = _Frame({**self._globals, **values}, {}, "", uses, (name,))
        site = self._root.below("templates", name, template.kind)
        if template.kind == "chain":
            self._loose += _nodes(self._chain(template.chain, site, frame))
        for item in self._items(template.mixer, site, frame) if template.kind == "mixer" else ():
            if isinstance(item, PlacedOwner):
                self._loose += _nodes(item.chain)

    def _arguments(self, root: Site, given: Mapping[str, Any]) -> dict[str, Any]:
        declared = self._model.args
        site = root.below("args")
        for name in given:
            if name not in declared:
                message = f"the graph has no argument {name!r}"
                self._problems.append(Problem(message, site.position(), ("args",), tuple(declared), name))
        before = len(self._problems)
        defaults = self._replace(declared, site, _Frame({}, {}))[0]
        self._problems[before:] = map(_no_reference_in_defaults, self._problems[before:])
        values: dict[str, Any] = {
            **defaults,
            **{name: plain(value).data for name, value in given.items() if name in declared},
        }
        for name, value in values.items():
            if value is None:
                values[name] = UNKNOWN
                message = f"argument {name!r} needs a value: its default is null"
                hint = option(name, f"djgraph.load(…, {name}=…)", f"--arg {name}=…")
                if len(self._around) > 1:
                    hint = f"with: {{{name}: …}}, where the graph is used"
                self._problems.append(site.problem(message, name, key=True, hint=hint))
        return values

    def _name_inputs(self, placed: Placed[Inputs]) -> dict[str, list[str]]:
        """The names of inputs, and of their stems."""
        inputs: dict[str, list[str]] = {}
        for index, declared in enumerate(placed.model.inputs):
            site = placed.site.below("inputs", index)
            if declared.name in inputs:
                self._problems.append(site.problem(f"a second input is called {declared.name!r}", "name"))
            stems = [stem.name for stem in declared.stems]
            for number, stem in enumerate(stems):
                if stem in stems[:number]:
                    message = f"a second stem of {declared.name!r} is called {stem!r}"
                    self._problems.append(site.problem(message, "stems", number))
            inputs[declared.name] = stems
        return inputs

    def _items(self, items: Sequence[Item], site: Site, frame: _Frame) -> Iterator[PlacedItem]:
        for index, item in enumerate(items):
            yield from self._item(item, self._at(site.below(index), frame), frame)

    def _item(self, item: Item, site: Site, frame: _Frame) -> Iterator[PlacedItem]:
        if isinstance(item, Repeat):
            turn = None
            for turn in self._turns(item, site, frame):
                yield from self._items(item.do, site.below("do"), turn)
            if turn is None:
                for inner in self._items(item.do, site.below("do"), _without_values(item, frame)):
                    self._loose += _nodes(inner.chain) if isinstance(inner, PlacedOwner) else ()
        elif isinstance(item, Use):
            piece = self._use(item, site, frame, "mixer")
            if piece is not None:
                yield from self._items(piece.template.mixer, piece.site, piece.frame)
        elif isinstance(item, UseGraph):
            yield from self._graph(item, site, frame)
        elif isinstance(item, Macro | Switch):
            knob: Placed[Macro | Switch] | None = self._place(type(item), item, site, frame)
            if knob is not None:
                self._budget.node(site)
                yield knob
        else:
            owner = self._owner(item, site, frame)
            if owner is not None:
                yield owner

    def _graph(self, item: UseGraph, site: Site, frame: _Frame) -> Sequence[PlacedItem]:
        """The items of another graph; none, with the problems noted, where something is wrong with it."""
        self._budget.step(site)
        placed = self._place(UseGraph, item, site, frame)
        if placed is None:
            return ()
        use, site = placed.model.use, placed.site
        whole = all(
            not isinstance(said, dict) or len(said) == len(left)
            for said, left in ((item.use.with_, use.with_), (item.use.inputs, use.inputs))
        )
        expanded = self._expand_graph(use, site.below("use"), frame) if whole else None
        if expanded is None:
            self._lose(site, item.written(), frame)
            return ()
        return expanded.items

    def _expand_graph(self, use: GraphUse, site: Site, frame: _Frame) -> Expanded | None:
        try:
            document = self._shared.shelf.find(use.graph, site.below("graph"), self._around)
        except DocumentError as error:
            for problem in error.problems:
                own = problem.position is None or problem.position.file == site.source.name
                (self._problems if own else self._shared.problems).append(problem)
            return None
        known = tuple(document.model.args)
        unknown = [name for name in use.with_ if name not in known]
        for name in unknown:
            message = f"graph {use.graph!r} has no argument {name!r}"
            self._problems.append(site.problem(message, "with", name, allowed=known, name=name, key=True))
        given = {name: value for name, value in use.with_.items() if name not in unknown}
        position = site.position()
        where = f"in graph {use.graph!r}" + (f", used at {position}" if position else "")
        inner = replace(frame, uses=(*frame.uses, where), templates=(), depth=self._deeper(frame, site))
        space = f"{site.space}{use.as_}."
        if space in self._shared.spaces:
            self._problems.append(site.problem(f"another graph is called {use.as_!r} already", "as"))
            return None
        self._shared.spaces.add(space)
        before = len(self._shared.parts)
        expanded = _Expander(document, self._shared, inner, space, self._around).part(given)
        if expanded is None or unknown:
            return None
        self._budget.node(site, 1 + len(use.to))
        self._shared.parts.insert(before, PlacedGraph(use, site, expanded.header))
        return expanded

    def part(self, arguments: Mapping[str, Any]) -> Expanded | None:
        """This document as a part of another one; None, with its problems noted, where it has any."""
        document = self._document
        try:
            expansion = self.run(arguments, False)
        except Exhausted:
            raise
        except DocumentError as error:
            self._shared.problems += error.problems
            return None
        problems = [
            *(_within(problem, self._frame.uses) for problem in document.problems),
            *certain_of_all(document.as_written(expansion.problems), document.losses),
        ]
        self._shared.problems += problems
        return None if problems or expansion.losses else expansion.expanded

    def _owner(self, item: Strip | Bus, site: Site, frame: _Frame) -> PlacedOwner | None:
        placed = self._place(type(item), item, site, frame, without=("chain",))
        if placed is not None:
            name = placed.model.strip if isinstance(placed.model, Strip) else placed.model.bus
            frame = replace(frame, owner=name, owner_path=site.path)
        chain = tuple(self._chain(item.chain, site.below("chain"), frame))
        if placed is None:
            self._loose += _nodes(chain)
            return None
        self._budget.node(site, 1 + len(placed.model.sends) + _routes(placed.model))
        return PlacedOwner(placed.model, placed.site, chain)

    def _chain(
        self, items: Sequence[ChainItem], site: Site, frame: _Frame
    ) -> Iterator[Placed[Node] | PlacedSwitch]:
        for index, item in enumerate(items):
            here = self._at(site.below(index), frame)
            if isinstance(item, ChainRepeat):
                turn = None
                for turn in self._turns(item, here, frame):
                    yield from self._chain(item.do, here.below("do"), turn)
                if turn is None:
                    unknown = _without_values(item, frame)
                    self._loose += _nodes(self._chain(item.do, here.below("do"), unknown))
                continue
            if isinstance(item, Use):
                piece = self._use(item, here, frame, "chain")
                if piece is not None:
                    yield from self._chain(piece.template.chain, piece.site, piece.frame)
                continue
            if isinstance(item, ChainSwitch):
                switch = self._switch(item, here, frame)
                if switch is not None:
                    yield switch
                continue
            node = self._place(Node, item, here, frame)
            if node is not None:
                self._budget.node(here)
                yield node
            elif "$" not in item.effect:
                self._effects.append((item.effect, here))

    def _switch(self, item: ChainSwitch, site: Site, frame: _Frame) -> PlacedSwitch | None:
        chains: dict[str, tuple[Placed[Node] | PlacedSwitch, ...]] = {}
        moves: dict[DocumentPath, Moved] = {}
        twice = False
        losses = len(self._losses)
        choices = list(self._choices(item.choices, site.below("choices"), frame))
        whole = len(self._losses) == losses  # all of them are known
        for key, items, here, turn in choices:
            chain = tuple(self._chain(items, here.below(key), turn))
            name = next(iter(self._substituted({key: []}, here, turn)[1]), None)
            whole = whole and name is not None
            if name is None or name in chains:
                self._loose += _nodes(chain)
            if name is not None and name in chains:
                twice = True
                message = f"a second choice is called {name!r}"
                self._problems.append(here.problem(message, key, key=True))
            elif name is not None:
                chains[name] = chain
                moves[(*site.path, "choices", name)] = Moved((*here.path, key), here.copy)
        problems = len(self._problems)
        placed = self._place(
            ChainSwitch,
            item,
            replace(site, moves=moves),
            frame,
            data={**item.written(), "choices": {name: [] for name in chains}},
            anew=list(item.choices) != list(chains),
        )
        if not whole:  # too few only because some are not known
            few = site.at(("choices",))
            self._problems[problems:] = [one for one in self._problems[problems:] if one.path != few]
        sound = () if placed is None or twice else tuple(placed.model.choices)
        self._loose += [node for name in chains if name not in sound for node in _nodes(chains[name])]
        if placed is None or twice:
            return None
        self._budget.node(site, 1 + len(sound))
        return PlacedSwitch(placed.model, placed.site, tuple(chains[name] for name in sound))

    def _choices(
        self, choices: Any, site: Site, frame: _Frame
    ) -> Iterator[tuple[str, Sequence[ChainItem], Site, _Frame]]:
        """Each choice of a switch among chains: its name as written, its chain, where these stand and what is known
        there."""
        if isinstance(choices, dict):
            yield from ((key, chain, site, frame) for key, chain in choices.items())
            return
        for index, piece in enumerate(choices):
            here = self._at(site.below(index), frame)
            if isinstance(piece, ListRepeat):
                turn = None
                for turn in self._turns(piece, here, frame):
                    yield from self._choices(piece.do, here.below("do"), turn)
                if turn is None:
                    yield from self._choices(piece.do, here.below("do"), _without_values(piece, frame))
            else:
                yield from self._choices(piece, here, frame)

    def _turns(self, item: Loop, site: Site, frame: _Frame) -> Iterator[_Frame]:
        """What is known inside a repeat, for one value of its variable after the other."""
        placed = self._place(Loop, item, site, frame, without=("do",))
        if placed is None:
            return
        variable, values = self._run_over(placed)
        if values is None:
            self._lose(site, item.written("do"), frame)
            return
        for value in values:
            self._budget.step(site)
            variables = {**frame.variables, variable: value}
            yield replace(
                frame,
                scope={**frame.scope, variable: value},
                variables=variables,
                said=spoken(variables),
                depth=self._deeper(frame, site),
            )

    def _run_over(self, placed: Placed[Loop]) -> tuple[str, list[Any] | None]:
        ((variable, values),) = placed.model.for_.items()
        return variable, self._values(values, placed.site.below("for", variable))

    def _list_values(self, over: Any, site: Site) -> tuple[str, list[Any]] | None:
        """What a repeat within a list runs over; see :class:`Substitution`."""
        try:
            loop = Loop.model_validate({"for": over}, context=CONCRETE)
        except ValidationError as error:
            self._problems += [site.fault(fault) for fault in explain(error, Loop)]
            return None
        variable, values = self._run_over(Placed(loop, site))
        return None if values is None else (variable, values)

    def _values(self, values: Any, site: Site) -> list[Any] | None:
        """What a repeat runs over; None, with the problem noted, where there is no such thing."""
        if isinstance(values, Range):
            return list(range(values.from_, values.to + 1))
        if isinstance(values, list):
            return values
        inputs = self._inputs
        if inputs is None:
            message = f"{values!r} cannot be repeated over before all inputs are known"
            self._problems.append(site.problem(message, hint="give a list, or a range {from: 1, to: 4}"))
            return None
        if values == "inputs":
            return list(inputs)
        name, dot, last = values.rpartition(".")
        if dot and last == "stems" and name in inputs:
            if not inputs[name]:
                self._problems.append(site.problem(f"input {name!r} has no stems: it is one signal"))
            return inputs[name] or None
        allowed = ["inputs", *(f"{name}.stems" for name, stems in inputs.items() if stems)]
        hint = "or a list, or a range {from: 1, to: 4}"
        message = f"nothing to repeat over is called {values!r}"
        self._problems.append(site.problem(message, allowed=allowed, name=values, hint=hint, seeks="values"))
        return None

    def _use(self, item: Use, site: Site, frame: _Frame, kind: Literal["chain", "mixer"]) -> _Piece | None:
        """The template that a use names, with its arguments bound; None, with the problems noted, if that fails."""
        self._budget.step(site)
        piece = self._template(item, site, frame, kind)
        if piece is None:
            self._lose(site, item.written(), frame)
        return piece

    def _template(
        self, item: Use, site: Site, frame: _Frame, kind: Literal["chain", "mixer"]
    ) -> _Piece | None:
        placed = self._place(Use, item, site, frame)
        if placed is None:
            return None
        name, given = placed.model.use, dict(placed.model.with_)
        if isinstance(item.with_, dict):
            given |= {key: UNKNOWN for key in item.with_ if key not in given and "$" not in key}
        templates = self._model.templates
        fitting = [key for key, template in templates.items() if template.kind == kind]
        if name not in templates:
            hint = None
            if self._shared.shelf.ships(name):
                hint = f"the graph of that name is put in place by `use: {{graph: {name}, as: …, inputs: {{…}}}}`"
            message = f"there is no template {name!r}"
            self._problems.append(
                site.problem(message, "use", allowed=fitting, name=name, hint=hint, seeks="template")
            )
            return None
        template = templates[name]
        if template.kind != kind:
            message = (
                f"template {name!r} is a piece of a {template.kind}, and this place takes a piece of a {kind}"
            )
            self._problems.append(site.problem(message, "use", allowed=fitting))
            return None
        if name in frame.templates:
            circle = " → ".join((*frame.templates[frame.templates.index(name) :], name))
            self._problems.append(site.problem(f"templates use one another in a circle: {circle}", "use"))
            return None
        scope = self._bind(name, template.args, given, placed.site)
        if scope is None:
            return None
        self._used.add(name)
        position = site.position()
        inner = replace(
            frame,
            scope=scope,
            uses=(*frame.uses, f"in template {name!r}" + (f", used at {position}" if position else "")),
            templates=(*frame.templates, name),
            depth=self._deeper(frame, site),
        )
        return _Piece(template, self._root.below("templates", name, kind), inner)

    def _bind(
        self, name: str, declared: Mapping[str, Any], given: Mapping[str, Any], site: Site
    ) -> dict[str, Any] | None:
        """The scope inside a template: the document's arguments, its own over them, and nothing of its user."""
        before = len(self._problems)
        for key in given:
            if key not in declared:
                message = f"template {name!r} has no argument {key!r}"
                self._problems.append(
                    site.problem(
                        message, "with", key, allowed=tuple(declared), name=key, key=True, seeks="argument"
                    )
                )
        missing = [key for key, default in declared.items() if default is None and key not in given]
        if missing:
            message = f"template {name!r} needs {', '.join(map(repr, missing))}"
            self._problems.append(site.problem(message, hint="an argument whose default is null is required"))
        defaults, _ = self._replace(
            declared, self._root.below("templates", name, "args"), _Frame(self._globals, {})
        )
        if len(self._problems) > before or defaults is UNKNOWN:
            return None
        return {**self._globals, **defaults, **given}

    def _place(
        self,
        model: type[_Model],
        written: _Model,
        site: Site,
        frame: _Frame,
        without: Sequence[str] = (),
        data: dict[str, Any] | None = None,
        anew: bool = False,
    ) -> Placed[_Model] | None:
        """A piece without references; None, with the problems noted, where something is wrong.

        written: the piece, or more than it, with ``without`` those of its keys that expansion goes through itself.
        data: what is placed instead of all that is written. anew: ``written`` does not stand for it, even without
        references.
        """
        data = written.written(*without) if data is None else data
        substitution, concrete, site = self._substituted(data, site, frame)
        if not (substitution.holes or substitution.lost):
            if concrete is data and not anew:
                return Placed(written, site)
            try:
                return Placed(model.model_validate(concrete, context=CONCRETE), site)
            except ValidationError:
                pass
        return self._mended(model, concrete, site, frame, substitution)

    def _mended(
        self,
        model: type[_Model],
        concrete: dict[str, Any],
        site: Site,
        frame: _Frame,
        substitution: Substitution,
    ) -> Placed[_Model] | None:
        """What of a piece is sound; what is not is noted, and taken out."""
        examined = examine(Source(concrete), model, CONCRETE, substitution.holes)
        # Where something is left out already there may be too few of something.
        short = {
            here.path[len(site.path) :][:depth]
            for here, _ in substitution.lost
            for depth in range(len(here.path))
        }
        self._problems += [
            site.fault(fault) for fault in examined.faults if not fault.loc or fault.loc not in short
        ]
        if examined.model is None:
            self._lose(site, concrete, frame)
            return None
        mended = examined.mended
        name = concrete.get("strip", concrete.get("bus")) if issubclass(model, Strip | Bus) else None
        around = (frame.owner, frame.owner_path) if name is None else (str(name), site.path)
        for loss in mended.losses:
            self._losses.append(replace(loss, path=site.at(loss.path), owner=around[0], owner_path=around[1]))
        return Placed(examined.model, site.mended(mended.source.data, mended.original))

    def _substituted(self, data: Any, site: Site, frame: _Frame) -> tuple[Substitution, Any, Site]:
        """Data without references, as far as they have values, and its place; problems are noted."""
        substitution = Substitution(frame.scope, site, self._budget, self._list_values)
        concrete = substitution.replace(data)
        self._problems += substitution.problems
        for here, item in substitution.lost:
            self._lose(replace(here, path=here.at()), item, frame)
        if substitution.moves:
            site = replace(site, moves={**site.moves, **substitution.moves})
        return substitution, concrete, site

    def _replace(self, data: Any, site: Site, frame: _Frame) -> tuple[Any, Site]:
        """Data without references, or UNKNOWN where one of them has no value; and its place."""
        substitution, concrete, site = self._substituted(data, site, frame)
        return (UNKNOWN if substitution.unknown else concrete), site

    def _lose(self, site: Site, data: Any, frame: _Frame) -> None:
        """Note that a piece is missing from what follows."""
        self._losses.append(Loss(site.path, data, frame.owner, frame.owner_path))

    def _at(self, site: Site, frame: _Frame) -> Site:
        """A place with what is known there; one of the copies of a piece that repeats and templates make."""
        if not (frame.variables or frame.uses):
            return site
        copies = self._shared.copies[site.source.file, site.path]
        copies.append(Copy(frame.said, copies))
        return Site(site.source, site.path, frame.variables, frame.uses, site.moves, copies[-1], site.space)

    def _deeper(self, frame: _Frame, site: Site) -> int:
        if frame.depth >= limits.DEPTH:
            raise Exhausted(
                site.problem(
                    f"templates and repeats lie more than {limits.DEPTH} deep in one another (the limit)"
                )
            )
        return frame.depth + 1


def _without_values(item: Loop, frame: _Frame) -> _Frame:
    """What is known within a repeat over nothing that is known."""
    return replace(frame, scope={**frame.scope, **dict.fromkeys(item.for_, UNKNOWN)})


def _within(problem: Problem, uses: Sequence[str]) -> Problem:
    """A problem of the text of a graph, with where that is used."""
    return replace(problem, hint="; ".join([*([problem.hint] if problem.hint else []), *uses]) or None)


def _no_reference_in_defaults(problem: Problem) -> Problem:
    """What is said of an argument's default that refers to another argument."""
    if problem.name is None:
        return problem
    message = f"the default of an argument cannot refer to another one (${problem.name})"
    return replace(problem, message=message, name=None)


def _names_used(data: Any) -> Iterator[str]:
    """The templates that a piece of a document names."""
    if isinstance(data, dict):
        if isinstance(data.get("use"), str):
            yield data["use"]
        data = list(data.values())
    if isinstance(data, list):
        for item in data:
            yield from _names_used(item)


def _nodes(chain: Iterable[Placed[Node] | PlacedSwitch]) -> Iterator[Placed[Node]]:
    """The nodes of a chain, those in its switches, too."""
    for item in chain:
        if isinstance(item, PlacedSwitch):
            for inner in item.chains:
                yield from _nodes(inner)
        else:
            yield item


def _routes(owner: Strip | Bus) -> int:
    """How many ways the switches have that say what it and its sends feed."""
    switches = [owner.switch, *(send.switch for send in owner.sends)]
    return sum(len(switch.choices) for switch in switches if switch is not None)
