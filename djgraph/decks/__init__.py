"""Tracks of any tempo in the time of one mix: where each enters, and its audio read at the mix's beats."""

from djgraph.decks.deck import Deck
from djgraph.decks.follow import Free, follow
from djgraph.decks.material import FileMaterial, MemoryMaterial
from djgraph.decks.moves import Jump, Loop
from djgraph.decks.passages import PassageDeck
from djgraph.decks.placement import Place, place
from djgraph.decks.warp import Warp
from djgraph.effects import Tape

__all__ = [
    "Deck",
    "FileMaterial",
    "Free",
    "Jump",
    "Loop",
    "MemoryMaterial",
    "PassageDeck",
    "Place",
    "Tape",
    "Warp",
    "follow",
    "place",
]
