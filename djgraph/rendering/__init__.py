"""A clip from files to files: the inputs of a graph opened, mixed block by block, written.

``files`` opens inputs as they are, ``synced`` at the beats of one mix, ``played`` for graphs whose sources play them,
``warped`` where a warp puts them; ``mixdown`` runs a mixer along them.
"""

from djgraph.rendering.files import InputBlocks, find_inputs, read_inputs
from djgraph.rendering.mixdown import (
    BLOCK,
    BlockSource,
    Keeper,
    MemorySource,
    Score,
    Summary,
    Written,
    check_outputs,
    clock_of,
    mix_down,
    paths_beside,
    spread,
    stream_tempo,
)
from djgraph.rendering.played import PlayedBlocks
from djgraph.rendering.steps import Silent, Steps
from djgraph.rendering.synced import SYNCS, SyncedBlocks, Tempo
from djgraph.rendering.warped import WarpedBlocks

__all__ = [
    "BLOCK",
    "SYNCS",
    "BlockSource",
    "InputBlocks",
    "Keeper",
    "MemorySource",
    "PlayedBlocks",
    "Score",
    "Silent",
    "Steps",
    "Summary",
    "SyncedBlocks",
    "Tempo",
    "WarpedBlocks",
    "Written",
    "check_outputs",
    "clock_of",
    "find_inputs",
    "mix_down",
    "paths_beside",
    "read_inputs",
    "spread",
    "stream_tempo",
]
