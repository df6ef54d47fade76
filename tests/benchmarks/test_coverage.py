"""Intervals that hold are counted where a control is heard, by kind, moved and at rest."""

from __future__ import annotations

import torch
from fake_layouts import column

from benchmarks.unmix.coverage import coverage, summarized
from djgraph.fitting import FitResult
from djgraph.layout import ParameterLayout


def test_intervals_are_counted_where_a_control_is_heard() -> None:
    layout = ParameterLayout([column("a.gain"), column("b.gain")])
    params = layout.pack({"a.gain": 0.5}, n_frames=5)
    rest = float(params[0, 1])
    low, high = params - 0.1, params + 0.1
    told = torch.ones(5, 2, dtype=torch.bool)
    told[0, 0] = False
    audible = torch.ones(5, 2, dtype=torch.bool)
    audible[4, 0] = False
    truth = params.clone()
    truth[:, 0] = torch.tensor([0.45, 0.55, 0.65, 0.7, 0.9])
    result = FitResult(params, torch.zeros(2, 10), {}, layout, 1.0, audible, low, high, told)
    found = coverage(result, truth)
    assert found["gain moved"] == {"moments": 4, "held": 2, "told": 3}
    assert found["gain at rest"] == {"moments": 5, "held": 5, "told": 5}
    assert rest == float(truth[0, 1])
    whole = summarized([{"coverage": found}, {"coverage": found}])
    assert whole["all"]["moments"] == 18
    assert whole["all"]["held"] == 7 / 9
    assert whole["moved"]["told"] == 3 / 4
