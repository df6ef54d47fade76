"""What is allowed in a graph and probably not meant: dead ends, columns without effect, signals that add to themselves.

Each warning is about one thing at its place in the file; where one thing causes another, only the cause is told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from djgraph.effects.grid import allows, size, value
from djgraph.effects.roles import ROLES
from djgraph.errors import Problem, nearest, shorten
from djgraph.graph.build import Built
from djgraph.graph.controls import range_in_words
from djgraph.graph.doubled import doubled
from djgraph.graph.draft import OwnerDraft
from djgraph.graph.idle import idle_columns
from djgraph.graph.ir import Blend, Column, Constant, EffectNode, MacroCurve, leading_to
from djgraph.graph.spelling import alike
from djgraph.language.fold import in_file_order
from djgraph.language.parts import TransformModel

SHOWN = 4
"""Columns, or values, that a warning names."""

MOST_VALUES = 1000
"""Values of a column that are looked at; finer ones are as good as continuous."""


def warnings(built: Built) -> list[Problem]:
    """All warnings of a graph, in file order."""
    graph = built.graph
    heard = leading_to(graph, [point.node for point in graph.outputs.values()])
    idle = [column for column in graph.columns if not any(node in heard for node, _ in column.drives)]
    found = [
        *_dead_ends(built, idle),
        *_unheard_outputs(built, idle),
        *_other_terms(built),
        *_silent(built),
        *_idle_columns(built, idle),
        *_settled(built, idle),
        *_flat_macros(built),
        *_rounded_ties(built),
        *doubled(built),
        *alike(built),
        *_strange_roles(built),
    ]
    return in_file_order(found)


def _is_end(built: Built, owner: OwnerDraft) -> bool:
    """Whether nothing takes up what a strip or bus makes."""
    model = owner.placed.model
    return not (model.to or model.sends or model.switch or owner.name in built.read)


def _dead_ends(built: Built, idle: Sequence[Column]) -> Iterator[Problem]:
    """Strips that lead nowhere and buses that nobody hears, each with the columns that change nothing for it."""
    readers: dict[str, list[int]] = defaultdict(list)
    for index, column in enumerate(idle):
        for node, _ in column.drives:
            readers[node].append(index)
    for owner in built.owners.values():
        if not _is_end(built, owner):
            continue
        if owner.sum is None:
            message = f"strip {owner.name!r} leads nowhere"
            hint = "give it a `to`, or list it under `outputs`"
        else:
            message = f"nobody hears bus {owner.name!r}"
            hint = "send it `to` another bus, or list it under `outputs`"
        leading = leading_to(built.graph, [built.graph.taps[owner.name].node])
        indices = {index for node in leading if node in readers for index in readers[node]}
        names = [idle[index].name for index in sorted(indices)]
        if names:
            hint += f"; until then {shorten(names, SHOWN)} change{'s' * (len(names) == 1)} nothing"
        yield owner.site.problem(message, owner.placed.kind, hint=hint)


def _unheard_outputs(built: Built, idle: Sequence[Column]) -> Iterator[Problem]:
    """Outputs of parts that nothing reads, where columns change nothing for it."""
    for part, output, point in built.unheard:
        leading = leading_to(built.graph, [point.node])
        names = [column.name for column in idle if any(node in leading for node, _ in column.drives)]
        if names:
            message = f"nobody hears output {output!r} of graph {part.model.as_!r}"
            hint = f"until something reads {part.model.as_}.{output}, {shorten(names, SHOWN)} change nothing"
            yield part.site.problem(message, "as", hint=hint)


def _other_terms(built: Built) -> Iterator[Problem]:
    """Parts that are written for another transform or sample rate than the whole has."""
    whole = built.expanded.header.model
    for part in built.expanded.parts:
        model = part.header.model
        for key in ("sample_rate", "transform"):
            theirs, ours = getattr(model, key), getattr(whole, key)
            if key in model.written() and theirs != ours:
                words = "another sample rate" if key == "sample_rate" else "another transform"
                message = f"graph {part.model.graph!r} is written for {words}"
                hint = f"those of the whole hold for its parts: {key} is {_in_words(ours)}, and not {_in_words(theirs)}"
                yield part.site.problem(message, "graph", hint=hint)


def _in_words(value: int | TransformModel) -> str:
    return str(value) if isinstance(value, int) else f"{{size: {value.size}, hop: {value.hop}}}"


def _idle_columns(built: Built, idle: Sequence[Column]) -> Iterator[Problem]:
    """Columns of what is not heard, where no dead end says so: nodes behind the last tap of a strip or bus."""
    ends = [built.graph.taps[owner.name].node for owner in built.owners.values() if _is_end(built, owner)]
    ends += [point.node for _, _, point in built.unheard]
    leading = leading_to(built.graph, ends)
    for column in idle:
        if not any(node in leading for node, _ in column.drives):
            message = f"column {column.name!r} changes nothing: no output hears what it controls"
            yield built.sites[column.name].problem(message)


def _settled(built: Built, unheard: Sequence[Column]) -> Iterator[Problem]:
    """Columns that change nothing because of a setting that the file gives."""
    columns = {column.name: column.control for column in built.graph.columns}
    for name, why in idle_columns(built.graph, by_choice=True).items():
        if not any(column.name == name for column in unheard):
            default = columns[name].default
            hint = f"fix the control at its default, {default:g}, so that it has no column"
            yield built.sites[name].problem(f"column {name!r} changes nothing: {why}", hint=hint)


def _silent(built: Built) -> Iterator[Problem]:
    """Buses that nothing is sent to, and sends that let nothing through."""
    for owner in built.owners.values():
        if owner.sum is not None and not owner.sum.sources and not _is_end(built, owner):
            yield owner.site.problem(f"bus {owner.name!r} is silent: nothing is sent to it", "bus")
        for index, (send, node) in enumerate(zip(owner.placed.model.sends, owner.sends, strict=True)):
            if node is not None and Constant(0.0) in node.bindings.values():
                site = owner.site.below("sends", index)
                message = f"the send of {owner.name!r} to {send.to!r} is silent: its level is always 0"
                yield site.problem(message, "level")


def _flat_macros(built: Built) -> Iterator[Problem]:
    """Macros all of whose curves have one value."""
    curves: Mapping[str, list[Sequence[tuple[float, float]]]] = defaultdict(list)
    for node in built.graph.nodes:
        if isinstance(node, EffectNode):
            for binding in node.bindings.values():
                if isinstance(binding, MacroCurve):
                    curves[binding.column].append(binding.points)
                elif isinstance(binding, Blend):
                    for curve in (curve for term in binding.terms for curve in term):
                        curves[curve.column].append(curve.points)
    for column, all_points in curves.items():
        if all(len({y for _, y in points}) == 1 for points in all_points):
            message = f"macro {column!r} changes nothing: its curves have one value each"
            yield built.sites[column].problem(message, "drives")


def _rounded_ties(built: Built) -> Iterator[Problem]:
    """Columns whose values are not all ones that what is tied to them can take."""
    columns = {column.name: column.control for column in built.graph.columns}
    for name, use, site in built.ties:
        column, control = columns[name], use.control
        if not column.held or not control.held or size(column) > MOST_VALUES:
            continue
        odd = [one for one in (value(column, i) for i in range(size(column))) if not allows(control, one)]
        if not odd:
            continue
        what = f"{use.node.name}.{control.id}"
        message = f"{what} cannot be {shorten([f'{one:g}' for one in odd], SHOWN)}, as {name!r} can"
        hint = "it takes the nearest value that it can"
        low, high = max(column.min, control.min), min(column.max, control.max)
        common = [value(control, i) for i in range(size(control))]
        if all(allows(column, one) for one in common if low <= one <= high):
            words = range_in_words(control, low, high)
            hint += f"; or let {name!r} be tied to this one" + (f", which then says {words}" if words else "")
        yield site.problem(message, hint=hint)


def _strange_roles(built: Built) -> Iterator[Problem]:
    """Roles that nothing knows and that are nearly called like one that is known. Others are the document's own."""
    effects = [node.effect for node in built.graph.nodes if isinstance(node, EffectNode)]
    known = {*ROLES, *(control.role for effect in effects for control in effect.controls)} - {""}
    documents = [built.expanded.header, *(part.header for part in built.expanded.parts)]
    said = [
        (document.site.below("roles", role), role) for document in documents for role in document.model.roles
    ]
    for site, role in said:
        if role not in known and (meant := nearest(role, known)) is not None:
            message = f"no effect here has the role {role!r}, and no shipped recipe asks for it"
            hint = f"did you mean {meant!r}? A role of your own is told apart more easily by another name"
            yield site.problem(message, key=True, hint=hint)
