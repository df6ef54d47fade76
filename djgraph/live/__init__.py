"""A mixer on a sound card: blocks in time, controls from MIDI and OSC, what is played recorded.

``device`` is the card, ``engine`` keeps blocks ready for it, ``desk`` takes control changes from any thread to the one
that makes the sound, ``midi`` and ``osc`` bring them, ``recording`` keeps what was played. Knows no command line.
"""

from djgraph.live.desk import Desk
from djgraph.live.device import Card, FakeCard, SoundDeviceCard
from djgraph.live.engine import Engine

__all__ = ["Card", "Desk", "Engine", "FakeCard", "SoundDeviceCard"]
