"""What was played, kept: audio sample by sample, controls so that the renderer plays the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playing.clips import mixed, tracks

import djgraph
from djgraph.errors import AudioFileError
from djgraph.live import Desk
from djgraph.live.recording import ControlRecorder, Recorder, changes, corners
from djgraph.playing import Course, Hands, MemoryFeed, Player

RATE, SAMPLES = 44100, 16_000


@pytest.fixture(scope="module")
def inputs(mixer: djgraph.Mixer) -> dict[str, Any]:
    return tracks(mixer.graph, SAMPLES, seed=2)


def test_what_hands_play_renders_to_the_same_samples(
    mixer: djgraph.Mixer, inputs: Any, tmp_path: Path
) -> None:
    auto = djgraph.automation.load("bass_swap", start="0.05s", length="0.2s")
    frames = auto.render_exact(mixer, samples=SAMPLES, sample_rate=RATE, tempo=128)
    player = Player(mixer, MemoryFeed(inputs), Course(mixer.layout, frames.params, frames.positions))
    controls, desk = ControlRecorder(player), Desk(player)
    player.play()
    heard = []
    for block in range(SAMPLES // 128):
        if block % 7 == 0:
            desk.put("track_a.drums.hpf", 0.5 + 0.4 * np.sin(block))
            desk.put("track_b.vocals.gain", 0.5 + 0.4 * np.cos(block))
        if block == 60:
            desk.release("track_b.vocals.gain")
        desk.drain()
        audio, _ = player.block(128)
        heard.append(audio.copy())
        controls.count(audio, True)
    player.close()
    played = np.concatenate(heard, 1)
    controls.automation(RATE).save(tmp_path / "played.yaml")
    again = djgraph.automation.load(tmp_path / "played.yaml")
    told = again.render_exact(mixer, samples=SAMPLES, sample_rate=RATE)
    whole = mixed(mixer, inputs, told.params, told.positions)
    # Smoothing looks ahead: at its end a clip knows nothing of what would have been played next.
    last = played.shape[1] - mixer.stream().latency
    np.testing.assert_allclose(played[:, :last], whole[:, :last], atol=5e-6)
    points = sum(len(curve.points) for curve in again.every_curve())
    assert points < SAMPLES / 512 * len(mixer.layout) / 2  # thinned


def test_thinned_lines_pass_all_points() -> None:
    rng = np.random.default_rng(0)
    knots = np.sort(rng.choice(np.arange(1, 2000), 30, replace=False))
    values = rng.uniform(-1, 1, 30)
    places = np.arange(knots[0], knots[-1] + 1)
    line = np.interp(places, knots, values)
    kept = corners(list(zip(places.tolist(), line.tolist())))
    x, y = zip(*kept)
    assert len(kept) <= 2 * len(knots)
    np.testing.assert_allclose(np.interp(places, x, y), line, atol=1e-6)
    assert corners([(0, 1.0), (5, 1.0), (9, 1.0)]) == [(0, 1.0)]
    assert changes([(0, 1.0), (5, 1.0), (9, 2.0), (12, 2.0)]) == [(0, 1.0), (9, 2.0)]


def test_stops_take_no_time_of_the_recording(mixer: djgraph.Mixer, inputs: Any) -> None:
    player = Player(mixer, MemoryFeed(inputs))
    controls, desk = ControlRecorder(player), Desk(player)
    for gain, begin in ((0.25, 0), (0.75, 3000)):
        desk.turn("track_a.drums.gain", gain)
        desk.drain()
        player.seek(begin)
        player.play()
        for _ in range(5):
            controls.count(*_count(player))
        player.stop()
        for _ in range(5):
            controls.count(*_count(player))
    auto = controls.automation(RATE)
    frames = auto.render_exact(mixer, samples=controls.samples, sample_rate=RATE)
    course = Course(mixer.layout, frames.params, frames.positions)
    index = mixer.layout.index("track_a.drums.gain")
    assert controls.samples == 2 * 5 * 512
    assert [course.row(at)[index] for at in (0, 2559, 2560, 5119)] == pytest.approx([0.25, 0.25, 0.75, 0.75])
    player.close()


def _count(player: Player) -> tuple[np.ndarray, bool]:
    audio, _ = player.block(512)
    return audio, player.transport.playing


def test_loops_are_unrolled(mixer: djgraph.Mixer, inputs: Any) -> None:
    """A recording of a loop plays on material that is unrolled what was heard."""
    player = Player(mixer, MemoryFeed(inputs))
    controls, desk = ControlRecorder(player), Desk(player)
    player.loop((1000, 5000))
    player.play()
    heard = []
    for block in range(90):
        desk.turn("track_a.drums.gain", 1 - block / 90)
        desk.drain()
        audio, _ = player.block(128)
        heard.append(audio.copy())
        controls.count(audio, True)
    player.close()
    auto = controls.automation(RATE)
    frames = auto.render_exact(mixer, samples=controls.samples, sample_rate=RATE)
    row = Course(mixer.layout, frames.params, frames.positions).row
    index = mixer.layout.index("track_a.drums.gain")
    for block in (5, 40, 80):
        assert row(128 * block + 127)[index] == pytest.approx(1 - block / 90, abs=0.02)


def test_a_clip_that_ends_is_recorded_to_its_end(mixer: djgraph.Mixer, inputs: Any) -> None:
    player = Player(mixer, MemoryFeed(inputs))
    controls, desk = ControlRecorder(player), Desk(player)
    player.seek(SAMPLES - 4 * 512 - 300)
    player.play()
    for value in (0.75, 0.75, 0.75, 0.75, 0.25, 0.25):
        desk.turn("track_a.drums.gain", value)
        desk.drain()
        audio, _ = player.block(512)
        controls.count(audio, player.sounding or value == 0.25)
    assert not player.sounding
    frames = controls.automation(RATE).render_exact(mixer, samples=4 * 512 + 300, sample_rate=RATE)
    row = Course(mixer.layout, frames.params, frames.positions).row
    index = mixer.layout.index("track_a.drums.gain")
    # The last block is a part of it, and what was moved in it; what the stream had read before was heard as it was.
    assert row(4 * 512)[index] == pytest.approx(0.75)
    assert row(4 * 512 + 299)[index] == pytest.approx(0.25)
    player.close()


def test_another_mixer_takes_over(mixer: djgraph.Mixer, inputs: Any) -> None:
    """What its hands play is recorded, too."""
    player = Player(mixer, MemoryFeed(inputs))
    controls, desk = ControlRecorder(player), Desk(player)
    player.play()

    def play(blocks: int) -> None:
        for _ in range(blocks):
            controls.count(*_count(player))

    desk.turn("track_a.drums.gain", 0.5)
    desk.drain()
    play(5)
    player.take_over(mixer, player.course, Hands(mixer.layout))
    play(5)
    desk.turn("track_a.drums.gain", 0.25)
    desk.drain()
    play(5)
    player.close()
    assert controls.samples == 15 * 512
    auto = controls.automation(RATE)
    frames = auto.render_exact(mixer, samples=controls.samples, sample_rate=RATE)
    row = Course(mixer.layout, frames.params, frames.positions).row
    index = mixer.layout.index("track_a.drums.gain")
    assert [row(512 * block)[index] for block in (3, 9, 14)] == pytest.approx([0.5, 1.0, 0.25])


def test_the_file_holds_every_block(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "out.flac", RATE, 2)
    rng = np.random.default_rng(1)
    blocks = [rng.uniform(-0.5, 0.5, (2, 256)).astype(np.float32) for _ in range(300)]
    for block in blocks:
        recorder(block, True)
        recorder(block, False)  # not played
    assert not (tmp_path / "out.flac").exists()
    recorder.close()
    audio, rate = djgraph.audio.read(tmp_path / "out.flac")
    assert rate == RATE
    np.testing.assert_allclose(audio.numpy(), np.concatenate(blocks, 1), atol=2**-15)


def test_nothing_played_is_no_file(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "out.flac", RATE, 2)
    recorder.close()
    assert list(tmp_path.iterdir()) == []


def test_another_number_of_channels_is_fitted(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "out.wav", RATE, 2)
    for channels in (2, 1, 4):
        recorder(np.full((channels, 100), 0.5, np.float32), True)
    recorder.close()
    audio = djgraph.audio.read(tmp_path / "out.wav")[0]
    assert audio.shape == (2, 300)
    assert audio[0].min() > 0.49
    assert audio[1, 100:200].abs().max() == 0


def test_a_file_that_cannot_be_is_told(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "nowhere" / "out.flac", RATE, 2)
    recorder(np.zeros((2, 64), np.float32), True)
    with pytest.raises(AudioFileError):
        recorder.close()


def test_a_wav_that_is_full_goes_on_in_another(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "out.wav", RATE, 2)
    recorder._most = 1000
    for index in range(5):
        recorder(np.full((2, 400), index / 10, np.float32), True)
    recorder.close()
    assert [path.name for path in recorder.written] == ["out.wav", "out-2.wav", "out-3.wav"]
    lengths = [djgraph.audio.read(path)[0].shape[1] for path in recorder.written]
    assert lengths == [800, 800, 400]
