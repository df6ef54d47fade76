"""Arrangements as REAPER projects: ``.rpp``, a text of blocks in angle brackets.

Its makers publish no specification; what is written here is what is known of it publicly: the state chunk definitions
of the ReaTeam's documentation, and the API reference of ReaScript, whose calls set the same values."""

from __future__ import annotations

import math
import os
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from djgraph.atomic import write_text
from djgraph.daw.arrangement import Arrangement, Channel, Clip, Marker, ramped
from djgraph.daw.lanes import TOLERANCE, Lane, LanePoint, needed
from djgraph.daw.paths import referred
from djgraph.daw.reaper_effects import effects, sliders
from djgraph.errors import InputError
from djgraph.text import one_line

SQUARE, LINEAR = 1, 0
"""Shapes of envelope points: what holds until the next, and what goes there straight."""
NEAR = 1e-4
"""Seconds by which a file's place between two stretch markers may differ from where the arrangement has it."""
FINE = 0.25
"""Beats between the places at which lines that are straight over beats are looked at where the tempo ramps."""


def write_reaper(arrangement: Arrangement, path: str | os.PathLike[str], title: str = "") -> None:
    """Write an ``.rpp`` file. It refers to its audio where that is.

    Groups are folders, channels of buses are tracks that receive. A clip of one speed is an item with a play rate, one
    of several has stretch markers; its pitch is kept or not, as ``key_lock`` says. Volumes and sends are envelopes,
    equalisers and filters effects that come with REAPER, with envelopes; of other effects the notes of the project
    tell. Raises InputError for audio files that are not there, and for names of files that the format cannot hold, and
    DJGraphError where the file cannot be written.
    """
    write_text(path, text_of(arrangement, check_names(arrangement.files(), path), title))


def check_names(files: Sequence[Path], path: str | os.PathLike[str]) -> dict[Path, str]:
    """How a project at ``path`` names each file of audio; raises as :func:`write_reaper`."""
    places = referred(files, path)
    for file, name in places.items():
        _quoted_file(name, file)
    return places


def text_of(arrangement: Arrangement, places: dict[Path, str], title: str = "") -> str:
    """The project as text. places: how it names each audio file."""
    return "\n".join(_Writer(arrangement, places).lines(title)) + "\n"


class _Row:
    """A track of REAPER: a channel, what it is called, how deep the folder is that begins or ends with it."""

    def __init__(
        self,
        channel: Channel,
        clips: Sequence[Clip] = (),
        colour: str = "",
        folder: int = 0,
        parent: str = "",
    ) -> None:
        self.channel, self.clips, self.colour, self.folder, self.parent = (
            channel,
            clips,
            colour,
            folder,
            parent,
        )


class _Writer:
    def __init__(self, arrangement: Arrangement, places: dict[Path, str]) -> None:
        self._mix, self._places = arrangement, places
        self._tempo = arrangement.tempo
        self._rows = list(self._tracks())
        self._numbers = {row.channel.name: number for number, row in enumerate(self._rows)}
        self._space = uuid.uuid5(uuid.NAMESPACE_URL, f"djgraph:{arrangement.name}")
        self._count = 0

    def _tracks(self) -> Iterator[_Row]:
        main = self._mix.main.name
        for group in self._mix.groups:
            yield _Row(group.channel, (), group.colour, 1 if group.tracks else 0, main)
            for number, track in enumerate(group.tracks, 1):
                last = number == len(group.tracks)
                yield _Row(track.channel, track.clips, group.colour, -1 if last else 0, group.name)
        for bus in self._mix.buses:
            yield _Row(bus, parent=main)

    def lines(self, title: str) -> Iterator[str]:
        """All lines of the file."""
        mix = self._mix
        first = self._tempo.points[0][1]
        yield '<REAPER_PROJECT 0.1 "6.80" 0'
        yield from self._notes(title)
        yield "  TIMELOCKMODE 0"  # items stay at their seconds where somebody changes the tempo
        yield "  TEMPOENVLOCKMODE 0"
        yield f"  SAMPLERATE {mix.sample_rate} 0 0"
        yield f"  TEMPO {_number(first)} {mix.meter} 4"
        yield f"  MASTER_VOLUME {_number(mix.main.volume.first)} 0 -1 -1 1"
        yield "  <TEMPOENVEX"
        yield from self._envelope_head("    ")
        yield from self._tempo_points()
        yield "  >"
        yield from self._master()
        for number, marker in enumerate(sorted(mix.markers, key=lambda marker: marker.beat), 1):
            yield from self._marker(number, marker)
        for row in self._rows:
            yield from self._track(row)
        yield ">"

    def _notes(self, title: str) -> Iterator[str]:
        mix = self._mix
        said = [title or mix.name, *mix.notes, *self._untold()]
        yield "  <NOTES 0 2"
        for line in "\n".join(said).split("\n"):
            yield f"    |{one_line(line)}"
        yield "  >"

    def _untold(self) -> Iterator[str]:
        """What of the automation is in no envelope."""
        for channel in self._mix.channels():
            for device in channel.devices:
                gains = [band.gain for band in device.bands if band.gain is not None]
                lanes = [*device.lanes, *gains, *(band.frequency for band in device.bands)]
                moving = [lane.name for lane in lanes if lane.moves]
                if sliders(device) is None:
                    moves = f"; it moves {', '.join(moving)}" if moving else ""
                    yield f"Not here: {device.name} ({device.type}) of {channel.name}{moves}."

    def _tempo_points(self) -> Iterator[str]:
        meter = 4 * 65536 + self._mix.meter
        for number, (beat, bpm, ramp) in enumerate(ramped(self._tempo, "per_second")):
            shape = SQUARE if ramp == "hold" else LINEAR
            end = f" {meter}" if number == 0 else ""
            yield f"    PT {_number(max(0.0, self._tempo.seconds(beat)))} {_number(bpm)} {shape}{end}"

    def _master(self) -> Iterator[str]:
        main = self._mix.main
        if main.volume.moves:
            yield from self._envelope("MASTERVOLENV2", main.volume, "  ")
        if lines := list(effects(main, self._points, self._guid, "    ")):
            yield "  <MASTERFXLIST"
            yield from lines
            yield "  >"

    def _marker(self, number: int, marker: Marker) -> Iterator[str]:
        begins = _number(self._tempo.seconds(marker.beat))
        name = _quoted(marker.name)
        if marker.ends is None:
            yield f"  MARKER {number} {begins} {name} 0"
            return
        yield f"  MARKER {number} {begins} {name} 1"
        yield f'  MARKER {number} {_number(self._tempo.seconds(marker.ends))} "" 1'

    def _track(self, row: _Row) -> Iterator[str]:
        channel = row.channel
        guid = self._guid()
        yield f"  <TRACK {guid}"
        yield f"    NAME {_quoted(channel.name)}"
        if row.colour:
            yield f"    PEAKCOL {_colour(row.colour)}"
        yield "    BEAT 0"
        yield "    AUTOMODE 0"
        yield f"    VOLPAN {_number(channel.volume.first if not channel.volume.moves else 1.0)} 0 -1 -1 1"
        yield "    MUTESOLO 0 0 0"
        kind = {1: 1, 0: 0, -1: 2}[row.folder]
        yield f"    ISBUS {kind} {row.folder}"
        yield "    NCHAN 2"
        yield "    FX 1"
        yield f"    TRACKID {guid}"
        for number, source in enumerate(self._rows):
            yield from self._receives(channel.name, source, number)
        yield f"    MAINSEND {int(channel.to == row.parent)} 0"
        if channel.volume.moves:
            yield from self._envelope("VOLENV2", channel.volume, "    ")
        if lines := list(effects(channel, self._points, self._guid, "      ")):
            yield "    <FXCHAIN"
            yield from lines
            yield "    >"
        for clip in sorted(row.clips, key=lambda clip: clip.begins):
            yield from self._item(clip)
        yield "  >"

    def _receives(self, name: str, source: _Row, number: int) -> Iterator[str]:
        """What a track gets of another: its output, where that is not the folder's or the main one, and its sends."""
        if source.channel.to == name and source.parent != name:
            yield f"    AUXRECV {number} 0 1 0 0 0 0 0 0 -1:U 0 -1 ''"
        for send in source.channel.sends:
            if send.to == name:
                level = 1.0 if send.level.moves else send.level.first
                mode = 3 if send.pre else 0
                yield f"    AUXRECV {number} {mode} {_number(level)} 0 0 0 0 0 0 -1:U 0 -1 ''"
                if send.level.moves:
                    yield from self._envelope("AUXVOLENV", send.level, "    ")

    def _envelope(self, tag: str, lane: Lane, margin: str) -> Iterator[str]:
        yield f"{margin}<{tag}"
        yield from self._envelope_head(f"{margin}  ")
        yield f"{margin}  VOLTYPE 0"  # points are amplitudes, and so is what is between them
        yield from self._points(lane, f"{margin}  ")
        yield f"{margin}>"

    def _envelope_head(self, margin: str) -> Iterator[str]:
        yield f"{margin}EGUID {self._guid()}"
        yield f"{margin}ACT 1 -1"
        yield f"{margin}VIS 1 1 1"
        yield f"{margin}ARM 0"
        yield f"{margin}DEFSHAPE 0 -1 -1"

    def _points(self, lane: Lane, margin: str) -> Iterator[str]:
        """The points of a lane in seconds; where the tempo ramps, so many that straight lines in seconds are straight
        in beats to within a thousandth of the way."""
        points = lane.points
        for here, there in zip(points, [*points[1:], None]):
            shape = SQUARE if here.shape == "hold" else LINEAR
            for second, value in self._way(here, there):
                yield f"{margin}PT {_number(max(0.0, second))} {_number(value)} {shape}"

    def _way(self, here: LanePoint, there: LanePoint | None) -> Iterator[tuple[float, float]]:
        """The seconds and values of a point and of those that it takes on the way to the next."""
        yield self._tempo.seconds(here.beat), here.value
        if there is None or here.shape == "hold" or here.value == there.value or here.beat == there.beat:
            return
        beats = np.array([here.beat, *self._bent(here.beat, there.beat), there.beat])
        values = here.value + (there.value - here.value) * (beats - here.beat) / (there.beat - here.beat)
        seconds = np.array([self._tempo.seconds(beat) for beat in beats.tolist()])
        for i in needed(seconds, values, TOLERANCE * abs(there.value - here.value))[1:-1]:
            yield float(seconds[i]), float(values[i])

    def _bent(self, begins: float, ends: float) -> Iterator[float]:
        """Beats between two at which the tempo is another, or becomes one."""
        entries = self._tempo.points
        for (beat, _), ramp, after in zip(entries, self._tempo.ramps, [*entries[1:], (math.inf, 0.0)]):
            if begins < beat < ends:
                yield beat
            if ramp != "hold":
                place = max(beat, math.floor(begins / FINE) * FINE) + FINE
                while place < min(after[0], ends):
                    if place > begins:
                        yield place
                    place += FINE

    def _item(self, clip: Clip) -> Iterator[str]:
        begins, ends = self._tempo.seconds(clip.begins), self._tempo.seconds(clip.ends)
        first = max(0.0, clip.second_at(clip.begins))
        stretch = self._stretch(clip, begins, ends)
        rate = 1.0 if stretch else (clip.second_at(clip.ends) - clip.second_at(clip.begins)) / (ends - begins)
        yield "    <ITEM"
        yield f"      POSITION {_number(begins)}"
        yield "      SNAPOFFS 0"
        yield f"      LENGTH {_number(ends - begins)}"
        yield "      LOOP 0"
        yield "      ALLTAKES 0"
        yield "      FADEIN 1 0 0"
        yield "      FADEOUT 1 0 0"
        yield "      MUTE 0 0"
        if clip.colour:
            yield f"      COLOR {_colour(clip.colour)} B"
        yield f"      IGUID {self._guid()}"
        yield f"      NAME {_quoted(clip.name)}"
        yield f"      VOLPAN 1 0 {_number(10 ** (clip.gain / 20))} -1"
        yield f"      SOFFS {_number(first)}"
        yield f"      PLAYRATE {_number(rate)} {int(clip.key_lock)} 0 -1 0 0.0025"
        yield "      CHANMODE 0"
        yield f"      GUID {self._guid()}"
        yield f"      <SOURCE {_kind(clip.file.path)}"
        yield f"        FILE {_quoted_file(self._places[clip.file.path], clip.file.path)}"
        yield "      >"
        if stretch:
            marks = " + ".join(f"{_number(place)} {_number(second)}" for place, second in stretch)
            yield f"      SM {marks}"
        yield "    >"

    def _stretch(self, clip: Clip, begins: float, ends: float) -> list[tuple[float, float]]:
        """Stretch markers: seconds from the item's beginning, and of the file. None where one speed does."""
        inner = [warp.beat for warp in clip.warps if clip.begins < warp.beat < clip.ends]
        beats = sorted({clip.begins, clip.ends, *inner, *self._bent(clip.begins, clip.ends)})
        places = np.array([self._tempo.seconds(beat) - begins for beat in beats])
        seconds = np.array([clip.second_at(beat) for beat in beats])
        kept = needed(places, seconds, NEAR)
        return [] if len(kept) == 2 else [(float(places[i]), float(seconds[i])) for i in kept]

    def _guid(self) -> str:
        """The next of a row of ids that is the same for the same arrangement."""
        self._count += 1
        return f"{{{str(uuid.uuid5(self._space, str(self._count))).upper()}}}"


def _kind(path: Path) -> str:
    return {".flac": "FLAC", ".mp3": "MP3", ".ogg": "VORBIS"}.get(path.suffix.lower(), "WAVE")


def _number(value: float) -> str:
    text = f"{value:.12f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def _quoted(text: str) -> str:
    """A name between quotes that it does not hold itself; where it holds all three, apostrophes take the backtick's
    place, as REAPER does."""
    text = one_line(text)
    for quote in ('"', "'", "`"):
        if quote not in text:
            return f"{quote}{text}{quote}"
    return "`" + text.replace("`", "'") + "`"


def _quoted_file(name: str, file: Path) -> str:
    if all(quote in name for quote in "\"'`"):
        raise InputError(
            f"{file}: the name has all kinds of quotes, which a REAPER project cannot hold; rename it"
        )
    return _quoted(name)


def _colour(colour: str) -> int:
    """``#rrggbb`` as REAPER counts it: a flag, then blue, green, red."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return 0x1000000 | blue << 16 | green << 8 | red
