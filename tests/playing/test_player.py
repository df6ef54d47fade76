"""What a player plays, against the mixer on the whole clip."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import torch

import djgraph
from djgraph.errors import DJGraphError
from djgraph.playing import Course, Hands, MemoryFeed, Player

from .clips import mixed, tracks

RATE = 44100
SAMPLES = 24_000


@pytest.fixture(scope="module")
def mixer() -> djgraph.Mixer:
    return djgraph.compile("dj_mixer")


@pytest.fixture(scope="module")
def inputs(mixer: djgraph.Mixer) -> dict[str, Any]:
    return tracks(mixer.graph, SAMPLES)


def _played(player: Player, sizes: list[int]) -> np.ndarray:
    player.play()
    return np.concatenate([player.block(size)[0] for size in sizes], 1)


def test_player_plays_what_the_renderer_writes(mixer: djgraph.Mixer, inputs: Any) -> None:
    auto = djgraph.automation.load("bass_swap", start="0.1s", length="0.4s")
    frames = auto.render_exact(mixer, samples=SAMPLES, sample_rate=RATE, tempo=128)
    player = Player(mixer, MemoryFeed(inputs), Course(mixer.layout, frames.params, frames.positions))
    sizes = [512] * 20 + [100, 1, 1111, 64] + [512] * 30
    played = _played(player, sizes)
    wanted = mixed(mixer, inputs, frames.params, frames.positions)
    np.testing.assert_allclose(played[:, :SAMPLES], wanted, atol=2e-6)  # to the clip's very end
    assert not player.transport.playing
    assert not played[:, SAMPLES + 221 :].any()
    player.close()


def test_hands_stand_in_for_the_automation(mixer: djgraph.Mixer, inputs: Any) -> None:
    player = Player(mixer, MemoryFeed(inputs))
    for name in mixer.layout.names:
        if name.endswith(".gain"):
            player.hands.hold(name, 0.0)
    assert np.abs(_played(player, [512] * 20)).max() == 0
    player.hands.release()
    after = np.concatenate([player.block(512)[0] for _ in range(20)], 1)
    assert np.abs(after[:, -512:]).max() > 0.1
    player.close()


def test_what_is_let_go_where_the_automation_has_it_now_stays_there(
    mixer: djgraph.Mixer, inputs: Any
) -> None:
    """Another automation and the hand that lets go come in the middle of a block, whose orders are taken already."""
    closed = [name for name in mixer.layout.names if name.endswith(".gain")]
    shut = mixer.layout.default.clone()
    shut[[mixer.layout.index(name) for name in closed]] = 0
    player = Player(mixer, MemoryFeed(inputs))
    for name in closed:
        player.hands.hold(name, 0.0)
    read = player.feed.read

    def let_go(first: int, count: int) -> Any:
        if first > 5000 and player.hands.held:
            player.follow(Course.steady(mixer.layout, shut))
            player.hands.release()
        return read(first, count)

    player.feed.read = let_go  # type: ignore[method-assign]
    assert np.abs(_played(player, [512] * 20)).max() == 0
    assert not player.hands.held
    player.close()


def test_loop_goes_round_on_its_sample(mixer: djgraph.Mixer) -> None:
    count = torch.arange(SAMPLES, dtype=torch.float32) / SAMPLES
    stems = mixer.graph.inputs["track_a"] or ()
    feed = MemoryFeed(
        {
            "track_a": {s: (count if s == "drums" else 0 * count).expand(2, -1) for s in stems},
            "track_b": {s: torch.zeros(2, SAMPLES) for s in stems},
        }
    )
    player = Player(mixer, feed)
    player.loop((1000, 4000))
    played = _played(player, [700] * 20)[0] * SAMPLES
    wanted = np.array([i if i < 4000 else 1000 + (i - 4000) % 3000 for i in range(14000)], np.float32)
    # The mixer of neutral controls is its input; windows of a transform round the edges off by nothing at all.
    away = np.ones(14000, bool)
    for end in (4000, 7000, 10000, 13000):  # 5 ms before the end what lies before the begin comes in
        away[end - 221 : end] = False
    np.testing.assert_allclose(played[away], wanted[away], atol=0.05)
    share = np.arange(1, 221) / 221
    faded = np.arange(3780, 4000) * (1 - share) + np.arange(780, 1000) * share
    np.testing.assert_allclose(played[3780:4000], faded, atol=0.05)
    assert player.transport.position == 1000 + (14000 - 4000) % 3000
    player.close()


def test_another_mixer_takes_over_without_a_step(mixer: djgraph.Mixer, inputs: Any) -> None:
    player = Player(mixer, MemoryFeed(inputs))
    player.play()
    before = player.block(2048)[0]
    player.take_over(mixer, Course.steady(mixer.layout), Hands(mixer.layout))
    after = np.concatenate([player.block(512)[0] for _ in range(8)], 1)
    wanted = mixed(mixer, inputs, mixer.layout.default[None])[:, : 2048 + 4096]
    np.testing.assert_allclose(np.concatenate([before, after], 1), wanted, atol=2e-6)
    player.close()


def test_other_material_goes_on_at_its_sample_and_fades_in(mixer: djgraph.Mixer, inputs: Any) -> None:
    others = tracks(mixer.graph, 2 * SAMPLES, seed=7)
    player, course = Player(mixer, MemoryFeed(inputs)), Course.steady(mixer.layout, tempo=90.0)
    before = _played(player, [512] * 8)
    old = player.feed
    player.refeed(MemoryFeed(others), course, 12_000)
    audio, at = player.block(16_384)
    wanted = mixed(mixer, others, mixer.layout.default[None])
    first = mixed(mixer, inputs, mixer.layout.default[None])
    assert (at, player.transport.tempo, player.feed.samples) == (12_000, 90.0, 2 * SAMPLES)
    np.testing.assert_allclose(before, first[:, : before.shape[1]], atol=2e-6)
    np.testing.assert_allclose(audio[:, 4096:], wanted[:, 12_000 + 4096 : 12_000 + 16_384], atol=1e-5)
    near = np.abs(audio[:, 0] - first[:, before.shape[1]]).max()
    assert (
        near < 0.05 < np.abs(wanted[:, 12_000] - first[:, before.shape[1]]).max()
    )  # what was heard, a little less
    assert old.read(0, 100)["track_a"]["drums"].shape[-1] == 100  # who still has it may read on
    player.close()


def test_hands_keep_to_ranges_and_names(mixer: djgraph.Mixer) -> None:
    hands = Hands(mixer.layout)
    assert hands.hold("track_a.drums.gain", 7.0) == 1.0
    with pytest.raises(DJGraphError, match="did you mean"):
        hands.hold("track_a.drums.gian", 1.0)
    with pytest.raises(DJGraphError, match="finite"):
        hands.hold("track_a.drums.gain", float("nan"))


def test_a_position_is_where_it_goes_until_it_is_there(mixer: djgraph.Mixer, inputs: Any) -> None:
    player = Player(mixer, MemoryFeed(inputs))
    player.seek(5000)
    player.seek(9000)  # of several, the last one
    player.play()
    assert (player.position, player.transport.position) == (9000, 0)
    player.block(300)
    assert player.position == player.transport.position == 9300
    player.seek(10**9)
    assert player.position == SAMPLES - 1
    player.stop()
    player.block(1)
    assert player.position == player.transport.position == SAMPLES - 1
    player.close()


def test_two_that_seek_at_once_leave_no_place_that_is_never_reached(
    mixer: djgraph.Mixer, inputs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    player = Player(mixer, MemoryFeed(inputs))
    order, others = player._order, list[threading.Thread]()

    def slow(given: Any) -> None:
        """Another thread comes between the place that is said and its order."""
        if not others:
            others.append(threading.Thread(target=player.seek, args=(9000,)))
            others[0].start()
            others[0].join(0.1)
        order(given)

    monkeypatch.setattr(player, "_order", slow)
    player.seek(5000)
    others[0].join()
    player.block(1)
    assert player.position == player.transport.position
    player.close()
