"""Arrangements read back from DAWproject files: djgraph's own, and others' as far as an arrangement holds them."""

from __future__ import annotations

import os
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, fromstring

from djgraph.automation import TempoMap
from djgraph.daw.arrangement import (
    Arrangement,
    AudioFile,
    Band,
    Channel,
    Clip,
    DawTrack,
    Device,
    Group,
    Marker,
    Send,
    Warp,
)
from djgraph.daw.dawproject import UNITS
from djgraph.daw.lanes import Lane, LanePoint
from djgraph.errors import InputError
from djgraph.reading import MIB
from djgraph.regular import NotRegular, open_regular

LARGEST = 64 * MIB
"""Bytes of ``project.xml``, unpacked."""
ENTRIES = 10_000
"""Files in the ZIP."""
DEPTH = 32
"""How deep elements may lie in one another."""
_FROM = {name: unit for unit, name in UNITS.items()}


def read_dawproject(path: str | os.PathLike[str]) -> Arrangement:
    """The arrangement of a ``.dawproject`` file: tempo, groups, tracks, channels, clips with one warped audio file
    each, automation, markers. Times have to be in beats.

    Files of audio are named as the project names them, those within it as ``FILE.dawproject/audio/…``; none is
    unpacked.
    Raises InputError for what is no such file: too large, with document types or entities, of another encoding, or
    without what an arrangement needs.
    """
    return _Reader(_xml(path), str(path)).arrangement()


def _xml(path: str | os.PathLike[str]) -> Element:
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            if len(archive.infolist()) > ENTRIES:
                raise InputError(f"{path} holds more than {ENTRIES} files")
            with archive.open("project.xml") as entry:
                content = entry.read(LARGEST + 1)
    except KeyError:
        raise InputError(f"{path} holds no project.xml, so it is no DAWproject file") from None
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as problem:
        raise InputError(f"{path} is no DAWproject file: {problem}") from None
    except (OSError, NotRegular) as problem:
        raise InputError(f"{path} cannot be read: {getattr(problem, 'strerror', None) or problem}") from None
    if len(content) > LARGEST:
        raise InputError(f"{path}: project.xml is larger than {LARGEST // MIB} MiB")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path}: project.xml is no UTF-8 text") from None
    if re.search(r"<!\s*(DOCTYPE|ENTITY)", text, re.IGNORECASE):  # entities can only be declared there
        raise InputError(f"{path}: project.xml declares a document type, which no DAWproject file has")
    try:
        root = fromstring(text)
    except (ParseError, ValueError) as problem:
        raise InputError(f"{path}: project.xml is no XML: {problem}") from None
    if _deeper(root, DEPTH):
        raise InputError(f"{path}: project.xml nests more than {DEPTH} deep")
    if root.tag != "Project":
        raise InputError(f"{path}: project.xml holds a {root.tag!r}, not a Project")
    return root


def _deeper(root: Element, depth: int) -> bool:
    level = [root]
    for _ in range(depth):
        level = [child for element in level for child in element]
    return bool(level)


class _Reader:
    def __init__(self, root: Element, path: str) -> None:
        self._root, self._path = root, path
        self._by_id: dict[str, Element] = {}
        for element in root.iter():
            name = element.get("id")
            if name is not None and self._by_id.setdefault(name, element) is not element:
                raise self._wrong(element, f"id {name!r} is given twice")
        self._points: dict[str, tuple[LanePoint, ...]] = {}
        for points in root.iter("Points"):
            target = self._one(points, "Target").get("parameter")
            if target is not None:
                self._points[target] = self._breakpoints(points)
        self._names: dict[str, str] = {}
        """Id of a channel → its name."""
        self._clips: dict[str, list[Clip]] = {}
        """Id of a track → what lies on it."""

    def arrangement(self) -> Arrangement:
        structure = self._root.find("Structure")
        tracks = [] if structure is None else structure.findall("Track")
        for track in self._root.iter("Track"):
            channel = self._one(track, "Channel")
            self._names[channel.get("id", "")] = track.get("name", "")
        lanes = self._root.find("Arrangement/Lanes")
        for own in [] if lanes is None else lanes.findall("Lanes"):
            found = [self._clip(clip) for clip in own.findall("Clips/Clip")]
            self._clips.setdefault(own.get("track", ""), []).extend(found)
        groups = tuple(self._group(track) for track in tracks if track.find("Track") is not None)
        rest = [track for track in tracks if track.find("Track") is None]
        mains = [track for track in rest if self._one(track, "Channel").get("role") == "master"]
        if len(mains) != 1:
            raise InputError(f"{self._path} has {len(mains)} master channels; expected one")
        markers = tuple(self._marker(marker) for marker in self._root.findall("Arrangement/Markers/Marker"))
        ends = [clip.ends for clips in self._clips.values() for clip in clips]
        return Arrangement(
            name=Path(self._path).stem,
            tempo=self._tempo(),
            beats=max(ends, default=0.0),
            groups=groups,
            main=self._channel(mains[0]),
            buses=tuple(self._channel(track) for track in rest if track is not mains[0]),
            markers=markers,
            meter=self._meter(),
        )

    def _wrong(self, element: Element, what: str) -> InputError:
        return InputError(f"{self._path}: {element.tag} in project.xml: {what}")

    def _one(self, element: Element, tag: str) -> Element:
        found = element.find(tag)
        if found is None:
            raise self._wrong(element, f"it has no {tag}")
        return found

    def _number(self, element: Element, name: str, default: float | None = None) -> float:
        text = element.get(name)
        if text is None and default is not None:
            return default
        try:
            value = float(text or "")
        except ValueError:
            raise self._wrong(element, f"{name} is {text!r}, no number") from None
        if not abs(value) < 1e12:
            raise self._wrong(element, f"{name} is {text}, too large")
        return value

    def _tempo(self) -> TempoMap:
        tempo = self._root.find("Transport/Tempo")
        bpm = 120.0 if tempo is None else self._number(tempo, "value", 120.0)
        automation = self._root.find("Arrangement/TempoAutomation")
        points = () if automation is None else self._breakpoints(automation)
        if not points:
            return TempoMap(bpm)
        return TempoMap(
            [(point.beat, point.value, "per_beat" if point.shape == "linear" else "hold") for point in points]
        )

    def _meter(self) -> int:
        meter = self._root.find("Transport/TimeSignature")
        return 4 if meter is None else int(self._number(meter, "numerator", 4))

    def _breakpoints(self, points: Element) -> tuple[LanePoint, ...]:
        found = []
        for point in points.findall("RealPoint"):
            shape = point.get("interpolation", "hold")
            if shape not in ("hold", "linear"):
                raise self._wrong(point, f"interpolation is {shape!r}")
            found.append(LanePoint(self._number(point, "time"), self._number(point, "value"), shape))
        return tuple(found)

    def _group(self, track: Element) -> Group:
        inner = tuple(
            DawTrack(self._channel(one), tuple(self._clips.get(one.get("id", ""), ())))
            for one in track.findall("Track")
        )
        return Group(self._channel(track), inner, track.get("color", ""))

    def _channel(self, track: Element) -> Channel:
        channel = self._one(track, "Channel")
        to = channel.get("destination")
        devices = channel.find("Devices")
        sends = tuple(
            Send(
                self._name_of(send),
                self._lane(self._one(send, "Volume"), "amplitude"),
                send.get("type", "post") == "pre",
            )
            for send in channel.findall("Sends/Send")
        )
        return Channel(
            track.get("name", ""),
            self._lane(self._one(channel, "Volume"), "amplitude"),
            tuple(self._device(device) for device in ([] if devices is None else devices)),
            sends,
            "" if to is None else self._name_of(channel),
        )

    def _name_of(self, element: Element) -> str:
        to = element.get("destination", "")
        if to not in self._names:
            raise self._wrong(element, f"destination {to!r} is no channel")
        return self._names[to]

    def _device(self, device: Element) -> Device:
        lanes = tuple(self._lane(one) for one in device.findall("Parameters/RealParameter"))
        bands = []
        for band in device.findall("Band"):
            gain = band.find("Gain")
            bands.append(
                Band(
                    band.get("type", ""),
                    self._lane(self._one(band, "Freq")),
                    None if gain is None else self._lane(gain),
                )
            )
        return Device(device.get("name", ""), device.get("deviceName", ""), lanes, tuple(bands))

    def _lane(self, parameter: Element, unit: str = "") -> Lane:
        comment = parameter.get("comment", "")
        said = comment.removeprefix("in ") if comment.startswith("in ") else ""
        name = comment if unit and comment and not said else parameter.get("name", "")
        value = self._number(parameter, "value", 0.0)
        low, high = self._number(parameter, "min", value), self._number(parameter, "max", value)
        points = self._points.get(parameter.get("id", ""), ()) or (LanePoint(0.0, value, "hold"),)
        return Lane(name, unit or said or _FROM.get(parameter.get("unit", ""), "ratio"), low, high, points)

    def _clip(self, clip: Element) -> Clip:
        warps = self._one(clip, "Warps")
        if warps.get("contentTimeUnit") != "seconds" or clip.get("contentTimeUnit", "beats") != "beats":
            raise self._wrong(clip, "expected a file in seconds, warped to beats")
        audio = self._one(warps, "Audio")
        begins = self._number(clip, "time")
        start = begins - self._number(clip, "playStart", 0.0)
        markers = tuple(
            Warp(start + self._number(warp, "time"), self._number(warp, "contentTime"))
            for warp in warps.findall("Warp")
        )
        file = AudioFile(
            self._file(self._one(audio, "File")),
            self._number(audio, "duration"),
            int(self._number(audio, "sampleRate")),
            int(self._number(audio, "channels")),
        )
        return Clip(
            clip.get("name", ""),
            file,
            begins,
            begins + self._number(clip, "duration"),
            markers,
            key_lock=audio.get("algorithm") != "repitch",
            colour=clip.get("color", ""),
        )

    def _file(self, file: Element) -> Path:
        name = file.get("path", "")
        if not name or "\0" in name:
            raise self._wrong(file, "it names no file")
        if file.get("external") == "true":
            return Path(os.path.abspath(Path(self._path).parent / name))
        return Path(self._path) / name

    def _marker(self, marker: Element) -> Marker:
        match = re.fullmatch(r"until beat (\S+)", marker.get("comment", ""))
        ends = None
        if match is not None:
            try:
                ends = float(match[1])
            except ValueError:
                raise self._wrong(marker, f"{marker.get('comment')!r} says no beat") from None
        return Marker(marker.get("name", ""), self._number(marker, "time"), ends)


def audio_within(path: str | os.PathLike[str]) -> Iterator[tuple[str, int]]:
    """The files in a project besides its own two: names, and bytes unpacked."""
    with open_regular(path) as file, zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            if entry.filename not in ("project.xml", "metadata.xml"):
                yield entry.filename, entry.file_size
