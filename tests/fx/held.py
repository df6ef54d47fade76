"""Switches for tests of effects that are held down."""

import numpy as np
import torch


def steady(kind, samples, batch=1, dtype=torch.float64, **values):
    """Every control at its default, or at the value given."""
    given = {control.id: control.default for control in kind.controls} | values
    return {name: torch.full((batch, 1, samples), value, dtype=dtype) for name, value in given.items()}


def held(samples, *spans):
    """1 within each span, else 0: ``[1, 1, samples]``."""
    on = torch.zeros(1, 1, samples, dtype=torch.float64)
    for start, end in spans:
        on[..., start:end] = 1
    return on


def toggled(random, samples, toggles):
    """A switch that changes at that many random places."""
    places = np.sort(random.integers(0, samples, toggles))
    return torch.from_numpy(np.searchsorted(places, np.arange(samples), "right") % 2).double()


def picked(random, samples, choices, changes=3):
    """A control that jumps among choices at random places."""
    marks = np.sort(random.integers(0, samples, changes))
    picks = np.asarray(choices)[random.integers(0, len(choices), changes + 1)]
    return torch.from_numpy(picks[np.searchsorted(marks, np.arange(samples), "right")])


def cuts_of(data, samples, most=300):
    """Block lengths that add up to ``samples``, drawn by Hypothesis."""
    from hypothesis import strategies as st

    cuts = []
    while samples:
        cuts.append(data.draw(st.integers(1, min(samples, most))))
        samples -= cuts[-1]
    return cuts
