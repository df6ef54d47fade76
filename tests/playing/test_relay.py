"""One mixer takes over from another while it plays."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import djgraph
from djgraph.playing import Course, Fitted, Hands, MemoryFeed, Player
from djgraph.playing.handover import FADE, Setup
from djgraph.playing.line import TICK
from djgraph.playing.relay import _place, warm

RATE = 44100
SECONDS = 20


def graph(time_ms: float = 100) -> dict[str, Any]:
    return {
        "djgraph": 1,
        "name": "echoing",
        "inputs": [{"name": "track"}],
        "mixer": [
            {
                "strip": "deck",
                "input": "track",
                "chain": [
                    {
                        "effect": "delay",
                        "settings": {"time": time_ms},
                        "controls": {"mix": {"default": 0.5}},
                    },
                    "gain",
                ],
                "to": "out",
            },
            {"bus": "out"},
        ],
        "outputs": ["out"],
    }


@pytest.fixture(scope="module")
def audio() -> torch.Tensor:
    torch.manual_seed(3)
    return 0.1 * torch.randn(2, RATE * SECONDS)


def whole(mixer: djgraph.Mixer, audio: torch.Tensor) -> np.ndarray:
    with torch.no_grad():
        return mixer({"track": audio[None]}, mixer.layout.default[None, None])[0].numpy()


def played(player: Player, work: Callable[[], Any], after: int = 8, before: int = 100) -> np.ndarray:
    """What is heard while some work is done beside it, and some blocks before and after it."""
    blocks = [player.block(TICK)[0] for _ in range(before)]
    thread = threading.Thread(target=work)
    thread.start()
    while thread.is_alive():
        blocks.append(player.block(TICK)[0])
        time.sleep(0.012)
    thread.join()
    return np.concatenate(blocks + [player.block(TICK)[0] for _ in range(after)], 1)


def setup_of(mixer: djgraph.Mixer, player: Player, hands: Hands | None = None) -> Setup:
    hands = Hands(mixer.layout) if hands is None else hands
    return Setup(mixer, Course.steady(mixer.layout), hands, Fitted(player.feed, mixer.graph))


def test_a_warm_mixer_takes_over_as_if_it_had_played_all_along(audio: torch.Tensor) -> None:
    mixer, other = djgraph.compile(graph()), djgraph.compile(graph())
    player = Player(mixer, MemoryFeed({"track": audio}))
    player.play()
    heard = played(player, lambda: warm(player, setup_of(other, player), lead=0.2))
    np.testing.assert_allclose(heard, whole(mixer, audio)[:, : heard.shape[1]], atol=2e-6)
    assert player.mixer is other
    player.close()


def test_two_mixers_are_faded_over_without_a_step(audio: torch.Tensor) -> None:
    mixer, other = djgraph.compile(graph()), djgraph.compile(graph(150))
    player = Player(mixer, MemoryFeed({"track": audio}))
    player.play()
    heard = played(player, lambda: warm(player, setup_of(other, player), lead=0.3))
    old, new = (whole(one, audio)[:, : heard.shape[1]] for one in (mixer, other))
    # Where it is not the old one any more, and where it is the new one alone.
    begin = int(np.flatnonzero(np.abs(heard - old).max(0) > 1e-4)[0])
    places = np.arange(heard.shape[1])
    shares = [np.clip((places - begin + late + 0.5) / FADE, 0, 1) for late in range(40)]
    near = [np.abs(heard - (old * (1 - share) + new * share)).max() for share in shares]
    assert min(near) < 2e-6
    np.testing.assert_allclose(heard[:, begin + FADE :], new[:, begin + FADE :], atol=2e-6)
    player.close()


def test_in_a_loop_the_other_goes_round_as_well(audio: torch.Tensor) -> None:
    mixer, other = djgraph.compile(graph(1)), djgraph.compile(graph(1))
    count = torch.arange(RATE * 3, dtype=torch.float32).expand(2, -1) / RATE
    player = Player(mixer, MemoryFeed({"track": count}))
    player.loop((5000, 17000))
    player.play()
    heard = played(player, lambda: warm(player, setup_of(other, player), lead=0.1), after=60)[0]
    places = np.arange(heard.shape[0])
    places = np.where(places < 17000, places, 5000 + (places - 17000) % 12000).astype(np.float64)
    # Within 5 ms before the loop's end what lies before its begin fades in.
    coming = np.clip(np.floor(places) - 16779, 0, 220) / 221
    material = np.where(places < 17000, places - 12000 * coming, places) / RATE
    delayed = np.concatenate([np.zeros(44), material[:-44]])
    np.testing.assert_allclose(heard, 0.5 * material + 0.5 * delayed, atol=2e-6)
    player.close()


def test_of_two_that_come_at_once_the_last_one_is_heard(audio: torch.Tensor) -> None:
    """The second comes while the first is coming in: that is heard alone first, by a moment."""
    mixers = [djgraph.compile(graph(time_ms)) for time_ms in (100, 150, 50)]
    player = Player(mixers[0], MemoryFeed({"track": audio}))
    player.play()
    heard = [player.block(TICK)[0]]
    for mixer in mixers[1:]:
        player.take_over(mixer, Course.steady(mixer.layout), Hands(mixer.layout))
        heard.append(player.block(TICK)[0])
    heard += [player.block(TICK)[0] for _ in range(40)]
    made = np.concatenate(heard, 1)
    last = slice(20 * TICK, made.shape[1])
    np.testing.assert_allclose(made[:, last], whole(mixers[2], audio)[:, last], atol=2e-6)
    player.close()


@pytest.mark.parametrize(("samples", "place"), [(0, 90), (9, 99), (10, 50), (25, 65), (160, 50)])
def test_where_a_clip_is_after_so_many_samples(samples: int, place: int) -> None:
    assert _place(90, samples, (50, 100)) == place
    assert _place(90, samples, None) == 90 + samples
    assert _place(120, samples, (50, 100)) == 120 + samples  # behind the loop's end it plays on


def test_the_clip_comes_to_its_end_meanwhile() -> None:
    """What was warmed up has read the clip to its end: the other one plays when it is played again."""
    mixer, other = djgraph.compile(graph()), djgraph.compile(graph(150))
    clip = 0.1 * torch.ones(2, RATE)
    player = Player(mixer, MemoryFeed({"track": clip}))
    player.play()
    heard = played(player, lambda: warm(player, setup_of(other, player), lead=0.5), before=80)
    np.testing.assert_allclose(heard[:, :RATE], whole(mixer, clip)[:, : min(RATE, heard.shape[1])], atol=2e-6)
    assert player.mixer is other
    player.play()
    again = np.concatenate([player.block(TICK)[0] for _ in range(40)], 1)
    np.testing.assert_allclose(again, whole(other, clip)[:, : again.shape[1]], atol=2e-6)
    player.close()


def test_seeking_and_stopping_meanwhile_are_minded(audio: torch.Tensor) -> None:
    mixer, other = djgraph.compile(graph()), djgraph.compile(graph(150))
    player = Player(mixer, MemoryFeed({"track": audio}))
    player.play()
    ended = threading.Event()
    thread = threading.Thread(
        target=lambda: (warm(player, setup_of(other, player), lead=0.5), ended.set()), daemon=True
    )
    thread.start()
    for number in range(2000):
        if number == 5:
            player.seek(9 * RATE)
        if number == 10:
            player.stop()
        player.block(TICK)
        time.sleep(0.002)
        if ended.is_set():
            break
    assert ended.is_set()
    assert player.mixer is other
    player.close()


def test_silence_where_nobody_asks_for_sound_is_no_reason_to_wait_for_ever(audio: torch.Tensor) -> None:
    mixer, other = djgraph.compile(graph()), djgraph.compile(graph(150))
    player = Player(mixer, MemoryFeed({"track": audio}))
    assert warm(player, setup_of(other, player))  # nobody plays
    assert player.mixer is other
    player.close()


def test_hands_follow_by_name_until_they_are_handed_over() -> None:
    old, new = (djgraph.compile(graph()).layout, djgraph.compile("dj_mixer").layout)
    first, second = Hands(old), Hands(old)
    first.hold("deck.gain.gain", 0.25)
    first.hand_on(second)
    first.hold("deck.delay.mix", 0.75)
    assert second.held == {"deck.gain.gain": 0.25, "deck.delay.mix": 0.75}
    first.release("deck.gain.gain")
    assert second.held == {"deck.delay.mix": 0.75}
    stranger = Hands(new)
    first.hand_on(stranger)
    first.release()
    assert not stranger.held
    assert second.held == {"deck.delay.mix": 0.75}


def test_a_feed_fits_another_graph(audio: torch.Tensor) -> None:
    mixer = djgraph.compile("dj_mixer")
    fitted = Fitted(MemoryFeed({"track_a": {"drums": audio}, "other": audio}), mixer.graph)
    made = fitted.read(100, 10)
    assert set(made) == set(mixer.graph.inputs)
    torch.testing.assert_close(made["track_a"]["drums"], audio[:, 100:110])
    assert not made["track_a"]["bass"].any()
    assert "track_a.bass" in fitted.silent
    assert "track_a.drums" not in fitted.silent
    one = Fitted(MemoryFeed({"track": {"drums": audio, "bass": 2 * audio}}), djgraph.load(graph()))
    torch.testing.assert_close(one.read(0, 5)["track"], 3 * audio[:, :5])
    assert one.silent == ()
