"""``djgraph check``: whether an effect keeps its contract, by the conformance kit, without writing a test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from djgraph.cli.options import Json, pairs, value_of
from djgraph.cli.output import count, line_width, print_json, table
from djgraph.cli.progress import Steps

if TYPE_CHECKING:
    from pydantic import BaseModel

    from djgraph.effects import Effect
    from djgraph.effects.checks import Fault, Outcome

RESULTS = {
    "passed": "passed",
    "skipped": "does not apply",
    "unchecked": "could not be checked",
    "slow": "SLOW",
    "failed": "FAILED",
}
COUNTED = {"failed": "failed", "slow": "slow", "unchecked": "could not be checked"}
"""What is counted under the table, in this order; failures also where there are none."""


def check(
    context: typer.Context,
    effect: Annotated[str, typer.Argument(metavar="EFFECT", help="An effect's name (djgraph effects).")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting; may be repeated.")
    ] = None,
    sample_rate: Annotated[
        int, typer.Option("--rate", metavar="HZ", min=1000, max=1_000_000, help="The sample rate.")
    ] = 44100,
    as_json: Json = False,
) -> None:
    """Hold an effect to its contract: the checks that its tests should run, with what went wrong in words.

    The effect's plugin has to be installed. What its code raises is told once, with the line, and with its traceback
    after `djgraph --debug`. Exits with 1 if a check fails or finds it slow, not if one could not be
    done here.

    \b
    Examples:
      djgraph check eq3
      djgraph check echo --set sync=beats --set mode=ping_pong
      djgraph check my_effect --rate 22050 --json
    """
    import djgraph
    from djgraph.effects import Environment
    from djgraph.effects.checks import faults

    kind = djgraph.registry().effect(effect)
    values = {name: value_of(text) for name, text in pairs("--set", set_).items()}
    outcomes = _run(kind, _settings(kind, values), Environment(sample_rate))
    found = faults(kind, outcomes)
    if as_json:
        told = [{"check": one.check, "result": one.result, "why": one.why} for one in outcomes]
        print_json({"effect": effect, "checks": told, "faults": [_data(fault) for fault in found]})
    else:
        typer.echo(_page(outcomes, found, bool(context.find_root().params.get("debug"))))
    if any(one.broken for one in outcomes):
        raise typer.Exit(1)


def _page(outcomes: list[Outcome], found: list[Fault], debug: bool) -> str:
    """A table of all checks; under it what several of them met, each once, and the counts."""
    numbers = {check: number for number, fault in enumerate(found, 1) for check in fault.checks}
    rows = []
    for one in outcomes:
        why = f"see ({numbers[one.check]})" if one.check in numbers else one.why
        rows.append((one.check, RESULTS[one.result], why))
    lines = [table(("check", "", "why"), rows, line_width()), ""]
    for number, fault in enumerate(found, 1):
        first, *more = fault.told(len(outcomes))
        lines += [f"({number}) {first}", *more]
        if fault.raised and debug:
            lines += [f"    {line}" for line in fault.traceback().splitlines()]
        lines.append("")
    if not debug and any(fault.raised for fault in found):
        lines += ["djgraph --debug check … shows tracebacks", ""]
    return "\n".join([*lines, ", ".join(_counts(outcomes))])


def _data(fault: Fault) -> dict[str, Any]:
    """A fault for ``--json``; ``at`` and ``traceback`` are null where no code of the effect raised it."""
    place = fault.place
    return {
        "said": fault.said,
        "checks": list(fault.checks),
        "at": place and {"file": place.file, "line": place.line, "in": place.function, "text": place.text},
        "hints": list(fault.hints),
        "traceback": fault.traceback() if fault.raised else None,
    }


def _settings(kind: type[Effect], values: dict[str, Any]) -> BaseModel:
    """The effect's settings; EffectError that says what is wrong with them."""
    from pydantic import ValidationError

    from djgraph.errors import EffectError, Problem
    from djgraph.language.faults import explain

    try:
        return kind.Settings.model_validate(values)
    except ValidationError as error:
        controls = [control.id for control in kind.controls]
        faults = explain(error, kind.Settings, kind.type, controls)
        problems = [
            Problem(fault.message, None, fault.loc, tuple(fault.allowed), fault.name, fault.hint)
            for fault in faults
        ]
        raise EffectError("\n".join(map(str, problems))) from None


def _run(kind: type[Effect], settings: BaseModel, environment: Any) -> list[Outcome]:
    """All checks, in order."""
    from djgraph.effects.checks import effect_checks, outcome_of

    outcomes = []
    checks = list(effect_checks(kind, settings, environment))
    with Steps() as steps:
        steps.begin("checking", total=len(checks))
        for name, run in checks:
            outcomes.append(outcome_of(name, run))
            steps.advance(1)
    return outcomes


def _counts(outcomes: list[Outcome]) -> Iterator[str]:
    yield count(len(outcomes), "check")
    for result, words in COUNTED.items():
        number = sum(one.result == result for one in outcomes)
        if number or result == "failed":
            yield f"{number or 'none'} {words}"
