"""Waveforms of what sources play, against the mixer on the whole clip."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

import djgraph
from djgraph.analysis import Grid
from djgraph.decks import MemoryMaterial
from djgraph.playing import Course, MemoryFeed
from djgraph.studio.decks_heard import heard, score_of
from djgraph.studio.parts.desk import Desk
from djgraph.studio.parts.transport import Transporting
from djgraph.studio.parts.waves import Waves
from djgraph.studio.session import Session

from .small import GAIN, RATE, say, until

SAMPLES = 2 * RATE
DECK = {
    "effect": "deck",
    "settings": {"sync": "off"},
    "controls": {"start": {"as": "start"}, "rate": {"as": "rate"}},
}
GRAPH: dict[str, Any] = {
    "djgraph": 1,
    "name": "a_deck_and_a_line",
    "sample_rate": RATE,
    "inputs": [{"name": "deck", "source": DECK}, {"name": "line"}],
    "mixer": [{"strip": name, "input": name, "chain": [GAIN], "to": "master"} for name in ("deck", "line")]
    + [{"bus": "master"}],
    "outputs": ["master"],
}


@pytest.fixture(scope="module")
def mixer() -> djgraph.Mixer:
    return djgraph.compile(GRAPH)


@pytest.fixture
def feed() -> MemoryFeed:
    random = torch.Generator().manual_seed(5)
    track, line = (0.1 * torch.randn(2, 3 * RATE, generator=random) for _ in range(2))
    return MemoryFeed(
        {"line": line}, {"deck": MemoryMaterial({"deck": track}, Grid.at_tempo(120.0))}, SAMPLES
    )


@pytest.mark.slow
def test_a_deck_is_seen_as_it_is_heard(mixer: djgraph.Mixer, feed: MemoryFeed) -> None:
    """From its own second on, faster and faster: the mixer's output with a silent line is that."""
    layout = mixer.layout
    rows = layout.default.repeat(2, 1)
    rows[:, layout.index("deck.start")] = 0.25
    rows[:, layout.index("deck.rate")] = torch.tensor([0.9, 1.1])
    places = torch.tensor([0, SAMPLES - 1])
    course = Course(layout, rows, places)
    pieces = list(heard(mixer, feed, course))
    assert {key for piece in pieces for key in piece} == {("deck", None)}
    seen = torch.cat([piece["deck", None] for piece in pieces], -1)
    with torch.inference_mode():
        inputs = {"line": torch.zeros(1, 2, SAMPLES), "deck": feed.material["deck"]}
        wanted = mixer(inputs, rows[None], positions=places)[0]
    assert seen.shape == wanted.shape
    assert float((seen - wanted).abs().max()) < 1e-3
    assert float(seen.abs().max()) > 0.1


def test_what_sources_are_told(mixer: djgraph.Mixer) -> None:
    layout = mixer.layout
    rows, places = layout.default.repeat(2, 1), torch.tensor([0, 100])

    def score(**values: float) -> Any:
        changed = rows.clone()
        for name, value in values.items():
            changed[1, layout.index(name.replace("__", "."))] = value
        return score_of(mixer.graph, Course(layout, changed, places))

    assert score() == score(deck__gain=0.5) == score_of(mixer.graph, Course.steady(layout))
    assert score() != score(deck__rate=1.1)
    assert score() != score_of(mixer.graph, Course.steady(layout, tempo=121.0))


@pytest.fixture
def session(mixer: djgraph.Mixer, feed: MemoryFeed) -> Iterator[Session]:
    made = Session(mixer, feed, parts=(Waves, Desk, Transporting))
    yield made
    made.close()


def test_it_is_measured_again_where_it_plays_something_else(session: Session) -> None:
    def digests() -> dict[str, str | None]:
        return {row["input"]: row["digest"] for row in session.snapshot()["waves"]["rows"]}

    def set_to(name: str, value: float) -> None:
        say(session, do="hold", control=name, value=value)
        say(session, do="release", control=name)

    assert list(digests()) == ["deck", "line"]
    until(lambda: all(digests().values()), "not measured")
    before = digests()
    set_to("deck.gain", 0.5)
    score = session.part(Waves)._score  # type: ignore[union-attr]
    set_to("deck.start", 0.5)
    assert session.part(Waves)._score != score  # type: ignore[union-attr]
    assert digests() == before  # until it is measured
    until(lambda: digests()["deck"] != before["deck"], "not measured again")
    assert digests()["line"] == before["line"]
