"""Which jobs and which memory the vectors' code works on."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
import torch
from effort import examples, few
from hypothesis import given, settings
from hypothesis import strategies as st
from runtime.documents import REGISTRY
from runtime.mixes import make_inputs, make_params

from djgraph.dsp.curve import Timeline
from djgraph.graph import load
from djgraph.mixer import Mixer
from djgraph.region.clip import Clip
from djgraph.region.engines.vectors import Vectors
from djgraph.region.engines.vectors.feed import Feed
from djgraph.region.engines.vectors.passes import _Call
from djgraph.region.schedule import REGIONS, RegionSchedule
from djgraph.simd.program import Job

MEMORYLESS = ["drive", "clip_gain", "gain"]


def make(size: int, hop: int, *chain: str) -> Mixer:
    document = {
        "djgraph": 1,
        "name": "parts",
        "sample_rate": 22050,
        "transform": {"size": size, "hop": hop},
        "inputs": [{"name": "a"}],
        "mixer": [{"strip": "a", "input": "a", "chain": [*chain, "eq3"], "to": "one"}, {"bus": "one"}],
        "outputs": ["one"],
    }
    return Mixer(load(document, registry=REGISTRY)).double()


def schedule_of(mixer: Mixer) -> RegionSchedule:
    modules = {id(module) for module in mixer.modules()}
    return next(
        one for one in REGIONS if one.masks and modules.issuperset(id(mask.module) for mask in one.masks)
    )


def bounce(place: int, samples: int) -> int:
    while samples > 1 and not 0 <= place < samples:
        place = -place if place < 0 else 2 * (samples - 1) - place
    return place if samples > 1 else 0


def written(job: Job, samples: int, size: int, hop: int) -> set[int]:
    """The samples that a job adds gradients to while others run: all of its own, and what is folded back at the ends.

    What its last frames add behind its own samples comes after all jobs, unless the clip ends there.
    """
    start = job.first * hop - size // 2
    stop = job.last * hop - size // 2 + ((-(-size // hop) - 1) * hop if job.final else 0)
    return {bounce(place, samples) for place in range(start, stop)}


@settings(max_examples=examples(200), deadline=None)
@given(
    transform=st.sampled_from([(16, 2), (16, 4), (16, 8), (32, 4), (32, 12), (64, 8), (64, 16)]),
    frames=st.integers(1, 120),
    rest=st.integers(0, 100),
    batch=st.integers(1, 3),
    threads=st.integers(1, 8),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_jobs_that_run_at_once_write_to_different_samples(
    transform: tuple[int, int], frames: int, rest: int, batch: int, threads: int, dtype: torch.dtype
) -> None:
    size, hop = transform
    mixer = MIXERS.setdefault(transform, make(size, hop))
    samples = (frames - 1) * hop + rest % hop
    if not samples:
        return
    schedule = schedule_of(mixer)
    clip = Clip(schedule, Timeline(samples, 2), batch, None)
    prepared = Vectors().prepared(schedule, dtype)
    call = _Call(prepared, clip, torch.zeros(8, batch, 2, dtype=dtype), [], False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "get_num_threads", lambda: threads)
        jobs = [job for stretch in call.stretches() for job in call.jobs(stretch)]
    for item in range(batch):
        mine = [job for job in jobs if job.item == item]
        assert [job.first for job in mine] == [0, *(job.last for job in mine[:-1])]
        assert mine[-1].last == clip.frames
        assert [job.final for job in mine] == [False] * (len(mine) - 1) + [True]
        for one, two in combinations(mine, 2):
            both = written(one, samples, size, hop) & written(two, samples, size, hop)
            assert not both, f"{one} and {two} both write to {sorted(both)}"


MIXERS: dict[tuple[int, int], Mixer] = {}


@pytest.mark.parametrize("hop", few([16, 12, 20], 2))
@pytest.mark.parametrize("chain", MEMORYLESS)
@pytest.mark.parametrize("frames_per_tile", [1, 2, None])
def test_gradients_are_written_nowhere_beside_their_memory(
    monkeypatch: pytest.MonkeyPatch, hop: int, chain: str, frames_per_tile: int | None
) -> None:
    """Memory around a stretch's gradient holds −0, which even adding 0 changes."""
    rooms: list[tuple[torch.Tensor, slice]] = []
    real = Feed._keep

    def keep(self: Any, made: torch.Tensor) -> Any:
        values, gradient = real(self, made)
        if gradient is None:
            return values, gradient
        room = torch.full((gradient.numel() + 400,), -0.0, dtype=gradient.dtype)
        inside = slice(200, 200 + gradient.numel())
        room[inside] = 0
        rooms.append((room, inside))
        guarded = room[inside].view(gradient.shape)
        self.back._gradients[-1] = guarded
        return values, guarded

    monkeypatch.setattr(Feed, "_keep", keep)
    mixer = Mixer(make(64, hop, chain).graph, frames_per_tile=frames_per_tile)
    inputs = make_inputs(mixer.graph, 1, 700, torch.float64, 0)
    inputs["a"].requires_grad_()
    params = make_params(mixer, 1, 4, torch.float64, 0).requires_grad_()
    mixer(inputs, params).square().sum().backward()
    assert rooms
    for room, inside in rooms:
        beside = torch.cat([room[: inside.start], room[inside.stop :]])
        touched = int((~torch.signbit(beside)).sum())
        assert touched == 0
