"""docs/automation.md and docs/recipes.md: what they show runs, what they say is complete, pictures are up to date."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from djgraph.automation import SHAPES, load, recipe, recipes, template
from djgraph.automation.automation import layout_of
from djgraph.automation.model import AutomationModel, CurveModel, PointModel
from djgraph.automation.plot import FRAMES, digest
from djgraph.automation.times import UNITS
from djgraph.graph import load as load_graph
from djgraph.language.faults import keys_of
from djgraph.layout import ParameterLayout

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = (DOCS / "automation.md").read_text(encoding="utf-8")
RECIPES = (DOCS / "recipes.md").read_text(encoding="utf-8")
YAML = re.findall(r"^```yaml\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)


def test_the_python_of_the_guide_runs() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 4
    namespace: dict[str, Any] = {"__name__": "guide"}
    for block in blocks:
        exec(compile(block, "docs/automation.md", "exec"), namespace)
    assert namespace["again"].shape == (4, 64, 54)


@pytest.mark.parametrize("text", YAML)
def test_the_files_of_the_guide_play(text: str, mixer_layout: ParameterLayout) -> None:
    required = {a.name: "50%" for a in template(text).arguments if a.default is None}
    assert load(text, **required).render(mixer_layout, 101, 40.0).shape == (101, 54)


def test_the_csv_of_the_guide_plays(mixer_layout: ParameterLayout) -> None:
    block = re.search(r"^(    control,time,value.*\n(?:    .*\n)+)", GUIDE, re.MULTILINE)
    assert block is not None
    text = re.sub(r"^    ", "", block[1], flags=re.MULTILINE)
    auto = load(text)
    assert load(auto.to_csv()) == auto
    values = auto.render(mixer_layout, 3, 15.0)[:, 0]
    assert values[[0, 2]].tolist() == [1, 0]  # beats 0 and 32 at 128 BPM


def test_every_key_shape_and_unit_is_in_the_tables() -> None:
    for model in (AutomationModel, CurveModel, PointModel):
        for key in keys_of(model):
            assert re.search(rf"^\|[^|]*`{key}`[^|]*\|", GUIDE, re.MULTILINE), key
    for shape in SHAPES:
        assert re.search(rf"^\| `{shape}` \|", GUIDE, re.MULTILINE), shape
    for unit in UNITS:
        assert re.search(rf"^\|[^|]*`[^`|]*\d{re.escape(unit)}", GUIDE, re.MULTILINE), unit


def test_the_example_errors_are_real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each message of the guide, up to what it leaves out, for a file that is wrong in those places."""
    from djgraph.errors import AutomationError

    monkeypatch.chdir(tmp_path)
    Path("moves.yaml").write_text(
        "automation: 1\nname: bad\nargs: {amount: 3}\ncurves:\n"
        "  - control: track_a.drums.gian\n    points:\n      - [0s, 1]\n      - [4s, 0]\n"
        '  - control: "**.eq_lo"\n    points: [[0%, 1]]\n'
        "  - control: track_a.*.gain\n    points:\n      - [2s, 1]\n      - {at: 16beats, value: 0}\n"
        "  - control: track_b.*.gain\n    points: [[50%, 1], [1s, $amount]]\n"
    )
    with pytest.raises(AutomationError) as caught:
        load("moves.yaml").render(load_graph("dj_mixer"), duration=8.0)
    real = str(caught.value).splitlines()
    shown = [
        line[4:] for line in GUIDE[GUIDE.index("    moves.yaml:5:14") :].splitlines() if line[:4] == "    "
    ]
    assert len(shown) == len(real) >= 15
    for line, wanted in zip(shown, real):
        assert wanted.startswith(line.removesuffix("…").rstrip()), wanted


@pytest.mark.parametrize("name", recipes())
def test_every_recipe_has_its_section(name: str) -> None:
    section = re.search(rf"^### {name}\n(.*?)(?=^##|\Z)", RECIPES, re.MULTILINE | re.DOTALL)
    assert section is not None
    found = recipe(name)
    assert found.description in " ".join(section[1].split())
    for argument in found.arguments:
        if argument.name not in ("a", "b"):
            assert f"| `{argument.name}` | {argument.default} | {argument.description} |" in section[1]
    assert f"](recipes/{name}.svg)" in section[1]


@pytest.mark.parametrize("name", recipes())
def test_every_picture_is_up_to_date(name: str) -> None:
    layout = layout_of(load_graph("dj_mixer"))
    params = load(name).render(layout, FRAMES, 32.0, tempo=120)
    drawn = (DOCS / "recipes" / f"{name}.svg").read_text(encoding="utf-8")
    command = f"djgraph transitions {name} --tempo 120 --plot docs/recipes/{name}.svg"
    assert digest({"": params.double().numpy()}, 32.0) in drawn, f"run: {command}"


def test_no_picture_of_a_recipe_that_is_gone() -> None:
    assert {path.stem for path in (DOCS / "recipes").iterdir()} == set(recipes())
