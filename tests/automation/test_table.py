"""Tables as spreadsheets write them where a comma is the decimal sign: semicolons or tabs between the fields."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from fake_layouts import column

from djgraph import automation
from djgraph.cli.params import read_params
from djgraph.errors import AutomationError, DocumentError, InputError
from djgraph.layout import ParameterLayout
from djgraph.tables import delimiter_of, with_points

LAYOUT = ParameterLayout([column("a.gain"), column("b.gain", -1, 1)])
COMMAS = "control,time,value,shape\na.gain,0,0.25,linear\na.gain,1.5,1,linear\nb.gain,0.5beats,-0.5,\n"


@pytest.mark.parametrize("sign", [";", "\t"])
@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_automation(tmp_path: Path, sign: str, decimal: str, end: str) -> None:
    text = COMMAS.replace(",", sign).replace("0.", f"0{decimal}").replace("1.5", f"1{decimal}5")
    path = tmp_path / "moves.csv"
    path.write_bytes(("\ufeff" + text.replace("\n", end)).encode())
    wanted = automation.load(COMMAS).render(LAYOUT, n_frames=9, duration=2.0, tempo=120)
    for source in (path, text):
        found = automation.load(source).render(LAYOUT, n_frames=9, duration=2.0, tempo=120)
        assert torch.equal(found, wanted)
    assert float(wanted[0, 0]) == 0.25


def test_places_in_a_table_with_semicolons(tmp_path: Path) -> None:
    path = tmp_path / "moves.csv"
    path.write_text("control;time;value\na.gain;0;1,2,3\n")
    with pytest.raises((AutomationError, DocumentError), match=r"moves\.csv:2:10"):
        automation.load(path)
    path.write_text("control;zeit;value\na.gain;0;1\n")
    with pytest.raises(AutomationError, match=r"moves\.csv:1:1: unknown column 'zeit'"):
        automation.load(path)


@pytest.mark.parametrize(
    "text", ["a.gain;b.gain\n0,25;-0,5\n1;1e-1\n", "a.gain\tb.gain\n0.25\t-0,5\n1\t0,1\n"]
)
def test_params(tmp_path: Path, text: str) -> None:
    path = tmp_path / "p.csv"
    path.write_text(text)
    torch.testing.assert_close(read_params(path, LAYOUT), torch.tensor([[0.25, -0.5], [1.0, 0.1]]))


def test_params_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("a.gain;b.gain\n1.234,5;0\n")
    with pytest.raises(InputError, match=r"p\.csv:2: a\.gain: '1\.234,5' is not a number"):
        read_params(path, LAYOUT)
    path.write_text("a.gain,b.gain\n0,25,1\n")
    with pytest.raises(InputError, match="3 values for 2 controls"):
        read_params(path, LAYOUT)


def test_what_parts_fields() -> None:
    assert [delimiter_of(line) for line in ("a,b", "a;b", "a\tb", "a", "", "a;b;c,d")] == [
        ",",
        ";",
        "\t",
        ",",
        ",",
        ";",
    ]
    assert [with_points(field, ";") for field in ("1,5", "-0,25beats", "a,b", "1,2,3", "1.5")] == [
        "1.5",
        "-0.25beats",
        "a,b",
        "1,2,3",
        "1.5",
    ]
    assert with_points("1,5", ",") == "1,5"
