"""Prepares a region for its tiles: which rows of which tensors each call takes, found once at compile time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from djgraph.compiler.plan import Add, Inlet, Mask, Plan, Region
from djgraph.controls.bank import ControlBank, Held
from djgraph.controls.reader import smoothing_samples
from djgraph.dsp.operators import Handles
from djgraph.effects import (
    AmplitudeEffect,
    Control,
    Effect,
    RatioEffect,
    SpectralEffect,
    TimeEffect,
    Transform,
)
from djgraph.graph.ir import Constant, EffectNode
from djgraph.host.calls import EffectCall

ControlRows = tuple[tuple[Control, Tensor, Held], ...]
"""For each control the row of the bank that each stacked node reads, and which of these are held."""


@dataclass(frozen=True)
class PrologueStep:
    """``controls`` names for each control its place in ``RegionSchedule.curves``."""

    call: EffectCall
    module: TimeEffect
    controls: tuple[tuple[Control, int], ...]


@dataclass(frozen=True)
class Prologue:
    """Strips that pass the same memoryless effects before the transform."""

    strips: int
    steps: tuple[PrologueStep, ...]

    @property
    def amplitudes(self) -> bool:
        """There is nothing but amplitudes."""
        return all(isinstance(step.module, AmplitudeEffect) for step in self.steps)


@dataclass(frozen=True)
class MaskGroup:
    """All nodes of a region that one module gives the gains of, in one call.

    ``controls`` names for each control its range of ``RegionSchedule.mask_rows``. The gains of nodes whose controls
    are all ``constant`` are the same in every frame, so they are computed for one.
    """

    call: EffectCall
    module: SpectralEffect
    nodes: int
    controls: tuple[tuple[Control, int, int], ...]
    constant: bool


@dataclass(frozen=True)
class ScaleStep:
    """Spectra times gains. ``factors`` are ranges of mask groups: (group, first row, last row + 1)."""

    ins: tuple[str, ...]
    outs: tuple[str, ...]
    factors: tuple[tuple[int, int, int], ...]
    forgets: tuple[str, ...] = ()
    final: bool = True
    first: bool = False

    @property
    def owns_ins(self) -> bool:
        """Nobody else reads the spectra that this step reads."""
        return len(self.forgets) == len(self.ins)


@dataclass(frozen=True)
class SumStep:
    ins: tuple[str, ...]
    out: str
    forgets: tuple[str, ...] = ()
    final: bool = True


@dataclass(frozen=True, eq=False)
class RegionSchedule:
    """A region, ready to run.

    ``kept`` is what engines keep for it, by their names. ``modules`` are all its effects, each once.
    Of its steps, ``forgets`` are the values that nobody reads afterwards; ``final`` ones feed no later gain, so the
    backward pass does not repeat them; ``first`` ones read nothing but strips.
    """

    reads: tuple[str, ...]
    sources: tuple[str, ...]
    prologues: tuple[Prologue, ...]
    curves: ControlRows
    masks: tuple[MaskGroup, ...]
    mask_rows: Tensor
    mask_held: Held
    steps: tuple[ScaleStep | SumStep, ...]
    results: tuple[str, ...]
    writes: tuple[str, ...]
    channels: int
    sample_rate: int
    transform: Transform
    smoothing: float
    simd: bool
    owner: str = ""
    identity: str | None = None
    windows: dict[tuple[Any, ...], Any] = field(default_factory=dict, repr=False)
    kept: dict[str, Any] = field(default_factory=dict, repr=False)
    modules: tuple[Effect, ...] = field(init=False)
    handle: int = field(init=False)

    def __post_init__(self) -> None:
        before = [step.module for prologue in self.prologues for step in prologue.steps]
        modules = dict.fromkeys((*before, *(mask.module for mask in self.masks)))
        object.__setattr__(self, "modules", tuple(modules))
        object.__setattr__(self, "handle", REGIONS.add(self, self.identity))

    @property
    def strips(self) -> int:
        return len(self.sources)

    @cached_property
    def scaled(self) -> int:
        """Strips behind amplitudes, and nothing else."""
        return sum(p.strips for p in self.prologues if p.steps and p.amplitudes)

    @cached_property
    def processed(self) -> int:
        """Strips behind other memoryless effects."""
        return sum(p.strips for p in self.prologues if not p.amplitudes)

    @cached_property
    def tables(self) -> int:
        """Masks that are no ratios."""
        return sum(group.nodes for group in self.masks if not isinstance(group.module, RatioEffect))

    @cached_property
    def sums_only(self) -> bool:
        """There are several results, and each is a sum of its own."""
        sums = {step.out for step in self.steps if isinstance(step, SumStep)}
        return 1 < len(self.results) == len(sums.intersection(self.results))

    @cached_property
    def paths(self) -> int:
        """Ways from a strip to a result."""
        ways = dict.fromkeys(self.sources, 1)
        for step in self.steps:
            if isinstance(step, SumStep):
                ways[step.out] = sum(ways[name] for name in step.ins)
            else:
                ways |= {out: ways[name] for name, out in zip(step.ins, step.outs)}
        return sum(ways[name] for name in self.results)

    def smoothing_of(self, control: Control) -> float:
        return smoothing_samples(control, self.sample_rate)


REGIONS = Handles()
"""Schedules by the number that stands for them in an operator's arguments."""


def schedule_region(
    op: Region,
    plan: Plan,
    modules: Mapping[str, Effect],
    bank: ControlBank,
    simd: bool = True,
    identity: str | None = None,
) -> RegionSchedule:
    """Stacks equal strips and equal masks, and orders masks and sums by depth.

    simd: on a CPU its vector units do the work.
    identity: says all about it but its weights, for exported programs; None where nothing does.
    """
    by_chain: dict[tuple[str, ...], list[Inlet]] = defaultdict(list)
    for strip in op.inlets:
        by_chain[tuple(plan.kernels[node.id] for node in strip.nodes)].append(strip)
    strips = [strip for group in by_chain.values() for strip in group]
    curves: list[tuple[Control, Tensor, Held]] = []
    prologues = tuple(_prologue(group, modules, bank, curves) for group in by_chain.values())
    steps, groups = _steps(op, plan)
    masks, mask_rows = _mask_groups(list(groups.values()), modules, bank)
    smoothing = max(
        (smoothing_samples(control, plan.graph.sample_rate) for control, *_ in curves), default=0.0
    )
    results = tuple(result.source for result in op.results)
    return RegionSchedule(
        reads=tuple(strip.source for strip in strips),
        sources=tuple(strip.out for strip in strips),
        prologues=prologues,
        curves=tuple(curves),
        masks=masks,
        mask_rows=mask_rows,
        mask_held=bank.held(mask_rows.tolist()),
        steps=_lifetimes(steps, [strip.out for strip in strips], results),
        results=results,
        writes=op.writes,
        channels=plan.channels[op.writes[0]],
        sample_rate=plan.graph.sample_rate,
        transform=plan.graph.transform,
        smoothing=smoothing,
        simd=simd,
        owner=f"a mixer of graph {plan.graph.name!r}",
        identity=identity,
    )


def _control_rows(nodes: Sequence[EffectNode], bank: ControlBank) -> ControlRows:
    reads = []
    for control in nodes[0].effect.controls:
        rows = [bank.row(node, control) for node in nodes]
        reads.append((control, torch.tensor(rows, device="cpu"), bank.held(rows)))
    return tuple(reads)


def _mask_groups(
    groups: Sequence[list[EffectNode]], modules: Mapping[str, Effect], bank: ControlBank
) -> tuple[tuple[MaskGroup, ...], Tensor]:
    """The groups, and the bank's rows that all their controls read, one after another."""
    rows: list[int] = []
    masks = []
    for nodes in groups:
        module = modules[nodes[0].id]
        assert isinstance(module, SpectralEffect)
        controls = []
        for control in module.controls:
            controls.append((control, len(rows), len(rows) + len(nodes)))
            rows += [bank.row(node, control) for node in nodes]
        call = EffectCall(module, nodes)
        masks.append(MaskGroup(call, module, len(nodes), tuple(controls), _constant(nodes[0])))
    return tuple(masks), torch.tensor(rows, dtype=torch.int64, device="cpu")


def _constant(node: EffectNode) -> bool:
    return all(isinstance(binding, Constant) for binding in node.bindings.values())


def _prologue(
    strips: Sequence[Inlet],
    modules: Mapping[str, Effect],
    bank: ControlBank,
    curves: list[tuple[Control, Tensor, Held]],
) -> Prologue:
    """The controls that it reads are added to ``curves``."""
    steps = []
    for nodes in zip(*(strip.nodes for strip in strips)):
        module = modules[nodes[0].id]
        assert isinstance(module, TimeEffect)
        rows = _control_rows(nodes, bank)
        places = tuple((control, len(curves) + n) for n, (control, *_) in enumerate(rows))
        steps.append(PrologueStep(EffectCall(module, nodes), module, places))
        curves += rows
    return Prologue(len(strips), tuple(steps))


def _steps(op: Region, plan: Plan) -> tuple[list[ScaleStep | SumStep], dict[str, list[EffectNode]]]:
    """Masks in a row become one ScaleStep; Scales of one depth and the same effects become one call."""
    chains = _chains(op)
    depth = {strip.out: 0 for strip in op.inlets}
    by_depth: dict[int, list[list[Mask] | Add]] = defaultdict(list)
    starts = {id(chain[0]): chain for chain in chains}
    for step in op.body:
        if isinstance(step, Add):
            depth[step.out] = 1 + max(depth[name] for name in step.sources)
            by_depth[depth[step.out]].append(step)
        elif id(step) in starts:
            chain = starts[id(step)]
            depth[chain[-1].out] = 1 + depth[step.source]
            by_depth[depth[chain[-1].out]].append(chain)
    groups: dict[str, list[EffectNode]] = {}
    order: dict[str, int] = {}
    steps: list[ScaleStep | SumStep] = []
    for level in sorted(by_depth):
        alike: dict[tuple[str, ...], list[list[Mask]]] = defaultdict(list)
        for item in by_depth[level]:
            if isinstance(item, Add):
                steps.append(SumStep(item.sources, item.out))
            else:
                alike[tuple(_kind(mask.node, plan) for mask in item)].append(item)
        for kernels, members in alike.items():
            factors = []
            for place, kernel in enumerate(kernels):
                nodes = groups.setdefault(kernel, [])
                order.setdefault(kernel, len(order))
                factors.append((order[kernel], len(nodes), len(nodes) + len(members)))
                nodes += [chain[place].node for chain in members]
            steps.append(
                ScaleStep(
                    tuple(c[0].source for c in members), tuple(c[-1].out for c in members), tuple(factors)
                )
            )
    return steps, groups


def _kind(node: EffectNode, plan: Plan) -> str:
    """Equal for nodes whose gains can be computed in one call."""
    return plan.kernels[node.id] + (" constant" if _constant(node) else "")


def _chains(op: Region) -> list[list[Mask]]:
    """Runs of masks of which nobody else reads the middle."""
    readers = Counter(name for step in (*op.body, *op.results) for name in step.reads)
    masks = {step.source: step for step in op.body if isinstance(step, Mask) and readers[step.source] == 1}
    inner = {step.out for step in op.body if isinstance(step, Mask) and readers[step.out] == 1}
    chains = []
    for step in op.body:
        if isinstance(step, Mask) and not (step.source in inner and masks.get(step.source) is step):
            chain = [step]
            while chain[-1].out in masks and chain[-1].out in inner:
                chain.append(masks[chain[-1].out])
            chains.append(chain)
    return chains


def _lifetimes(
    steps: Sequence[ScaleStep | SumStep], sources: Sequence[str], results: Sequence[str]
) -> tuple[ScaleStep | SumStep, ...]:
    """Marks what each step is the last to read, and which steps are the first and the final ones."""
    kept, needed = set(results), set[str]()
    done: list[ScaleStep | SumStep] = []
    for step in reversed(steps):
        outs = step.outs if isinstance(step, ScaleStep) else (step.out,)
        final = needed.isdisjoint(outs)
        if isinstance(step, ScaleStep) or not final:
            needed.update(step.ins)
        forgets = tuple(dict.fromkeys(name for name in step.ins if name not in kept))
        kept.update(step.ins)
        if isinstance(step, ScaleStep):
            done.append(replace(step, forgets=forgets, final=final, first=set(sources).issuperset(step.ins)))
        else:
            done.append(replace(step, forgets=forgets, final=final))
    return tuple(reversed(done))
