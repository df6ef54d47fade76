"""Data to train with: pairs of excerpts of tracks in stems, and corpora of synthetic transitions."""

from djgraph.data.check import check_corpus
from djgraph.data.corpus import Corpus
from djgraph.data.curves import random_curves
from djgraph.data.make import Made, make_corpus
from djgraph.data.pairs import StemPairs
from djgraph.data.seeds import random_state
from djgraph.data.shards.make import shard_corpus
from djgraph.data.shards.stream import CorpusStream
from djgraph.data.stem_file import unpack
from djgraph.data.tracks import Track, find_tracks

__all__ = [
    "Corpus",
    "CorpusStream",
    "Made",
    "StemPairs",
    "Track",
    "check_corpus",
    "find_tracks",
    "make_corpus",
    "random_curves",
    "random_state",
    "shard_corpus",
    "unpack",
]
