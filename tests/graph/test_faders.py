"""Which columns are faders, and whose: what recipes and crossfades move."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

import djgraph
from djgraph.layout.faders import find_faders, find_tracks


def gain(name: str = "fader", **more: Any) -> dict[str, Any]:
    return {"effect": "gain", "id": name, **more}


def layout(*mixer: Any, inputs: Any = ("a", "b"), outputs: Any = ("m",)) -> djgraph.ParameterLayout:
    inputs = [{"name": i} if isinstance(i, str) else i for i in inputs]
    document = {"djgraph": 1, "name": "g", "inputs": inputs, "mixer": list(mixer), "outputs": list(outputs)}
    return djgraph.ParameterLayout.from_graph(djgraph.load(document))


def strip(name: str, *chain: Any, source: str | None = None, to: str = "m", **more: Any) -> dict[str, Any]:
    return {"strip": name, "input": source or name, "chain": list(chain), "to": to, **more}


def tracks(found: djgraph.ParameterLayout) -> list[list[str]]:
    return [[found.names[column] for column in track.columns] for track in find_tracks(found)]


@pytest.mark.parametrize(
    ("chain", "more", "fader"),
    [
        ([gain("trim"), "eq3", gain("fader"), gain("cross")], {}, "fader.gain"),
        ([gain("trim"), gain("volume"), gain("cross")], {"fader": "volume"}, "volume.gain"),
        ([gain("trim"), "eq3", gain("level")], {}, "level.gain"),  # the last gain
        (["gain", "eq3"], {}, "gain.gain"),
        ([gain("x", controls={"gain": {"as": "gain"}}), gain("y")], {}, "gain"),
        ([gain("fader", controls={"gain": {"as": "loud"}}), gain("y")], {}, "loud"),
        ([gain("fader", controls={"gain": 1}), gain("y")], {}, "y.gain"),  # a fader that is fixed is none
        (
            [gain("fader")],
            {"macros": [{"name": "fader", "drives": {"fader.gain": [[0, 0], [1, 1]]}}]},
            "fader",
        ),
    ],
)
def test_the_fader_of_a_strip(chain: list[Any], more: dict[str, Any], fader: str) -> None:
    found = layout(strip("a", *chain, **more), strip("b", gain()), {"bus": "m"})
    assert tracks(found) == [[f"a.{fader}"], ["b.fader.gain"]]
    assert list(find_faders(found)) == ["a", "b"]
    # The same after a journey through a file.
    assert tracks(djgraph.ParameterLayout.from_json(found.to_json())) == tracks(found)


def test_equal_power_moves_one_gain_of_a_strip() -> None:
    """In the middle a track is at 0.707, and not at 0.707³, however many gains its strip has."""
    chain = (gain("trim"), "eq3", gain("fader"), gain("cross"))
    found = layout(strip("a", *chain), strip("b", *chain), {"bus": "m"})
    fade = djgraph.automation.load("equal_power").render(found, 3, 1.0, dtype=torch.float64)
    for track, ends in (("a", (1.0, 0.0)), ("b", (0.0, 1.0))):
        gains = [fade[:, found.index(f"{track}.{node}.gain")] for node in ("trim", "fader", "cross")]
        product = math.prod(gains, start=torch.ones(3, dtype=torch.float64))
        torch.testing.assert_close(product, torch.tensor([ends[0], math.sqrt(0.5), ends[1]]).double())


def test_a_bus_of_several_inputs_is_no_track() -> None:
    found = layout({"bus": "m", "chain": [gain()]}, strip("b", gain()), strip("a", gain()))
    assert tracks(found) == [["a.fader.gain"], ["b.fader.gain"]]  # in the order of inputs, not of strips
    assert list(find_faders(found)) == ["a", "b", "m"]  # by its name, though, it can be moved
    fade = djgraph.automation.load("linear").render(found, 3, 1.0)
    assert fade[:, found.index("m.fader.gain")].tolist() == [1, 1, 1]
    assert fade[:, found.index("a.fader.gain")].tolist() == [1, 0.5, 0]
    out = djgraph.automation.load("linear", a="m", b="a").render(found, 3, 1.0)
    assert out[:, found.index("m.fader.gain")].tolist() == [1, 0.5, 0]
    assert torch.equal(djgraph.SimpleCrossfader("linear", found)(3)[0], fade)


def test_a_deck_behind_its_stems_is_the_track() -> None:
    stems = {"name": "a", "stems": ["drums", "bass"]}
    found = layout(
        strip("drums", gain(), source="a.drums", to="deck"),
        strip("bass", gain(), source="a.bass", to="deck"),
        {"bus": "deck", "chain": [gain()], "to": "m"},
        strip("b", gain()),
        {"bus": "m"},
        inputs=(stems, "b"),
    )
    assert tracks(found) == [["deck.fader.gain"], ["b.fader.gain"]]


def test_strips_side_by_side_fade_together_and_what_follows_once() -> None:
    found = layout(
        strip("low", gain(), source="a", sends=[{"to": "echo"}]),
        strip("high", gain(), source="a"),
        strip("b", gain(), to="late"),
        {"bus": "late", "chain": [gain()], "to": "m"},
        {"bus": "echo", "chain": ["delay", gain()], "to": "m"},
        {"bus": "m"},
    )
    assert tracks(found) == [["low.fader.gain", "high.fader.gain"], ["b.fader.gain"]]
    for curve in ({"fader": "1st", "value": 0.5}, {"control": "1st.*.gain", "value": 0.5}):
        moved = djgraph.automation.load({"automation": 1, "curves": [curve]}).render(found, 2, 1.0)
        changed = (moved != found.default).any(0).nonzero().flatten().tolist()
        assert [found.names[i] for i in changed] == ["low.fader.gain", "high.fader.gain"]


def test_what_is_not_heard_in_the_mix_is_no_track() -> None:
    found = layout(
        strip("cue_a", gain(), source="a", to="cue"),
        strip("a", gain()),
        strip("b", gain()),
        {"bus": "m"},
        {"bus": "cue"},
        outputs=("m", "cue"),
    )
    assert tracks(found) == [["a.fader.gain"], ["b.fader.gain"]]


def test_shipped_graphs() -> None:
    def of(name: str) -> list[list[str]]:
        return tracks(djgraph.ParameterLayout.from_graph(djgraph.load(name)))

    stems = ("drums", "bass", "vocals", "other")
    assert of("dj_mixer") == [[f"track_{t}.{stem}.gain" for stem in stems] for t in "ab"]
    assert of("club_console") == [[f"deck_{n}.fader"] for n in (1, 2, 3, 4)]
    assert of("djtransgan") == of("filter_knob")
    assert [len(track) for track in of("djtransgan")] == [1, 1]
