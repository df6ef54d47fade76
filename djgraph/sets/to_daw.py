"""A set as an arrangement for DAWs: a group for each deck, a track for each stem, clips warped to the mix's beats."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from djgraph.audio import read_header
from djgraph.daw import Arrangement, AudioFile, Channel, Clip, DawTrack, Group, Marker, Warp
from djgraph.daw.lanes import needed
from djgraph.graph.ir import InputNode
from djgraph.sets.channels import Channels
from djgraph.sets.courses import Courses, ramp_seconds
from djgraph.sets.plan import PlayedTrack, Run, SetPlan

NEAR = 2.5e-4
"""Seconds by which a file's place between two warp markers may differ from what is played. It is the same for all stems
of a track, and an eighth of what is heard between two kicks; with less, a tempo ramp would need markers between beats
wherever a deck's own speed is constant from beat to beat."""
_SHORTEST = 1e-6
"""Beats of a clip at least."""
NOWHERE = "?"
"""What a track feeds for which the graph has no strip, until its group is there."""
COLOURS = (
    "#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#b07aa1", "#76b7b2", "#edc948", "#ff9da7", "#9c755f", "#7f7f7f",
)  # fmt: skip
"""Of tracks of the set, one after another."""
DECKS = ("#3b6ea8", "#c4622d", "#4c8c4a", "#8a5aa0")
"""Of decks."""


def arrangement_of(plan: SetPlan) -> Arrangement:
    """A set for DAWs.

    Each input of the graph that plays something is a group, each stem of it a track in there with the strip that it
    goes through as its channel; what the strips of one input feed is the group's channel where it is theirs alone. All
    other buses are channels of their own. Controls are lanes: see :class:`djgraph.sets.courses.Courses` for how near.

    Raises AudioFileError for files that cannot be read, and AutomationError for an automation that does not fit.
    """
    courses = Courses(plan)
    channels = Channels(plan.graph, courses)
    maker = _Maker(plan, channels)
    groups = tuple(
        maker.group(name) for name in plan.graph.inputs if any(t.input == name for t in plan.tracks)
    )
    main, buses = maker.rest()
    return Arrangement(
        name=plan.title or plan.name,
        tempo=plan.tempo,
        beats=plan.tempo.beat(plan.seconds),
        groups=groups,
        main=main,
        buses=buses,
        markers=tuple(_markers(plan)),
        meter=plan.tracks[0].grid.meter,
        sample_rate=plan.sample_rate,
        notes=tuple(channels.notes),
    )


class _Maker:
    def __init__(self, plan: SetPlan, channels: Channels) -> None:
        self._plan, self._channels = plan, channels
        self._used: set[str] = set()
        """Strips and buses that are channels of tracks or groups."""
        self._names = set(channels.by_name)
        self._main = channels.main
        if self._main in channels.by_name and self._reads(self._main) & set(self._inputs()):
            self._main = self._name("main output")  # behind a strip that is a deck's own
            strip = channels.by_name[channels.main]
            channels.by_name[channels.main] = dataclasses.replace(strip, to=self._main)
        elif self._main not in channels.by_name:
            self._main = self._name("main output")

    def group(self, deck: str) -> Group:
        """The tracks of one input."""
        played = [track for track in self._plan.tracks if track.input == deck]
        nodes = [
            node for node in self._plan.graph.nodes if isinstance(node, InputNode) and node.input == deck
        ]
        strips = {node.stem: self._strip(node.id) for node in nodes}
        own = [name for name in strips.values() if name is not None]
        around = self._around(set(own) if len(own) == len(nodes) and own else {node.id for node in nodes})
        if around is None and len(own) == 1 and len(nodes) == 1 and self._several(played):
            around, strips = own[0], dict.fromkeys(strips)  # several files, and one strip for their sum
        tracks: list[DawTrack] = []
        for stem, strip in strips.items():
            for number in range(max((len(track.stems.get(stem, ())) for track in played), default=0)):
                tracks.append(self._track(deck, stem, strip, number, played))
        if around is not None:
            self._used.add(around)
            channel = self._channels.by_name[around]
        else:  # a folder, through which goes what all of its tracks feed
            targets = {track.channel.to for track in tracks}
            to = targets.pop() if len(targets) == 1 else ""
            channel = self._channels.plain(self._name(deck), self._main if to == NOWHERE else to)
            if to:
                tracks = [_to(track, channel.name) for track in tracks]
        tracks = [_to(track, channel.name) if track.channel.to == NOWHERE else track for track in tracks]
        colour = DECKS[list(self._plan.graph.inputs).index(deck) % len(DECKS)]
        return Group(channel, tuple(tracks), colour)

    def rest(self) -> tuple[Channel, tuple[Channel, ...]]:
        """The main channel, and all that no group has."""
        found = [channel for name, channel in self._channels.by_name.items() if name not in self._used]
        main = next((channel for channel in found if channel.name == self._main), None)
        buses = tuple(channel for channel in found if channel is not main)
        return main or self._channels.plain(self._main, ""), buses

    def _inputs(self) -> list[str]:
        return [node.id for node in self._plan.graph.nodes if isinstance(node, InputNode)]

    def _reads(self, name: str) -> set[str]:
        """What a strip or bus reads: strips, buses, and ids of inputs, also those that are added up in front of it."""
        sources = {
            link.source
            for link in self._channels.links
            if link.target == name and link.kind in ("input", "to")
        }
        found: set[str] = set()
        for source in sources:
            node = self._plan.graph.by_id.get(source)
            if source in self._channels.by_name or node is None or isinstance(node, InputNode):
                found.add(source)
            else:
                found |= {point.node for point in getattr(node, "sources", ())}
        return found

    def _strip(self, node: str) -> str | None:
        """The strip that reads an input alone, where nothing else reads it."""
        readers = [name for name in self._channels.by_name if node in self._reads(name)]
        return readers[0] if len(readers) == 1 and self._reads(readers[0]) == {node} else None

    def _around(self, names: set[str]) -> str | None:
        """The strip or bus that reads these and nothing else."""
        for name in self._channels.by_name:
            if name != self._main and name not in names and self._reads(name) == names:
                return name
        return None

    def _several(self, played: Sequence[PlayedTrack]) -> bool:
        return any(len(files) > 1 for track in played for files in track.stems.values())

    def _track(
        self, deck: str, stem: str | None, strip: str | None, number: int, played: Sequence[PlayedTrack]
    ) -> DawTrack:
        clips: list[Clip] = []
        for track in played:
            files = track.stems.get(stem, ())
            if number < len(files):
                clips += self._clips(track, stem, files[number])
        if strip is None:
            name = self._name(f"{deck}.{stem or 'audio'}" + (f" {number + 1}" if number else ""))
            return DawTrack(self._channels.plain(name, NOWHERE), tuple(clips))
        self._used.add(strip)
        channel = self._channels.by_name[strip]
        if number:  # a further file of the stem goes through a strip of its own, like the first
            channel = dataclasses.replace(channel, name=self._name(f"{strip} {number + 1}"))
        return DawTrack(channel, tuple(clips))

    def _name(self, wanted: str) -> str:
        """A name that no channel has."""
        name, number = wanted, 2
        while name in self._names:
            name, number = f"{wanted} {number}", number + 1
        self._names.add(name)
        return name

    def _clips(self, track: PlayedTrack, stem: str | None, path: Path) -> Iterator[Clip]:
        """A file as it is played: in one clip, or in as many as loops and jumps cut it into."""
        plan = self._plan
        header = read_header(path)
        seconds = header.samples / header.sample_rate
        for run in track.runs:
            begins, ends = plan.heard(track, run)
            begins, ends = max(begins, run.mix_second(0.0)), min(ends, run.mix_second(seconds))
            first, last = plan.tempo.beat(begins), plan.tempo.beat(ends)
            if last - first < _SHORTEST:
                continue
            yield Clip(
                name=track.title if stem is None else f"{track.title} · {stem}",
                file=AudioFile(path, seconds, header.sample_rate, header.channels),
                begins=first,
                ends=last,
                warps=warps_of(plan, run, begins, ends),
                gain=track.gain,
                key_lock=track.key_lock,
                colour=COLOURS[plan.tracks.index(track) % len(COLOURS)],
            )


def warps_of(plan: SetPlan, run: Run, begins: float, ends: float) -> tuple[Warp, ...]:
    """Where the beats of the mix lie in a run of a track between two seconds of the mix: as few markers as come within
    :data:`NEAR` of what is played."""
    inner = [second for second, _ in run.markers if begins < second < ends]
    places = np.array(sorted({begins, ends, *inner, *ramp_seconds(plan.tempo, begins, ends)}))
    beats = plan.tempo.beats(places)
    seconds = np.array([run.track_second(place) for place in places.tolist()])
    return tuple(Warp(float(beats[i]), float(seconds[i])) for i in needed(beats, seconds, NEAR))


def _to(track: DawTrack, name: str) -> DawTrack:
    return dataclasses.replace(track, channel=dataclasses.replace(track.channel, to=name))


def _markers(plan: SetPlan) -> list[Marker]:
    found = [
        Marker(f"{number}. {track.title}", max(0.0, track.enters))
        for number, track in enumerate(plan.tracks, 1)
    ]
    for transition in plan.transitions:
        ends = transition.end if transition.length else None
        found.append(Marker(transition.recipe, transition.begin, ends))
    return sorted(found, key=lambda marker: marker.beat)
