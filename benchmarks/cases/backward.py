"""Forward and backward, against the plain baseline: gradients for the controls only, and for the stems too."""

from __future__ import annotations

from benchmarks.alone import measure
from benchmarks.cases import CASES
from benchmarks.context import Context
from benchmarks.programs import training
from benchmarks.results import CaseReport, Result, Timed
from benchmarks.timing import ratio

GRADIENTS = {"for controls": False, "for controls and stems": True}


def run(context: Context) -> CaseReport:
    mixers = {"djgraph": context.mixer, "plain": context.plain}
    times = context.time(
        {
            f"{name}, forward + backward {what}": training(mixer, context.stems, context.params, stems=stems)
            for what, stems in GRADIENTS.items()
            for name, mixer in mixers.items()
        },
        slow=True,
    )
    against = {
        f"plain, forward + backward {what}": f"djgraph, forward + backward {what}" for what in GRADIENTS
    }
    results = []
    for what in GRADIENTS:
        faster = ratio(*(times[f"{name}, forward + backward {what}"] for name in ("plain", "djgraph")))
        text = f"forward + backward, against the plain baseline, gradients {what}"
        results.append(Result(text, faster, "×", "backward"))
    context.report("plain, in a process of its own")
    name = "djgraph, forward + backward for controls"
    ours = times[name]
    alone = measure("backward", context.scale, len(ours.seconds))
    text = "forward + backward, against the plain baseline in a process of its own, gradients for controls"
    results.append(Result(text, ratio(alone, ours), "×"))
    alone_name = "plain, forward + backward for controls, in a process of its own"
    times[alone_name], against[alone_name] = alone, name
    return CaseReport(
        "backward",
        CASES["backward"],
        tuple(results),
        tuple(Timed(name, times[name], context.scale.seconds, against.get(name)) for name in times),
        ("The loss is the mean square of the mix.",),
    )
