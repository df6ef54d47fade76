"""Options that commands share: one parameter in the code, as many options on the command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from djgraph.cli.grouped import grouped

Name = Annotated[str, typer.Argument(metavar="NAME")]
Loud = Annotated[bool, typer.Option("--loud", help="Say it loudly.")]
Times = Annotated[int, typer.Option("--times", min=1)]


@dataclass(frozen=True)
class Shared:
    name: Name
    loud: Loud = False
    times: Times = 2


@grouped
def say(
    *,
    first: Annotated[int, typer.Option("--first")] = 1,
    shared: Shared,
    last: Annotated[str, typer.Option("--last")] = "!",
) -> None:
    """Say a name."""
    typer.echo(f"{shared} {first} {last}")


app = typer.Typer()
app.command()(say)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ada"], "Shared(name='ada', loud=False, times=2) 1 !"),
        (["ada", "--loud", "--last", "?"], "Shared(name='ada', loud=True, times=2) 1 ?"),
    ],
)
def test_options_of_a_group(words: list[str], said: str) -> None:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0
    assert result.stdout.strip() == said


def test_help_and_mistakes() -> None:
    text = CliRunner().invoke(app, ["--help"]).output
    assert "Say a name." in text
    assert text.index("--loud") < text.index("--last")
    assert CliRunner().invoke(app, []).exit_code == 2


def test_render_and_report_take_the_same() -> None:
    import inspect

    from djgraph.cli.render import render
    from djgraph.cli.reports import report

    first, second = (inspect.signature(command).parameters for command in (render, report))
    assert list(second)[:18] == list(first)[:18]
    assert len(set(second) - set(first)) == 0
