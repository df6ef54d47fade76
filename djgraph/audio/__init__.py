"""Audio files, folders of stems and loudness. Knows nothing of graphs."""

from djgraph.audio.blocks import BlockReader, open_blocks
from djgraph.audio.excerpts import Header, read_excerpt, read_header
from djgraph.audio.files import read
from djgraph.audio.formats import FORMATS, check_format
from djgraph.audio.integrated import lufs
from djgraph.audio.loudness import normalize, peak_dbfs, peak_gain, rms_dbfs
from djgraph.audio.meter import Meter
from djgraph.audio.outputs import Levels, Outputs, open_outputs
from djgraph.audio.resampling import resample
from djgraph.audio.signal_blocks import (
    SignalReader,
    SignalsReader,
    open_signal,
    open_signals,
    open_stems,
)
from djgraph.audio.sound_file import SoundFile
from djgraph.audio.stems import STEMS, find_stems, load_signal, load_stems, match_lengths
from djgraph.audio.writing import write

__all__ = [
    "FORMATS",
    "STEMS",
    "BlockReader",
    "Header",
    "Levels",
    "Meter",
    "Outputs",
    "SignalReader",
    "SignalsReader",
    "SoundFile",
    "check_format",
    "find_stems",
    "load_signal",
    "load_stems",
    "lufs",
    "match_lengths",
    "normalize",
    "open_blocks",
    "open_outputs",
    "open_signal",
    "open_signals",
    "open_stems",
    "peak_dbfs",
    "peak_gain",
    "read",
    "read_excerpt",
    "read_header",
    "resample",
    "rms_dbfs",
    "write",
]
