"""Plans as text, for tests: what a pass makes of one."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

from djgraph.compiler.parse import parse_plan
from djgraph.compiler.plan import Plan
from djgraph.graph.ir import Graph


def read(text: str, graph: Graph, stream: bool = False) -> Plan:
    """A plan without its first line."""
    body = textwrap.indent(textwrap.dedent(text).strip("\n"), "  ")
    return parse_plan(f"{'stream ' * stream}plan {graph.name}\n{body}", graph)


def assert_rewrites(
    run: Callable[[Plan], Plan], graph: Graph, before: str, after: str, stream: bool = False
) -> None:
    """That a pass makes ``after`` of ``before``; ``stream``: of a plan with latencies."""
    made = textwrap.dedent("\n".join(str(run(read(before, graph, stream))).splitlines()[1:]))
    expected = textwrap.dedent(after).strip("\n")
    assert made == expected, f"made\n{made}\ninstead of\n{expected}"
