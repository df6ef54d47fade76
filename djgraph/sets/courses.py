"""What the controls of a set's mixer do, as lanes over beats: sampled finely, and said with few points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from djgraph.automation import TempoMap
from djgraph.daw import Lane, LanePoint
from djgraph.daw.lanes import TOLERANCE, traced
from djgraph.effects import Control
from djgraph.graph.ir import Binding, Blend, Constant, EffectNode, Free, MacroCurve
from djgraph.layout import ParameterLayout
from djgraph.sets.plan import SetPlan

Array = NDArray[np.float64]

FINE = 0.25
"""Beats between the places at which what is straight in seconds is looked at where the tempo ramps."""


class Courses:
    """The controls of a set over its beats.

    A lane differs from what is played by at most :data:`djgraph.daw.lanes.TOLERANCE`, a thousandth, of its control's
    range; where controls jump, it does on the same sample.
    """

    def __init__(self, plan: SetPlan) -> None:
        """Raises AutomationError as :meth:`djgraph.automation.Automation.render_exact` does."""
        layout = ParameterLayout.from_graph(plan.graph)
        frames = plan.automation.render_exact(layout, plan.samples, plan.sample_rate, plan.tempo)
        places = frames.positions.numpy().astype(np.float64)
        params = frames.params.double().numpy()
        wanted = np.union1d(places, np.array(ramp_seconds(plan.tempo, 0.0, plan.seconds)) * plan.sample_rate)
        self._columns = {
            name: np.interp(wanted, places, params[:, i]) if np.ptp(params[:, i]) else params[:1, i]
            for i, name in enumerate(layout.names)
        }
        self.beats = plan.tempo.beats(wanted / plan.sample_rate)
        fastest = max(bpm for _, bpm in plan.tempo.points)
        self._step = 1.5 / plan.sample_rate * fastest / 60

    def values(self, binding: Binding) -> Array:
        """What a control reads, at :attr:`beats`; one value of one that does not move."""
        if isinstance(binding, Constant):
            return np.array([binding.value])
        if isinstance(binding, Free):
            return self._columns[binding.column]
        if isinstance(binding, MacroCurve):
            xs, ys = zip(*binding.points)
            return np.interp(self._columns[binding.column], xs, ys)
        assert isinstance(binding, Blend)
        total: Array = np.zeros(1)
        for term in binding.terms:
            total = total + np.prod(np.broadcast_arrays(*map(self.values, term)), axis=0)
        return total

    def lane(self, node: EffectNode, control: Control, unit: str = "") -> Lane:
        """What a control of a node does. unit: how it is said, its own where left out."""
        binding = node.bindings[control.id]
        name = binding.column if isinstance(binding, Free) else f"{node.id}.{control.id}"
        return self.lane_of(self.values(binding), control, name, unit)

    def lane_of(self, values: Array, control: Control, name: str, unit: str = "") -> Lane:
        """Values at :attr:`beats`, or one, as a lane within the range of a control."""
        unit = unit or ("amplitude" if control.amplitude and control.unit == "ratio" else control.unit)
        if len(values) == 1:
            return Lane.constant(name, unit, control.min, control.max, float(values[0]))
        if control.held:
            kept = np.concatenate([[0], np.flatnonzero(np.diff(values)) + 1])
            points = tuple(LanePoint(float(self.beats[i]), float(values[i]), "hold") for i in kept)
        else:
            points = traced(self.beats, values, TOLERANCE * (control.max - control.min), self._step)
        return Lane(name, unit, control.min, control.max, points)


def ramp_seconds(tempo: TempoMap, begins: float, ends: float) -> list[float]:
    """Seconds between two of a mix at which to look at what goes straight in seconds: where straight lines over
    seconds are bent over beats, and where they have corners."""
    found: list[float] = []
    beats = [beat for beat, _ in tempo.points]
    for beat, ramp, following in zip(beats, tempo.ramps, [*beats[1:], beats[-1]]):
        places = [beat] if ramp == "hold" else np.arange(beat, following, FINE).tolist()
        found += [second for place in places if begins < (second := tempo.seconds(place)) < ends]
    return found
