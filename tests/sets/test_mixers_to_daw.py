"""Every mixer of the examples is an arrangement: what is heard has a channel, and leads to the main one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from effort import few

import djgraph
from djgraph.automation import Automation, TempoMap
from djgraph.daw import Arrangement
from djgraph.daw.dawproject import write_dawproject
from djgraph.daw.dawproject_read import read_dawproject
from djgraph.daw.reaper import write_reaper
from djgraph.sets import SetPlan
from djgraph.sets.to_daw import arrangement_of

from .plans import played

MIXERS = sorted((Path(__file__).parents[2] / "examples" / "mixers").glob("*.yaml"))
TEMPO = TempoMap(124)


def _arrangement(folder: Path, graph: djgraph.graph.Graph) -> Arrangement:
    tracks = []
    for number, (name, stems) in enumerate(graph.inputs.items()):
        names = tuple(stems) if stems else ("audio",)
        track = played(folder, f"track {number}", name, 122.0, 0.0, 16.0, TEMPO, 10.0, names)
        tracks.append(track if stems else dataclasses.replace(track, stems={None: track.stems["audio"]}))
    still = Automation((), tempo=TEMPO)
    return arrangement_of(SetPlan("x", "", graph, TEMPO, tuple(tracks), (), still, 10 * graph.sample_rate))


@pytest.mark.parametrize("path", few(MIXERS, 4), ids=lambda path: path.stem)
def test_every_mixer_is_an_arrangement(tmp_path, path):
    graph = djgraph.load(path)
    mix = _arrangement(tmp_path, graph)
    channels = {channel.name: channel for channel in mix.channels()}
    assert [len(list(group.tracks)) for group in mix.groups] == [len(s or [0]) for s in graph.inputs.values()]
    assert len(list(mix.clips())) == sum(len(stems or [0]) for stems in graph.inputs.values())
    for group in mix.groups:
        for track in group.tracks:
            reached, left = set(), [track.name]
            while left:
                name = left.pop()
                reached.add(name)
                ways = [channels[name].to, *(send.to for send in channels[name].sends)]
                left += [way for way in ways if way and way not in reached]
            # Inputs that only steer, and those that are heard on another output only, may end elsewhere.
            assert mix.main.name in reached or mix.notes
    write_dawproject(mix, tmp_path / "mix.dawproject")
    write_reaper(mix, tmp_path / "mix.rpp")
    found = read_dawproject(tmp_path / "mix.dawproject")
    assert [channel.name for channel in found.channels()] == list(channels)


def test_a_strip_for_a_whole_track_is_its_groups_channel(tmp_path):
    document = {
        "djgraph": 1,
        "name": "small",
        "inputs": [{"name": "left"}, {"name": "right"}],
        "mixer": [
            {
                "strip": "left",
                "input": "left",
                "chain": ["eq3", {"effect": "gain", "id": "fader"}],
                "to": "master",
            },
            {
                "strip": "right",
                "input": "right",
                "chain": ["gain"],
                "sends": [{"to": "room"}],
                "to": "master",
            },
            {"bus": "room", "chain": ["reverb"], "to": "master"},
            {"bus": "master"},
        ],
        "outputs": ["master"],
    }
    graph = djgraph.load(document)
    left, right = (
        played(tmp_path, name, name, 122.0, 0.0, 16.0, TEMPO, 10.0, ("drums", "rest"))
        for name in graph.inputs
    )
    files = tuple(file for several in left.stems.values() for file in several)
    tracks = (
        dataclasses.replace(left, stems={None: files}),
        dataclasses.replace(right, stems={None: files[:1]}),
    )
    mix = arrangement_of(SetPlan("x", "", graph, TEMPO, tracks, (), Automation((), tempo=TEMPO), 441000))
    left, right = mix.groups
    assert left.name == "left"
    assert [track.name for track in left.tracks] == ["left.audio", "left.audio 2"]
    assert [track.channel.to for track in left.tracks] == ["left", "left"]
    assert [device.type for device in left.channel.devices] == ["eq3"]
    assert [track.name for track in right.tracks] == ["right"]
    assert right.tracks[0].channel.sends[0].to == "room"
    assert [bus.name for bus in mix.buses] == ["room"]


def test_further_files_of_a_stem_have_tracks_of_their_own(tmp_path):
    graph = djgraph.load("dj_mixer")
    track = played(tmp_path, "one", "track_a", 122.0, 0.0, 16.0, TEMPO, 10.0)
    (file,) = track.stems["drums"]
    several = dataclasses.replace(track, stems={**track.stems, "drums": (file, track.stems["bass"][0])})
    plan = SetPlan("x", "", graph, TEMPO, (several,), (), Automation((), tempo=TEMPO), 441000)
    (group,) = arrangement_of(plan).groups
    names = [line.name for line in group.tracks]
    assert names == ["track_a.drums", "track_a.drums 2", "track_a.bass", "track_a.vocals", "track_a.other"]
    assert group.tracks[0].channel.devices == group.tracks[1].channel.devices
