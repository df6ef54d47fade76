"""Programs of random regions, interpreted on plain numbers, against autograd."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import cast

import pytest
import torch
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

import djgraph
from djgraph.region.machine import Machine
from djgraph.region.program import Code, Flow, Program, backward_program, forward_program
from djgraph.region.schedule import REGIONS, RegionSchedule, ScaleStep, SumStep


def region(strips: int, steps: list[ScaleStep | SumStep], results: tuple[str, ...]) -> Flow:
    sources = tuple(f"strip{n}" for n in range(strips))
    return Flow(cast(RegionSchedule, SimpleNamespace(sources=sources, steps=steps, results=results)))


@st.composite
def flows(draw: st.DrawFn) -> Flow:
    """Scales, some of them several at once, and sums of anything that came before; the same twice is allowed."""
    strips = draw(st.integers(1, 4))
    values = [f"strip{n}" for n in range(strips)]
    steps: list[ScaleStep | SumStep] = []

    def known() -> st.SearchStrategy[str]:
        # The latest more often than others, so that there are long ways from strips to results.
        return st.sampled_from(values[-3:]) | st.sampled_from(values)

    for place in range(draw(st.integers(0, 9))):
        if draw(st.booleans()):
            ins = draw(st.lists(known(), min_size=1, max_size=3))
            outs = tuple(f"scaled{place}.{n}" for n in range(len(ins)))
            factors = tuple((group, 0, len(ins)) for group in range(draw(st.integers(1, 3))))
            steps.append(ScaleStep(tuple(ins), outs, factors))
            values += outs
        else:
            steps.append(SumStep(tuple(draw(st.lists(known(), min_size=1, max_size=4))), f"sum{place}"))
            values.append(f"sum{place}")
    return region(strips, steps, tuple(draw(st.lists(known(), min_size=1, max_size=4))))


def numbers(count: int, seed: int) -> list[int]:
    """From 1 to 5, or their opposites."""
    generator = torch.Generator().manual_seed(seed)
    size = torch.randint(1, 6, (count,), generator=generator)
    return (size * (1 - 2 * torch.randint(0, 2, (count,), generator=generator))).tolist()


class Case:
    """A flow's results by definition, and their gradients by autograd."""

    def __init__(self, flow: Flow, seed: int) -> None:
        self.strips, self.gains = numbers(len(flow.strips), seed), numbers(len(flow.chains), seed + 1)
        self.seeds = numbers(len(flow.results), seed + 2)
        strips = [torch.tensor(float(n), dtype=torch.float64, requires_grad=True) for n in self.strips]
        gains = [torch.tensor(float(n), dtype=torch.float64, requires_grad=True) for n in self.gains]
        known = {name: strips[place] for name, place in flow.strips.items()}

        def value(name: str) -> torch.Tensor:
            if name not in known:
                if name in flow.sums:
                    known[name] = torch.stack([value(part) for part in flow.sums[name]]).sum()
                else:
                    scaled = flow.scaled[name]
                    known[name] = value(scaled.source) * gains[scaled.chain]
            return known[name]

        made = [value(name) for name in flow.results]
        self.results = [int(one) for one in made]
        total = torch.stack([one * seed for one, seed in zip(made, self.seeds)]).sum()
        found = torch.autograd.grad(total, strips + gains, allow_unused=True)
        numbers_ = [None if part is None else int(part) for part in found]
        self.of_strips, self.of_gains = numbers_[: len(strips)], numbers_[len(strips) :]


@settings(max_examples=examples(300), deadline=None)
@given(flow=flows(), seed=st.integers(0, 99))
def test_forward(flow: Flow, seed: int) -> None:
    case = Case(flow, seed)
    program = forward_program(flow)
    machine = Machine(program, case.strips, case.gains)
    assert program.targets == len(flow.results)
    assert machine.targets == dict(enumerate(case.results))
    assert sum(code == Code.ANALYSE for code, *_ in program.operations) <= len(flow.strips)
    assert program.chain == max((len(chain) for chain in flow.chains), default=1)


@settings(max_examples=examples(300), deadline=None)
@given(data=st.data(), flow=flows(), seed=st.integers(0, 99))
def test_backward(data: st.DataObject, flow: Flow, seed: int) -> None:
    case = Case(flow, seed)
    flags = st.sampled_from([True, False]) | st.just(True)
    chains = data.draw(st.lists(flags, min_size=len(flow.chains), max_size=len(flow.chains)))
    strips = data.draw(st.lists(flags, min_size=len(flow.strips), max_size=len(flow.strips)))
    program = backward_program(flow, chains, strips)
    machine = Machine(program, case.strips + case.seeds, case.gains)
    wanted = [gradient for gradient, want in zip(case.of_strips, strips) if want]
    assert program.targets == len(wanted)
    assert {n: machine.targets.get(n, 0) for n in range(len(wanted))} == {
        n: gradient or 0 for n, gradient in enumerate(wanted)
    }
    expected = {n: g for n, g in enumerate(case.of_gains) if chains[n] and g is not None}
    assert machine.gradients == expected


@settings(max_examples=examples(50), deadline=None)
@given(flow=flows())
def test_nothing_is_done_where_no_gradient_is_wanted(flow: Flow) -> None:
    program = backward_program(flow, [False] * len(flow.chains), [False] * len(flow.strips))
    assert len(program.operations) == 0
    assert program.targets == 0


@settings(max_examples=examples(100), deadline=None)
@given(flow=flows())
def test_values_come_after_what_they_are_made_of_and_only_where_needed(flow: Flow) -> None:
    place = {name: number for number, name in enumerate(flow.order)}
    assert len(place) == len(flow.order)
    for name in flow.order:
        assert all(place[part] < place[name] for part in flow.made_of(name))
    needed = set(flow.results)
    while grown := {part for name in needed for part in flow.made_of(name)} - needed:
        needed |= grown
    assert set(place) == needed


def test_chains_name_the_nodes_of_their_groups() -> None:
    steps: list[ScaleStep | SumStep] = [
        ScaleStep(("strip0", "strip1"), ("a", "b"), ((0, 3, 5), (2, 0, 2))),
        ScaleStep(("b",), ("c",), ((1, 7, 8),)),
    ]
    flow = region(2, steps, ("a", "c"))
    assert flow.chains == [((0, 3), (2, 0)), ((0, 4), (2, 1)), ((1, 7),)]


def test_long_chains_of_sums_are_no_deep_recursion() -> None:
    steps: list[ScaleStep | SumStep] = []
    last = "strip0"
    for n in range(3000):
        steps.append(SumStep((last,), f"sum{n}"))
        last = f"sum{n}"
    flow = region(1, steps, (last,))
    assert Machine(forward_program(flow), [5], []).targets == {0: 5}
    assert Machine(backward_program(flow, [], [True]), [5, 7], []).targets == {0: 7}


def test_slots_do_not_grow_with_how_often_a_value_is_read() -> None:
    few, many = (
        region(
            1,
            [SumStep(("strip0",) * n, "total"), ScaleStep(("total",), ("out",), ((0, 0, 1),))],
            ("out",) * n,
        )
        for n in (2, 20)
    )
    assert forward_program(few).slots == forward_program(many).slots
    assert backward_program(few, [True], [True]).slots == backward_program(many, [True], [True]).slots


def schedules(mixer: djgraph.Mixer) -> list[RegionSchedule]:
    """Those of a mixer's plan without taps."""
    modules = {id(module) for module in mixer.modules()}
    results = {name for op in mixer.plan.ops for name in op.writes}
    return [
        schedule
        for schedule in REGIONS
        if results.issuperset(schedule.writes)
        and modules.issuperset(id(mask.module) for mask in schedule.masks)
        and schedule.masks
    ]


@pytest.mark.parametrize("name", ["dj_mixer", "djtransgan", "club_console", "filter_knob"])
def test_slots_of_shipped_graphs_are_few(name: str) -> None:
    mixer = djgraph.compile(name)
    found = schedules(mixer)
    assert found
    for schedule in found:
        flow = Flow(schedule)
        chains, strips = [True] * len(flow.chains), [True] * len(flow.strips)
        forward, backward = forward_program(flow), backward_program(flow, chains, strips)
        kinds = Counter(code for code, *_ in forward.operations)
        assert kinds[Code.ANALYSE] == len(flow.strips)
        assert kinds[Code.SYNTHESISE] == len(flow.results)
        assert backward.targets == len(flow.strips)
        if name == "dj_mixer":
            assert len(flow.strips) == 8
            assert forward.slots == 2
            assert backward.slots <= 3


@given(flows(), st.integers(0, 2**32 - 1))
@settings(max_examples=examples(200))
def test_strips_that_are_scaled_need_no_slot_of_their_own(flow: Flow, seed: int) -> None:
    """The program of the engine for many candidates gives the same where its shorter steps are written out again."""
    pytest.importorskip("numba")
    from djgraph.region.engines.shared.programs import fused
    from djgraph.region.engines.vectors.encode import encode
    from djgraph.simd.candidates import SCALED

    program = forward_program(flow)
    arguments = {Code.ANALYSE: 2, Code.SYNTHESISE: 2, Code.SCALE: 4, Code.ADD: 3}
    written: list[tuple[int, ...]] = []
    for code, first, second, third, fourth in fused(encode(program).operations).tolist():
        if code == SCALED:
            spare = program.slots
            written += [(Code.ANALYSE, first, spare), (Code.SCALE, second, spare, third, fourth)]
        else:
            written.append((code, *(first, second, third, fourth)[: arguments[Code(code)]]))
    again = Program(tuple(written), program.slots + 1, program.targets, program.chain)
    sources, gains = numbers(len(flow.strips), seed), numbers(len(flow.chains), seed + 1)
    assert Machine(again, sources, gains).targets == Machine(program, sources, gains).targets


@settings(max_examples=examples(300), deadline=None)
@given(data=st.data(), flow=flows(), seed=st.integers(0, 99))
def test_faders_and_gains_get_their_gradients_without_one_of_the_strip(
    data: st.DataObject, flow: Flow, seed: int
) -> None:
    """The backward program of the engine for many candidates, its own operations written out by hand. It makes nothing
    that it does not read."""
    pytest.importorskip("numba")
    from djgraph.region.engines.shared.programs import backward_program as shared_program
    from djgraph.region.engines.shared.programs import reads_strips
    from djgraph.simd.candidates import MOVED, OF_FADER, OF_GAINS, PULLED, SCALED

    case = Case(flow, seed)

    def flags(count: int) -> list[bool]:
        return data.draw(st.lists(st.sampled_from([True, True, False]), min_size=count, max_size=count))

    chains, strips = flags(len(flow.chains)), flags(len(flow.strips))
    faders = flags(len(flow.strips))
    program = shared_program(flow, chains, strips, faders)
    slots: list[int | None] = [None] * program.slots
    targets: dict[int, int] = {}
    of_gains: dict[int, int] = {}
    of_faders = dict.fromkeys(range(len(flow.strips)), 0)

    unread = set[int]()

    def held(slot: int) -> int:
        value = slots[slot]
        assert value is not None
        unread.discard(slot)
        return value

    def put(slot: int, value: int) -> None:
        assert slot not in unread
        unread.add(slot)
        slots[slot] = value

    for code, a, b, c, d in program.operations.tolist():
        if code == Code.ANALYSE:
            put(b, (case.strips + case.seeds)[a])
        elif code == Code.SYNTHESISE:
            assert a not in targets
            targets[a] = held(b)
        elif code == Code.SCALE:
            put(c, case.gains[a] * held(b) + (held(c) if d else 0))
        elif code == SCALED:
            put(c, case.gains[b] * case.strips[a] + (held(c) if d else 0))
        elif code == Code.ADD:
            put(b, held(a) + (held(b) if c else 0))
        elif code == MOVED:
            of_faders[a] += case.strips[a] * held(b)
        else:
            assert code in (Code.GRADIENT, PULLED)
            chain, strip = (a, held(b)) if code == Code.GRADIENT else (b, case.strips[a])
            if code == Code.GRADIENT or d & OF_GAINS:
                assert chain not in of_gains
                of_gains[chain] = strip * held(c)
            if code == PULLED and d & OF_FADER:
                of_faders[a] += strip * case.gains[chain] * held(c)
    assert not unread
    audio = [gradient or 0 for gradient, want in zip(case.of_strips, strips) if want]
    assert [targets.get(n, 0) for n in range(len(audio))] == audio
    assert of_gains == {n: g for n, g in enumerate(case.of_gains) if chains[n] and g is not None}
    # Of the fader w of w·strip, at w = 1, that is the strip times its own.
    own = [strip * (gradient or 0) for strip, gradient in zip(case.strips, case.of_strips)]
    assert list(of_faders.values()) == [one if want else 0 for one, want in zip(own, faders)]
    if not any(faders) and not any(chains):
        assert not reads_strips(program.operations, len(flow.strips))
