"""Columns that change nothing because of a setting: the time of an echo that keeps time in beats.

Effects say themselves which of their controls do nothing, as they do where a file speaks of one (``Effect.conflicts``):
they are asked here as if it spoke of all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import BaseModel, ValidationError

from djgraph.effects import ControlUse, Environment, Use
from djgraph.errors import EffectError
from djgraph.graph.conflicts import span
from djgraph.graph.ir import Column, EffectNode, Graph


def idle_columns(graph: Graph, *, by_choice: bool = False) -> dict[str, str]:
    """Column → why it changes nothing, where nothing that reads it makes use of it.

    by_choice: only those which the effects' default settings would let do something. Raises EffectError where an effect
    fails to tell.
    """
    columns = {column.name: column for column in graph.columns}
    because: dict[tuple[str, str], str] = {}
    for node in (*graph.sources.values(), *graph.nodes):
        if isinstance(node, EffectNode):
            told = dict(_idle(node, node.settings, graph, columns))
            usual = _usual(node, graph, columns) if told and by_choice else ()
            because |= {(node.id, control): why for control, why in told.items() if control not in usual}
    found = {}
    for column in graph.columns:
        reasons = [because.get(reader) for reader in column.drives]
        if reasons and None not in reasons:
            found[column.name] = str(reasons[0])
    return found


def _usual(node: EffectNode, graph: Graph, columns: Mapping[str, Column]) -> set[str]:
    """The controls of a node that do nothing with default settings, where there are any."""
    try:
        settings = node.effect.Settings()
    except ValidationError:  # there are none: the file had to choose
        return set()
    return {control for control, _ in _idle(node, settings, graph, columns)}


def _idle(
    node: EffectNode, settings: BaseModel, graph: Graph, columns: Mapping[str, Column]
) -> Iterator[tuple[str, str]]:
    """The controls of a node that do nothing with these settings, and why."""
    uses = {}
    for control in node.effect.controls:
        low, high, rest = span(node.bindings[control.id], columns)
        uses[control.id] = ControlUse(low, high, rest, control.default, stated=True)
    use = Use(settings, frozenset(), uses, node.channels)
    try:
        told = list(node.effect.conflicts(use, Environment(graph.sample_rate, graph.transform)))
    except Exception as error:
        raise EffectError(
            f"effect {node.effect.type!r} failed in conflicts(): {type(error).__name__}: {error}, for {node.id!r}"
        ) from error
    for conflict in told:
        if conflict.idle and conflict.part == "controls" and conflict.name is not None:
            yield conflict.name, conflict.message
