"""``djgraph check``: whether an effect keeps its contract, by the conformance kit, without writing a test."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from djgraph.cli.options import Json, pairs, value_of
from djgraph.cli.output import count, print_json, table
from djgraph.cli.progress import Steps

if TYPE_CHECKING:
    from pydantic import BaseModel

    from djgraph.effects import Effect

RESULTS = {"passed": "passed", "skipped": "does not apply", "failed": "FAILED"}


@dataclass(frozen=True)
class Outcome:
    """What one check says."""

    check: str
    result: Literal["passed", "skipped", "failed"]
    why: str = ""


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

    The effect's plugin has to be installed. Exits with 1 if a check fails.

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
    failed = sum(one.result == "failed" for one in outcomes)
    if as_json:
        print_json({"effect": effect, "checks": [asdict(one) for one in outcomes]})
    else:
        rows = [(one.check, RESULTS[one.result], one.why) for one in outcomes]
        typer.echo(table(("check", "", "why"), rows))
        typer.echo(f"\n{count(len(outcomes), 'check')}, {failed or 'none'} failed")
    if failed:
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
    from djgraph.effects.checks import CheckFailed, CheckSkipped, effect_checks

    outcomes = []
    checks = list(effect_checks(kind, settings, environment))
    with Steps() as steps:
        steps.begin("checking", total=len(checks))
        for name, run in checks:
            try:
                run()
            except CheckSkipped as reason:
                outcomes.append(Outcome(name, "skipped", str(reason)))
            except CheckFailed as fault:
                outcomes.append(Outcome(name, "failed", str(fault)))
            except Exception as raised:  # an effect that is wrong may raise anything
                outcomes.append(Outcome(name, "failed", f"{type(raised).__name__}: {raised}"))
            else:
                outcomes.append(Outcome(name, "passed"))
            steps.advance(1)
    return outcomes
