"""Calls of a plan, one behind the other, that are no more than kernels: they run in one pass over memory.

The plan stays as it is. What runs in one pass is found where a plan is bound to its modules, and decided anew at every
call: where a derivative is taken, on other devices and types, the effects run one after the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from djgraph.compiler.plan import Op, Plan, Process
from djgraph.controls.bank import ControlBank
from djgraph.controls.reader import smoothing_samples
from djgraph.dsp.chain import Chain, ChainCurve
from djgraph.effects import Effect, Link, TimeEffect
from djgraph.host.calls import EffectCall


@dataclass(frozen=True)
class ChainedCalls:
    """Neighbouring calls of a plan that one :class:`djgraph.dsp.chain.Chain` computes.

    places: of the calls in the plan. states: the name of each one's state, None where it has none. sources, outs: what
    the first one reads and the last one makes, a name for each node.
    """

    places: tuple[int, ...]
    chain: Chain
    states: tuple[str | None, ...]
    sources: tuple[str, ...]
    outs: tuple[str, ...]


def chained_calls(plan: Plan, modules: Mapping[str, Effect], bank: ControlBank) -> Iterator[ChainedCalls]:
    """All chains of two calls and more, each as long as it can be. modules: by node."""
    readers = Counter(name for op in plan.ops for name in op.reads)
    readers.update(plan.outputs.values())
    links = [_link(op, modules, bank) for op in plan.ops]
    begin = 0
    while begin < len(plan.ops):
        end = begin + 1
        while (
            links[begin] is not None
            and end < len(plan.ops)
            and links[end] is not None
            and _follows(plan.ops[end - 1], plan.ops[end], readers, plan)
        ):
            end += 1
        if end - begin > 1:
            yield _chained(plan, range(begin, end), [link for link in links[begin:end] if link], bank)
        begin = end


def _link(op: Op, modules: Mapping[str, Effect], bank: ControlBank) -> Link | None:
    """What a call is, where it is one kernel whose controls all lie on straight lines between frames."""
    if not isinstance(op, Process):
        return None
    node = op.nodes[0]
    module = modules[node.id]
    if not isinstance(module, TimeEffect) or any(True for _ in module.parameters()):
        return None
    if len(module.inputs) != 1 or len(module.outputs) != 1 or module.uses_clock:
        return None
    call = EffectCall(module, op.nodes)
    link = call.link()
    if link is None or call.latency():  # in this order: a wrapped plugin is loaded to know its latency
        return None
    read = [control for control in module.controls if control.id in link.controls]
    rows = [bank.row(one, control) for one in op.nodes for control in read]
    sampled = all(control.rate == "sample" for control in read)
    return link if sampled and not bank.held(rows).some else None


def _follows(op: Op, after: Op, readers: Counter[str], plan: Plan) -> bool:
    """Whether a call reads what the one before makes, all of it in order, and nobody else does."""
    assert isinstance(op, Process)
    assert isinstance(after, Process)
    made, read = [row[0] for row in op.outs], [row[0] for row in after.ins]
    if made != read or any(readers[name] != 1 for name in made):
        return False
    if op.nodes[0].channels != after.nodes[0].channels:
        return False
    latencies = plan.latencies
    return latencies is None or len({latencies[name] for name in (*op.reads, *made, *after.writes)}) == 1


def _chained(plan: Plan, places: range, links: list[Link], bank: ControlBank) -> ChainedCalls:
    calls = [op for op in (plan.ops[place] for place in places) if isinstance(op, Process)]
    rate = plan.graph.sample_rate
    chain = Chain([(link.kernel, _curves(call, link, bank, rate)) for call, link in zip(calls, links)])
    return ChainedCalls(
        tuple(places),
        chain,
        tuple(link.state for link in links),
        tuple(row[0] for row in calls[0].ins),
        tuple(row[0] for row in calls[-1].outs),
    )


def _curves(call: Process, link: Link, bank: ControlBank, sample_rate: int) -> list[ChainCurve]:
    controls = {control.id: control for control in call.nodes[0].effect.controls}
    return [
        ChainCurve(
            tuple(bank.row(node, controls[name]) for node in call.nodes),
            smoothing_samples(controls[name], sample_rate),
        )
        for name in link.controls
    ]
