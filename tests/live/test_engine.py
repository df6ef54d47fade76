"""The engine on a card that is not there: the renderer's samples, lateness counted, controls through the queue."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import torch
from playing.clips import mixed, tracks
from waiting import until

import djgraph
from djgraph.live import Desk, Engine, FakeCard
from djgraph.live.capture import Capture, CardFeed
from djgraph.live.status import Status, line
from djgraph.playing import Course, MemoryFeed, Player

RATE, SAMPLES = 44100, 12_000
GRAPH = {
    "djgraph": 1,
    "name": "two",
    "inputs": [{"name": "a"}, {"name": "b"}],
    "mixer": [
        {"strip": "x", "input": "a", "chain": ["gain"], "to": "master"},
        {"strip": "y", "input": "b", "chain": ["gain"], "to": "master"},
        {"bus": "master"},
    ],
    "outputs": ["master"],
}


@pytest.fixture(scope="module")
def inputs(mixer: djgraph.Mixer) -> dict[str, Any]:
    return tracks(mixer.graph, SAMPLES)


def pulled(engine: Engine, card: FakeCard, blocks: int) -> np.ndarray:
    """Blocks in the card's order, each when it is ready."""
    card.attach(engine.fill)
    engine._begin()
    heard = []
    for _ in range(blocks):
        engine.settle()
        heard.append(card.pull())
    engine.stop()
    if engine.error is not None:
        raise engine.error
    return np.concatenate(heard).T


@pytest.mark.parametrize("block", [64, 256])
def test_card_hears_what_the_renderer_writes(mixer: djgraph.Mixer, inputs: Any, block: int) -> None:
    auto = djgraph.automation.load("bass_swap", start="0.05s", length="0.15s")
    frames = auto.render_exact(mixer, samples=SAMPLES, sample_rate=RATE, tempo=128)
    player = Player(mixer, MemoryFeed(inputs), Course(mixer.layout, frames.params, frames.positions))
    player.play()
    card = FakeCard(RATE, block)
    engine = Engine(player, Desk(player), card)
    heard = pulled(engine, card, SAMPLES // block)
    whole = mixed(mixer, inputs, frames.params, frames.positions)
    np.testing.assert_allclose(heard, whole[:, : heard.shape[1]], atol=2e-6)
    assert engine.late == 0
    player.close()


def test_a_block_that_is_not_ready_is_silence_and_counted(mixer: djgraph.Mixer, inputs: Any) -> None:
    player = Player(mixer, MemoryFeed(inputs))
    player.play()
    card = FakeCard(RATE, 256)
    engine = Engine(player, Desk(player), card, ahead=1)
    card.attach(engine.fill)
    engine._begin()
    engine.settle()
    engine.stop()  # nothing more is made
    assert np.abs(card.pull()).max() > 0
    assert np.abs(card.pull(3)).max() == 0
    assert engine.late == 3
    player.close()


def test_the_callback_waits_for_nobody(mixer: djgraph.Mixer, inputs: Any) -> None:
    """The player hangs: the card's thread goes on at once."""
    player = Player(mixer, MemoryFeed(inputs))
    card = FakeCard(RATE, 64)
    engine = Engine(player, Desk(player), card)
    card.attach(engine.fill)
    engine._wake.acquire()
    for _ in range(1000):
        card.pull()
    assert engine.made == 0
    player.close()


def test_controls_are_heard_through_the_queue(mixer: djgraph.Mixer, inputs: Any) -> None:
    player = Player(mixer, MemoryFeed(inputs))
    player.play()
    card = FakeCard(RATE, 256)
    desk = Desk(player)
    engine = Engine(player, desk, card)
    for name in mixer.layout.names:
        if name.endswith(".gain"):
            assert desk.turn(name, -1000.0) == mixer.layout[name].control.min
    heard = pulled(engine, card, 20)
    assert np.abs(heard).max() < 1e-6
    assert player.hands.held.keys() >= {"track_a.drums.gain"}
    desk.release()
    desk.drain()
    assert not player.hands.held
    player.close()


def test_an_error_ends_the_sound_and_is_kept(mixer: djgraph.Mixer, inputs: Any) -> None:
    player = Player(mixer, MemoryFeed(inputs))

    def broken(samples: int = 0) -> Any:
        raise RuntimeError("broken")

    player.block = broken  # type: ignore[method-assign]
    card = FakeCard(RATE, 256)
    engine = Engine(player, Desk(player), card)
    engine.start()
    engine.stop()
    assert str(engine.error) == "broken"
    player.close()


def test_strict_clock_counts_what_comes_too_late() -> None:
    now = [0.0]
    card = FakeCard(1000, 100, keep=True, clock=lambda: now[0])
    took = iter([0.01, 0.25, 0.01])

    def fill(incoming: Any, out: np.ndarray) -> None:
        out[:] = 1
        try:
            now[0] += next(took)
        except StopIteration:
            card._ended.set()

    card._ended.wait = lambda seconds: now.__setitem__(0, now[0] + seconds)  # type: ignore[method-assign,assignment]
    card._fill = fill
    card._run()
    assert card.faults == 1
    assert [float(block.max()) for block in card.heard][:5] == [1, 0, 0, 1, 1]


def test_capture_comes_out_in_order_and_latency_does_not_grow() -> None:
    capture = Capture(2, 64)
    ramp = np.arange(64 * 40, dtype=np.float32)
    blocks = np.stack([ramp, -ramp], 1).reshape(40, 64, 2)
    out = []
    for block in blocks[:10]:
        capture.put(block)
        out.append(capture.take(64))
    np.testing.assert_array_equal(np.concatenate(out, 1)[0], ramp[: 64 * 10])
    assert capture.missing == capture.left_out == 0
    for block in blocks[10:20]:  # nobody takes
        capture.put(block)
    late = capture.take(64)
    assert late[0, 0] == 64 * 20 - capture.behind
    np.testing.assert_array_equal(late[1], -late[0])
    capture.take(64 * 10)
    assert capture.missing > 0


def test_the_cards_inputs_go_through_the_mixer() -> None:
    mixer = djgraph.compile(GRAPH, lowering="causal")
    torch.manual_seed(0)
    sound = (0.1 * torch.randn(4096, 3)).numpy()
    capture = Capture(3, 128)
    feed = CardFeed(MemoryFeed({"a": torch.zeros(2, 8192)}), capture, {("b", None): (2, 0)})
    player = Player(mixer, feed)
    player.play()
    card = FakeCard(RATE, 128, captured=sound)
    engine = Engine(player, Desk(player), card, capture=capture)
    heard = pulled(engine, card, 40)
    first = int(np.argmax(np.abs(heard).max(0) > 0))
    # Neutral gains: what comes in goes out, later.
    found = heard[:, first : first + 128]
    lags = [
        lag for lag in range(4096) if np.allclose(found, np.roll(sound, -lag, 0)[:128, [2, 0]].T, atol=1e-5)
    ]
    assert lags
    player.close()


def test_a_stem_from_the_card_goes_beside_those_from_files(mixer: djgraph.Mixer, inputs: Any) -> None:
    sound = np.full((256, 2), 0.25, np.float32)
    capture = Capture(2, 256)
    silence = {t: {s: 0 * x for s, x in stems.items()} for t, stems in inputs.items()}
    feed = CardFeed(MemoryFeed(silence), capture, {("track_a", "drums"): (0, 1)})
    player = Player(mixer, feed)
    player.play()
    card = FakeCard(RATE, 256, captured=sound)
    heard = pulled(Engine(player, Desk(player), card, capture=capture), card, 20)
    assert np.abs(heard[:, -256:]).max() > 0.1
    player.close()


def test_pages_of_a_live_mixer_have_no_sound(mixer: djgraph.Mixer, inputs: Any) -> None:
    client = pytest.importorskip("websockets.sync.client")
    pytest.importorskip("uvicorn")
    from websockets.exceptions import ConnectionClosed

    from djgraph.studio.parts import PARTS
    from djgraph.studio.serve import Serving
    from djgraph.studio.session import Session

    session = Session(mixer, MemoryFeed(inputs), parts=PARTS)
    serving = Serving(session, sound=False)
    thread = threading.Thread(target=serving.run)
    thread.start()
    host = f"127.0.0.1:{serving.port}"
    with client.connect(f"ws://{host}/{serving.token}/sound", origin=f"http://{host}") as socket:
        with pytest.raises(ConnectionClosed) as caught:
            socket.recv(timeout=10)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 4002
    serving.stop()
    thread.join(timeout=10)
    session.close()


def test_what_is_shown(mixer: djgraph.Mixer, inputs: Any) -> None:
    player = Player(mixer, MemoryFeed(inputs))
    player.play()
    card = FakeCard(RATE, 256)
    made: list[np.ndarray] = []
    engine = Engine(player, Desk(player), card, sinks=[lambda audio, playing: made.append(audio.copy())])
    player.hands.hold("master.volume", 0.1)  # so that strips are louder than what is heard
    pulled(engine, card, 20)
    status = Status(engine)
    now = status.numbers()
    assert now["playing"]
    assert now["late"] == now["faults"] == 0
    assert now["load_99"] >= now["load"] > 0
    assert now["seconds"] == pytest.approx(engine.made * 256 / RATE)
    text = line(now)
    assert text.startswith("▶ 00:00.1   load ")
    assert "late 0" in text
    assert f"peak {now['peak_dbfs']:+.1f} dBFS" in text
    assert now["peak_dbfs"] == pytest.approx(20 * np.log10(np.abs(np.concatenate(made, 1)).max()))
    assert status.numbers()["peak_dbfs"] is None
    assert player.meters()  # nothing was taken from a page's meters
    player.close()


def test_sinks_are_told_what_is_played_to_the_end_and_channels_go_where_they_are_sent() -> None:
    mixer = djgraph.compile(GRAPH, lowering="causal")
    sound = torch.stack((torch.linspace(0.1, 0.5, 1000), torch.linspace(-0.1, -0.5, 1000)))
    player = Player(mixer, MemoryFeed({"a": sound, "b": 0 * sound}))
    player.play()
    card, told = FakeCard(RATE, 256, outputs=4), list[tuple[np.ndarray, bool]]()
    sinks = [lambda audio, playing: told.append((audio.copy(), playing))]
    heard = pulled(Engine(player, Desk(player), card, to=(2, 0), sinks=sinks), card, 6)
    np.testing.assert_allclose(heard[[2, 0], :1000], sound.numpy(), atol=2e-6)
    assert not heard[[1, 3]].any()
    # The block in which the fade behind the end is over is the last one that was played.
    assert [playing for _, playing in told][:6] == [True] * 5 + [False]
    assert not any(audio.any() for audio, playing in told if not playing)
    player.close()


def test_plays_to_a_card_of_its_own_thread() -> None:
    """How many of its blocks are late is the machine's: none of them is wrong."""
    mixer = djgraph.compile(GRAPH, lowering="causal")
    ramp = torch.arange(RATE * 60, dtype=torch.float32).expand(2, -1) / RATE
    player = Player(mixer, MemoryFeed({"a": ramp, "b": 0 * ramp}))
    player.play()
    card = FakeCard(RATE, 512, keep=True)
    engine = Engine(player, Desk(player), card, ahead=4)
    engine.start()
    until(lambda: engine.made >= 40)
    engine.stop()
    assert engine.error is None
    # What is heard are whole blocks of the clip, in their order; what the machine was too slow for is silence.
    heard = [block[:, 0] for block in card.heard if np.abs(block).max() > 0]
    places = [round(float(block[0]) * RATE / 512) for block in heard]
    assert places == sorted(set(places))
    for place, block in zip(places, heard):
        np.testing.assert_allclose(block, ramp[0, 512 * place :][:512].numpy(), atol=2e-6)
    player.close()
