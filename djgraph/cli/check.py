"""``djgraph check``: whether an effect keeps its contract, by the conformance kit, without writing a test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from djgraph.cli.options import Json, pairs, value_of
from djgraph.cli.output import count, print_json, table
from djgraph.cli.progress import Steps

if TYPE_CHECKING:
    from pydantic import BaseModel

    from djgraph.effects import Effect
    from djgraph.effects.checks import Outcome

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

    The effect's plugin has to be installed. Exits with 1 if a check fails or finds it slow, not if one could not be
    done here.

    \b
    Examples:
      djgraph check eq3
      djgraph check echo --set sync=beats --set mode=ping_pong
      djgraph check my_effect --rate 22050 --json
    """
    import djgraph
    from djgraph.effects import Environment

    kind = djgraph.registry().effect(effect)
    values = {name: value_of(text) for name, text in pairs("--set", set_).items()}
    outcomes = _run(kind, _settings(kind, values), Environment(sample_rate))
    if as_json:
        told = [{"check": one.check, "result": one.result, "why": one.why} for one in outcomes]
        print_json({"effect": effect, "checks": told})
    else:
        rows = [(one.check, RESULTS[one.result], one.why) for one in outcomes]
        typer.echo(table(("check", "", "why"), rows))
        typer.echo(f"\n{', '.join(_counts(outcomes))}")
    if any(one.broken for one in outcomes):
        raise typer.Exit(1)


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
