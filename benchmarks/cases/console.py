"""A console of 100 effects: grouped against one by one.

One by one means: the same passes without ``fuse`` and ``group``, so that every effect of every node is a call of its
own, on its own values; folding, sharing of equal transforms, dropping and freeing stay. Two more stand beside it:
without ``group`` only (tiled regions, not stacked), and no pass at all.
"""

from __future__ import annotations

import djgraph
from benchmarks.cases import CASES
from benchmarks.context import Context
from benchmarks.documents import console
from benchmarks.programs import inference
from benchmarks.results import CaseReport, Result, Timed
from benchmarks.timing import ratio
from benchmarks.work import make_params, make_stems
from djgraph.compiler.pipeline import PASS_NAMES
from djgraph.graph.ir import EffectNode

ONE_BY_ONE = "one by one (no fuse, no group)"


def run(context: Context) -> CaseReport:
    scale = context.scale
    graph = djgraph.load(console())
    passes = {
        "grouped": PASS_NAMES,
        ONE_BY_ONE: [name for name in PASS_NAMES if name not in ("fuse", "group")],
        "no group": [name for name in PASS_NAMES if name != "group"],
        "no pass": (),
    }
    mixers = {name: djgraph.compile(graph, optimize=chosen) for name, chosen in passes.items()}
    stems = make_stems(graph, scale.samples)
    params = make_params(mixers["grouped"].layout, scale.frames)
    times = context.time({name: inference(mixer, stems, params) for name, mixer in mixers.items()}, slow=True)
    effects = sum(isinstance(node, EffectNode) for node in graph.nodes)
    results = [
        Result(
            f"console of {effects} effects, grouped against {name}",
            ratio(times[name], times["grouped"]),
            "×",
            "console" if name == ONE_BY_ONE else None,
        )
        for name in passes
        if name != "grouped"
    ]
    calls = ", ".join(f"{name}: {mixer.plan.calls()}" for name, mixer in mixers.items())
    return CaseReport(
        "console",
        CASES["console"],
        tuple(results),
        tuple(Timed(name, times[name], scale.seconds) for name in times),
        (f"Calls: {calls}.",),
    )
