"""A mixer played as it happens: material, a transport, automation and hands on the controls, block by block.

``feed`` gives the material (``fitted`` as another graph takes it), ``course`` what an automation says, ``hands`` who
holds which control, ``tape`` records that, ``line`` runs one mixer's stream along all of it, ``voices`` is what sounds
of those at a time, and ``player`` is what a console, a sound card or a page drives; ``relay`` lets another mixer take
over while it plays (``handover``). ``transport``, ``levels`` and ``load`` are what a player tells;
``rehearsal`` plays a mixer unheard before it is heard, and ``undisturbed`` keeps Python's own work out of its way.
"""

from djgraph.playing.course import Course
from djgraph.playing.feed import Feed, MemoryFeed, ReadAhead
from djgraph.playing.files import Completed, FeedBlocks, FileFeed, SoughtFeed
from djgraph.playing.fitted import Fitted
from djgraph.playing.hands import Hands
from djgraph.playing.line import Line
from djgraph.playing.player import Player
from djgraph.playing.tape import Run, Tape
from djgraph.playing.undisturbed import leave_alone, undisturbed

__all__ = [
    "Completed",
    "Course",
    "Feed",
    "FeedBlocks",
    "FileFeed",
    "Fitted",
    "Hands",
    "Line",
    "MemoryFeed",
    "Player",
    "ReadAhead",
    "Run",
    "SoughtFeed",
    "Tape",
    "leave_alone",
    "undisturbed",
]
