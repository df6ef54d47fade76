"""What becomes of an effect under both lowerings, and what it costs there."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

import djgraph
from djgraph.compiler.causal import Lowering
from djgraph.effects import Effect, Environment, SpectralEffect
from djgraph.effects.checks.twin_difference import twin_difference
from djgraph.errors import DJGraphError
from djgraph.mixer import Mixer
from sitebuild import alone
from sitebuild.site import ROOT
from sitebuild.tables import number, table

SECONDS = 10.0
LOWERINGS: tuple[Lowering, ...] = ("studio", "causal")
TWINS = "[twin](../effects.md#the-causal-twins)"
_MEASURED = re.compile(r"`(\w+)` \| ([\d.–]+) \| ([\d.–]+)")


@dataclass(frozen=True)
class Cost:
    """Of a clip of stereo: millions of floating point operations, forward and backward; megabytes alive at most."""

    forward: float
    backward: float
    alive: float


@functools.cache
def compiled(name: str, lowering: Lowering) -> Mixer:
    """The mixer with this one effect. Raises DJGraphError where it cannot be one."""
    return djgraph.compile(alone.graph(djgraph.effect(name)), lowering=lowering)


def lowerings(name: str, effect: type[Effect]) -> list[str]:
    """Lines of Markdown: how the lowerings differ, and the plans of the smallest graph under each."""
    lines = [_difference(effect), ""]
    for lowering in LOWERINGS:
        try:
            mixer = compiled(name, lowering)
            text = (
                f"{mixer.explain(costs=False, verbose=False)}\n\n{mixer.explain(stream=True, verbose=False)}"
            )
        except DJGraphError as error:
            text = str(error)
        block = ["```text", *text.splitlines(), "```"]
        lines += [f'=== "{lowering.capitalize()}"', "", *(f"    {line}".rstrip() for line in block), ""]
    return lines


def _difference(effect: type[Effect]) -> str:
    """What the causal lowering puts in an effect's place, and how near it comes."""
    if not issubclass(effect, SpectralEffect):
        return (
            "The same under both lowerings: its own code runs, sample after sample. "
            "Below, the plan of a graph with this one effect, for whole clips and for a stream."
        )
    if effect.causal_twin is None:
        return f"A gain over frequency, with zero phase. It has no causal {TWINS}: in a stream it lags by its window."
    worst = twin_difference(effect, effect.Settings(), Environment(44100))
    return (
        f"Studio: a gain over frequency, with zero phase. Causal: its {TWINS}, a recursion without the window. "
        "Measured over all controls with default settings, the largest difference of their gains is "
        f"{worst.decibels:.2g} dB, at {number(round(worst.frequency))} Hz ({worst.cases} cases; `djgraph certify` "
        "does this for a graph)."
    )


def costs(name: str, effect: type[Effect]) -> list[str]:
    """Lines of Markdown: estimated by the project's own model, and measured where docs/effects.md has a figure."""
    lines = ["Its work is not in the estimates of plans: it plays its input before the plan runs."]
    if effect.domain != "source":
        rows = []
        for lowering in LOWERINGS:
            try:
                cost = estimated(compiled(name, lowering))
            except DJGraphError:
                continue
            figures = [number(float(f"{each:.3g}")) for each in (cost.forward, cost.backward, cost.alive)]
            rows.append([lowering, *figures])
        if len(rows) == 2 and rows[0][1:] == rows[1][1:]:
            rows = [["both", *rows[0][1:]]]
        lines = [
            "Estimated for 10 s of stereo at 44.1 kHz, all of the graph above ([what that means](../explain.md)):",
            "",
            table(("lowering", "Mflop forward", "Mflop backward", "MB alive at most"), rows),
        ]
    if name in measured():
        forward, both = measured()[name]
        also = "" if both == "–" else f", {both} ms with the backward pass"
        how = "[how](../effects.md#what-they-cost)"
        lines += ["", f"Measured, all controls moving, one thread: {forward} ms{also} ({how})."]
    return lines


def estimated(mixer: Mixer) -> Cost:
    """Of all of a mixer's plan."""
    (stage,) = mixer.explain_dict(mixer.stages()[-1].name, seconds=SECONDS)["stages"]
    costs = stage["costs"]
    return Cost(costs["forward"]["flops"] / 1e6, costs["backward"]["flops"] / 1e6, costs["peak"] / 1e6)


@functools.cache
def measured() -> dict[str, tuple[str, str]]:
    """By effect: ms forward, and ms forward and backward, as docs/effects.md has them."""
    page = (ROOT / "docs/effects.md").read_text(encoding="utf-8")
    return {name: (forward, both) for name, forward, both in _MEASURED.findall(page)}
