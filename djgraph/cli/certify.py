"""``djgraph certify``: how near the causal lowering of a graph comes to the studio one."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import typer

from djgraph.cli.options import Args, GraphName, Json, load_graph
from djgraph.cli.output import count, print_json, table
from djgraph.cli.progress import Steps

if TYPE_CHECKING:
    from djgraph.graph.ir import Graph
    from djgraph.inspection.certify import Certificate


def certify(
    graph: GraphName,
    bound: Annotated[
        float | None,
        typer.Option("--bound", metavar="DB", min=0, help="Exit with 1 if a difference is larger than that."),
    ] = None,
    as_json: Json = False,
    args: Args = None,
) -> None:
    """Measure how far the gains of causal twins are from those of a graph's spectral effects.

    Over the range of all controls, from 20 Hz to 16 kHz, where the gain is above -30 dB. Also prints the latency of a
    stream under each lowering. An effect without a twin does not keep any bound.

    \b
    Examples:
      djgraph certify dj_mixer
      djgraph certify my_mixer.yaml --bound 0.1 --json
    """
    from djgraph.inspection.certify import certify as measure

    loaded = load_graph(graph, args)
    with Steps() as steps:
        steps.begin("measuring")
        certificates = measure(loaded)
    latencies = {
        "studio": _latency(loaded, "studio"),
        "causal": None if any(one.fault for one in certificates) else _latency(loaded, "causal"),
    }
    kept = None if bound is None else all(_keeps(one, bound) for one in certificates)
    if as_json:
        print_json(
            {
                "graph": loaded.name,
                "sample_rate": loaded.sample_rate,
                "latency": latencies,
                "effects": [dataclasses.asdict(one) for one in certificates],
                "bound": bound,
                "kept": kept,
            }
        )
    else:
        typer.echo(_text(certificates, latencies, loaded.sample_rate))
    if kept is False:
        typer.echo(f"not within {bound:g} dB", err=True)
        raise typer.Exit(1)


def _keeps(one: Certificate, bound: float) -> bool:
    return one.difference is not None and one.difference.decibels <= bound


def _latency(graph: Graph, lowering: Any) -> int | None:
    import djgraph

    return djgraph.compile(graph, lowering=lowering).stages(stream=True)[-1].plan.latency


def _text(certificates: list[Certificate], latencies: dict[str, int | None], rate: int) -> str:
    rows = [_row(one) for one in certificates]
    header = ("effect", "nodes", "largest difference", "at", "studio", "causal", "tried")
    parts = [table(header, rows)] if rows else ["no spectral effects: both lowerings are the same"]
    for one in certificates:
        if one.fault:
            parts.append(f"{_named(one)}: {one.fault}\n  nodes: {', '.join(one.nodes)}")
    lines = [
        f"latency of a {name} stream: "
        + (
            "none, since effects have no twin"
            if samples is None
            else f"{samples} samples, {_ms(samples, rate)}"
        )
        for name, samples in latencies.items()
    ]
    return "\n\n".join([*parts, "\n".join(lines)])


def _row(one: Certificate) -> tuple[object, ...]:
    difference = one.difference
    if difference is None:
        return (_named(one), len(one.nodes), "no causal twin", "", "", "", "")
    controls = ", ".join(f"{name} {value:.4g}" for name, value in difference.controls.items())
    where = f"{difference.frequency:.0f} Hz" + (f", {controls}" if controls else "")
    levels = (f"{difference.studio:.2f} dB", f"{difference.causal:.2f} dB")
    return (
        _named(one),
        len(one.nodes),
        f"{difference.decibels:.3f} dB",
        where,
        *levels,
        count(difference.cases, "setting"),
    )


def _named(one: Certificate) -> str:
    settings = ", ".join(f"{name}={value}" for name, value in one.settings.items())
    return one.effect + (f" ({settings})" if settings else "")


def _ms(samples: int, rate: int) -> str:
    return f"{1000 * samples / rate:.1f} ms"
