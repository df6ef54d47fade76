"""The causal lowering against the studio one: whole clips, and blocks of 128 as a live stream."""

from __future__ import annotations

import djgraph
from benchmarks.cases import CASES
from benchmarks.cases.live import block_shares, percentile
from benchmarks.context import Context
from benchmarks.programs import inference
from benchmarks.results import CaseReport, Result, Timed
from benchmarks.timing import Spread, ratio

BLOCK = 128


def run(context: Context) -> CaseReport:
    causal = djgraph.compile("dj_mixer", lowering="causal")
    mixers = {"studio": context.mixer, "causal": causal}
    times = context.time(
        {name: inference(mixer, context.stems, context.params) for name, mixer in mixers.items()}
    )
    results = [
        Result("forward, against the studio lowering", ratio(times["studio"], times["causal"]), "×", "causal")
    ]
    for name, mixer in mixers.items():
        context.report(f"{name}, blocks of {BLOCK}")
        shares = block_shares(mixer, context, BLOCK)
        text = f"{name}, blocks of {BLOCK}"
        bar = "causal_live" if name == "causal" else None
        worst = Spread.of([percentile(shares)])
        results.append(Result(f"{text}: 99th percentile of time over length", worst, "×", bar))
        results.append(Result(f"{text}: median of time over length", Spread.of(shares), "×"))
    latencies = ", ".join(f"{name} {mixer.stream().latency} samples" for name, mixer in mixers.items())
    return CaseReport(
        "causal",
        CASES["causal"],
        tuple(results),
        tuple(Timed(f"{name}, forward", times[name], context.scale.seconds) for name in times),
        (f"The default mixer, live controls that change with every block. Latencies: {latencies}.",),
    )
