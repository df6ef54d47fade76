"""Projects for DAWs: an arrangement that belongs to no program, written as DAWproject and for REAPER."""

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
from djgraph.daw.lanes import Lane, LanePoint

__all__ = [
    "Arrangement",
    "AudioFile",
    "Band",
    "Channel",
    "Clip",
    "DawTrack",
    "Device",
    "Group",
    "Lane",
    "LanePoint",
    "Marker",
    "Send",
    "Warp",
]
