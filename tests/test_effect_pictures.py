"""The pictures of docs/effects.md: one for each effect, drawn by a script that runs the effects."""

import importlib.util
import re
import sys
from pathlib import Path

import djgraph_fx
import pytest

DOCS = Path(__file__).parents[1] / "docs"
spec = importlib.util.spec_from_file_location("draw_effects", DOCS / "draw_effects.py")
drawing = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = drawing  # its dataclasses look there
spec.loader.exec_module(drawing)
NAMES = [effect.type for effect in djgraph_fx.djgraph_effects()]


def test_every_effect_has_a_picture_and_a_place_for_it():
    shown = re.findall(r"\]\(effects/(\w+)\.png\)", (DOCS / "effects.md").read_text(encoding="utf-8"))
    assert sorted(shown) == sorted(NAMES) == sorted(drawing.SCENES)
    assert {path.stem for path in (DOCS / "effects").glob("*.png")} == set(NAMES)


@pytest.mark.parametrize("name", ["filter", pytest.param("phaser", marks=pytest.mark.slow)])
def test_pictures_are_drawn(name, tmp_path):
    pytest.importorskip("matplotlib")
    path = drawing.draw(name, tmp_path)
    assert path.read_bytes().startswith(b"\x89PNG")
