"""Certificates of a graph: one for each effect and settings, with the reason where there is no twin."""

from __future__ import annotations

from typing import Any

import pytest

import djgraph
import djgraph.inspection.certify
from djgraph.effects import Environment
from djgraph.effects.checks.twin_difference import twin_difference
from djgraph.graph import load
from djgraph.inspection.certify import certify
from djgraph.plugins import registry


def graph_of(*chain: Any) -> Any:
    return load(
        {
            "djgraph": 1,
            "name": "small",
            "inputs": [{"name": "a"}],
            "mixer": [{"strip": "s", "input": "a", "chain": list(chain), "to": "mix"}, {"bus": "mix"}],
            "outputs": ["mix"],
        }
    )


def test_nodes_with_equal_settings_share_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is measured is another test's: here each effect is asked for once."""
    measured: list[str] = []
    monkeypatch.setattr(
        djgraph.inspection.certify,
        "twin_difference",
        lambda effect, settings, environment: measured.append(effect.type),
    )
    made = certify(djgraph.load("dj_mixer"))
    assert [(one.effect, len(one.nodes)) for one in made] == [("eq3", 8), ("lowpass", 8), ("highpass", 8)]
    assert measured == ["eq3", "lowpass", "highpass"]
    assert [one.fault for one in made] == [None] * 3


@pytest.mark.slow
def test_what_is_told_is_the_difference_of_the_twin() -> None:
    made = certify(djgraph.load("dj_mixer"))
    for one in made:
        effect = registry().effect(one.effect)
        assert one.fault is None
        assert one.difference == twin_difference(effect, effect.Settings(), Environment(44100))


def test_settings_and_faults_are_told() -> None:
    made = certify(
        graph_of(
            "gain",
            {"effect": "lowpass", "settings": {"order": 2}},
            {"effect": "lowpass", "id": "steep", "settings": {"order": 8}},
        )
    )
    good, bad = made
    assert (good.settings, good.nodes) == ({"order": 2.0}, ("s.lowpass",))
    assert good.difference is not None
    assert good.difference.decibels < 0.18
    assert bad.difference is None
    assert "order 8 is no recursion" in str(bad.fault)
    assert certify(graph_of("gain")) == []
