"""The musical time of a stream: tempo frames as they come, and beats that do not depend on how the time was cut."""

from __future__ import annotations

class ClockTrack:
    pass
