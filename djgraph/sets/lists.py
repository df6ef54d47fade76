"""What is in a set, for people and programs: a tracklist with times as text and as data, and a cue sheet."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from djgraph.decks import Loop
from djgraph.decks.moves import Move
from djgraph.errors import InputError
from djgraph.sets.plan import PlayedTrack, SetPlan, Transition
from djgraph.text import one_line

CUE_TRACKS = 99
"""Tracks that a cue sheet holds."""
_FRAMES = 75
"""Of a second, in cue sheets."""
_KINDS = {".mp3": "MP3", ".aiff": "AIFF", ".aif": "AIFF"}


def clock(seconds: float, decimals: int = 0) -> str:
    """``1:02:03``, with hours only where there are some."""
    unit = 10**decimals
    whole, part = divmod(math.floor(max(seconds, 0.0) * unit + 1e-6), unit)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
    return f"{text}.{part:0{decimals}d}" if decimals else text


def cue_sheet(plan: SetPlan, audio: Path) -> str:
    """A cue sheet of the mix in ``audio``: each track from where it comes in. Raises InputError for more tracks than
    cue sheets hold."""
    if len(plan.tracks) > CUE_TRACKS:
        raise InputError(f"a cue sheet holds {CUE_TRACKS} tracks, and the set has {len(plan.tracks)}")
    lines = [
        f'TITLE "{_quoted(plan.title or plan.name)}"',
        f'FILE "{_quoted(audio.name)}" {_KINDS.get(audio.suffix.lower(), "WAVE")}',
    ]
    for number, track in enumerate(plan.tracks, 1):
        frames = math.floor(plan.span(track)[0] * _FRAMES + 1e-6)
        seconds, rest = divmod(frames, _FRAMES)
        at = f"{seconds // 60:02d}:{seconds % 60:02d}:{rest:02d}"
        lines += [
            f"  TRACK {number:02d} AUDIO",
            f'    TITLE "{_quoted(track.title)}"',
            f"    INDEX 01 {at}",
        ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return one_line(text).replace('"', "'")


def tracklist(plan: SetPlan) -> str:
    """The tracks with their times, and what happens between them, as text."""
    tempos = sorted({round(bpm, 2) for _, bpm in plan.tempo.points})
    tempo = f"{tempos[0]:g}" if len(tempos) == 1 else f"{tempos[0]:g} to {tempos[-1]:g}"
    lines = [f"{one_line(plan.title or plan.name)}: {clock(plan.seconds)}, {tempo} BPM", ""]
    width = max(len(one_line(track.title)) for track in plan.tracks)
    for number, track in enumerate(plan.tracks):
        if number:
            lines.append(" " * 12 + _between(plan.transitions[number - 1]))
        begin, _ = plan.span(track)
        speed = (track.rate(begin) - 1) * 100
        facts = [
            f"{track.grid.tempo:.1f} BPM",
            f"{round(speed, 1) + 0.0:+.1f} %",  # no -0.0
            track.known.camelot or "",
            f"{track.gain:+.1f} dB",
        ]
        facts += ["key locked"] if track.key_lock else []
        title = one_line(track.title).ljust(width)
        lines.append(f"{clock(begin, 1):>10}  {title}  {', '.join(filter(None, facts))}")
        lines += [f"{clock(plan.second(move.at), 1):>16}  {_said(track, move)}" for move in _moves(track)]
    return "\n".join(lines) + "\n"


def _moves(track: PlayedTrack) -> tuple[Move, ...]:
    return () if track.place is None else track.place.moves


def _said(track: PlayedTrack, move: Move) -> str:
    if isinstance(move, Loop):
        return f"loops {move.beats:g} beats, {move.times} times"
    bar = (move.to - track.grid.downbeat) / track.grid.meter
    return f"jumps to bar {bar + 1:.4g}"


def _between(transition: Transition) -> str:
    length = f"{transition.length:g} beats" if transition.length else "at once"
    return one_line(f"{transition.recipe}, {length}: {transition.why}")


def data_of(plan: SetPlan) -> dict[str, Any]:
    """The same, and more of it, as plain data."""
    return {
        "name": plan.name,
        "title": plan.title,
        "graph": plan.graph.name,
        "seconds": plan.seconds,
        "sample_rate": plan.sample_rate,
        "tempo": plan.tempo.plain(),
        "tracks": [_track(plan, track) for track in plan.tracks],
        "transitions": [
            {
                "leaving": plan.tracks[one.leaving].name,
                "entering": plan.tracks[one.entering].name,
                "recipe": one.recipe,
                "settings": dict(one.settings),
                "begin_beat": one.begin,
                "beats": one.length,
                "begin": plan.second(one.begin),
                "end": plan.second(one.end),
                "why": one.why,
            }
            for one in plan.transitions
        ],
    }


def _track(plan: SetPlan, track: PlayedTrack) -> dict[str, Any]:
    begin, end = plan.span(track)
    return {
        "name": track.name,
        "title": track.title,
        "path": str(track.path),
        "deck": track.input,
        "begin": begin,
        "end": end,
        "track_begin": track.track_second(begin),
        "enters_beat": track.enters,
        "leaves_beat": track.leaves,
        "tempo": track.grid.tempo,
        "speed": [track.rate(begin), track.rate(max(begin, end - 1e-3))],
        "key": track.known.key,
        "camelot": track.known.camelot,
        "gain_db": track.gain,
        "key_lock": track.key_lock,
        "moves": [_move(plan, move) for move in _moves(track)],
    }


def _move(plan: SetPlan, move: Move) -> dict[str, Any]:
    """A loop or a jump: when in the mix; how much, or to which beat of the track."""
    when = {"at": plan.second(move.at), "at_beat": move.at}
    return when | ({"loop": move.beats, "times": move.times} if isinstance(move, Loop) else {"jump": move.to})
