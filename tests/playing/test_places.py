"""Where a player is: beats, decks and controls after seeks, loops and changes of tempo, against the whole clip."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import pytest
import torch
from runtime.documents import registry_with

from djgraph.automation import TempoMap, tempo_frames
from djgraph.decks import MemoryMaterial
from djgraph.effects import Block, Control, ControlModel, State, TimeEffect
from djgraph.errors import InputError
from djgraph.graph import load
from djgraph.mixer import Mixer
from djgraph.playing import Course, MemoryFeed, Player
from djgraph.playing.handover import FADE

RATE = 8000
SAMPLES = 40_000


class Told(TimeEffect):
    """What comes out is the beat."""

    type = "told"
    uses_clock = True

    class Controls(ControlModel):
        pass

    def process(self, audio: Any, controls: Any, state: State, block: Block) -> Any:
        assert block.clock is not None
        return {"out": block.clock.beats.to(audio["in"].dtype).expand_as(audio["in"])}, state


class Once(TimeEffect):
    """What comes out is a control that a clip has once."""

    type = "once"

    class Controls(ControlModel):
        level: Annotated[float, Control(0, 2, neutral=1, rate="clip")] = 1.0

    def process(self, audio: Any, controls: Any, state: State, block: Block) -> Any:
        return {"out": controls["level"].expand_as(audio["in"])}, state


def _told(*chain: Any, last: str = "told") -> Mixer:
    document = {
        "djgraph": 1,
        "name": "told",
        "sample_rate": RATE,
        "transform": {"size": 512, "hop": 128},
        "inputs": [{"name": "a"}],
        "mixer": [{"strip": "s", "input": "a", "chain": [*chain, last]}],
        "outputs": ["s"],
    }
    return Mixer(load(document, registry=registry_with(Told, Once)))


def _feed() -> MemoryFeed:
    return MemoryFeed({"a": torch.zeros(2, SAMPLES)})


def _course(mixer: Mixer, tempo: Any = 120.0) -> Course:
    if isinstance(tempo, float):
        return Course.steady(mixer.layout, tempo=tempo)
    bpm, places = tempo_frames(TempoMap(tempo), SAMPLES, RATE)
    return Course(mixer.layout, mixer.layout.default.repeat(len(places), 1), places, bpm)


def _play(player: Player, samples: int) -> np.ndarray:
    player.play()
    blocks = [player.block(512)[0] for _ in range(samples // 512)]
    return np.concatenate(blocks, 1)[0]


@pytest.mark.parametrize("chain", [(), ("lowpass",)], ids=["at once", "behind a window"])
def test_beats_after_a_seek(chain: Any) -> None:
    mixer = _told(*chain)
    player = Player(mixer, _feed(), _course(mixer, 90.0))
    _play(player, 2048)
    player.seek(20_001)
    player.block(512)  # the cross-fade
    at, heard = player.transport.position, player.block(512)[0][0]
    assert at == 20_001 + 512
    np.testing.assert_allclose(heard, np.arange(at, at + 512) / RATE * 1.5, atol=1e-5)
    player.close()


@pytest.mark.parametrize("chain", [(), ("lowpass",)], ids=["at once", "behind a window"])
def test_beats_go_round_with_a_loop(chain: Any) -> None:
    mixer = _told(*chain)
    tempo = [[0, 120, "per_beat"], [4, 150]]
    player = Player(mixer, _feed(), _course(mixer, tempo))
    player.loop((3000, 3300))  # shorter than a block
    heard = _play(player, 8192)
    places = np.array([i if i < 3300 else 3000 + (i - 3300) % 300 for i in range(8192)])
    np.testing.assert_allclose(heard, TempoMap(tempo).beats(places / RATE), atol=1e-3)
    assert player.transport.position == 3000 + (8192 - 3300) % 300
    player.close()


def test_a_control_of_the_clip_is_what_its_first_frame_says_wherever_one_begins() -> None:
    mixer = _told(last="once")
    frames = torch.tensor([[0.5], [1.5]])
    player = Player(mixer, _feed(), Course(mixer.layout, frames, torch.tensor([0, SAMPLES - 1])))
    player.seek(20_000)
    np.testing.assert_allclose(_play(player, 1024), 0.5)
    player.follow(Course(mixer.layout, frames + 0.25, torch.tensor([0, SAMPLES - 1])))
    heard = np.concatenate([player.block(512)[0] for _ in range(4)], 1)[0]
    np.testing.assert_allclose(heard[FADE:], 0.75)
    assert np.abs(np.diff(heard)).max() < 0.25 / FADE * 1.1  # within a cross-fade
    player.close()


def test_beats_after_a_change_of_tempo() -> None:
    mixer = _told("lowpass")
    player = Player(mixer, _feed(), _course(mixer, 120.0))
    _play(player, 4096)
    player.at_tempo(60.0)
    [player.block(512) for _ in range(2)]  # until what had been read is heard
    at, heard = player.transport.position, player.block(512)[0][0]
    np.testing.assert_allclose(heard, np.arange(at, at + 512) / RATE, atol=1e-5)
    assert player.transport.tempo == 60
    player.close()


def test_a_loop_that_is_moved_while_it_plays() -> None:
    mixer = _told("lowpass")  # reads 511 samples ahead
    player = Player(mixer, _feed(), _course(mixer, 60.0))
    player.loop((1000, 4000))
    _play(player, 3072)
    player.loop((1000, 3200))  # read beyond already: round in time, as far as can be
    [player.block(64) for _ in range(20)]
    at, heard = player.transport.position, player.block(512)[0][0]
    assert 1000 <= at < 3200
    np.testing.assert_allclose(heard[:100], np.arange(at, at + 100) / RATE, atol=1e-5)
    player.loop(None)
    [player.block(512) for _ in range(10)]
    assert player.transport.position > 3200
    with pytest.raises(InputError, match="256"):
        player.loop((3000, 3000))
    player.close()


def test_a_seek_to_just_before_a_loops_end_goes_round() -> None:
    mixer = _told("lowpass")  # reads 511 samples ahead
    player = Player(mixer, _feed(), _course(mixer, 60.0))
    player.loop((3000, 9000))
    player.seek(8800)
    heard = _play(player, 1024)
    places = np.array([i if i < 9000 else i - 6000 for i in range(8800, 8800 + 1024)])
    np.testing.assert_allclose(heard, places / RATE, atol=1e-5)
    player.close()


@pytest.mark.parametrize("moved", ["loop", "tempo", "seek"])
def test_orders_while_the_clip_comes_to_its_end(moved: str) -> None:
    """The last samples are in the stream already, which can go nowhere else."""
    mixer = _told("lowpass")
    player = Player(mixer, _feed(), _course(mixer, 60.0))
    player.seek(SAMPLES - 600)
    _play(player, 512)
    if moved == "loop":
        player.loop((1000, SAMPLES))
    elif moved == "seek":
        player.seek(2000)
    else:
        player.at_tempo(120.0)
    player.block(64)  # the cross-fade
    heard, at = [], player.transport.position
    while player.transport.playing and len(heard) < 4:
        heard.append(player.block(8)[0][0])
    found = np.concatenate(heard)
    if moved == "tempo":  # too late for this clip
        at, found = at, found[: SAMPLES - at]
        np.testing.assert_allclose(found, np.arange(at, SAMPLES) / RATE, atol=1e-5)
        assert not player.transport.playing
    else:
        places = np.array([i if i < SAMPLES else i - SAMPLES + 1000 for i in range(at, at + 32)])
        np.testing.assert_allclose(found, places / RATE, atol=1e-5)
        assert player.transport.playing
    player.close()


def _deck(**settings: Any) -> Mixer:
    document = {
        "djgraph": 1,
        "name": "deck",
        "sample_rate": RATE,
        "inputs": [{"name": "track", "source": {"effect": "deck", "settings": settings}}],
        "mixer": [{"strip": "s", "input": "track", "chain": []}],
        "outputs": ["s"],
    }
    return Mixer(load(document))


@pytest.mark.parametrize("sync", ["off", "beat"])
def test_decks_are_where_they_would_be(sync: str) -> None:
    from djgraph.analysis import Grid

    mixer = _deck(sync=sync)
    layout = mixer.layout
    # The track says where it is: a slow sine whose phase is its place, in two channels.
    phase = torch.arange(6 * SAMPLES) * (2 * torch.pi / (6 * SAMPLES))
    track = torch.stack((torch.sin(phase), torch.cos(phase)))
    rate = layout.names.index("track.rate")
    params = layout.default.repeat(3, 1)
    params[:, rate] = torch.tensor([0.5, 2.0, 1.0])
    places = torch.tensor([0, 15_000, SAMPLES - 1])
    material = {"track": MemoryMaterial({"track": track}, grid=Grid.at_tempo(110.0))}
    clock = {"tempo": 120.0} if sync != "off" else {}
    with torch.no_grad():
        whole = mixer(material, params[None], positions=places, samples=SAMPLES, **clock)[0].numpy()
    course = Course(layout, params, places, 120.0)
    player = Player(mixer, MemoryFeed({}, material, SAMPLES), course)
    player.loop((18_000, 21_000))
    player.play()
    player.block(2000)
    player.seek(20_500)
    player.block(512)  # the cross-fade, over the loop's end
    player.block(512)
    for _ in range(4):
        at, heard = player.transport.position, player.block(512)[0]
        assert 18_000 <= at < 21_000
        wanted = np.concatenate([whole[:, at : min(at + 512, 21_000)], whole[:, 18_000:18_512]], 1)[:, :512]
        np.testing.assert_allclose(heard, wanted, atol=2e-5)
    player.close()


def test_the_last_block_ends_with_the_clip() -> None:
    mixer = _told()
    for samples in (100, 512, 1300):
        player = Player(mixer, MemoryFeed({"a": torch.zeros(2, samples)}), _course(mixer, 60.0))
        player.play()
        heard = np.concatenate([player.block(512)[0] for _ in range(5)], 1)[0]
        np.testing.assert_allclose(heard[:samples], np.arange(samples) / RATE, atol=1e-6)
        assert not heard[samples + 40 :].any()  # within 5 ms
        assert np.abs(np.diff(heard[samples - 1 :])).max() < 0.2 * heard[samples - 1] + 1e-3
        assert not player.transport.playing
        assert player.transport.position == samples
        player.play()  # from the beginning
        assert player.block(64)[1] == 0
        player.close()


def test_stop_fades_and_play_goes_on() -> None:
    mixer = _told()
    player = Player(mixer, _feed(), _course(mixer, 60.0))
    _play(player, 10_240)
    place = player.transport.position
    player.stop()
    heard = player.block(512)[0][0]
    assert 0 < heard[0] <= place / RATE
    assert np.abs(np.diff(heard)).max() < 0.1
    assert not heard[40:].any()
    assert player.transport.position == place
    player.play()
    assert player.block(512)[0][0, 0] == pytest.approx(place / RATE, abs=1e-5)
    player.close()
