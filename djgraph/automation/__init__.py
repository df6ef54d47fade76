"""Automation: what the controls of a mixer do over time, as data; and the transitions made of it.

auto = djgraph.automation.load("bass_swap", length="16beats")  # a recipe, a file or a dict
params = auto.render(mixer.layout, duration=30.0, tempo=128)  # [frames, controls]
djgraph.automation.from_params(mixer.layout, params, duration=30.0).save("moves.yaml")
"""

from djgraph.automation.automation import Automation
from djgraph.automation.curves import FRAMES_PER_SECOND, Curve, First, Point
from djgraph.automation.exact import Frames, tempo_frames
from djgraph.automation.load import Argument, Template, load, template
from djgraph.automation.recipes import Recipe, recipe, recipes
from djgraph.automation.render import frames_for
from djgraph.automation.sample import from_params
from djgraph.automation.shapes import SHAPES
from djgraph.automation.times import Moment, Span, TempoMap, Term

__all__ = [
    "FRAMES_PER_SECOND",
    "SHAPES",
    "Argument",
    "Automation",
    "Curve",
    "First",
    "Frames",
    "Moment",
    "Point",
    "Recipe",
    "Span",
    "Template",
    "TempoMap",
    "Term",
    "frames_for",
    "from_params",
    "load",
    "recipe",
    "recipes",
    "template",
    "tempo_frames",
]
