"""Consoles hold every column once, and mutes what silences."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import djgraph
from djgraph.studio.console import console_of, names_of
from djgraph.studio.monitor import closed, silencing

MIXERS = sorted((Path(__file__).parents[2] / "examples" / "mixers").glob("*.yaml"))


@pytest.mark.parametrize("source", ["dj_mixer", "dj_mixer_live", *MIXERS], ids=lambda one: Path(one).stem)
def test_every_column_stands_on_the_console_once(source: str | Path) -> None:
    graph = djgraph.load(source)
    layout = djgraph.ParameterLayout.from_graph(graph)
    console = console_of(graph, layout)
    assert sorted(names_of(console)) == sorted(layout.names)
    assert {section["name"] for section in console["sections"]} >= {owner.name for owner in graph.owners}


def test_mute_and_solo_are_what_is_heard() -> None:
    mixer = djgraph.compile("dj_mixer")
    graph, layout = mixer.graph, mixer.layout
    torch.manual_seed(2)
    inputs = {t: {s: 0.1 * torch.randn(1, 2, 4096) for s in stems or ()} for t, stems in graph.inputs.items()}

    def heard(muted: list[str], soloed: list[str]) -> torch.Tensor:
        params = layout.default.clone()
        for name in closed(graph, muted, soloed):
            params[layout.index(name)] = layout.minimum[layout.index(name)]
        return mixer(inputs, params[None, None])

    def alone(*stems: tuple[str, str]) -> torch.Tensor:
        return sum((inputs[t][s] for t, s in stems), torch.zeros(1, 2, 4096))

    everything = [(t, s) for t, stems in inputs.items() for s in stems]
    torch.testing.assert_close(
        heard(["track_a.drums"], []), alone(*(x for x in everything if x != ("track_a", "drums")))
    )
    torch.testing.assert_close(heard(["track_a"], []), alone(*(x for x in everything if x[0] != "track_a")))
    torch.testing.assert_close(heard([], ["track_b.bass"]), alone(("track_b", "bass")))
    torch.testing.assert_close(heard([], ["track_b"]), alone(*(x for x in everything if x[0] == "track_b")))
    torch.testing.assert_close(heard(["track_b.bass"], ["track_b.bass"]), alone())


def test_what_has_no_fader_on_its_way_cannot_be_muted() -> None:
    graph = djgraph.load(
        {
            "djgraph": 1,
            "name": "bare",
            "inputs": [{"name": "track"}],
            "mixer": [{"strip": "deck", "input": "track", "chain": ["eq3"], "to": "out"}, {"bus": "out"}],
            "outputs": ["out"],
        }
    )
    assert not silencing(graph, "deck")
    assert not silencing(graph, "out")
