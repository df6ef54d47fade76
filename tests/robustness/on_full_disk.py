"""A process whose files may not grow: ``python on_full_disk.py BYTES``; prints, as JSON, what each command said.

RLIMIT_FSIZE is a full disk that needs no rights: the system refuses to write beyond it (EFBIG).
0 leaves the limit as it is, for a folder on a disk that is full indeed.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from two_decks import GRAPH

import djgraph
from djgraph import checkpoint
from djgraph.cli import main

INPUTS = ["-i", "left=library/one", "-i", "right=library/two"]
COMMANDS = {
    "mix.wav": ["render", "two.json", *INPUTS, "-o", "mix.wav"],
    "mix.flac": ["render", "two.json", *INPUTS, "-o", "mix.flac"],
    "mix.ogg": ["render", "two.json", *INPUTS, "-o", "mix.ogg"],
    "mix.mp3": ["render", "two.json", *INPUTS, "-o", "mix.mp3"],
    "layout.json": ["layout", "dj_mixer", "--format", "json", "-o", "layout.json"],
    "draw.svg": ["draw", "dj_mixer", "-o", "draw.svg"],
    "schema.json": ["schema", "-o", "schema.json"],
    "again.wav": [
        *("fit", "two.json", *INPUTS, "--target", "library/one/drums.wav", "--steps", "0"),
        *("-o", "moves.json", "--mix", "again.wav"),
    ],
    "corpus": [
        *("dataset", "make", "corpus", "--tracks", "library", "--graph", "two.json"),
        *("--seconds", "0.9", "-n", "1", "-j", "1"),
    ],
}


def save() -> int:
    try:
        checkpoint.save("model.safetensors", {"x": torch.rand(100_000)}, djgraph.compile(GRAPH).layout)
    except djgraph.CheckpointError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    results = {}
    if limit := int(sys.argv[1]):
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    for name, words in [*COMMANDS.items(), ("model.safetensors", None)]:
        err = io.StringIO()
        with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()):
            code = save() if words is None else main(words)
        results[name] = (code, err.getvalue())
    data = json.dumps(results).encode()
    os.write(1, data)
