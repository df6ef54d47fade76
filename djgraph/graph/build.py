"""An expanded document and a registry → the frozen Graph, or every problem that stands in its way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from djgraph.effects import Environment, Transform
from djgraph.errors import DocumentError, GraphError, Problem
from djgraph.graph.bind import Binder
from djgraph.graph.binding import ControlUse
from djgraph.graph.channels import Channels
from djgraph.graph.conflicts import conflicts
from djgraph.graph.declare import Declarer, EffectRegistry
from djgraph.graph.draft import EffectDraft, FeedbackDraft, InputDraft, NodeDraft, OwnerDraft, SumDraft
from djgraph.graph.expand import Expansion, expand_sound
from djgraph.graph.held import loops_without_delay, with_held_back
from djgraph.graph.ir import Column, EffectNode, FeedbackNode, Graph, InputNode, Node, Owner, Point, SumNode
from djgraph.graph.order import ordered
from djgraph.graph.placed import Expanded, PlacedGraph, PlacedOwner
from djgraph.graph.roles import with_parts
from djgraph.graph.wire import Wirer
from djgraph.language.fold import in_file_order
from djgraph.language.load import Document
from djgraph.language.losses import certain, certain_of_all, unexplained
from djgraph.language.site import Site


@dataclass(frozen=True)
class Built:
    """A graph, and how the document says it: what warnings are made of.

    owners: strips and buses by name. read: those of which something names a point. sites: where each column stands.
    expanded: the document. unheard: outputs of its parts that nothing reads. ties: columns with what is tied to them,
    and where that is said.
    """

    graph: Graph
    owners: Mapping[str, OwnerDraft]
    read: frozenset[str]
    sites: Mapping[str, Site]
    expanded: Expanded
    unheard: Sequence[tuple[PlacedGraph, str, Point]]
    ties: Sequence[tuple[str, ControlUse, Site]] = ()


def graphs_of(registry: EffectRegistry) -> dict[str, Path]:
    """The graphs that a registry knows by name, if it knows any, and their files."""
    return {name: entry.path for name, entry in getattr(registry, "graphs", {}).items()}


def build(document: Document, registry: EffectRegistry, arguments: Mapping[str, Any] | None = None) -> Graph:
    """The graph that a document describes.

    arguments: values for the document's ``args``.

    Raises DocumentError for what is wrong with the text, templates, references and values, GraphError where only
    effects, controls, routing or channels are wrong; each holds every problem found.
    """
    return assemble(document, registry, arguments or {}).graph


def assemble(
    document: Document, registry: EffectRegistry, arguments: Mapping[str, Any], *, unused: bool = False
) -> Built:
    """The same, with how the document says it. unused: check templates that nothing uses, too."""
    expansion = expand_sound(document, arguments, graphs_of(registry), unused)
    expanded = expansion.expanded
    declarer = Declarer(registry, expanded.header.model.sample_rate)
    inputs = declarer.inputs(expanded.header)
    sources = declarer.sources(expanded.header)
    owners = declarer.owners(item for item in expanded.items if isinstance(item, PlacedOwner))
    wirer = Wirer(inputs, owners, expanded.parts)
    wirer.connect()
    outputs, output_problems = _outputs(expanded, wirer)
    taps = {owner.name: end for owner in owners.values() if (end := wirer.end(owner)) is not None}
    curves = {
        header.site.space + name: tuple(points)
        for header in (expanded.header, *(part.header for part in expanded.parts))
        for name, points in header.model.curves.items()
    }
    binder = Binder(owners, expanded.items, curves, sources)
    columns = binder.bind()
    reader = binder.roles()
    roles = reader.read([expanded.header, *(part.header for part in expanded.parts)])
    own = [*declarer.problems, *wirer.problems, *output_problems, *binder.problems, *reader.problems]
    missing = [*wirer.missing, *binder.missing, *reader.missing]
    loose = _loose(expansion, registry)
    _stop_if_wrong_so_far(document, expansion, own, missing, loose)

    _stop_if_wrong(binder.idle())
    nodes, problems = ordered([*_in_document_order(inputs, owners), *wirer.silences])
    _stop_if_wrong(problems)
    widths = Channels(nodes, registry.effects)
    widths.check_ends(owners.values(), wirer.end)
    widths.check_outputs(expanded.header, outputs)
    wrong = widths.check_given(wirer.given_points())
    for part in expanded.parts:
        widths.check_outputs(part.header, wirer.outputs_of(part))
    _stop_if_wrong(_without_what_comes_of(wrong, expanded.parts, widths.problems))
    counts = widths.counts
    header = expanded.header.model
    environment = Environment(header.sample_rate, Transform(header.transform.size, header.transform.hop))
    _stop_if_wrong(_taken_ids(sources, owners))
    for name, source in sources.items():
        counts[source.id] = sum(node.channels for node in inputs if node.input == name)
    _stop_if_wrong(conflicts([*sources.values(), *nodes], counts, columns, environment))
    graph = _freeze(document, expanded, nodes, counts, columns, outputs, taps)
    played = {name: _effect_node(node, counts[node.id]) for name, node in sources.items()}
    graph = replace(graph, sources=played)
    graph = with_held_back(graph, nodes, counts)
    _stop_if_wrong(loops_without_delay(graph, nodes))
    graph = replace(graph, owners=tuple(_owner(owner, wirer.start(owner)) for owner in owners.values()))
    faders = {owner.name: owner.placed.model.fader for owner in owners.values()}
    spaces = {name: site.space for name, site in binder.sites.items()}
    graph = replace(graph, columns=with_parts(graph, faders, roles, binder.column_owners, spaces))
    return Built(graph, owners, frozenset(wirer.read), binder.sites, expanded, wirer.unheard(), binder.ties)


def _taken_ids(sources: Mapping[str, EffectDraft], owners: Mapping[str, OwnerDraft]) -> list[Problem]:
    """Strips and buses that are called like an input, and nodes of theirs like what plays it."""
    problems = []
    for name, source in sources.items():
        owner = owners.get(name)
        node = None if owner is None else owner.nodes.get(source.name)
        if owner is not None and node is not None:
            message = (
                f"{owner.placed.kind} {name!r} has a node {source.name!r}, as the input of that name has"
            )
            hint = "give the node another `id`, or the input another name"
            problems.append(node.site.problem(message, "id", hint=hint, name=None))
    return problems


def _without_what_comes_of(
    given: Sequence[Site], parts: Sequence[PlacedGraph], problems: list[Problem]
) -> list[Problem]:
    """Channel counts that do not agree within a part are told where it is given what does not fit it, if it is."""
    files = {
        part.header.site.source.name
        for part in parts
        if any(
            site.source is part.site.source and site.path[: len(part.site.path)] == part.site.path
            for site in given
        )
    }
    return [one for one in problems if one.position is None or one.position.file not in files]


def _outputs(expanded: Expanded, wirer: Wirer) -> tuple[dict[str, Point], list[Problem]]:
    outputs: dict[str, Point] = {}
    problems = []
    for index, output in enumerate(expanded.header.model.outputs):
        site = expanded.header.site.below("outputs", index)
        if output.name in outputs:
            problems.append(site.problem(f"a second output is called {output.name!r}", "name"))
        point = wirer.point(output.from_, site.below("from"))
        if point is not None:
            outputs[output.name] = point
    return outputs, problems


def _in_document_order(inputs: list[InputDraft], owners: Mapping[str, OwnerDraft]) -> list[NodeDraft]:
    nodes: list[NodeDraft] = list(inputs)
    for owner in owners.values():
        nodes += _nodes(owner)
    return nodes


def _nodes(owner: OwnerDraft) -> list[NodeDraft]:
    """A bus's sum, the chain, the sends with the ways back of loops, and what switches among buses."""
    nodes: list[NodeDraft] = [] if owner.sum is None else [owner.sum]
    nodes += owner.chain
    for index, send in enumerate(owner.sends):
        back = owner.feedback.get(index)
        held = None if back is None else back.held
        nodes += (node for node in (send, held, back) if node is not None)
    nodes += owner.routes
    return nodes


def _owner(owner: OwnerDraft, start: Point | None) -> Owner:
    fader = owner.nodes.get(owner.placed.model.fader or "fader")
    return Owner(
        owner.name,
        "bus" if owner.sum is not None else "strip",
        tuple(node.id for node in _nodes(owner)),
        start,
        fader.id if fader else None,
        frozenset(
            node.id
            for node in (
                *owner.sends,
                *owner.feedback.values(),
                *(back.held for back in owner.feedback.values()),
                *owner.routes,
            )
            if node is not None
        ),
        owner.site.space.removesuffix("."),
    )


def _freeze(
    document: Document,
    expanded: Expanded,
    nodes: list[NodeDraft],
    counts: Mapping[str, int],
    columns: tuple[Column, ...],
    outputs: Mapping[str, Point],
    taps: Mapping[str, Point],
) -> Graph:
    header = expanded.header.model
    return Graph(
        name=header.name,
        nodes=tuple(_node(node, counts[node.id], header.sample_rate) for node in nodes),
        columns=columns,
        inputs={item.name: tuple(stem.name for stem in item.stems) or None for item in header.inputs},
        outputs=outputs,
        taps=taps,
        sample_rate=header.sample_rate,
        transform=Transform(header.transform.size, header.transform.hop),
        title=header.title,
        description=header.description,
        file=document.file,
        parts={part.name: part.header.model.name for part in expanded.parts},
    )


def _node(draft: NodeDraft, count: int, sample_rate: int) -> Node:
    position = draft.site.position()
    if isinstance(draft, InputDraft):
        return InputNode(draft.id, draft.input, draft.stem, count, draft.optional, position)
    if isinstance(draft, SumDraft):
        return SumNode(draft.id, tuple(source.point for source in draft.sources), count, position)
    if isinstance(draft, FeedbackDraft):
        assert draft.source is not None
        samples = max(round(draft.milliseconds * sample_rate / 1000), 1) if draft.milliseconds else 0
        return FeedbackNode(draft.id, draft.source.point, samples, count, position)
    assert isinstance(draft, EffectDraft)
    return _effect_node(draft, count)


def _effect_node(draft: EffectDraft, count: int) -> EffectNode:
    assert draft.effect is not None
    assert draft.settings is not None
    return EffectNode(
        draft.id,
        draft.effect,
        draft.settings,
        {port: source.point for port, source in draft.sources.items()},
        draft.bindings,
        count,
        draft.site.position(),
    )


def _loose(expansion: Expansion, registry: EffectRegistry) -> list[Problem]:
    """What is wrong with nodes that are in no strip or bus, each by itself."""
    declarer, binder = Declarer(registry, expansion.expanded.header.model.sample_rate), Binder({}, (), {})
    for node in expansion.loose:
        binder.check(declarer.node("", node))
    for name, site in expansion.effects:
        declarer.effect(name, site)
    return [*declarer.problems, *binder.problems]


def _stop_if_wrong_so_far(
    document: Document,
    expansion: Expansion,
    own: list[Problem],
    names: list[Problem],
    loose: list[Problem],
) -> None:
    """Raises what is wrong with text, expansion and mixer at once.

    names: problems of names that nothing has. Those that what was left out before may have had are not told.
    loose: problems of nodes that are in no strip or bus.
    """
    written = document.written
    losses, of_nodes = (
        [
            *(replace(loss, path=written(loss.path), owner_path=written(loss.owner_path)) for loss in part),
            *document.losses,
        ]
        for part in (expansion.losses, expansion.all_losses)
    )
    expanding = certain_of_all(document.as_written(expansion.problems), document.losses)
    told = [*document.problems, *expanding, *expansion.within]
    if (
        not told
    ):  # a piece may be lost without one, such as what a loop over nothing repeats: then it explains nothing
        losses, of_nodes = [], []
    # What of a part is left out is left out with the whole part: nothing that was lost explains problems within it.
    own, in_parts = _apart(document, own)
    names, names_in_parts = _apart(document, names)
    mixer = [
        *unexplained(document.as_written(own), losses),
        *certain(document.as_written(names), losses),
        *unexplained(document.as_written(loose), of_nodes),
        *in_parts,
        *names_in_parts,
    ]
    if told:
        raise DocumentError(*in_file_order([*told, *mixer]))
    _stop_if_wrong(mixer)


def _apart(document: Document, problems: list[Problem]) -> tuple[list[Problem], list[Problem]]:
    """Problems in the document, and those in graphs that are parts of it."""
    name, own, others = document.source.name, list[Problem](), list[Problem]()
    for one in problems:
        (own if one.position is None or one.position.file == name else others).append(one)
    return own, others


def _stop_if_wrong(*problems: list[Problem]) -> None:
    every = [problem for part in problems for problem in part]
    if every:
        raise GraphError(*in_file_order(every))
