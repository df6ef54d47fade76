"""A set as an arrangement: its clips lie where its tracks are played, its lanes do what is played."""

from __future__ import annotations

import numpy as np
import pytest

import djgraph
from djgraph.automation import TempoMap
from djgraph.daw.dawproject import write_dawproject
from djgraph.daw.dawproject_read import read_dawproject
from djgraph.daw.reaper import write_reaper
from djgraph.sets.to_daw import arrangement_of
from tests.daw.rpp import parse, source_second

from .plans import RATE, STEMS, two_tracks


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    return two_tracks(tmp_path_factory.mktemp("tracks"))


@pytest.fixture(scope="module")
def mix(plan):
    return arrangement_of(plan)


def test_decks_are_groups_and_stems_are_tracks(mix):
    assert [group.name for group in mix.groups] == ["track_a", "track_b"]
    for group in mix.groups:
        assert [track.name for track in group.tracks] == [f"{group.name}.{stem}" for stem in STEMS]
        assert all(track.channel.to == group.name for track in group.tracks)
        assert [device.type for device in group.channel.devices] == ["reverb", "delay"]
        assert group.channel.to == "master"
        for track in group.tracks:
            kinds = [[band.kind for band in device.bands] for device in track.channel.devices]
            assert kinds == [["lowShelf", "bell", "highShelf"], ["lowPass"], ["highPass"]]
    assert mix.main.name == "master"
    assert mix.buses == ()
    assert [marker.name for marker in mix.markers] == ["1. One", "2. Two", "bass_swap"]
    assert mix.markers[2].ends == 48


def test_clips_lie_where_tracks_are_played(plan, mix):
    for group, track in zip(mix.groups, plan.tracks):
        for line in group.tracks:
            (clip,) = line.clips
            assert (clip.gain, clip.key_lock) == (track.gain, track.key_lock)
            assert clip.file.seconds == track.seconds
            assert clip.begins == pytest.approx(
                max(track.enters, plan.tempo.beat(track.runs[0].mix_second(0)))
            )
            for beat in np.linspace(clip.begins, clip.ends, 200):
                second = clip.second_at(beat)
                assert second == pytest.approx(track.track_second(plan.tempo.seconds(beat)), abs=2.6e-4)
            # The grids do not drift: beats of a track are beats of the mix.
            assert len(clip.warps) <= 4


def _played(plan, name):
    layout = djgraph.ParameterLayout.from_graph(plan.graph)
    frames = plan.automation.render_exact(layout, plan.samples, plan.sample_rate, plan.tempo)
    samples = np.arange(0, plan.samples, 37)
    values = np.interp(samples, frames.positions, frames.params[:, layout.index(name)].double())
    return plan.tempo.beats(samples / plan.sample_rate), values


def test_lanes_do_what_is_played(plan, mix):
    channels = {channel.name: channel for channel in mix.channels()}
    for name in ("track_a.drums", "track_b.vocals"):
        beats, values = _played(plan, f"{name}.gain")
        lane = channels[name].volume
        assert lane.unit == "amplitude"
        assert np.abs(lane.at(beats) - values).max() < 1.1e-3
        assert len(lane.points) < 40
    beats, values = _played(plan, "track_b.bass.eq_low")
    low = channels["track_b.bass"].devices[0].bands[0]
    assert low.frequency.first == 300
    assert low.gain is not None
    jump = np.abs(beats - 40) < 2 / RATE
    wanted = 20 * np.log10(np.maximum(values, 1e-3))
    assert np.abs(low.gain.at(beats) - wanted)[~jump].max() < 0.11
    assert low.gain.at(39.999) == -60
    assert low.gain.at(40.001) == 0
    beats, values = _played(plan, "track_a.other.hpf")
    highpass = channels["track_a.other"].devices[2].bands[0].frequency
    wanted = 20 * 1000**values
    assert np.abs(highpass.at(beats) / wanted - 1).max() < 0.02
    echo = channels["track_a"].devices[1].lanes[0]
    beats, values = _played(plan, "track_a.delay_send")
    assert echo.name == "track_a.delay_send"
    assert np.abs(echo.at(beats) - values).max() < 1.1e-3
    # What does not move is one point.
    assert len(channels["track_b.other"].devices[0].bands[1].gain.points) == 1


def test_a_set_is_a_dawproject(plan, mix, tmp_path):
    write_dawproject(mix, tmp_path / "set.dawproject")
    found = read_dawproject(tmp_path / "set.dawproject")
    assert [clip.name for clip in found.clips()] == [clip.name for clip in mix.clips()]
    assert found.tempo == plan.tempo == TempoMap([(0, 120), (32, 120, "per_beat"), (48, 126)])


def test_beats_of_tracks_are_beats_of_the_projects(plan, mix, tmp_path):
    write_dawproject(mix, tmp_path / "set.dawproject")
    write_reaper(mix, tmp_path / "set.rpp")
    found = read_dawproject(tmp_path / "set.dawproject")
    items = {
        item.one("NAME")[0]: item
        for block in parse((tmp_path / "set.rpp").read_text(encoding="utf-8")).all("TRACK")
        for item in block.all("ITEM")
    }
    for track in plan.tracks:
        clips = [clip for clip in found.clips() if clip.name.startswith(track.title)]
        assert len(clips) == len(STEMS)
        for clip in clips:
            beats = np.array(
                [clip.beat_at(second) for second in track.grid.beats_until(track.seconds).tolist()]
            )
            inside = beats[(beats >= clip.begins) & (beats < clip.ends)]
            assert len(inside) > 40
            late = [found.tempo.seconds(beat) - found.tempo.seconds(round(beat)) for beat in inside.tolist()]
            assert np.abs(late).max() < 2.6e-4
            for beat in range(int(clip.begins) + 1, int(clip.ends) - 1):
                second = source_second(items[clip.name], plan.tempo.seconds(beat))
                own = float(track.grid.beat_at(second))
                assert abs(own - round(own)) * 60 / track.grid.tempo < 3.6e-4
