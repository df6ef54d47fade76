"""Arrangements as DAWproject, the open format of Bitwig, PreSonus and Steinberg: a ZIP of project.xml, metadata.xml
and, if wanted, the audio. Format 1.0, https://github.com/bitwig/dawproject."""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from djgraph.atomic import atomic_writer
from djgraph.daw.arrangement import Arrangement, AudioFile, Band, Channel, Clip, Device, Marker, ramped
from djgraph.daw.lanes import Lane, LanePoint
from djgraph.daw.paths import embedded_names, referred
from djgraph.errors import InputError
from djgraph.regular import NotRegular, open_regular
from djgraph.text import one_line
from djgraph.version import __version__

UNITS = {
    "amplitude": "linear",
    "dB": "decibel",
    "Hz": "hertz",
    "s": "seconds",
    "beats": "beats",
    "semitones": "semitones",
    "BPM": "bpm",
}
"""Units of lanes → those of the format. Values in all others stay as they are, as ``linear``; the parameter's comment
names the unit."""
TEMPOS = (20.0, 999.0)
"""BPM that a tempo parameter is said to have at least and at most, unless the mix has more."""
LOUDEST = 2.0
"""What faders are said to have at most, unless they have more: +6 dB, as in Bitwig's own files."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The date of all that is in the ZIP, so that one arrangement is always the same file."""


def write_dawproject(
    arrangement: Arrangement, path: str | os.PathLike[str], embed: bool = False, title: str = ""
) -> None:
    """Write a ``.dawproject`` file.

    embed: put the audio files into it, so that it can be moved and sent; else it refers to them where they are. Gains
    of clips, for which the format has no place that programs agree on, go into the volumes of tracks. Raises InputError
    for audio files that are not there, and for names of files that XML cannot hold, and DJGraphError where the file
    cannot be written.
    """
    places = embedded_names(arrangement.files()) if embed else referred(arrangement.files(), path)
    project = document(arrangement.with_gains_as_volume(), places, external=not embed)
    about = Element("MetaData")
    SubElement(about, "Title").text = _shown(title or arrangement.name)
    SubElement(about, "Comment").text = _shown("\n".join((f"djgraph {__version__}", *arrangement.notes)))
    with atomic_writer(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, root in (("project.xml", project), ("metadata.xml", about)):
            indent(root)
            archive.writestr(
                _entry(name, zipfile.ZIP_DEFLATED), tostring(root, "utf-8", xml_declaration=True)
            )
        for source, name in places.items() if embed else ():
            _embed(archive, source, name)


def _entry(name: str, method: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type, entry.external_attr = method, 0o644 << 16
    return entry


def _embed(archive: zipfile.ZipFile, source: Path, name: str) -> None:
    try:
        audio = open_regular(source)
    except (OSError, NotRegular) as problem:
        raise InputError(
            f"{source} cannot be read: {getattr(problem, 'strerror', None) or problem}"
        ) from problem
    # Audio hardly gets smaller by deflating, and some formats not at all.
    with audio, archive.open(_entry(name, zipfile.ZIP_STORED), "w", force_zip64=True) as target:
        shutil.copyfileobj(audio, target, 1 << 20)


def document(arrangement: Arrangement, places: dict[Path, str], external: bool) -> Element:
    """``project.xml`` of an arrangement. places: how it names each audio file."""
    return _Writer(arrangement, places, external).project()


class _Writer:
    def __init__(self, arrangement: Arrangement, places: dict[Path, str], external: bool) -> None:
        self._mix, self._places, self._external = arrangement, places, external
        self._ids = 0
        self._channels: dict[str, str] = {}
        """Channel → its id."""
        self._moving: dict[str, list[tuple[str, Lane]]] = {}
        """Channel → the ids of parameters that move, and how."""

    def project(self) -> Element:
        mix = self._mix
        root = Element("Project", version="1.0")
        SubElement(root, "Application", name="djgraph", version=__version__)
        tempo = self._transport(SubElement(root, "Transport"))
        for channel in mix.channels():
            self._channels[channel.name] = self._id()
        tracks = self._structure(SubElement(root, "Structure"))
        arrangement = SubElement(root, "Arrangement", id=self._id())
        lanes = SubElement(arrangement, "Lanes", id=self._id(), timeUnit="beats")
        clips = {track.name: track.clips for group in mix.groups for track in group.tracks}
        for name, track in tracks.items():
            own = SubElement(lanes, "Lanes", id=self._id(), track=track)
            if name in clips:
                within = SubElement(own, "Clips", id=self._id())
                for clip in sorted(clips[name], key=lambda clip: clip.begins):
                    self._clip(within, clip)
            for parameter, lane in self._moving.get(name, ()):
                self._points(own, "Points", parameter, UNITS.get(lane.unit, "linear"), lane.points)
        if mix.markers:
            self._markers(SubElement(arrangement, "Markers", id=self._id()), mix.markers)
        points = [
            LanePoint(b, bpm, "hold" if r == "hold" else "linear")
            for b, bpm, r in ramped(mix.tempo, "per_beat")
        ]
        if len(points) > 1:
            self._points(arrangement, "TempoAutomation", tempo, "bpm", points)
        return root

    def _id(self) -> str:
        self._ids += 1
        return f"id{self._ids}"

    def _transport(self, transport: Element) -> str:
        bpm = [bpm for _, bpm in self._mix.tempo.points]
        name = self._id()
        SubElement(
            transport, "Tempo", id=name, name="Tempo", unit="bpm", value=_number(bpm[0]),
            min=_number(min(TEMPOS[0], *bpm)), max=_number(max(TEMPOS[1], *bpm)),
        )  # fmt: skip
        SubElement(transport, "TimeSignature", id=self._id(), numerator=str(self._mix.meter), denominator="4")
        return name

    def _structure(self, structure: Element) -> dict[str, str]:
        """The tracks of DAWs, and which id each has, by its channel's name."""
        mix = self._mix
        tracks: dict[str, str] = {}

        def add(parent: Element, channel: Channel, content: str, role: str, colour: str = "") -> Element:
            tracks[channel.name] = self._id()
            track = SubElement(
                parent, "Track", id=tracks[channel.name], name=_shown(channel.name), contentType=content, loaded="true"
            )  # fmt: skip
            if colour:
                track.set("color", colour)
            self._channel(track, channel, role)
            return track

        for group in mix.groups:
            around = add(structure, group.channel, "tracks", "submix", group.colour)
            for inner in group.tracks:
                add(around, inner.channel, "audio", "regular", group.colour)
        for bus in mix.buses:
            fed = any(channel.to == bus.name for channel in mix.channels() if channel is not mix.main)
            add(structure, bus, "audio", "submix" if fed else "effect")
        add(structure, mix.main, "audio", "master")
        return tracks

    def _channel(self, track: Element, channel: Channel, role: str) -> None:
        element = SubElement(
            track, "Channel", id=self._channels[channel.name], name=_shown(channel.name), role=role, audioChannels="2",
            solo="false",
        )  # fmt: skip
        if role != "master" and channel.to:
            element.set("destination", self._channels[channel.to])
        if channel.devices:
            devices = SubElement(element, "Devices")
            for device in channel.devices:
                self._device(devices, device, channel.name)
        SubElement(element, "Mute", id=self._id(), name="Mute", value="false")
        SubElement(
            element, "Pan", id=self._id(), name="Pan", unit="normalized", value="0.5", min="0", max="1"
        )
        if channel.sends:
            sends = SubElement(element, "Sends")
            for send in channel.sends:
                way = SubElement(
                    sends, "Send", id=self._id(), name=_shown(send.to), destination=self._channels[send.to],
                    type="pre" if send.pre else "post",
                )  # fmt: skip
                self._parameter(way, "Volume", send.level, channel.name, LOUDEST)
        self._parameter(element, "Volume", channel.volume, channel.name, LOUDEST, "Volume")

    def _device(self, parent: Element, device: Device, channel: str) -> None:
        tag = "Equalizer" if device.bands else "BuiltinDevice"
        element = SubElement(
            parent, tag, id=self._id(), name=_shown(device.name), deviceName=_shown(device.type), deviceRole="audioFX",
            deviceVendor="djgraph", loaded="true",
        )  # fmt: skip
        if device.lanes:
            parameters = SubElement(element, "Parameters")
            for number, lane in enumerate(device.lanes):
                self._parameter(parameters, "RealParameter", lane, channel).set("parameterID", str(number))
        SubElement(element, "Enabled", id=self._id(), name="On/Off", value="true")
        for number, band in enumerate(device.bands):
            self._band(element, band, number, channel)

    def _band(self, parent: Element, band: Band, number: int, channel: str) -> None:
        element = SubElement(parent, "Band", type=band.kind, order=str(number))
        self._parameter(element, "Freq", band.frequency, channel)
        if band.gain is not None:
            self._parameter(element, "Gain", band.gain, channel)
        SubElement(element, "Enabled", id=self._id(), value="true")

    def _parameter(
        self, parent: Element, tag: str, lane: Lane, channel: str, most: float | None = None, name: str = ""
    ) -> Element:
        high = lane.high if most is None else max(lane.high, most)
        element = SubElement(
            parent, tag, id=self._id(), name=_shown(name or lane.name), unit=UNITS.get(lane.unit, "linear"),
            value=_number(lane.first), min=_number(lane.low), max=_number(high),
        )  # fmt: skip
        if lane.unit not in UNITS:
            element.set("comment", f"in {lane.unit}")
        elif name:
            element.set("comment", _shown(lane.name))
        if lane.moves:
            self._moving.setdefault(channel, []).append((element.get("id", ""), lane))
        return element

    def _points(
        self, parent: Element, tag: str, parameter: str, unit: str, points: Sequence[LanePoint]
    ) -> None:
        element = SubElement(parent, tag, id=self._id(), timeUnit="beats", unit=unit)
        SubElement(element, "Target", parameter=parameter)
        for point in points:
            SubElement(
                element, "RealPoint", time=_number(point.beat), value=_number(point.value), interpolation=point.shape
            )  # fmt: skip

    def _clip(self, parent: Element, clip: Clip) -> None:
        """The clip's own time begins where its file does, so that its warp markers are those of the file."""
        start = clip.beat_at(0.0)
        element = SubElement(
            parent, "Clip", name=_shown(clip.name), time=_number(clip.begins),
            duration=_number(clip.ends - clip.begins), contentTimeUnit="beats",
            playStart=_number(clip.begins - start), fadeTimeUnit="beats", fadeInTime="0", fadeOutTime="0",
        )  # fmt: skip
        if clip.colour:
            element.set("color", clip.colour)
        warps = SubElement(element, "Warps", id=self._id(), timeUnit="beats", contentTimeUnit="seconds")
        self._audio(warps, clip.file, clip.key_lock)
        for beat, second in _markers_of(clip):
            SubElement(warps, "Warp", time=_number(beat - start), contentTime=_number(second))

    def _audio(self, parent: Element, file: AudioFile, key_lock: bool) -> None:
        audio = SubElement(
            parent, "Audio", id=self._id(), algorithm="stretch" if key_lock else "repitch", channels=str(file.channels),
            duration=_number(file.seconds), sampleRate=str(file.sample_rate), timeUnit="seconds",
        )  # fmt: skip
        within = SubElement(audio, "File", path=self._places[file.path])
        if self._external:
            within.set("external", "true")

    def _markers(self, parent: Element, markers: Sequence[Marker]) -> None:
        for marker in sorted(markers, key=lambda marker: marker.beat):
            element = SubElement(parent, "Marker", name=_shown(marker.name), time=_number(marker.beat))
            if marker.ends is not None:
                element.set("comment", f"until beat {_number(marker.ends)}")


def _markers_of(clip: Clip) -> Iterator[tuple[float, float]]:
    """Warp markers of the whole file, its first and its last sample among them."""
    yield clip.beat_at(0.0), 0.0
    for warp in clip.warps:
        if 1e-9 < warp.seconds < clip.file.seconds - 1e-9:
            yield warp.beat, warp.seconds
    yield clip.beat_at(clip.file.seconds), clip.file.seconds


def _number(value: float) -> str:
    """Nine digits behind the point: a thousandth of a sample of any beat."""
    text = f"{value:.9f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _shown(text: str) -> str:
    """As XML may hold it: what it may not is escaped as in all messages."""
    return "\n".join(_NOT_XML.sub("?", one_line(line)) for line in text.split("\n"))
