"""Last step of building: what in a node's settings and controls contradicts itself, by its effect's own account."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from djgraph.effects import Conflict, ControlUse, Environment, Use
from djgraph.errors import EffectError, Problem
from djgraph.graph.controls import interpolate
from djgraph.graph.draft import EffectDraft, NodeDraft
from djgraph.graph.ir import Binding, Blend, Column, Constant, Free


def conflicts(
    nodes: Iterable[NodeDraft],
    counts: Mapping[str, int],
    columns: Sequence[Column],
    environment: Environment,
) -> list[Problem]:
    """Every conflict of every effect, at its place in the file.

    nodes: bound. counts: channels of each. Raises EffectError where an effect fails to tell.
    """
    by_name = {column.name: column for column in columns}
    problems = []
    for node in nodes:
        if isinstance(node, EffectDraft) and not (node.is_send or node.is_route):
            use = use_of(node, counts[node.id], by_name)
            problems += [_problem(node, conflict) for conflict in _told(node, use, environment)]
    return problems


def _told(node: EffectDraft, use: Use, environment: Environment) -> Iterator[Conflict]:
    assert node.effect is not None
    try:
        told = list(node.effect.conflicts(use, environment))
        if not all(isinstance(conflict, Conflict) for conflict in told):
            raise TypeError("it has to return djgraph.effects.Conflict records")
    except Exception as error:
        raise EffectError(
            f"effect {node.effect.type!r} failed in conflicts(): {type(error).__name__}: {error}, "
            f"for {node.id!r} {node.site.where()}"
        ) from error
    yield from told


def use_of(node: EffectDraft, channels: int, columns: Mapping[str, Column]) -> Use:
    """What an effect is told of its use. channels: of the node; columns: by name."""
    assert node.effect is not None
    assert node.settings is not None
    aliases = {alias: control.id for control in node.controls for alias in control.aliases}
    stated = {aliases.get(name, name) for name in node.overrides}
    controls = {}
    for control in node.controls:
        low, high, rest = span(node.bindings[control.id], columns)
        controls[control.id] = ControlUse(low, high, rest, control.default, control.id in stated)
    return Use(node.settings, frozenset(node.settings.model_fields_set), controls, channels)


def span(binding: Binding, columns: Mapping[str, Column]) -> tuple[float, float, float]:
    """The lowest and the highest value, and that at rest."""
    if isinstance(binding, Constant):
        return binding.value, binding.value, binding.value
    if isinstance(binding, Blend):
        terms = [[span(curve, columns) for curve in term] for term in binding.terms]
        rest = sum(math.prod(at_rest for _, _, at_rest in term) for term in terms)
        # Each term's last curve is what its others weight.
        return min(term[-1][0] for term in terms), max(term[-1][1] for term in terms), rest
    control = columns[binding.column].control
    if isinstance(binding, Free):
        return control.min, control.max, control.default
    values = [y for _, y in binding.points]
    return min(values), max(values), interpolate(binding.points, control.default)


def _problem(node: EffectDraft, conflict: Conflict) -> Problem:
    message = f"{node.effect.type if node.effect else ''}: {conflict.message}"
    site = node.site
    if conflict.name is not None and conflict.part == "controls":
        site = node.control_site(_as_written(node, conflict.name))
    elif conflict.name is not None:
        site = site.below("settings", conflict.name)
        site = site if conflict.index is None else site.below(conflict.index)
    return site.problem(message, allowed=conflict.allowed, hint=conflict.hint)


def _as_written(node: EffectDraft, control: str) -> str:
    """The control's id, or the old one by which the file calls it."""
    aliases = next((one.aliases for one in node.controls if one.id == control), ())
    return next((name for name in (control, *aliases) if name in node.overrides), control)
