"""A stream in short blocks, as a sound card asks for them: the time of a block over its length."""

from __future__ import annotations

import statistics
import time

import torch

from benchmarks.cases import CASES
from benchmarks.context import Context
from benchmarks.results import CaseReport, Result
from benchmarks.timing import Spread
from benchmarks.work import SAMPLE_RATE, Inputs
from djgraph.mixer import Mixer

BLOCKS = (64, 128, 512, 2048)
WARM_UP = 30
"""Blocks that fill caches, before the clock runs."""


def run(context: Context) -> CaseReport:
    results = []
    for size in BLOCKS:
        context.report(f"blocks of {size}")
        shares = block_shares(context.mixer, context, size)
        worst = percentile(shares)
        bar = "live" if size == 512 else None
        results.append(
            Result(f"blocks of {size}: 99th percentile of time over length", Spread.of([worst]), "×", bar)
        )
        results.append(Result(f"blocks of {size}: median of time over length", Spread.of(shares), "×"))
    return CaseReport(
        "live",
        CASES["live"],
        tuple(results),
        notes=(
            "The default mixer, live controls that change with every block, without gradients. "
            f"Latency: {context.mixer.stream().latency} samples, "
            f"{1000 * context.mixer.stream().latency / SAMPLE_RATE:.0f} ms.",
        ),
    )


def percentile(shares: list[float], share: float = 0.99) -> float:
    """The value that so many lie below."""
    ordered = sorted(shares)
    return ordered[int(share * (len(ordered) - 1))]


def block_shares(mixer: Mixer, context: Context, size: int) -> list[float]:
    """For each block of a clip the seconds it took over the seconds it lasts."""
    stream, params = mixer.stream(), context.params[0]
    total = context.scale.samples // size
    shares = []
    with torch.inference_mode():
        for number in range(total):
            block = _cut(context.stems, number * size, (number + 1) * size)
            frame = params[number * len(params) // total]
            start = time.perf_counter()
            stream(block, frame)
            shares.append((time.perf_counter() - start) * SAMPLE_RATE / size)
    return shares[min(WARM_UP, total // 2) :] or [statistics.fmean(shares)]


def _cut(stems: Inputs, start: int, stop: int) -> Inputs:
    return {
        track: {stem: audio[..., start:stop] for stem, audio in each.items()} for track, each in stems.items()
    }
