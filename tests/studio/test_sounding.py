"""How the sound is made: choices that are heard while it plays, a slow machine that is told so, what choices take."""

from __future__ import annotations

import asyncio
import json
import struct
from typing import Any

import numpy as np
import pytest
import torch
from waiting import until

import djgraph
from djgraph.errors import AudioFileError, DJGraphError
from djgraph.playing import MemoryFeed, Player
from djgraph.studio.parts import sound as sounding
from djgraph.studio.parts.sound import OTHERS, Sounding, choices
from djgraph.studio.parts.transport import Transporting
from djgraph.studio.session import Session
from djgraph.studio.sound import HEADER, Pump
from studio.served import compiled, tracks

SECONDS = 4.0


@pytest.fixture
def session() -> Any:
    mixer = compiled("dj_mixer")
    made = Session(mixer, MemoryFeed(tracks(mixer.graph, SECONDS)), parts=(Transporting, Sounding))
    yield made
    made.close()


def _say(session: Session, **message: Any) -> None:
    session.take(json.dumps(message))


def test_the_causal_lowering_takes_over(session: Session) -> None:
    part, player = session.part(Sounding), session.player
    assert part is not None
    _say(session, do="loop", region=[0.0, SECONDS])  # a machine that is full takes longer than the clip
    _say(session, do="play")
    player.block(512)
    _say(session, do="sound", lowering="causal", meters=False, block=1024)
    assert player.tick == 1024
    blocks = []

    def over() -> bool:
        blocks.append(player.block(512)[0])
        return player.setup.mixer.lowering == "causal"

    until(over)
    assert not player.setup.taps
    blocks += [player.block(512)[0] for _ in range(20)]
    heard = np.concatenate(blocks, 1)
    # No gap, and nothing louder than the noise that is played: neutral, both lowerings let it through.
    power = (heard.reshape(2, -1, 256) ** 2).mean((0, 2))
    assert power.min() > 0.3 * np.median(power)
    assert power.max() < 3 * np.median(power)
    player.meters()
    player.block(512)
    assert player.meters() == {}
    assert part.snapshot()["sound"]["lowering"] == "causal"


def test_a_graph_without_twins_says_so() -> None:
    from runtime.documents import registry_with

    from djgraph.effects import (
        SpectralEffect,  # the shipped ones all have twins; one of the test's own has none
    )

    class Plain(SpectralEffect):
        type = "plain"

        class Controls(djgraph.effects.ControlModel):
            pass

        def mask(self, controls: Any, frequencies: torch.Tensor, context: Any) -> torch.Tensor:
            return torch.ones_like(frequencies)

    document = {
        "djgraph": 1,
        "name": "plain",
        "inputs": [{"name": "a"}],
        "mixer": [{"strip": "s", "input": "a", "chain": ["plain"]}],
        "outputs": ["s"],
    }
    mixer = djgraph.Mixer(djgraph.graph.load(document, registry=registry_with(Plain)))
    session = Session(mixer, MemoryFeed({"a": torch.zeros(2, 5000)}), parts=(Transporting, Sounding))
    with pytest.raises(DJGraphError, match="plain"):
        _say(session, do="sound", lowering="causal")
    part = session.part(Sounding)
    assert part is not None
    assert part.lowering == "studio"
    session.close()


@pytest.mark.slow
def test_a_slow_machine_is_told_so(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[dict[str, Any]] = []
    session.listen(events.append)
    monkeypatch.setattr(Player, "load", property(lambda self: (1.48, 2.0)))
    _say(session, do="play")
    until(
        lambda: (
            session.player.block(512),
            [e for e in events if e["event"] == "sound" and e["sound"]["over"]],
        )[1]
    )
    over = next(e["sound"]["over"] for e in events if e["event"] == "sound" and e["sound"]["over"])
    assert over["load"] == 1.48
    named = [name for name, _ in over["causes"]]
    assert any("eq3" in name for name in named) or OTHERS in named
    causes = next(e["causes"] for e in events if e["event"] == "causes")
    assert {"reverb", "delay"} < {name for name, _ in causes}
    assert [share for _, share in causes] == sorted((share for _, share in causes), reverse=True)


def test_choices_are_measured(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sounding, "TRIED", 3)
    part = session.part(Sounding)
    assert part is not None
    _say(session, do="weigh")
    until(lambda: len(part.weights) == len(choices("studio", 512, True)) == 5 and part._weighing is None)
    assert all(row["load"] > 0 for row in part.weights)
    by = {(row["lowering"], row["block"], row["meters"]): row["load"] for row in part.weights}
    assert by["studio", 2048, True] < by["studio", 512, True]


def test_a_pump_says_when_playing_ends() -> None:
    mixer = compiled("dj_mixer")
    player = Player(mixer, MemoryFeed(tracks(mixer.graph, 0.05)))
    player.play()

    async def heard() -> list[bytes]:
        got: list[bytes] = []
        pump = Pump(player, asyncio.get_running_loop(), got.append, pytest.fail)
        pump.grant(1 << 14)
        while not got or HEADER.unpack_from(got[-1])[2]:
            await asyncio.sleep(0.01)
        pump.close()
        return got

    got = asyncio.run(asyncio.wait_for(heard(), 60))
    assert len(got[-1]) == HEADER.size
    assert all(struct.unpack_from("<I", one, 12)[0] == 2 for one in got[:-1])
    assert sum((len(one) - HEADER.size) // 8 for one in got) >= 2205
    player.close()


class Torn(MemoryFeed):
    """A disk that is pulled out, and may be put back in."""

    torn = False

    def read(self, first: int, samples: int) -> Any:
        if self.torn and first > 0:
            raise AudioFileError("drums.flac cannot be read")
        return super().read(first, samples)


def test_material_that_cannot_be_read_any_more_stops_the_sound_with_a_word_and_plays_again_when_it_is_there() -> (
    None
):
    mixer = compiled("dj_mixer")
    feed = Torn(tracks(mixer.graph, SECONDS))
    player = Player(mixer, feed)
    feed.torn = True

    async def heard() -> tuple[list[bytes], list[str]]:
        got, told = list[bytes](), list[str]()
        pump = Pump(player, asyncio.get_running_loop(), got.append, told.append)
        player.play()
        while not got or HEADER.unpack_from(got[-1])[2]:  # until the page is told that nothing follows
            pump.grant(1 << 12)
            await asyncio.sleep(0.01)
        assert not player.transport.playing
        assert not player.playing
        feed.torn = False
        player.play()
        count = len(got)
        while len(got) < count + 2:
            pump.grant(1 << 12)
            await asyncio.sleep(0.01)
        assert player.transport.playing
        pump.close()
        return got, told

    _, told = asyncio.run(asyncio.wait_for(heard(), 60))
    assert told == ["drums.flac cannot be read"]
    player.close()


def test_a_player_that_is_prepared_begins_at_once() -> None:
    mixer = djgraph.compile("dj_mixer")
    player = Player(mixer, MemoryFeed(tracks(mixer.graph, 0.1)))
    session = Session(mixer, MemoryFeed(tracks(mixer.graph, 0.1)), parts=(Transporting,))
    said: list[Any] = []
    session.listen(said.append)
    assert not player.prepared
    player.prepare()
    assert player.prepared
    session.take('{"do": "play"}')
    session.take('{"do": "stop"}')
    session.take('{"do": "play"}')
    words = [one["message"] for one in said if one["event"] == "say"]
    assert words == ["getting ready to play this for the first time …", ""]
    player.close()
    session.close()


def test_loops_that_are_too_short_are_refused(session: Session) -> None:
    with pytest.raises(DJGraphError, match="6 ms"):
        _say(session, do="loop", region=[1.0, 1.001])
    _say(session, do="loop", region=[1.0, 1.5])
    session.player.block(512)
    assert session.player.transport.loop == (44100, 66150)
    _say(session, do="tempo", bpm=60)  # the loop lies at beats
    session.player.block(512)
    assert session.player.transport.loop == (88200, 132300)
